package clusterkit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
)

// ErrRemoved is what commands, Ready, Err and NewClusterKit return when this node
// was removed from the cluster. It may return with an empty data directory.
var ErrRemoved = errors.New("clusterkit: this node was removed from the cluster; it may return with an empty data directory")

// BrakeError is returned by Remove when with this node more than half of the
// members would have failed or been removed within a minute: who sees so much
// at once is more likely ill itself. LiftBrake overrides it.
type BrakeError struct {
	Node  string
	Again time.Duration // when it may be tried again
}

func (e *BrakeError) Error() string {
	return fmt.Sprintf("clusterkit: with %q more than half of the members would be lost within a minute; try again in %v, or lift the brake",
		e.Node, e.Again.Round(time.Second))
}

// removalLeap is by how much a removal goes beyond what it knows: in the version
// of the order, so that no concurrent order to drain, or to drain no longer,
// undoes it; and in the incarnation, so that a node that has not heard of it and
// starts or refutes meanwhile stays removed. Who returns has learnt of it and
// takes a higher one.
const removalLeap = 1 << 20

// Remove takes a node out of the cluster for good. The others tell it, and it
// stops: see Done. It may return only with an empty data directory. A node
// cannot remove itself: see Leave. When too many are lost at once the removal
// is refused with a *BrakeError; that is recorded as BrakeHeld.
//
// A node that began a log and fell silent before the others heard that it had
// joined can be removed as well: as long as it may come, nothing is forgotten.
func (ck *ClusterKit) Remove(ctx context.Context, node string) (events.Event, error) {
	if node == ck.opt.NodeID {
		return events.Event{}, errors.New("clusterkit: a node cannot remove itself; it can Leave")
	}
	var held *BrakeError
	made, err := ck.command(ctx, func(r *replica, wall int64) (*events.Event, error) {
		if err := ck.persist(); err != nil { // the brake counts what this batch has staged
			return nil, err
		}
		n, ok := r.state.Cluster().Node(node)
		switch {
		case ok:
		case len(r.state.Cluster().LogsOf(node)) > 0:
			return r.remove(wall, &Node{ID: node}, "operator:"+ck.opt.NodeID, events.ID{}, "by command, before it was a member")
		default:
			return nil, fmt.Errorf("clusterkit: there is no node %q", node)
		}
		now := ck.now()
		again, err := r.hold(now, wall, n, "its removal by command")
		if err != nil {
			return nil, err
		}
		if again > 0 {
			held = &BrakeError{Node: node, Again: time.Duration(again-now) * time.Millisecond}
			return &events.Event{}, nil // what hold has staged is kept
		}
		return r.remove(wall, n, "operator:"+ck.opt.NodeID, events.ID{}, "by command")
	})
	if err == nil && held != nil {
		return events.Event{}, held
	}
	return made, err
}

// LiftBrake lets any number of members fail or be removed for a minute, on
// every node that learns of it in time. It is recorded as BrakeLifted, with the
// reason.
func (ck *ClusterKit) LiftBrake(ctx context.Context, reason string) (events.Event, error) {
	return ck.command(ctx, func(r *replica, wall int64) (*events.Event, error) {
		return r.emit(wall, events.Event{Type: events.BrakeLifted, Actor: "operator:" + ck.opt.NodeID,
			Body: events.Encode(&events.NodeOrder{Reason: legible(reason)})})
	})
}

// liftMillis is how old the news that the brake is lifted may be.
const liftMillis = 60_000

// brakeLifted lets the brake go, unless the news comes from an old history. A
// wrong clock can at worst lift it, or not lift it.
func (ck *ClusterKit) brakeLifted(e *events.Event, wall int64) {
	if age := wall - e.Time.Millis(); age < liftMillis && age > -liftMillis {
		ck.replica.coordination.LiftBrake(ck.now())
	}
}

// hold returns when to ask again if a node must not be lost now, and records
// that once a minute; 0 if it may be.
func (r *replica) hold(now, wall int64, n *Node, what string) (again int64, err error) {
	ok, again := r.coordination.MayLose(r.state.Cluster(), n.ID, now)
	if ok {
		return 0, nil
	}
	if now >= r.heldUntil {
		r.heldUntil = now + liftMillis
		_, err = r.emit(wall, events.Event{Type: events.BrakeHeld, Cause: n.Cause(),
			Body: events.Encode(&events.NodeOrder{Node: n.ID, Incarnation: n.Incarnation,
				Reason: what + " is held back: more than half of the members would be lost within a minute"})})
	}
	return again, err
}

