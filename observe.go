package clusterkit

import (
	"context"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/metrics"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// observe tells everybody inside who must know what was just committed: the
// spreader, the prober, the peers' cache, the metrics. It runs in the writer
// and does not block.
func (ck *ClusterKit) observe(done []applied) {
	if len(done) == 0 {
		return
	}
	wall, own := time.Now().UnixMilli(), ck.replica.log
	for i := range done {
		a := &done[i]
		ck.measure(a, wall, own)
		switch a.event.Type {
		case events.NodeSuspected, events.NodeFailed:
			ck.prober.accused(a.event)
		case events.BrakeLifted:
			ck.brakeLifted(a.event, wall)
		case events.NodeRecovered:
			if a.event.Log == own {
				ck.prober.refuted()
			}
		}
	}
	ck.lookAround()
}

// lookAround tells who speaks with others of the members there are now, and
// that there is something new to tell them.
func (ck *ClusterKit) lookAround() {
	cluster := ck.known().cluster
	for _, id := range ck.peers.update(cluster) {
		ck.metrics.ForgetPeer(id)
	}
	ck.prober.update(cluster)
	ck.spread.kick()
	if selfRemoved(cluster, ck.opt.NodeID, ck.replica.log) {
		ck.expel("by its own log")
	}
}

// measure counts one applied event.
func (ck *ClusterKit) measure(a *applied, wall int64, own events.LogID) {
	e := a.event
	ck.metrics.EventAppended(string(e.Type))
	if e.Log != own {
		ck.metrics.Propagated(time.Duration(wall-e.Time.Millis()) * time.Millisecond)
	}
	if a.conflict {
		kind, _ := events.SplitRegister(e.Register)
		ck.metrics.Conflict(kind)
	}
	if a.outcome != projection.Won {
		return
	}
	if to, reason := transition(e); to != "" {
		_, id := events.SplitRegister(e.Register)
		ck.metrics.MemberTransition(to, reason)
		ck.opt.Logger.Info("member", "node", id, "is", to, "why", reason, "event", e.ID())
	}
	if e.Type == events.PartitionAssigned {
		if p, err := e.Payload(); err == nil {
			ck.metrics.PartitionMoved(moveReason(p.(*events.Assignment).Trigger))
		}
	}
}

// moveReason names the trigger of an assignment for the metrics.
func moveReason(trigger string) string {
	switch trigger {
	case coordination.TriggerFill:
		return metrics.MoveBootstrap
	case coordination.TriggerFailover:
		return metrics.MoveFailure
	}
	return trigger // the others have the same names
}

// transition says which state an event brings a member into, and why.
func transition(e *events.Event) (to, reason string) {
	switch e.Type {
	case events.NodeJoined:
		return metrics.MemberAlive, metrics.ReasonJoined
	case events.NodeRecovered:
		return metrics.MemberAlive, metrics.ReasonRecovered
	case events.NodeUndrained:
		return metrics.MemberAlive, metrics.ReasonUndrained
	case events.NodeSuspected:
		return metrics.MemberSuspected, metrics.ReasonProbe
	case events.NodeFailed:
		return metrics.MemberFailed, metrics.ReasonTimeout
	case events.NodeLeaving:
		return metrics.MemberLeaving, metrics.ReasonLeave
	case events.NodeDrained:
		return metrics.MemberLeaving, metrics.ReasonDrain
	case events.NodeRemoved:
		return metrics.MemberRemoved, metrics.ReasonOperator
	case events.NodeLeft:
		if p, err := e.Payload(); err == nil && p.(*events.NodeRecord).Reason == leftShutdown {
			return metrics.MemberLeft, metrics.ReasonShutdown
		}
		return metrics.MemberLeft, metrics.ReasonLeave
	}
	return "", ""
}

// ingestedFrom counts what became of the events of a peer and acts on those
// that contradict what is held.
func (ck *ClusterKit) ingestedFrom(ctx context.Context, peer string, in ingested) {
	ck.metrics.SyncAppliedEvents(in.accepted)
	ck.metrics.SyncSkippedEvents(metrics.SkippedDuplicate, in.duplicates)
	ck.metrics.SyncSkippedEvents(metrics.SkippedGap, in.gaps)
	ck.metrics.SyncSkippedEvents(metrics.SkippedBroken, len(in.broken)+in.void)
	if len(in.broken) == 0 {
		return
	}
	ck.opt.Logger.Warn("events of a peer contradict the history held here", "peer", peer, "first", in.broken[0])
	ck.sawForks(ctx, brokenHeads(in))
}

// sawForks records logs that were seen to hold two events under one name. Their
// ranges are no longer exchanged; states are merged instead. When this node's
// own log is one of them it goes on in a new one.
func (ck *ClusterKit) sawForks(ctx context.Context, forks []events.Head) {
	if len(forks) == 0 {
		return
	}
	err := ck.do(ctx, func(r *replica, wall int64) error { return ck.recordForks(r, wall, forks) })
	if err != nil && ctx.Err() == nil {
		ck.opt.Logger.Error("recording a fork", "err", err)
	}
}

// recordForks runs in the writer.
func (ck *ClusterKit) recordForks(r *replica, wall int64, forks []events.Head) error {
	recorded, err := r.recordForks(wall, forks, ck.freshLog)
	for _, head := range recorded {
		ck.opt.Logger.Error("a log has forked: two histories bear one name; merging states from now on", "log", head.Log, "seq", head.Seq)
	}
	return err
}

// freshLog makes a new log for this node, durably. A crash right after leaves an
// empty log, in which the next start speaks.
func (ck *ClusterKit) freshLog() (events.LogID, error) {
	old := ck.log.Identity().Log
	identity, err := ck.log.Rotate()
	if err == nil {
		ck.opt.Logger.Warn("this node goes on in a new log", "old", old, "new", identity.Log)
	}
	return identity.Log, err
}

// diverged raises the alarm: the same events led to another state.
func (ck *ClusterKit) diverged(peer string, mine, theirs events.Digest) {
	if mine.State == theirs.State {
		return
	}
	if !contradicts(mine, theirs, ck.now()-ck.forkedAt.Load()) {
		ck.metrics.FullTransfer(metrics.TransferForked)
		return // expected: events of a forked log are not in the vector
	}
	ck.divergences.Add(1)
	ck.metrics.Divergence()
	ck.metrics.FullTransfer(metrics.TransferDiverged)
	ck.opt.Logger.Error("divergence: a peer holds the same events and another state; merging the states",
		"peer", peer, "mine", mine, "theirs", theirs)
}

// noteWall compares a peer's clock with this node's, as it was in the middle of
// the exchange.
func (ck *ClusterKit) noteWall(peer string, wall int64, began time.Time) {
	if wall == 0 {
		return
	}
	middle := began.Add(time.Since(began) / 2)
	ck.metrics.ClockSkew(peer, time.UnixMilli(wall).Sub(middle))
}

// isolated reports whether other members are known and none of them answers.
func (ck *ClusterKit) isolated() bool {
	c, known := ck.known().cluster, false
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if n.ID == ck.opt.NodeID {
			continue
		}
		switch n.Status {
		case projection.StatusAlive, projection.StatusLeaving:
			return false
		case projection.StatusSuspected, projection.StatusFailed:
			known = true
		}
	}
	return known
}

