package clusterkit

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Spreading, in milliseconds and numbers of nodes.
const (
	debounce = 20     // between two pushes; what happens meanwhile goes together
	everyone = 8      // up to so many peers are all told at once
	few      = 4      // beyond that, so many: the next in the ring and random ones
	fewer    = 2      // in a storm
	healing  = 30_000 // between attempts to reach failed members and known addresses;
	greeting = 250    // at first, doubling: who started together finds each other fast
)

// spreader sees to it that what one node knows all come to know. New events
// are pushed at once, to everyone in a small cluster and to a few in a large
// one, each of whom pushes on what was new to it. One of the few is always the
// next node in the order of names, so news reaches every node even when chance
// does not choose it; random ones make it fast. Beside that digests are
// compared from time to time, which finds whatever was lost.
//
// When news does not end in a large cluster, as when a hundred nodes start
// together, most pushes would carry little, to nodes that just heard it from
// others, and the machine would do nothing else. That is a storm: see pacer.
// Then a node talks less often and to fewer, and each time both learn all that
// the other one knows.
//
// A push of which none of the few is known to have heard in time is made again, to
// others: they may all be stalled or cut off, and until the next comparison nobody
// would know of it.
type spreader struct {
	ck     *ClusterKit
	kicked chan struct{} // capacity 1: something new is known
	woken  chan struct{} // capacity 1: deadlines changed
	joined chan struct{} // capacity 1: this node has just spoken
}

func newSpreader(ck *ClusterKit) *spreader {
	return &spreader{ck: ck, kicked: make(chan struct{}, 1), woken: make(chan struct{}, 1), joined: make(chan struct{}, 1)}
}

// kick says that there is something new to tell. It never blocks.
func (s *spreader) kick() { signal(s.kicked) }

// wake says that a deadline has changed. It never blocks.
func (s *spreader) wake() { signal(s.woken) }

