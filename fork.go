package clusterkit

import (
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// A log has forked when two different events bear one of its sequence numbers.
// Nobody but its owner appends to a log, so that takes two owners: a data
// directory that was copied, or an old backup that wrote before it had learnt
// what it had written since.
//
//	A holds  1 2 3 4 5 6        heads of equal sequence: their chains differ (knowledge.forks)
//	B holds  1 2 3 4' 5' 6'
//
//	A holds  1 2 3 4 5 6        one is longer: 6 is brought to B by A, or asked for by B, and
//	B holds  1 2 3 4' 5'        does not link to 5' (ingest)
//
// So one comparison of A and B, whoever begins it, finds every fork above what
// both still keep as events. Below that it is seen by the states: vectors
// become equal and states do not, which merges them.
//
// Who finds a fork records LogForked. Then nobody exchanges ranges of that log
// any more; its head leaves the digest, and states are merged until they are
// equal, so no register that either branch wrote is lost. (Events that write no
// register stay with those who hold them.) The owner, or every one of them, goes
// on in a new log. That a log forked may itself be said in a log that has forked
// or will; so who has no more ranges for a peer that still differs looks whether
// both know the same forks, and sends the state if not (knowledge.forkedBeyond).
// And who is given events of a log that is known here as forked brings the state:
// who sent them does not know, and may reach nobody whom it could ask.

// forkKnown reports whether a log is recorded as forked, or about to be.
func (r *replica) forkKnown(log events.LogID) bool {
	if r.state.Forked(log) {
		return true
	}
	return slices.ContainsFunc(r.staged, func(e events.Event) bool {
		return e.Type == events.LogForked && e.Register == events.LogRegister(log)
	})
}

// markForked records that two events were seen under one name of a log.
func (r *replica) markForked(wall int64, at events.Head) error {
	body := events.Encode(&events.LogOwner{Node: r.state.Owner(at.Log), Seq: at.Seq,
		Reason: "two different events bear one sequence"})
	_, err := r.emit(wall, events.Event{Type: events.LogForked, Register: events.LogRegister(at.Log), Version: 1, Rank: 1, Body: body})
	return err
}

// forkGrace is for how long after a fork became known states may differ where
// vectors do not, in milliseconds: until all branches have been merged.
const forkGrace = 60_000

// contradicts reports whether two nodes know the same events and conclude
// something else from them, which must never happen. What the branches of a
// forked log wrote is not in the vectors: who knows of other forks, or has just
// learnt of one (ago milliseconds before), contradicts nobody.
func contradicts(mine, theirs events.Digest, ago int64) bool {
	same := mine.Vector == theirs.Vector && mine.Logs == theirs.Logs && mine.Forked == theirs.Forked
	return same && mine.State != theirs.State && (mine.Forked == 0 || ago >= forkGrace)
}

// brokenHeads names where a batch contradicted what is held.
func brokenHeads(in ingested) []events.Head {
	heads := make([]events.Head, 0, len(in.broken))
	for _, id := range in.broken {
		heads = append(heads, events.Head{Log: id.Log, Seq: id.Seq})
	}
	return heads
}

// recordForks stages what is to be said of logs that were seen to have forked,
// and returns those that nobody had recorded. fresh makes a new log, durably. A
// node that has not spoken yet leaves it to those who have, except for its own
// log, in which it will not go on.
func (r *replica) recordForks(wall int64, forks []events.Head, fresh func() (events.LogID, error)) (recorded []events.Head, err error) {
	for _, head := range forks {
		switch {
		case r.forkKnown(head.Log):
			continue
		case !r.spoken:
			if head.Log == r.log {
				r.unsaid = head
			}
			continue
		case head.Log == r.log:
			log, err := fresh()
			if err != nil {
				return recorded, err
			}
			if err := r.rotate(wall, log); err != nil {
				return recorded, err
			}
		}
		if err := r.markForked(wall, head); err != nil {
			return recorded, err
		}
		recorded = append(recorded, head)
	}
	return recorded, nil
}

// leaveFork goes on in a new log when somebody else has recorded that this
// node's log forked.
func (r *replica) leaveFork(wall int64, fresh func() (events.LogID, error)) error {
	if !r.spoken || r.stopping || !r.state.Forked(r.log) || r.state.Closed(r.log) {
		return nil
	}
	log, err := fresh()
	if err != nil {
		return err
	}
	return r.rotate(wall, log)
}

// learnt returns nil when a peer from which this node has fetched all that it
// would give, and that holds what has says, has told it enough to speak:
//
//	the peer holds of this node's own log   this node may speak
//	nothing, and there is something         no: it may be a stranger
//	another branch of it                    yes: it goes on in a new log
//	more                                    no: an old backup would fork its log
//	as much, or less                        yes: the rest had not spread
//
// A peer that is itself behind, because it was cut off or restored too, cannot
// tell. Then the log may fork, which heals.
func (r *replica) learnt(peer string, has []events.Head, peerSpoke bool) error {
	mine, theirs := r.head(r.log).Seq, seqIn(has, r.log)
	switch {
	case mine > 0 && theirs == 0:
		return fmt.Errorf("%s knows nothing of this node's past", peer)
	case r.unsaid.Seq > 0, r.state.Forked(r.log):
		return nil
	case mine < theirs:
		return fmt.Errorf("%s holds %d events of this node's own log, of which %d are known here yet", peer, theirs, mine)
	case mine == 0 && !peerSpoke && peer < r.node:
		// Of new nodes that only know of each other the first by name begins,
		// and the others join it: so they found one cluster and not several.
		return fmt.Errorf("%s has not joined yet either, and goes first", peer)
	}
	return nil
}

// beginLog chooses the log in which this node speaks after a start: the one it
// has, unless that would fork or has, or the others have forgotten whose it is.
// Whoever could not learn what it had written last must not go on where it
// believes it stopped. Who was removed may not speak in any of its logs.
func (r *replica) beginLog(learnt bool, fresh func() (events.LogID, error)) error {
	if r.state.Closed(r.log) {
		return ErrRemoved
	}
	if r.head(r.log).Seq == 0 || learnt && r.unsaid.Seq == 0 && !r.state.Forked(r.log) && !r.state.Gone(r.log) {
		return nil
	}
	log, err := fresh()
	if err == nil {
		r.log = log
	}
	return err
}

// foreignHead returns the head of this node's own log in another state, when it
// is one that this process never wrote though it has spoken.
func (r *replica) foreignHead(other *projection.State) (events.Head, bool) {
	mine, theirs := r.state.Head(r.log), other.Head(r.log)
	foreign := theirs.Seq > mine.Seq || theirs.Seq == mine.Seq && theirs.Chain != mine.Chain
	return theirs, r.spoken && foreign
}

// rotate goes on in a new log, because the old one has forked.
func (r *replica) rotate(wall int64, log events.LogID) error {
	r.log = log
	body := events.Encode(&events.LogOwner{Node: r.node, Reason: "the log before has forked"})
	if _, err := r.emit(wall, events.Event{Type: events.LogStarted, Register: events.LogRegister(log), Version: 1, Body: body}); err != nil {
		return err
	}
	_, err := r.announce(wall, events.NodeJoined, r.nextIncarnation(), events.ID{}, "goes on in a new log")
	return err
}
