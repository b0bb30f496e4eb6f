package clusterkit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
)

// simExchange is exchange.go in one thread: one peer, rounds of one request
// each, until there is nothing more to say.
type simExchange struct {
	p      *simProc
	to     target
	m      mode
	asking bool
	part   part

	brought, owed bool // the whole state, once

	round int
	until int64
	done  func(error)
}

func (p *simProc) exchange(to target, m mode, timeout int64, done func(error)) {
	x := &simExchange{p: p, to: to, m: m, asking: m == pull || m == look, until: p.world.now + timeout, done: done}
	x.next()
}

func (x *simExchange) next() {
	p := x.p
	if x.round == maxPages {
		x.done(nil)
		return
	}
	k, asked := p.k, p.now()
	has := p.peers.has(x.to.id)
	req := &transport.SyncRequest{Header: p.header(x.to.id), Digest: k.digest}
	var spans []span
	if has != nil && x.m != look {
		spans = k.beyond(has, p.host.disk.log)
	}
	if has == nil || x.round == 0 && count(spans) > unasked {
		spans, x.asking = nil, x.round > 0 || x.m != compare
	}
	told, _, err := fillPage(spans, p.world.profile.page, p.host.disk.read)
	if err != nil && !errors.Is(err, eventlog.ErrCompacted) {
		x.done(err)
		return
	}
	req.Events = told
	whole := x.owed || err != nil && len(told) == 0 && k.unheard(has, p.host.disk.log)
	if whole {
		req.Snapshot = p.r.state.AppendSnapshot(nil)
	}
	c := k.claim(x.asking, x.part)
	req.HasVector, req.Vector, req.Within, req.Buckets = c.given, c.heads, c.within, c.buckets
	x.round++
	timeout := min(10_000, x.until-p.world.now)
	p.world.net.call(p, x.to.addr, timeout, req, func(answer any, err error) {
		if err != nil {
			err = fmt.Errorf("sync with %s at %s: %w", x.to.id, x.to.addr, err)
			if x.m == look {
				x.done(err)
			} else {
				p.heed(err, x.to, func(bool) { x.done(err) })
			}
			return
		}
		resp := answer.(*transport.SyncResponse)
		x.take(k, asked, &c, resp, func(in taken, err error) {
			if err != nil || resp.Code == transport.CodeEqual || x.m == look && len(resp.Snapshot) > 0 {
				x.done(err)
				return
			}
			x.brought = x.brought || whole
			if x.owed = in.void && !x.brought && x.m != look; x.owed {
				p.world.coverage.saw(simOwed)
			}
			useless := len(told) > 0 && count(k.beyond(p.peers.has(x.to.id), events.LogID{})) >= count(spans)
			x.goOn(k, &c, resp, in.progress, !useless && (len(spans) == 0 || len(told) > 0 || whole))
		})
	})
}

// goOn decides whether there is more to say.
func (x *simExchange) goOn(k *knowledge, c *claim, resp *transport.SyncResponse, progress, more bool) {
	p := x.p
	if c.buckets != nil {
		x.part.known, x.part.within = true, resp.Within
	}
	theirs := p.peers.has(x.to.id)
	fetch := resp.More || p.k.lacks(theirs) || x.m != push && p.k.mayFork(resp.Digest)
	if fetch && x.m == push {
		p.peers.wantPull(x.to.id, p.now()+pullDelay)
		p.spreadNow()
		fetch = false
	}
	fetch = fetch && (progress || !c.given)
	bring := x.m != look && more && len(k.beyond(theirs, events.LogID{})) > 0
	if !fetch && !bring && !x.owed {
		x.done(nil)
		return
	}
	x.asking = fetch
	x.next()
}

// take learns from an answer.
func (x *simExchange) take(k *knowledge, asked int64, c *claim, resp *transport.SyncResponse, then func(taken, error)) {
	p := x.p
	if resp.Code == transport.CodeEqual {
		p.peers.equal(x.to.id, k, asked)
		then(taken{}, nil)
		return
	}
	var forks []events.Head
	if resp.HasVector {
		if held, ok := k.heldBy(c, resp.Vector, resp.Within); ok {
			p.peers.replaceHas(x.to.id, held)
		} else {
			p.peers.raiseHas(x.to.id, resp.Vector)
		}
		forks = k.forks(resp.Vector)
	}
	p.sawForks(forks, func() {
		p.peers.raiseHas(x.to.id, resp.Acks)
		switch {
		case len(resp.Snapshot) > 0:
			p.world.diverged(p, k.digest, resp.Digest)
			p.takeState(resp.Snapshot, func(err error) { then(taken{progress: true}, err) })
		case len(resp.Events) == 0:
			then(taken{}, nil)
		default:
			p.ingest(x.to.id, resp.Events, func(in ingested, err error) { then(taken{in.accepted > 0, in.void > 0}, err) })
		}
	})
}