// greetSoon says that this node has joined and should look around now.
func (s *spreader) greetSoon() { signal(s.joined) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run ends with the node's context.
func (s *spreader) run() {
	ck := s.ck
	timer := time.NewTimer(0)
	defer timer.Stop()
	interval := ck.opt.SyncInterval.Milliseconds()
	pushed, pushAt := -never, never
	var pace pacer
	unheard := unheard{at: never}
	compareAt, healAt, pullAt := ck.now()+interval, ck.now()+healing, never
	patience := int64(healing)
	for {
		next := min(pushAt, unheard.at, compareAt, healAt, pullAt)
		timer.Reset(time.Duration(max(next-ck.now(), 0)) * time.Millisecond)
		select {
		case <-s.kicked:
			pushAt = min(pushAt, max(pushed+pace.gap(len(ck.known().cluster.Nodes)), ck.now()))
		case <-s.joined:
			healAt, patience = ck.now(), greeting
		case <-s.woken:
		case <-timer.C:
		case <-ck.ctx.Done():
			return
		}
		now := ck.now()
		again := now >= unheard.at && !unheard.reached(ck.peers)
		if now >= pushAt || again {
			pushed, pushAt = now, never
			k := ck.known().knowledge
			unheard.pushed(k, s.push(k, pace.pushed(now, len(k.cluster.Nodes))), again, now)
		}
		if now >= compareAt {
			compareAt = now + interval
			s.compare(now - interval)
		}
		if now >= healAt {
			healAt = now + patience
			patience = min(2*patience, healing)
			ck.heal()
		}
		var due []target
		due, pullAt = ck.peers.duePulls(ck.known().knowledge, now, pace.abreast(now, len(ck.known().cluster.Nodes)))
		for _, to := range due {
			ck.talk(to, pull)
		}
	}
}

// pacer notices a storm by the number of pushes: each makes it warmer, time
// cools it.
type pacer struct {
	heat int64
	last int64
}

const (
	warmth = 1000 // of one push
	cool   = 4    // a millisecond
	stormy = 1500
	calmer = 100 // milliseconds between pushes in a storm, at least
	calm   = 250 // and at most
)

// pushed notes a push and reports whether it happens in a storm. A small
// cluster knows none: there everybody is told everything at once.
func (p *pacer) pushed(now int64, nodes int) (storm bool) {
	p.cooled(now)
	p.heat += warmth
	return p.storm(nodes)
}

func (p *pacer) cooled(now int64) {
	p.heat = max(p.heat-cool*(now-p.last), 0)
	p.last = now
}

func (p *pacer) storm(nodes int) bool { return nodes > everyone+1 && p.heat > stormy }

// gap is how long to wait between two pushes.
func (p *pacer) gap(nodes int) int64 {
	if p.storm(nodes) {
		return min(max(int64(nodes), calmer), calm)
	}
	return debounce
}

// abreast is how many exchanges this node may have under way at a time. In a
// storm these are few: where many nodes share a processor, or all of them wait
// for one disk, what is under way is a queue, and a probe that has to wait in it
// looks as if nobody answered.
func (p *pacer) abreast(now int64, nodes int) int {
	if p.cooled(now); p.storm(nodes) {
		return fewer
	}
	return everyone
}

// unheard is the last push, as long as nobody is known to have heard it.
type unheard struct {
	knew     *knowledge // what was to be told
	told     []target   // whom it was told
	at       int64      // when to look whether one of them has heard it
	patience int64      // until then, doubling
}

const mostPatience = 8 * lingering

// pushed notes a push, the first of some news or one more.
func (u *unheard) pushed(k *knowledge, told []target, again bool, now int64) {
	if u.patience = min(2*u.patience, mostPatience); !again {
		u.patience = lingering
	}
	u.knew, u.told, u.at = k, told, now+u.patience
	if len(told) == 0 {
		u.at = never
	}
}

// reached reports whether somebody has heard it, and ends the wait.
func (u *unheard) reached(p *peers) bool {
	u.at = never
	return slices.ContainsFunc(u.told, func(to target) bool {
		has := p.has(to.id)
		return has != nil && len(u.knew.beyond(has, events.LogID{})) == 0
	})
}

// push tells some peers what they are not known to know, as far as not too
// many exchanges are under way: what is not said now goes with the next push. It
// returns whom it tells.
func (s *spreader) push(k *knowledge, storm bool) (told []target) {
	if !k.spoken {
		return nil
	}
	chosen, m, abreast := s.choose(k.cluster), push, everyone
	if storm {
		chosen, m, abreast = chosen[:min(fewer, len(chosen))], pull, fewer
	}
	room := s.ck.peers.room(abreast, s.ck.now())
	for _, to := range chosen {
		if has := s.ck.peers.has(to.id); has != nil && len(k.beyond(has, events.LogID{})) == 0 {
			continue
		}
		if room--; room < 0 {
			s.kick()
			break
		}
		s.ck.talk(to, m)
		told = append(told, to)
	}
	return told
}

// compare makes sure that every peer of a small cluster, and some of a large
// one, were found to know the same since the given time. Probes count, so an
// idle cluster usually has nothing to do here.
func (s *spreader) compare(since int64) {
	k := s.ck.known().knowledge
	if !k.spoken {
		return
	}
	all := others(k.cluster, s.ck.opt.NodeID)
	if len(all) > everyone {
		i := rand.IntN(len(all))
		all = all[i : i+1]
	}
	for _, to := range all {
		if s.ck.peers.comparedAt(to.id) < since {
			s.ck.talk(to, compare)
		}
	}
}

// choose returns whom to push to: nobody who takes his time, if there are others.
func (s *spreader) choose(cluster *projection.Cluster) []target {
	all := others(cluster, s.ck.opt.NodeID)
	if len(all) <= everyone {
		return all
	}
	now := s.ck.now()
	if prompt := slices.DeleteFunc(slices.Clone(all), func(to target) bool { return s.ck.peers.lingers(to.id, now) }); len(prompt) >= few {
		all = prompt
	}
	next := slices.IndexFunc(all, func(t target) bool { return t.id > s.ck.opt.NodeID })
	chosen := []target{all[max(next, 0)]}
	for len(chosen) < few {
		if to := all[rand.IntN(len(all))]; !slices.Contains(chosen, to) {
			chosen = append(chosen, to)
		}
	}
	return chosen
}

// others returns the members that are worth talking to, by name, without self.
func others(cluster *projection.Cluster, self string) []target {
	var list []target
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		switch n.Status {
		case projection.StatusAlive, projection.StatusSuspected, projection.StatusLeaving:
			if n.ID != self {
				list = append(list, target{n.ID, n.Addr})
			}
		}
	}
	return list
}
