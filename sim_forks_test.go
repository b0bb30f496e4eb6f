package clusterkit

import (
	"fmt"
	"maps"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Here is what must be true where logs may have forked.

// mayFork reports whether somebody copied or restored the directory of a log.
func (w *simWorld) mayFork(log events.LogID) bool { return w.forks[w.ledger.owner[log]] }

// holdsFork reports whether somebody holds a log of which two events of one name
// were ever durable, or which is known as forked: two processes wrote to it.
func (w *simWorld) holdsFork(k *knowledge) bool {
	return k.digest.Forked > 0 || len(w.ledger.forked) > 0 &&
		slices.ContainsFunc(k.heads, func(h events.Head) bool { return w.ledger.forked[h.Log] })
}

// learnt: after its first pull a node has all of its own events that the peer
// has, unless it has seen that they are of another branch, and begins a new log.
func (w *simWorld) learnt(p *simProc, theirs uint64) {
	if mine := p.k.seq(p.host.disk.log); mine < theirs && p.r.unsaid.Seq == 0 && !p.r.state.Forked(p.r.log) {
		w.violated("own events are taken back", "%s is about to speak with %d of its own events, its peer has %d", p.host.id, mine, theirs)
	}
}

// stoppedAsTwin: a process stops for another one of its name only when there
// is, or was, one.
func (w *simWorld) stoppedAsTwin(p *simProc) {
	w.coverage.saw(simTwinStopped)
	if !w.cloned[p.host.id] {
		w.violated("nobody stops for nobody", "%s stopped as a duplicate of itself", p.host.id)
	}
}

// diverged: the alarm must not ring. It may where logs fork and little is kept:
// branches of which only states are left are told apart by nothing else.
func (w *simWorld) diverged(p *simProc, mine, theirs events.Digest) {
	if contradicts(mine, theirs, p.now()-p.forgotten) && !(w.profile.keep > 0 && w.holdsFork(p.k)) {
		w.violated("no divergence", "%s has %s, its peer %s", p.host.id, mine, theirs)
	}
}

// writtenInForks returns the registers that any branch of a forked log ever wrote:
// which of the writes count somewhere, no vector says.
func (w *simWorld) writtenInForks(k *knowledge) map[string]bool {
	written := make(map[string]bool)
	for _, e := range w.ledger.branched {
		written[e.Register] = true
	}
	for _, id := range w.ledger.ids {
		if w.ledger.forked[id.Log] || k.forked[id.Log] {
			written[w.ledger.events[id].Register] = true
		}
	}
	return written
}

// agreesBesideForks says where the state of a process that holds a forked log is
// not what the other logs say, of registers that only these wrote. Values are
// left to forgettingIsSafe. That a node is forgotten counts in whatever branch it
// was said, so what is void for that is passed over: of the two sides the state
// knows more collections.
func (w *simWorld) agreesBesideForks(p *simProc, others *projection.State) string {
	if others == nil {
		return ""
	}
	forked := w.writtenInForks(p.k)
	owners := func(s *projection.State) map[string]events.ID {
		of := make(map[string]events.ID)
		for name, e := range s.Registers("") {
			kind, _ := events.SplitRegister(name)
			if !forked[name] && kind != events.KindValue && kind != events.KindCollected && !isVoid(p.r.state, e) {
				of[name] = e.ID()
			}
		}
		return of
	}
	if mine, theirs := owners(p.r.state), owners(others); !maps.Equal(mine, theirs) {
		return fmt.Sprintf("of registers that no forked log wrote %v are known, and %v were written", mine, theirs)
	}
	return ""
}

// isVoid reports whether a state says of a write that it was made by a node that
// is forgotten since, or was about it.
func isVoid(s *projection.State, e *events.Event) bool {
	if kind, key := events.SplitRegister(e.Register); kind == events.KindLog {
		log, err := events.ParseLogID(key)
		return err == nil && e.Type == events.LogStarted && s.Gone(log)
	}
	version := s.GoneVersion(e.Register)
	return version > 0 && e.Version <= version
}

// nothingWrittenIsLost: of every register everybody knows the newest write that
// any disk holds, or a newer one, whichever branch of a forked log it is in. A
// value may have been forgotten.
func nothingWrittenIsLost(w *simWorld, live []*simProc, c *projection.Cluster) string {
	state := live[0].r.state
	for _, p := range live {
		for _, h := range p.k.heads {
			for i := range p.host.disk.held[h.Log] {
				e := &p.host.disk.held[h.Log][i].event
				kind, _ := events.SplitRegister(e.Register)
				forgotten := kind == events.KindCollected || kind == events.KindValue && e.Version <= state.Collected(kind) ||
					isVoid(state, e)
				if e.Register == "" || forgotten {
					continue
				}
				if owner, ok := state.Stamp(e.Register); !ok || owner.Compare(e.Stamp()) < 0 {
					return fmt.Sprintf("%s has %s, written by %s, which is not known to others", p.host.id, e.Register, e.ID())
				}
			}
		}
	}
	return ""
}