// serve answers a request, as backend.go does.
func (p *simProc) serve(req any, reply func(any, error)) {
	var h *transport.Header
	switch r := req.(type) {
	case *transport.SyncRequest:
		h = &r.Header
	case *transport.ProbeRequest:
		h = &r.Header
	case *transport.JoinRequest:
		h = &r.Header
	}
	if h.Cluster != p.host.cluster {
		p.world.coverage.saw(simWrongClusters)
		reply(nil, errSimWrongCluster)
		return
	}
	if _, join := req.(*transport.JoinRequest); !join && h.To != p.host.id {
		p.world.coverage.saw(simWrongNodes)
		reply(nil, errSimWrongNode)
		return
	}
	if _, join := req.(*transport.JoinRequest); !join && p.halted {
		reply(nil, transport.Errorf(409, transport.ErrorDuplicateNode, "halted"))
		return
	}
	if p.expelled {
		reply(nil, errSimUnavailable)
		return
	}
	if err := p.toldRemoved(h, req); err != nil {
		reply(nil, err)
		return
	}
	switch r := req.(type) {
	case *transport.SyncRequest:
		p.serveSync(r, reply)
	case *transport.ProbeRequest:
		p.serveProbe(r, reply)
	case *transport.JoinRequest:
		p.serveJoin(r, reply)
	}
}

func (p *simProc) serveSync(req *transport.SyncRequest, reply func(any, error)) {
	if len(req.Snapshot) > 0 {
		p.world.coverage.saw(simStatePushed)
		p.takeState(req.Snapshot, func(err error) {
			if err != nil {
				reply(nil, errSimUnavailable)
				return
			}
			p.serveEvents(req, reply)
		})
		return
	}
	p.serveEvents(req, reply)
}

// takeState merges a state as it came over the wire.
func (p *simProc) takeState(snapshot []byte, then func(error)) {
	other, err := projection.ReadSnapshot(snapshot)
	if err != nil {
		p.world.violated("codec", "%v", err)
	}
	p.mergeState(other, then)
}

func (p *simProc) serveEvents(req *transport.SyncRequest, reply func(any, error)) {
	if len(req.Events) == 0 {
		p.answerSync(req, ingested{}, reply)
		return
	}
	p.ingest(req.From, req.Events, func(in ingested, err error) {
		if err != nil {
			reply(nil, errSimUnavailable)
			return
		}
		p.answerSync(req, in, reply)
	})
}

func (p *simProc) answerSync(req *transport.SyncRequest, in ingested, reply func(any, error)) {
	k := p.k
	resp := &transport.SyncResponse{Header: p.header(req.From), Digest: k.digest, Spoken: k.spoken, Acks: k.acks(req.Events)}
	removed := selfRemoved(p.k.cluster, req.From, req.FromLog)
	if !removed {
		p.peers.raiseHas(req.From, headsOf(req.Events))
	}
	c := claim{digest: req.Digest, given: req.HasVector, heads: req.Vector, within: req.Within, buckets: req.Buckets}
	var forks []events.Head
	switch {
	case removed: // what it says is not believed
	case c.given && c.within == 0:
		p.peers.replaceHas(req.From, req.Vector)
	case c.given:
		p.peers.raiseHas(req.From, req.Vector)
	}
	switch {
	case c.given && removed:
		forks = forksOf(req.FromLog, k.forks(req.Vector))
	case c.given:
		forks = k.forks(req.Vector)
	}
	p.sawForks(forks, func() {
		if in.void > 0 {
			resp.HasVector = true
			p.answerWithState(resp, reply)
			return
		}
		a := k.answer(&c, p.host.disk.log)
		if a.equal {
			p.peers.equal(req.From, k, p.now())
			resp.Code, resp.Acks = transport.CodeEqual, nil
			reply(resp, nil)
			return
		}
		resp.HasVector = true
		if removed && req.Digest.Forked+k.digest.Forked > 0 {
			p.answerWithState(resp, reply)
			return
		}
		resp.Vector, resp.Within = k.reply(&c)
		switch {
		case a.needVector:
			resp.Code = transport.CodeNeedVector
			reply(resp, nil)
			return
		case a.merge:
			if !k.justLearnt(req.FromLog) {
				p.world.diverged(p, k.digest, req.Digest)
			}
			p.answerWithState(resp, reply)
			return
		}
		var err error
		resp.Code = transport.CodeData
		if resp.Events, resp.More, err = fillPage(a.spans, p.world.profile.page, p.host.disk.read); err != nil {
			p.answerWithState(resp, reply)
			return
		}
		p.world.progresses(a.spans, resp.Events, resp.More)
		p.sawForks(severed(resp.Events, req.Vector), func() { reply(resp, nil) })
	})
}

// answerWithState sends the whole state, for ranges do not help.
func (p *simProc) answerWithState(resp *transport.SyncResponse, reply func(any, error)) {
	p.world.coverage.saw(simSnapshotSent)
	p.do(func(r *replica, _ int64) error {
		k := r.know()
		resp.Code, resp.Events, resp.More = transport.CodeSnapshot, nil, false
		resp.Snapshot, resp.Vector, resp.Within, resp.Digest = r.state.AppendSnapshot(nil), k.heads, 0, k.digest
		return nil
	}, func(err error) {
		if err != nil {
			reply(nil, errSimUnavailable)
			return
		}
		reply(resp, nil)
	})
}

