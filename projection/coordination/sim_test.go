package coordination_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// sim is a cluster of nodes with a state each, in virtual time. An event
// reaches at once every node that can be reached; the rest comes when the split
// heals. What nodes decide becomes events of their logs, as in a replica.
type sim struct {
	t      testing.TB
	now    int64
	opt    coordination.Options
	config events.ClusterConfig
	nodes  map[string]*node
	logs   map[events.LogID][]events.Event // all there are
	trace  func(format string, args ...any)

	assignments int // how many were written
}

// node is one data directory and, while it runs, its process.
type node struct {
	id, zone     string
	weight       uint32
	log          events.LogID
	running      bool
	side         int // of a split
	state        *projection.State
	clock        events.Clock
	coordination *coordination.Coordination
	started      events.Timestamp
	degraded     string
	minority     bool  // it saw no majority the last time
	held         int64 // until then it holds back
	wake         int64
	epochs       map[int]uint64 // of the partitions as this node last saw them
}

func newSim(t testing.TB, partitions, rf int, opt coordination.Options) *sim {
	return &sim{t: t, now: 1000, opt: opt, nodes: map[string]*node{}, logs: map[events.LogID][]events.Event{}, trace: func(string, ...any) {},
		config: events.ClusterConfig{Name: "sim", PartitionCount: uint32(partitions), ReplicationFactor: uint32(rf)}}
}

