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

// Tombstones are forgotten in two steps, both of them events, so that every node
// forgets the same; projection says what they mean and why nothing comes back.
// Forgotten are deleted values, and nodes that are gone for good: removed, or
// left and not only shut down. The coordinator takes the steps:
//
//	tombstones and no floor above what was collected   --> FloorRaised
//	a floor that has been known for a day, since when every member was found
//	to know the same as this one                       --> TombstonesCollected
//
// A day is one of observed uptime: it counts while somebody runs who knows of the
// floor, on a monotonic clock, so that a wall clock that jumps forgets nothing.
// Everybody counts. The coordinator writes down each quarter, as the rank of the
// floor, so that who restarts, or takes over, goes on from there: three events at
// most for a floor. FloorRaised says what was known then; what came later waits
// for the next floor.
//
// A member that is failed holds everything up until it returns or is removed;
// one that has left has said all that it had to say, and whoever returns learns
// before it speaks. (What a node writes that returned unheard, behind a split
// longer than a day, is void below the floor, as is what a copy older than a day
// writes; and what others write who are strangers to a copy that ran alone for a
// day and forgot.) For a day after a fork came to be known nothing is forgotten either.
//
// Of a node that is forgotten its name, up to which incarnation, and its logs
// remain. If it left it may return, with its directory or without, in a higher
// incarnation and a new log. If it was removed nobody may speak in its logs any more: who comes
// back with such a directory is told so, and may return with an empty one.

// forgettable are the kinds of which tombstones are forgotten.
var forgettable = [...]string{events.KindValue, events.KindNode}

// forgetAfter is for how long a floor must have been known.
const forgetAfter = 24 * time.Hour

// forgetEvery is how often each node looks.
const forgetEvery = time.Minute

// quarters is how many parts of forgetAfter are written down.
const quarters = projection.RankObserved + 1

// forgetting is what has been observed of the floor of a kind.
type forgetting struct {
	floor events.ID // the event that raised it
	known int64     // when this process first saw it, in its own milliseconds
	since int64     // when that was for those who were there before, counted back from now
}