func (ck *ClusterKit) metricOptions() metrics.Options {
	return metrics.Options{Cluster: ck.config.ClusterName, Node: ck.opt.NodeID, State: ck.measured}
}

// measured is what a scrape sees.
func (ck *ClusterKit) measured() metrics.State {
	k := ck.known().knowledge
	stats := ck.log.Stats()
	s := metrics.State{Isolated: ck.isolated(), Degraded: ck.degraded() != "", Log: metrics.Log{LastIndex: ck.log.Last(), Bytes: stats.Bytes, Segments: stats.Segments}}
	for i := range k.cluster.Nodes {
		n := &k.cluster.Nodes[i]
		countMember(&s.Members, n.Status)
		if n.Degraded != "" && n.Status != projection.StatusLeft && n.Status != projection.StatusRemoved {
			s.DegradedMembers++
		}
		if n.ID == ck.opt.NodeID || n.Status == projection.StatusLeft || n.Status == projection.StatusRemoved {
			continue
		}
		s.Peers = append(s.Peers, metrics.Peer{ID: n.ID, Lag: k.lag(ck.peers.has(n.ID))})
	}
	members := len(k.cluster.Nodes) - s.Members.Left - s.Members.Removed
	want := min(ck.config.ReplicationFactor, max(members, 1))
	for i := range k.cluster.PartitionMap.Partitions {
		p := &k.cluster.PartitionMap.Partitions[i]
		switch {
		case p.Primary == "":
			s.Partitions.Unassigned++
			continue
		case liveCopies(k.cluster, p) < want:
			s.Partitions.Underreplicated++
		default:
			s.Partitions.Assigned++
		}
		if p.Primary == ck.opt.NodeID {
			s.Owned.Primary++
		} else if p.HeldBy(ck.opt.NodeID) {
			s.Owned.Replica++
		}
	}
	s.Partitions.Unassigned += max(ck.config.PartitionCount-len(k.cluster.PartitionMap.Partitions), 0)
	return s
}

// liveCopies counts the copies of a partition on nodes that run.
func liveCopies(c *projection.Cluster, p *projection.Partition) int {
	live := 0
	count := func(id string) {
		if n, ok := c.Node(id); ok && (n.Status == projection.StatusAlive || n.Status == projection.StatusSuspected || n.Status == projection.StatusLeaving) {
			live++
		}
	}
	count(p.Primary)
	for _, id := range p.Replicas {
		count(id)
	}
	return live
}

func countMember(m *metrics.Members, status projection.Status) {
	switch status {
	case projection.StatusAlive:
		m.Alive++
	case projection.StatusSuspected:
		m.Suspected++
	case projection.StatusFailed:
		m.Failed++
	case projection.StatusLeaving:
		m.Leaving++
	case projection.StatusLeft:
		m.Left++
	case projection.StatusRemoved:
		m.Removed++
	}
}

// lag counts the events known here that a peer is not known to hold, or is
// negative when nothing is known of it.
func (k *knowledge) lag(has []events.Head) int {
	if has == nil {
		return -1
	}
	lag, seq := 0, uint64(0)
	for _, h := range k.heads {
		if has, seq = after(has, h.Log); seq < h.Seq {
			lag += int(h.Seq - seq)
		}
	}
	return lag
}