// talk runs an exchange with a peer, never two at a time with the same one.
func (p *simProc) talk(to target, m mode) {
	if p.peers.begin(to.id, p.now()) {
		p.talkOn(to, m)
	}
}

func (p *simProc) talkOn(to target, m mode) {
	p.exchange(to, m, never, func(err error) {
		switch {
		case errors.Is(err, transport.ErrBusy):
			p.peers.wantRetry(to.id, p.now()+retryDelay+p.world.upTo(2*retryDelay))
			p.spreadNow()
		case errors.Is(err, transport.ErrUnreachable):
			p.doubt(to.id)
		}
		if p.peers.end(to.id, err == nil, p.now()) {
			p.talkOn(to, push)
		}
	})
}

// simSpread is spread.go in one thread.
type simSpread struct {
	pushed, pushAt, compareAt, healAt, pullAt int64
	patience                                  int64
	pace                                      pacer
	unheard                                   unheard
	at                                        int64 // when it runs next
}

func (p *simProc) startSpread() {
	p.spread = simSpread{pushed: -never, pushAt: never, compareAt: simSyncInterval, healAt: healing,
		pullAt: never, patience: healing, unheard: unheard{at: never}, at: never}
	p.planSpread()
}

const simSyncInterval = 5000

func (p *simProc) planSpread() {
	s := &p.spread
	at := max(min(s.pushAt, s.unheard.at, s.compareAt, s.healAt, s.pullAt), p.now())
	if at >= s.at && s.at >= p.now() {
		return // it runs soon enough
	}
	s.at = at
	p.world.after(at-p.now(), p, func() {
		if s.at == at {
			s.at = never
			p.runSpread()
		}
	})
}

func (p *simProc) kick() {
	s := &p.spread
	s.pushAt = min(s.pushAt, max(s.pushed+s.pace.gap(len(p.k.cluster.Nodes)), p.now()))
	p.planSpread()
}

// spreadNow lets the deadlines be looked at again.
func (p *simProc) spreadNow() {
	p.spread.pullAt = p.now()
	p.planSpread()
}

func (p *simProc) greetSoon() {
	p.spread.healAt, p.spread.patience = p.now(), greeting
	p.planSpread()
}

func (p *simProc) runSpread() {
	if p.expelled {
		return
	}
	s := &p.spread
	now := p.now()
	again := now >= s.unheard.at && !s.unheard.reached(p.peers)
	if now >= s.pushAt || again {
		s.pushed, s.pushAt = now, never
		s.unheard.pushed(p.k, p.push(s.pace.pushed(now, len(p.k.cluster.Nodes))), again, now)
	}
	if now >= s.compareAt {
		s.compareAt = now + simSyncInterval
		p.compare(now - simSyncInterval)
	}
	if now >= s.healAt {
		s.healAt = now + s.patience
		s.patience = min(2*s.patience, healing)
		p.heal()
	}
	due, next := p.peers.duePulls(p.k, now, 1<<30) // which go first is a matter of map order
	s.pullAt = next
	for _, to := range due {
		p.talk(to, pull)
	}
	p.planSpread()
}

func (p *simProc) push(storm bool) (told []target) {
	if !p.k.spoken {
		return nil
	}
	chosen, m := p.choose(), push
	if storm {
		chosen, m = chosen[:min(fewer, len(chosen))], pull
	}
	room := p.peers.room(everyone, p.now())
	for _, to := range chosen {
		if has := p.peers.has(to.id); has != nil && len(p.k.beyond(has, events.LogID{})) == 0 {
			continue
		}
		if room--; room < 0 {
			p.kick()
			break
		}
		p.talk(to, m)
		told = append(told, to)
	}
	return told
}

func (p *simProc) choose() []target {
	all := others(p.k.cluster, p.host.id)
	if len(all) <= everyone {
		return all
	}
	now := p.now()
	if prompt := slices.DeleteFunc(slices.Clone(all), func(to target) bool { return p.peers.lingers(to.id, now) }); len(prompt) >= few {
		all = prompt
	}
	next := slices.IndexFunc(all, func(t target) bool { return t.id > p.host.id })
	chosen := []target{all[max(next, 0)]}
	for len(chosen) < few {
		if to := all[p.world.pick(len(all))]; !slices.Contains(chosen, to) {
			chosen = append(chosen, to)
		}
	}
	return chosen
}

func (p *simProc) compare(since int64) {
	if !p.k.spoken {
		return
	}
	all := others(p.k.cluster, p.host.id)
	if len(all) > everyone {
		i := p.world.pick(len(all))
		all = all[i : i+1]
	}
	for _, to := range all {
		if p.peers.comparedAt(to.id) < since {
			p.talk(to, compare)
		}
	}
}