// forget takes the next steps, if this node is the coordinator and it is time.
// after is how long a floor must have been known; forkedAt is when the last fork
// was learnt of and inStep when a member was last found to know the same, both
// in the milliseconds of now.
func (r *replica) forget(now, wall, after, forkedAt int64, inStep func(node string) int64) error {
	if !r.spoken || r.stopping || len(r.staged) > 0 {
		return nil
	}
	for i, kind := range forgettable {
		floor, ok := r.state.Register(events.FloorRegister(kind))
		if ok && floor.Version > r.state.Collected(kind) {
			r.forgetting[i].observe(&floor, now, after)
		} else {
			ok = false
		}
		if r.state.Cluster().Coordinator != r.node {
			continue
		}
		var err error
		switch f := r.forgetting[i]; {
		case !ok:
			err = r.raiseFloor(wall, kind)
		case now >= f.since+after && now >= forkedAt+after && r.allInStep(f.known, inStep) && !r.hearsOfStrangers(kind, &floor):
			err = r.collect(wall, kind, &floor)
		default:
			err = r.noteQuarter(wall, &floor, min((now-f.since)/max(after/quarters, 1), quarters-1))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// observe counts for how long a floor has been known.
func (f *forgetting) observe(floor *events.Event, now, after int64) {
	if root := raised(floor); f.floor != root {
		*f = forgetting{root, now, now}
	}
	f.since = min(f.since, now-int64(min(floor.Rank, quarters-1))*(after/quarters))
}

// raised returns the event that raised a floor of which a quarter was written
// down: two of one version say that other things are settled.
func raised(floor *events.Event) events.ID {
	if floor.Rank > 0 {
		return floor.Cause
	}
	return floor.ID()
}

// noteQuarter writes down for how long a floor has been known.
func (r *replica) noteQuarter(wall int64, floor *events.Event, quarter int64) error {
	if quarter <= int64(floor.Rank) {
		return nil
	}
	_, err := r.emit(wall, events.Event{Type: events.FloorRaised, Register: floor.Register, Version: floor.Version,
		Rank: uint8(quarter), Cause: raised(floor), Body: floor.Body})
	return err
}

// allInStep reports whether every member was found to know the same since a time.
func (r *replica) allInStep(since int64, inStep func(node string) int64) bool {
	cluster := r.state.Cluster()
	return !slices.ContainsFunc(cluster.Nodes, func(n Node) bool {
		gone := n.Status == projection.StatusLeft || n.Status == projection.StatusRemoved
		return n.ID != r.node && !gone && inStep(n.ID) <= since
	})
}

// hearsOfStrangers reports whether a log is known and its owner is not: it has
// begun to speak, and the news that it is a member has not come yet. It is one
// to wait for, unless somebody has removed it, and for however long: that it has
// been silent for a day does not say that it is gone. It may be a member behind a
// split, whose writes of that time would be void (history 118308 of the simulator
// shows it). So an operator decides, with Remove. When nodes are forgotten it is
// not one to wait for if it bears the name of one that is forgotten and nothing was
// heard of it since the floor was raised: somebody has brought an old log of it,
// which is forgotten too.
func (r *replica) hearsOfStrangers(kind string, floor *events.Event) bool {
	var settled events.Vector
	if kind == events.KindNode {
		settled = projection.Observed(floor)
	}
	return slices.ContainsFunc(r.state.Heads(), func(h events.Head) bool {
		return r.isStrange(h.Log) && !slices.Contains(r.closed(r.state.Owner(h.Log)), h.Log.String()) && !(r.isLate(h.Log) && settled.Covers(events.ID{Log: h.Log, Seq: h.Seq}))
	})
}

// isStrange reports whether the owner of a log is no member, and not forgotten
// with that log.
func (r *replica) isStrange(log events.LogID) bool {
	owner := r.state.Owner(log)
	_, member := r.state.Cluster().Node(owner)
	return owner != "" && !member && !r.state.Gone(log)
}

// isLate reports whether a strange log is of a node that is forgotten.
func (r *replica) isLate(log events.LogID) bool {
	return r.state.GoneVersion(events.NodeRegister(r.state.Owner(log))) > 0
}

// raiseFloor announces that what is a tombstone now will be forgotten: nobody
// who has heard of it writes a value below the floor any more.
func (r *replica) raiseFloor(wall int64, kind string) error {
	version, n, logs := r.state.Tombstones()
	what := "deleted values"
	if kind == events.KindNode {
		version, n, logs = 0, 0, make(map[events.LogID]struct{})
		what = "nodes"
		for _, id := range r.departed() {
			n++
			r.logsAbout(id, logs)
		}
	}
	if n == 0 {
		return nil
	}
	version = max(version, r.state.Floor(kind)+1)
	body := &events.Collection{Kind: kind, Floor: version, Settled: r.state.Settled(logs),
		Reason: fmt.Sprintf("%d %s to be forgotten", n, what)}
	_, err := r.emit(wall, events.Event{Type: events.FloorRaised, Register: events.FloorRegister(kind),
		Version: version, Body: events.Encode(body)})
	return err
}

// departed returns the nodes that are gone for good and own nothing any more, for
// who is to move what a node owns must know of the node; those of which nothing is
// known but what others say; and those that are forgotten and of which a log has
// come to be known since. They are sorted.
func (r *replica) departed() (gone []string) {
	cluster := r.state.Cluster()
	owns := make(map[string]bool)
	for i := range cluster.PartitionMap.Partitions {
		for _, id := range holders(cluster.PartitionMap.Partitions, i) {
			owns[id] = true
		}
	}
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		if n.Status == projection.StatusRemoved || n.Status == projection.StatusLeft && n.Reason() == leftForGood {
			gone = append(gone, n.ID)
		}
	}
	for _, kind := range [...]string{events.KindAccusation, events.KindAdmin} {
		for id := range r.state.Registers(kind) {
			if _, member := cluster.Node(id); !member && events.CheckNodeID(id) == nil {
				gone = append(gone, id)
			}
		}
	}
	for _, h := range r.state.Heads() {
		if r.isStrange(h.Log) && r.isLate(h.Log) {
			gone = append(gone, r.state.Owner(h.Log))
		}
	}
	slices.Sort(gone)
	return slices.DeleteFunc(slices.Compact(gone), func(id string) bool { return id == r.node || owns[id] })
}

// logsAbout adds the logs in which is written what must be known of a node
// before it is forgotten.
func (r *replica) logsAbout(id string, logs map[events.LogID]struct{}) {
	for _, said := range r.saidOf(id) {
		logs[said.Log] = struct{}{}
	}
}

// saidOf returns the events that must have been known for long before a node is
// forgotten: that it is gone, and that it began its logs, for it may be about to
// return; or of one that is not known all that is said of it and in its logs.
func (r *replica) saidOf(id string) (said []events.ID) {
	cluster := r.state.Cluster()
	n, member := cluster.Node(id)
	add := func(register string) {
		if stamp, ok := r.state.Stamp(register); ok {
			said = append(said, events.ID{Log: stamp.Log, Seq: stamp.Seq})
		}
	}
	if member {
		said = append(said, n.Cause())
	} else {
		add(events.AccusationRegister(id))
		add(events.AdminRegister(id))
	}
	for _, log := range cluster.LogsOf(id) {
		if !member {
			said = append(said, events.ID{Log: log, Seq: r.head(log).Seq})
		}
		if !r.state.Forked(log) { // which others say
			add(events.LogRegister(log))
		}
	}
	return said
}

// collect forgets what was known when a floor was raised.
func (r *replica) collect(wall int64, kind string, floor *events.Event) error {
	settled := projection.Observed(floor)
	var body *events.Collection
	if kind == events.KindValue {
		stable, authors := r.state.Stable(settled), r.state.Authors()
		if len(stable)+len(authors) > projection.MaxForget {
			return nil
		}
		body = projection.Forget(kind, floor.Version, r.atLeast(settled), stable, authors, "known to all members, and old")
	} else if body = r.bury(floor.Version, settled); body == nil {
		return r.raiseFloor(wall, kind) // all have returned since
	}
	e := events.Event{Type: events.TombstonesCollected, Version: 1, Cause: floor.ID(), Body: events.Encode(body)}
	e.Register = events.GoneRegister(body.Nodes)
	if kind == events.KindValue {
		e.Register = events.CollectedRegister(events.ID{Log: r.log, Seq: r.head(r.log).Seq + 1})
	}
	_, err := r.emit(wall, e)
	return err
}

// atLeast returns a vector as heads, sorted by log.
func (r *replica) atLeast(v events.Vector) (heads []events.Head) {
	for _, h := range r.state.Heads() {
		if seq := min(v[h.Log], h.Seq); seq > 0 {
			heads = append(heads, events.Head{Log: h.Log, Seq: seq})
		}
	}
	return heads
}

// bury returns what remains of the nodes that were gone when a floor was raised,
// and still are; nil if there are none.
func (r *replica) bury(floor uint64, settled events.Vector) *events.Collection {
	var gone []events.GoneNode
	for _, id := range r.departed() {
		if !slices.ContainsFunc(r.saidOf(id), func(said events.ID) bool { return !settled.Covers(said) }) {
			gone = append(gone, r.remains(id))
		}
	}
	return r.state.Bury(floor, gone, "known to all members, and gone for long")
}

// remains returns what is left of a node: the numbers below which what was said
// of it is void, and its logs. Those of a node that was removed are closed.
func (r *replica) remains(id string) events.GoneNode {
	cluster := r.state.Cluster()
	g, removed, order := events.GoneNode{ID: id}, false, new(events.NodeOrder)
	if n, ok := cluster.Node(id); ok {
		g.Incarnation, removed = n.Incarnation, n.Status == projection.StatusRemoved
	}
	if accused, ok := r.state.Stamp(events.AccusationRegister(id)); ok {
		g.Incarnation = max(g.Incarnation, accused.Version)
	}
	if e, ok := r.state.Register(events.AdminRegister(id)); ok {
		g.Revision = e.Version
		p, _ := e.Payload()
		if p, ok := p.(*events.NodeOrder); ok {
			order = p
		}
		if e.Type == events.NodeRemoved {
			g.Incarnation = max(g.Incarnation, order.Incarnation)
		}
	}
	for _, log := range cluster.LogsOf(id) {
		g.Logs = append(g.Logs, events.GoneLog{ID: log, Closed: removed || order.Closes(log)})
	}
	return g
}

// keepForgetting ends with the node's context.
func (ck *ClusterKit) keepForgetting() {
	every, after := forgetEvery, forgetAfter
	if ck.opt.forgetAfter > 0 { // in a test
		every, after = ck.opt.forgetAfter/24, ck.opt.forgetAfter
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ck.ctx.Done():
			return
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
