package clusterkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
)

// Back-off between attempts to join.
const (
	joinFirst = 20 * time.Millisecond
	joinMost  = 5 * time.Second
	joinBusy  = 300 * time.Millisecond // at most, while somebody is there and has no room: a herd
	sayEvery  = 10 * time.Second       // that a node still tries
)

// join makes this node a member: it learns before it speaks. It introduces
// itself to those it has heard of, fetches all that one of them knows, and only
// then writes its first event. A node that has heard of nobody speaks at once.
// It ends when the node has spoken, or with the node's context.
func (ck *ClusterKit) join() {
	began, wait := time.Now(), joinFirst
	said := began // when operators were last told that this goes on
	for ck.ctx.Err() == nil {
		reason, err := ck.learn(time.Since(began))
		if err == nil {
			if err = ck.speak(reason); err == nil {
				return
			}
		}
		level := slog.LevelDebug
		if time.Since(said) > sayEvery {
			said, level = time.Now(), slog.LevelWarn
		}
		ck.opt.Logger.Log(ck.ctx, level, "not joined yet; trying on", "for", time.Since(began).Round(time.Second), "err", err)
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-ck.ctx.Done():
			return
		}
		wait = nextWait(wait, err)
	}
}

// nextWait is how long to wait after the next attempt fails, too.
func nextWait(wait time.Duration, err error) time.Duration {
	if errors.Is(err, transport.ErrBusy) {
		return min(2*wait, joinBusy)
	}
	return min(2*wait, joinMost)
}

// learn returns why this node may speak now, or an error when it may not yet.
func (ck *ClusterKit) learn(waited time.Duration) (reason string, err error) {
	k := ck.known().knowledge
	places, errs := ck.rendezvous(k.cluster)
	if len(places)+len(errs) == 0 {
		return "first node of a cluster", nil
	}
	self := 0
	for _, at := range places {
		learnt, err := ck.learnFrom(at)
		switch {
		case err != nil:
			errs = append(errs, err)
		case learnt.id == "":
			self++
		default:
			return "joined through " + learnt.id, nil
		}
	}
	if self == len(places) && len(errs) == 0 {
		return "first node of a cluster: all known addresses are its own", nil
	}
	for _, addr := range ck.knocks.besides(ck.Addr(), func(a string) bool { return slices.Contains(places, place{a, a}) }) {
		learnt, err := ck.learnFrom(place{addr, addr})
		if err == nil && learnt.id != "" {
			return "joined through " + learnt.id + ", which waited for it", nil
		}
		errs = append(errs, err)
	}
	err = errors.Join(errs...)
	if ck.noteRefusal(err) {
		return "", err // an answer, though not the one wished for
	}
	if k.member(ck.opt.NodeID) && waited >= ck.opt.LearnTimeout {
		return lonely, nil
	}
	return "", err
}

// lonely is why a restarted node speaks that nobody has told of its own past.
const lonely = "none of the members it remembers answers"

// noteRefusal reports whether somebody refuses to let this node in, and says so
// to those who ask why it is not ready.
func (ck *ClusterKit) noteRefusal(err error) bool {
	var refusal *transport.Error
	if errors.As(err, &refusal) && (refusal.Code == transport.ErrorDuplicateNode || refusal.Code == transport.ErrorRemoved) {
		ck.refused.Store(&refusal.Message)
		return true
	}
	ck.refused.Store(nil)
	return false
}

// rendezvous returns the places at which somebody may be found, the given ones
// and those of the members that are remembered, in random order; and which
// names have no address now.
func (ck *ClusterKit) rendezvous(cluster *projection.Cluster) ([]place, []error) {
	seen := map[string]bool{ck.Addr(): true}
	var places []place
	add := func(at place) {
		if !seen[at.dial] {
			seen[at.dial] = true
			places = append(places, at)
		}
	}
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		if n.ID != ck.opt.NodeID && n.Status != projection.StatusRemoved {
			add(place{n.Addr, n.Addr})
		}
	}
	seeds, errs := ck.seeds(ck.ctx)
	for _, at := range seeds {
		add(at)
	}
	rand.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	return places, errs
}

// learnFrom introduces this node at a place and fetches all that is known
// there. The zero target means that the address is this node's own, or that
// who answers knows too little to learn from.
func (ck *ClusterKit) learnFrom(at place) (target, error) {
	ctx, cancel := context.WithTimeout(ck.ctx, 30*time.Second)
	defer cancel()
	resp, err := ck.introduce(ctx, at)
	if err != nil {
		return target{}, fmt.Errorf("join through %s: %w", at.dial, err)
	}
	from := ck.target(at, resp)
	if from.id == ck.opt.NodeID {
		return target{}, nil
	}
	if !ck.peers.begin(from.id, ck.now()) {
		return target{}, fmt.Errorf("join through %s: an exchange is under way", at.dial)
	}
	err = ck.learnAll(ctx, from)
	ck.peers.end(from.id, false, ck.now())
	if err != nil {
		return target{}, err
	}
	has := ck.peers.has(from.id)
	if err := ck.do(ctx, func(r *replica, _ int64) error { return r.learnt(from.id, has, resp.Spoken) }); err != nil {
		return target{}, err
	}
	return from, nil
}

// learnAll fetches all that a peer holds. One exchange brings no more than so many
// pages, and who speaks before it has read the last one does not know what was
// said of it: that an earlier one of its name was removed, for example.
func (ck *ClusterKit) learnAll(ctx context.Context, from target) error {
	for {
		before := ck.known().digest
		if err := ck.exchange(ctx, from, pull); err != nil {
			return err
		}
		if k := ck.known().knowledge; k.digest == before || !k.lacks(ck.peers.has(from.id)) {
			return nil
		}
	}
}

