package clusterkit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Tombstones of values are forgotten in two steps, both of them events, so that
// every node forgets the same; projection says what they mean and why nothing
// comes back. The coordinator takes the steps:
//
//	tombstones and no floor above what was collected   --> FloorRaised
//	a floor that this process has known for a day of its own uptime, since when
//	every member was found to know the same as this one --> TombstonesCollected
//
// A day counts from when this process came to know of the floor, on its
// monotonic clock: a wall clock that jumps forgets nothing, and a coordinator
// that restarts waits a whole day again. A member that is failed holds
// everything up until it returns or is removed; one that has left has said all
// that it had to say, and whoever returns learns before it speaks. (What a node
// writes that returned unheard, behind a split longer than a day, is void below
// the floor, as is what a copy older than a day writes.) For a day
// after a fork came to be known nothing is forgotten either.

// forgetAfter is for how long this process must have known a floor.
const forgetAfter = 24 * time.Hour

// forgetEvery is how often the coordinator looks.
const forgetEvery = time.Minute

// forgetting is what this process has observed of the floor of values.
type forgetting struct {
	floor   events.ID     // the event that raised it
	since   int64         // when this process first saw it, in its own milliseconds
	settled []events.Head // what it knew by then
}

// forget takes the next step, if this node is the coordinator and it is time.
// after is how long a floor must have been known; forkedAt is when the last fork
// was learnt of and inStep when a member was last found to know the same, both
// in the milliseconds of now.
func (r *replica) forget(now, wall, after, forkedAt int64, inStep func(node string) int64) error {
	cluster := r.state.Cluster()
	if !r.spoken || r.stopping || cluster.Coordinator != r.node || len(r.staged) > 0 {
		return nil
	}
	floor, ok := r.state.Register(events.FloorRegister(events.KindValue))
	if !ok || floor.Version <= r.state.Collected(events.KindValue) {
		return r.raiseFloor(wall)
	}
	if r.forgetting.floor != floor.ID() {
		r.forgetting = forgetting{floor.ID(), now, r.state.Heads()}
		return nil
	}
	since := r.forgetting.since
	if now < since+after || now < forkedAt+after || len(r.state.Heads()) > projection.MaxForget {
		return nil
	}
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		gone := n.Status == projection.StatusLeft || n.Status == projection.StatusRemoved
		if n.ID != r.node && !gone && inStep(n.ID) <= since {
			return nil
		}
	}
	if r.hearsOfStrangers() {
		return nil
	}
	body := projection.Forget(events.KindValue, floor.Version, r.forgetting.settled, r.state.Heads(),
		"known to all members, and old")
	_, err := r.emit(wall, events.Event{Type: events.TombstonesCollected, Version: 1, Cause: floor.ID(),
		Register: events.CollectedRegister(events.ID{Log: r.log, Seq: r.head(r.log).Seq + 1}), Body: events.Encode(body)})
	return err
}

// hearsOfStrangers reports whether a log is known and its owner is not: it has
// begun to speak, and the news that it is a member has not come yet. It is one
// to wait for.
func (r *replica) hearsOfStrangers() bool {
	cluster := r.state.Cluster()
	return slices.ContainsFunc(r.state.Heads(), func(h events.Head) bool {
		owner := r.state.Owner(h.Log)
		_, member := cluster.Node(owner)
		return owner != "" && !member
	})
}

// raiseFloor announces that what is deleted now will be forgotten: nobody who
// has heard of it writes a value below the floor any more.
func (r *replica) raiseFloor(wall int64) error {
	version, n := r.state.Tombstones(events.KindValue, r.state.Vector())
	if n == 0 {
		return nil
	}
	version = max(version, r.state.Floor(events.KindValue)+1)
	body := &events.Collection{Kind: events.KindValue, Floor: version, Reason: fmt.Sprintf("%d deleted values to be forgotten", n)}
	_, err := r.emit(wall, events.Event{Type: events.FloorRaised, Register: events.FloorRegister(events.KindValue),
		Version: version, Body: events.Encode(body)})
	return err
}

// keepForgetting ends with the node's context.
func (ck *ClusterKit) keepForgetting() {
	every, after := forgetEvery, forgetAfter
	if ck.opt.forgetAfter > 0 { // in a test
		every, after = ck.opt.forgetAfter/4, ck.opt.forgetAfter
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ck.ctx.Done():
			return
		}
		if ck.known().cluster.Coordinator != ck.opt.NodeID {
			continue
		}
		err := ck.do(ck.ctx, func(r *replica, wall int64) error {
			if err := ck.persist(); err != nil { // what this batch staged before
				return err
			}
			return r.forget(ck.now(), wall, after.Milliseconds(), ck.forkedAt.Load(), ck.peers.equalAt)
		})
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStopped) && ck.Err() == nil {
			ck.opt.Logger.Warn("tombstones are kept", "err", err)
		}
	}
}