// ids returns the nodes that may be, sorted.
func (s *sim) ids(may func(*node) bool) []string {
	var ids []string
	for id, n := range s.nodes {
		if may(n) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func running(n *node) bool { return n.running }

// start runs a process on a new or an old data directory.
func (s *sim) start(id, zone string, weight uint32, alone bool) *node {
	n := s.nodes[id]
	if n == nil {
		var random [10]byte
		copy(random[:], id)
		n = &node{id: id, log: events.NewLogID(s.now, random), state: projection.NewState(), epochs: map[int]uint64{}}
		s.nodes[id] = n
	}
	opt := s.opt
	opt.Alone = alone
	if opt.RefuteDelay == 0 {
		opt.RefuteDelay = -1 // here nodes fail without having been suspected
	}
	n.running, n.zone, n.weight = true, zone, weight
	n.started = events.NewTimestamp(s.now, 0)
	n.coordination, n.minority, n.held = coordination.New(id, opt), false, 0
	s.sync()
	s.speak(n, events.NodeJoined, 1, "started")
	s.settle()
	return n
}

// emit seals an event of a node and spreads it.
func (s *sim) emit(n *node, e events.Event) {
	s.emitLater(n, e)
	s.sync()
}

func (s *sim) apply(n *node, e *events.Event) {
	n.state.Apply(e)
	n.clock.Observe(e.Time, s.now)
	n.wake = s.now
}

// sync gives every running node what those it can reach have.
func (s *sim) sync() {
	for _, from := range s.nodes {
		for _, to := range s.nodes {
			if from != to && from.running && to.running && from.side == to.side {
				s.send(from, to)
			}
		}
	}
}

// send gives a node what another one has.
func (s *sim) send(from, to *node) {
	for _, head := range from.state.Heads() {
		for seq := to.state.Head(head.Log).Seq + 1; seq <= head.Seq; seq++ {
			s.apply(to, &s.logs[head.Log][seq-1])
		}
	}
}

// speak writes a node's own register.
func (s *sim) speak(n *node, t events.Type, more uint64, reason string) {
	incarnation := more
	for _, register := range []string{events.NodeRegister(n.id), events.AccusationRegister(n.id)} {
		if stamp, ok := n.state.Stamp(register); ok {
			incarnation = max(incarnation, stamp.Version+more)
		}
	}
	if e, ok := n.state.Register(events.AdminRegister(n.id)); ok && more > 0 {
		p, _ := e.Payload()
		incarnation = max(incarnation, p.(*events.NodeOrder).Incarnation+1)
	}
	record := &events.NodeRecord{ID: n.id, Addr: n.id + ":1", Zone: n.zone, Weight: n.weight, StartedAt: n.started, Degraded: n.degraded, Reason: reason}
	s.emit(n, events.Event{Type: t, Register: events.NodeRegister(n.id), Version: incarnation, Body: events.Encode(record)})
}

// accuse lets a node say that another one is suspected or failed.
func (s *sim) accuse(by, whom string, t events.Type) {
	s.accuseOnly(by, whom, t)
	s.settle()
}

// accuseOnly is accuse before anybody reacts.
func (s *sim) accuseOnly(by, whom string, t events.Type) {
	n := s.nodes[by]
	accused, ok := n.state.Cluster().Node(whom)
	if !ok {
		return
	}
	rank := uint8(events.RankSuspected)
	if t == events.NodeFailed {
		rank = events.RankFailed
	}
	body := events.Encode(&events.Accusation{Node: whom, Incarnation: accused.Incarnation, Reason: "does not answer"})
	s.emit(n, events.Event{Type: t, Register: events.AccusationRegister(whom), Version: accused.Incarnation, Rank: rank, Body: body})
}

// order lets an operator at a node order something about another one.
func (s *sim) order(by, whom string, t events.Type) {
	s.orderOnly(by, whom, t)
	s.settle()
}

// orderOnly is order before anybody reacts.
func (s *sim) orderOnly(by, whom string, t events.Type) {
	n := s.nodes[by]
	subject, ok := n.state.Cluster().Node(whom)
	if !ok {
		return
	}
	stamp, _ := n.state.Stamp(events.AdminRegister(whom))
	body := events.Encode(&events.NodeOrder{Node: whom, Incarnation: subject.Incarnation, Reason: "by command"})
	s.emit(n, events.Event{Type: t, Register: events.AdminRegister(whom), Version: stamp.Version + 1, Body: body})
}

// write assigns a partition by command; epoch 0 is the next one.
func (s *sim) write(by string, partition int, epoch uint64, replicas []string) {
	n := s.nodes[by]
	stamp, _ := n.state.Stamp(events.PartitionRegister(partition))
	epoch = max(epoch, stamp.Version+1)
	body := events.Encode(&events.Assignment{Partition: uint32(partition), Replicas: replicas, Trigger: "manual"})
	s.emit(n, events.Event{Type: events.PartitionAssigned, Register: events.PartitionRegister(partition), Version: epoch, Body: body})
	s.settle()
}

// settle lets all nodes act until nobody has anything more to do now.
func (s *sim) settle() {
	for steps := 0; ; steps++ {
		if steps > 2000 {
			s.t.Fatalf("at %s nodes decide for ever", s.clock())
		}
		acted := false
		for _, id := range s.ids(running) {
			acted = s.act(s.nodes[id]) || acted
		}
		if !acted {
			return
		}
	}
}

// act asks one node what it has to do, and does it.
func (s *sim) act(n *node) bool {
	if n.wake > s.now {
		return false
	}
	if s.refute(n) {
		return true
	}
	cluster := n.state.Cluster()
	s.watch(n, cluster)
	if had := !n.minority; coordination.Majority(cluster) {
		if n.minority = false; !had {
			n.held = s.now + 5000
		}
	} else {
		n.minority = true
	}
	n.coordination.Observe(cluster, s.now)
	d, wake := n.coordination.Next(cluster, s.now)
	if d.IsZero() && wake <= s.now {
		s.t.Fatalf("at %s %s has nothing to do and wants to be asked at once", s.clock(), n.id)
	}
	n.wake = wake
	if d.IsZero() {
		s.checkOwned(n, cluster)
		return false
	}
	if !coordination.Majority(cluster) || s.now < n.held {
		s.t.Errorf("at %s %s decides without a majority: %s", s.clock(), n.id, d.Reason)
	}
	s.carryOut(n, cluster, &d)
	return true
}

// checkOwned checks that a coordinator that has nothing to do has left no
// partition without a primary that runs, nor with fewer nodes than there are.
func (s *sim) checkOwned(n *node, cluster *projection.Cluster) {
	self, _ := cluster.Node(n.id)
	if cluster.Coordinator != n.id || self == nil || self.Status != projection.StatusAlive || self.Draining ||
		!coordination.Majority(cluster) || s.now < n.started.Millis()+5000 || s.now < n.held {
		return
	}
	runs, takers := map[string]bool{}, 0
	for _, m := range cluster.Nodes {
		alive := m.Status == projection.StatusAlive
		runs[m.ID] = alive || m.Status == projection.StatusSuspected || m.Status == projection.StatusLeaving ||
			s.opt.RefuteDelay > 0 && m.Status == projection.StatusFailed // it may be about to refute
		if alive && !m.Draining && m.Degraded == "" {
			takers++
		}
	}
	for p, list := range lists(cluster) {
		if len(list) < min(int(s.config.ReplicationFactor), takers) || !runs[list[0]] {
			s.t.Errorf("at %s %s rests, and partition %d is held by %v", s.clock(), n.id, p, list)
		}
	}
}

func (s *sim) refute(n *node) bool {
	self, _ := n.state.Cluster().Node(n.id)
	if self == nil || self.Status != projection.StatusSuspected && self.Status != projection.StatusFailed {
		return false
	}
	s.trace("%s refutes", n.id)
	s.speak(n, events.NodeRecovered, 1, "refutes")
	return true
}

// watch checks that the epochs of partitions only grow.
func (s *sim) watch(n *node, cluster *projection.Cluster) {
	for i := range cluster.PartitionMap.Partitions {
		p := &cluster.PartitionMap.Partitions[i]
		if p.Epoch < n.epochs[i] {
			s.t.Errorf("at %s %s sees partition %d go from epoch %d to %d", s.clock(), n.id, i, n.epochs[i], p.Epoch)
		}
		n.epochs[i] = p.Epoch
	}
}

func (s *sim) carryOut(n *node, cluster *projection.Cluster, d *coordination.Decision) {
	if d.Claim {
		s.trace("%s claims term %d: %s", n.id, d.Term, d.Reason)
		if d.Term <= cluster.Term {
			s.t.Errorf("at %s %s claims term %d, and there is %d", s.clock(), n.id, d.Term, cluster.Term)
		}
		s.claim(n, d)
		if cluster.Config.PartitionCount == 0 {
			s.emit(n, events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister, Version: 1,
				Body: events.Encode(&s.config)})
		}
		return
	}
	if d.Remove != "" {
		s.trace("%s removes %s: %s", n.id, d.Remove, d.Reason)
		s.orderOnly(n.id, d.Remove, events.NodeRemoved)
		return
	}
	s.trace("%s assigns %d, moves %d: %s", n.id, len(d.Assignments), d.Moves, d.Reason)
	for i := range d.Assignments {
		a := &d.Assignments[i]
		s.assignments++
		was := cluster.Partition(a.Partition)
		if d.EpochOf(i) <= was.Epoch || d.EpochOf(i)>>32 != cluster.Term {
			s.t.Errorf("at %s partition %d goes from epoch %x to %x in term %d", s.clock(), a.Partition, was.Epoch, d.EpochOf(i), cluster.Term)
		}
		if a.Cause.IsZero() || a.Trigger == "" || a.Reason == "" || a.Trigger != d.Assignments[0].Trigger {
			s.t.Errorf("at %s an assignment without a reason: %+v", s.clock(), a)
		}
		body := events.Encode(&events.Assignment{Partition: uint32(a.Partition), Replicas: a.Replicas,
			Previous: a.Previous, Trigger: a.Trigger, Reason: a.Reason})
		s.emitLater(n, events.Event{Type: events.PartitionAssigned, Register: events.PartitionRegister(a.Partition),
			Version: d.EpochOf(i), Cause: a.Cause, Body: body})
	}
	s.sync()
}

// claim writes that a node takes the role.
func (s *sim) claim(n *node, d *coordination.Decision) {
	s.emit(n, events.Event{Type: events.CoordinatorClaimed, Register: events.CoordinatorRegister, Version: d.Term,
		Cause: d.Cause, Body: events.Encode(&events.CoordinatorClaim{Node: n.id, Reason: d.Reason})})
}

// emitLater is emit without spreading.
func (s *sim) emitLater(n *node, e events.Event) {
	head := n.state.Head(n.log)
	e.Log, e.Seq, e.Actor = n.log, head.Seq+1, n.id
	e.Time = n.clock.Tick(s.now)
	sealed, err := events.Seal(e, head.Chain)
	if err != nil {
		s.t.Fatalf("seal: %v", err)
	}
	s.logs[n.log] = append(s.logs[n.log], sealed)
	s.apply(n, &sealed)
}

// run lets time pass. Nodes are asked exactly when they wanted to be.
func (s *sim) run(millis int64) {
	end := s.now + millis
	for s.settle(); s.now < end; s.settle() {
		next := end
		for _, n := range s.nodes {
			if n.running {
				next = min(next, n.wake)
			}
		}
		s.now = next
	}
}

// nextWake returns when the next node wants to be asked.
func (s *sim) nextWake() int64 {
	next := coordination.Never
	for _, n := range s.nodes {
		if n.running {
			next = min(next, n.wake)
		}
	}
	return next
}

func (s *sim) clock() string { return fmt.Sprintf("%.3fs", float64(s.now-1000)/1000) }

// view returns what the first running node sees.
func (s *sim) view() *projection.Cluster {
	ids := s.ids(running)
	if len(ids) == 0 {
		return projection.NewState().Cluster()
	}
	return s.nodes[ids[0]].state.Cluster()
}

func lists(c *projection.Cluster) [][]string {
	all := make([][]string, len(c.PartitionMap.Partitions))
	for i, p := range c.PartitionMap.Partitions {
		if p.Primary != "" {
			all[i] = append([]string{p.Primary}, p.Replicas...)
		}
	}
	return all
}

// pickOne returns a random key of those that may be, or "".
func (s *sim) pickOne(r *rand.Rand, may func(*node) bool) string {
	ids := s.ids(may)
	if len(ids) == 0 {
		return ""
	}
	return ids[r.IntN(len(ids))]
}