// errUnproven is what an answer is that cannot be believed.
var errUnproven = errors.New("somebody there says that this node was removed, and does not show it")

// introduce sends this node's record to a place and returns who answered.
func (ck *ClusterKit) introduce(ctx context.Context, at place) (*transport.JoinResponse, error) {
	req := &transport.JoinRequest{Header: ck.header(""), Node: ck.newRecord(), Protocol: protocol,
		Settings: *settings(ck.config)}
	resp, local, err := ck.client.JoinAt(ctx, at.addr, at.dial, req)
	if err != nil {
		if e := (*transport.Error)(nil); !ck.heed(ctx, err, target{addr: at.dial}) && errors.As(err, &e) && e.Code == transport.ErrorRemoved {
			return nil, errUnproven
		}
		return nil, err
	}
	if ck.addr.Load() == nil {
		ck.adoptLocalAddr(local)
	}
	return resp, nil
}

// speak writes this node's first event of this process and opens it for
// business.
func (ck *ClusterKit) speak(reason string) error {
	if ck.addr.Load() == nil {
		ck.adoptLocalAddr(nil)
	}
	err := ck.do(ck.ctx, func(r *replica, wall int64) error {
		if err := r.beginLog(reason != lonely, ck.freshLog); err != nil {
			return err
		}
		return r.speak(wall, ck.newRecord(), reason)
	})
	if err != nil {
		return err
	}
	close(ck.joined)
	ck.spread.greetSoon()
	ck.opt.Logger.Info("joined", "cluster", ck.config.ClusterName, "node", ck.opt.NodeID, "addr", ck.Addr(), "how", reason)
	return nil
}

// newRecord is what this node says of itself.
func (ck *ClusterKit) newRecord() *events.NodeRecord {
	return &events.NodeRecord{ID: ck.opt.NodeID, Name: ck.opt.Name, Addr: ck.Addr(), Zone: ck.opt.Zone,
		Weight: uint32(ck.opt.Weight), Services: ck.opt.Services, Metadata: ck.opt.Metadata,
		StartedAt: ck.process}
}

// chooseAddr decides what peers dial, as far as the listener tells.
func (ck *ClusterKit) chooseAddr(listener net.Listener) {
	if ck.opt.AdvertiseAddr != "" {
		ck.addr.Store(&ck.opt.AdvertiseAddr)
		return
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		addr := listener.Addr().String() // of another kind of network
		ck.addr.Store(&addr)
		return
	}
	ck.port = port
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		addr := net.JoinHostPort(host, port)
		ck.addr.Store(&addr)
	}
}

// adoptLocalAddr advertises the address over which the cluster was reached, or
// else that of an interface.
func (ck *ClusterKit) adoptLocalAddr(local net.Addr) {
	host := "127.0.0.1"
	if tcp, ok := local.(*net.TCPAddr); ok {
		host = tcp.IP.String()
	} else if ip := interfaceAddr(); ip != nil {
		host = ip.String()
	}
	addr := net.JoinHostPort(host, ck.port)
	ck.addr.Store(&addr)
}

// interfaceAddr returns the first address of this machine that is not
// loopback, IPv4 before IPv6, or nil.
func interfaceAddr() net.IP {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var best net.IP
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || !n.IP.IsGlobalUnicast() {
			continue
		}
		if n.IP.To4() != nil {
			return n.IP
		}
		if best == nil {
			best = n.IP
		}
	}
	return best
}

// mostLost bounds how many failed members are tried in one round of healing.
// With fewer of them every one is tried every time, so that those that are gone
// for ever do not keep a node from finding the one that is back.
const mostLost = 16

// heal tries to reach members that are thought gone, and known addresses that
// belong to no member: a split heals, and clusters that began as islands find
// each other. It goes on for ever, and names are resolved again each time.
func (ck *ClusterKit) heal() {
	k := ck.known().knowledge
	if !k.spoken {
		return
	}
	members := map[string]bool{ck.Addr(): true}
	var lost, left []string
	for i := range k.cluster.Nodes {
		n := &k.cluster.Nodes[i]
		switch n.Status {
		case projection.StatusFailed:
			lost = append(lost, n.Addr)
		case projection.StatusLeft:
			left = append(left, n.Addr)
		case projection.StatusRemoved: // at a known address somebody may be, if only to say that it is the other way round
		default:
			members[n.Addr] = true
		}
	}
	for _, addr := range slices.Concat(some(lost, mostLost), some(left, 1)) {
		ck.run(func() { ck.greet(place{addr, addr}) }) // ends within its timeout
	}
	if len(ck.opt.KnownNodes) > 0 {
		ck.run(func() { ck.greetStrangers(members) }) // ends within the timeout of a lookup
	}
}

// greetStrangers greets some who are at known addresses and are no members.
func (ck *ClusterKit) greetStrangers(members map[string]bool) {
	places, errs := ck.seeds(ck.ctx)
	for _, err := range errs {
		ck.opt.Logger.Debug("known nodes", "err", err)
	}
	places = slices.DeleteFunc(places, func(at place) bool { return members[at.addr] || members[at.dial] })
	for _, at := range places[:min(few, len(places))] {
		ck.run(func() { ck.greet(at) }) // ends within its timeout
	}
}

// some returns up to n of a list, at random.
func some(list []string, n int) []string {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(n, len(list))]
}

// greet finds out who is at a place and compares with it what both know.
func (ck *ClusterKit) greet(at place) {
	ctx, cancel := context.WithTimeout(ck.ctx, 10*time.Second)
	defer cancel()
	resp, err := ck.introduce(ctx, at)
	if err == nil && resp.From != ck.opt.NodeID {
		ck.talk(ck.target(at, resp), compare)
	}
}