// remove stages a removal, of all incarnations that do not know of it and of all
// logs of the node.
func (r *replica) remove(wall int64, n *Node, actor string, cause events.ID, reason string) (*events.Event, error) {
	register := events.AdminRegister(n.ID)
	closes := r.closed(n.ID)
	for _, log := range r.state.Cluster().LogsOf(n.ID) {
		closes = append(closes, log.String())
	}
	slices.Sort(closes) // the newest last, by their clocks
	closes = slices.Compact(closes)
	if more := len(closes) - mostClosed; more > 0 {
		closes = closes[more:]
	}
	return r.emit(wall, events.Event{Type: events.NodeRemoved, Register: register, Version: r.version(register) + removalLeap,
		Actor: actor, Cause: cause, Body: events.Encode(&events.NodeOrder{Node: n.ID, Incarnation: n.Incarnation + removalLeap,
			Log: strings.Join(closes, ","), Reason: reason})})
}

// mostClosed bounds how many logs an order closes. A node has a log for each time
// that its disk was lost or that it was removed, and those that are forgotten are
// closed elsewhere.
const mostClosed = 64

// closed returns the logs that an order about a node closes already, as text: an
// order that takes its place must close them too, or a backup of one of them could
// return.
func (r *replica) closed(node string) []string {
	e, ok := r.state.Register(events.AdminRegister(node))
	if !ok {
		return nil
	}
	p, _ := e.Payload()
	if p, ok := p.(*events.NodeOrder); ok && p.Log != "" {
		return strings.Split(p.Log, ",")
	}
	return nil
}

// Done returns a channel that is closed when this node has stopped by itself, and
// Err says why, or when Stop or Leave is done. A node that has stopped by itself
// still answers queries and people, with /health 503, until Stop.
func (ck *ClusterKit) Done() <-chan struct{} { return ck.done }

// finish closes Done.
func (ck *ClusterKit) finish() { ck.doneOnce.Do(func() { close(ck.done) }) }

// expel ends this node's part in the cluster, for somebody has removed it. It
// does not block; what runs in the background ends soon after.
func (ck *ClusterKit) expel(told string) {
	if ck.ctx.Err() == nil {
		ck.halt(ErrRemoved, "it was removed from the cluster; it may return with an empty data directory", "told", told)
	}
}

// heed looks whether an answer from an address says that this node was removed,
// and reports whether that is true. The answer alone is no evidence: anything
// may have come to be at the address of a member that is gone, and without
// Options.Secret or Options.TLS anybody can say 410. So this node asks who says
// so for the events that it lacks, bringing nothing, and stops when the removal
// is among them: as part of a log whose chain goes on from what is held here,
// or in the state of a member that keeps no such events any more, or where a log
// has forked, of which no event is taken. That is as much as any other news is
// believed for.
func (ck *ClusterKit) heed(ctx context.Context, err error, at target) bool {
	var e *transport.Error
	if !errors.As(err, &e) || e.Code != transport.ErrorRemoved || !ck.verifying.CompareAndSwap(false, true) {
		return false
	}
	defer ck.verifying.Store(false)
	if at.id == "" {
		at.id = e.Fields[fieldNode]
	}
	err = events.CheckNodeID(at.id)
	if err == nil {
		err = ck.exchange(ctx, at, look)
	}
	if selfRemoved(ck.known().cluster, ck.opt.NodeID, ck.log.Identity().Log) {
		ck.expel(e.Message)
		return true
	}
	if now := ck.now(); now >= ck.doubted.Load()+liftMillis && ck.ctx.Err() == nil {
		ck.doubted.Store(now)
		ck.opt.Logger.Warn("somebody says that this node was removed and does not show it; it goes on",
			"addr", at.addr, "node", at.id, "err", err)
	}
	return false
}

// fieldNode is where a refusal says who refuses: who asked may only have known
// an address.
const fieldNode = "node"

// selfRemoved reports whether a view says that a node was removed that writes
// this log, or that it was, so long ago that all but the log is forgotten.
func selfRemoved(cluster *Cluster, node string, log events.LogID) bool {
	if cluster.Closed(log) {
		return true
	}
	n, ok := cluster.Node(node)
	return ok && (n.Status == projection.StatusRemoved && n.Log == log || n.Closes(log))
}

// refuse is the answer to a removed node, and of one, whatever is asked; but see
// Sync for how it finds out that this is true.
func (ck *ClusterKit) refuse(from transport.Header) error {
	if err := ck.gone(); err != nil {
		return err
	}
	return ck.toldRemoved(from)
}

// toldRemoved is the answer to a removed node.
func (ck *ClusterKit) toldRemoved(from transport.Header) error {
	if !selfRemoved(ck.known().cluster, from.From, from.FromLog) {
		return nil
	}
	e := transport.Errorf(http.StatusGone, transport.ErrorRemoved,
		"node %q was removed; it may return with an empty data directory", from.From)
	e.Fields = map[string]string{fieldNode: ck.opt.NodeID}
	return e
}
