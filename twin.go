package clusterkit

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

// ErrDuplicateNodeID is what Err, Ready and all commands return after this node
// has stopped by itself, because another process with the same NodeID runs and
// started before it: a data directory was cloned, or a second process was
// started with the name of the first. Of two such processes the same one stops
// everywhere, the one with the later StartedAt. Queries go on with the last
// view; Stop is still to be called. Give the process a NodeID and a data
// directory of its own, or end the other one and start this one again.
var ErrDuplicateNodeID = errors.New("clusterkit: another process runs with this NodeID and started before")

// keptClaims is how many of its last claims a process remembers. An answer names
// the claim that it answers; one that names an older claim only costs another
// round.
const keptClaims = 64

// defend looks at who owns this node's own register. Nobody but this process
// should, once it has spoken. When somebody does it is
//
//	what an earlier process of this node said, and this one could not learn
//	before it spoke: it says so once more with a higher incarnation, and nobody
//	answers; or
//
//	a twin, another process that runs with the same NodeID, which will answer.
//
// A claim that answers one of this process's own, by its cause, proves that who
// made it ran after this process had spoken: a process that ended before never
// can. Only then one of the two has to stop, by an order that both compute
// alike, and no vote is needed: the one that started later, and who stays claims
// the register again, which proves to the other what it has to know. So it ends
// after three claims at most.
//
//	owner of node/me            answers a claim of mine   started
//	this process                                                     nothing
//	another                     no                                   claim again, naming it
//	another                     yes                       later      claim again, naming it
//	another                     yes                       before     stop
func (r *replica) defend(wall int64) error {
	own, ok := r.state.Register(events.NodeRegister(r.node))
	if !ok {
		return nil
	}
	var other *events.NodeRecord
	if p, err := own.Payload(); err == nil {
		other, _ = p.(*events.NodeRecord)
	}
	switch {
	case other == nil: // illegible: nobody's claim
		other = new(events.NodeRecord)
	case other.StartedAt == r.record.StartedAt:
		return nil
	case slices.Contains(r.claims, own.Cause) && cmp.Less(other.StartedAt, r.record.StartedAt):
		r.twin, r.stopping = other, true
		return nil
	}
	_, err := r.announce(wall, r.alive(), r.nextIncarnation(), own.ID(),
		"another process spoke as this node, started "+other.StartedAt.String())
	return err
}

// Err returns why this node has stopped working by itself: ErrFailed,
// ErrDuplicateNodeID, ErrRemoved, or nil while it works or after Stop.
func (ck *ClusterKit) Err() error {
	if ck.failed.Load() {
		return ErrFailed
	}
	if err := ck.halted.Load(); err != nil {
		return *err
	}
	return nil
}

// halt makes this node say nothing more, because another one speaks in its name
// or because it was removed. Its background work ends, which wakes who waits for
// it.
func (ck *ClusterKit) halt(err error, why string, args ...any) {
	if ck.halted.CompareAndSwap(nil, &err) {
		ck.opt.Logger.Error("this node stops: "+why, args...)
		ck.cancel()
		ck.finish()
	}
}

// gone refuses to speak in a name that belongs to another process.
func (ck *ClusterKit) gone() error {
	err := ck.halted.Load()
	switch {
	case err == nil:
		return nil
	case *err == ErrRemoved:
		return unavailable(ErrRemoved)
	}
	return transport.Errorf(http.StatusConflict, transport.ErrorDuplicateNode, "%v", *err)
}
