package projection_test

import (
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// origin writes one log the way a node does.
type origin struct {
	tb   testing.TB
	log  events.LogID
	node string
	head events.Head
	time events.Timestamp
	past []events.Event
}

func newOrigin(tb testing.TB, n int, node string) *origin {
	log := events.NewLogID(1_790_000_000_000+int64(n), [10]byte{byte(n), byte(n >> 8), 1})
	return &origin{tb: tb, log: log, node: node, head: events.Head{Log: log, Chain: events.Genesis(log)},
		time: events.NewTimestamp(1_790_000_100_000, 0)}
}

// emit seals the next event of the log and returns it.
func (o *origin) emit(e events.Event) events.Event {
	o.tb.Helper()
	if e.Time == 0 {
		o.time += 1 << 16
		e.Time = o.time
	}
	if e.Actor == "" {
		e.Actor = o.node
	}
	e.Log, e.Seq = o.log, o.head.Seq+1
	sealed, err := events.Seal(e, o.head.Chain)
	if err != nil {
		o.tb.Fatal(err)
	}
	o.head = sealed.Head()
	o.past = append(o.past, sealed)
	return sealed
}

func (o *origin) say(t events.Type, incarnation uint64, record events.NodeRecord) events.Event {
	if record.ID == "" {
		record.ID = o.node
	}
	return o.emit(events.Event{Type: t, Register: events.NodeRegister(o.node), Version: incarnation, Body: events.Encode(&record)})
}

func (o *origin) accuse(t events.Type, node string, incarnation uint64) events.Event {
	rank := uint8(events.RankSuspected)
	if t == events.NodeFailed {
		rank = events.RankFailed
	}
	return o.emit(events.Event{Type: t, Register: events.AccusationRegister(node), Version: incarnation, Rank: rank,
		Body: events.Encode(&events.Accusation{Node: node, Incarnation: incarnation, Reason: "no answer"})})
}

func (o *origin) order(t events.Type, node string, incarnation, revision uint64) events.Event {
	return o.emit(events.Event{Type: t, Register: events.AdminRegister(node), Version: revision,
		Body: events.Encode(&events.NodeOrder{Node: node, Incarnation: incarnation, Reason: "by command"})})
}

func (o *origin) configure(name string, partitions, factor uint32) events.Event {
	return o.emit(events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister, Version: 1,
		Body: events.Encode(&events.ClusterConfig{Name: name, PartitionCount: partitions, ReplicationFactor: factor})})
}

func (o *origin) assign(partition int, epoch uint64, replicas ...string) events.Event {
	return o.emit(events.Event{Type: events.PartitionAssigned, Register: events.PartitionRegister(partition), Version: epoch,
		Body: events.Encode(&events.Assignment{Partition: uint32(partition), Replicas: replicas})})
}

// fold applies events in order and fails on every one that is not taken.
func fold(tb testing.TB, s *projection.State, batch ...events.Event) *projection.State {
	tb.Helper()
	for i := range batch {
		if got := s.Check(&batch[i]); got != projection.Fact {
			tb.Fatalf("Check(%s) = %s", batch[i].ID(), got)
		}
		if got := s.Apply(&batch[i]); !got.Applied() {
			tb.Fatalf("Apply(%s) = %s", batch[i].ID(), got)
		}
	}
	return s
}

func TestApplyRefusesWhatDoesNotFollow(t *testing.T) {
	o := newOrigin(t, 1, "n1")
	first := o.say(events.NodeJoined, 1, events.NodeRecord{Addr: "a:1"})
	fact := o.emit(events.Event{Type: "app/x"})
	lost := o.say(events.NodeUpdated, 0, events.NodeRecord{Addr: "a:2"})
	other := newOrigin(t, 1, "n1")
	forged := other.say(events.NodeJoined, 1, events.NodeRecord{Addr: "b:1"})
	strange := other.emit(events.Event{Type: "app/y"})

	s := projection.NewState()
	for _, step := range []struct {
		name         string
		event        events.Event
		check, apply projection.Outcome
	}{
		{"beyond an unknown log", fact, projection.Gap, projection.Gap},
		{"first", first, projection.Fact, projection.Won},
		{"first again", first, projection.Duplicate, projection.Duplicate},
		{"same place, other event", forged, projection.Broken, projection.Duplicate},
		{"gap", lost, projection.Gap, projection.Gap},
		{"next of the other branch", strange, projection.Broken, 0},
		{"fact", fact, projection.Fact, projection.Fact},
		{"smaller version", lost, projection.Fact, projection.Superseded},
		{"long ago", first, projection.Duplicate, projection.Duplicate},
	} {
		if got := s.Check(&step.event); got != step.check {
			t.Errorf("%s: Check = %s, want %s", step.name, got, step.check)
		}
		if step.apply == 0 {
			continue
		}
		if got := s.Apply(&step.event); got != step.apply {
			t.Errorf("%s: Apply = %s, want %s", step.name, got, step.apply)
		}
	}
	if got := s.Head(o.log); got != o.head {
		t.Errorf("head %+v, want %+v", got, o.head)
	}
	if got := s.MaxTime(); got != lost.Time {
		t.Errorf("MaxTime %s, want %s", got, lost.Time)
	}
	huge := first
	huge.Seq = 1<<63 + 7
	if got := s.Apply(&huge); got != projection.Gap {
		t.Errorf("far ahead: %s", got)
	}
}

func TestStatus(t *testing.T) {
	a, b := newOrigin(t, 1, "n1"), newOrigin(t, 2, "n2")
	s := projection.NewState()
	see := func(e events.Event, status projection.Status, draining bool, cause events.Event) {
		t.Helper()
		fold(t, s, e)
		n, ok := s.Cluster().Node("n1")
		if !ok {
			t.Fatal("no node n1")
		}
		if n.Status != status || n.Draining != draining || n.Cause() != cause.ID() {
			t.Errorf("after %s: %s, draining %v, because of %s; want %s, %v, %s", e.Type, n.Status, n.Draining, n.Cause(), status, draining, cause.ID())
		}
	}
	fold(t, s, b.accuse(events.NodeFailed, "n1", 1), b.order(events.NodeDrained, "n1", 0, 1))
	if len(s.Cluster().Nodes) != 0 {
		t.Fatal("a node that never spoke is listed")
	}
	fold(t, s, b.order(events.NodeUndrained, "n1", 0, 2))
	e := a.say(events.NodeJoined, 2, events.NodeRecord{Addr: "a:1"})
	b.time = a.time
	see(e, projection.StatusAlive, false, b.past[2])
	e = b.accuse(events.NodeSuspected, "n1", 2)
	see(e, projection.StatusSuspected, false, e)
	e = b.accuse(events.NodeFailed, "n1", 2)
	see(e, projection.StatusFailed, false, e)
	e = b.accuse(events.NodeSuspected, "n1", 2) // loses by rank
	see(e, projection.StatusFailed, false, b.past[4])
	a.time = b.time
	e = a.say(events.NodeRecovered, 3, events.NodeRecord{Addr: "a:1"})
	see(e, projection.StatusAlive, false, e)
	joined := e
	see(b.accuse(events.NodeFailed, "n1", 9), projection.StatusAlive, false, joined) // not this incarnation
	b.time += 1 << 20
	e = b.order(events.NodeDrained, "n1", 3, 3)
	see(e, projection.StatusAlive, true, e)
	a.time = b.time
	drained := e
	e = a.say(events.NodeLeaving, 3, events.NodeRecord{Addr: "a:1"})
	see(e, projection.StatusLeaving, true, e)
	e = a.say(events.NodeLeft, 3, events.NodeRecord{Addr: "a:1"})
	see(e, projection.StatusLeft, true, e)
	e = a.say(events.NodeJoined, 4, events.NodeRecord{Addr: "a:1"})
	see(e, projection.StatusAlive, true, drained)
	e = b.order(events.NodeRemoved, "n1", 4, 4)
	see(e, projection.StatusRemoved, false, e)
	e = a.say(events.NodeJoined, 5, events.NodeRecord{Addr: "a:1"})
	see(e, projection.StatusAlive, false, e)
}

func TestClusterAndItsJSON(t *testing.T) {
	o := newOrigin(t, 7, "n1")
	s := projection.NewState()
	if c := s.Cluster(); c.ID != "" || len(c.Nodes) != 0 || c.Partition(0) != nil {
		t.Errorf("the empty state says %+v", c)
	}
	fold(t, s,
		o.emit(events.Event{Type: events.LogStarted, Register: events.LogRegister(o.log), Version: 1, Body: events.Encode(&events.LogOwner{Node: "n1"})}),
		o.assign(1, 1<<32|2, "n1", "n2"), // before the configuration is known
		o.configure("my-app", 3, 2))
	fold(t, s, o.say(events.NodeJoined, 1, events.NodeRecord{Addr: "a:1"}))
	before := s.Cluster()
	if before != s.Cluster() {
		t.Error("nothing changed and the view did")
	}
	fold(t, s, o.assign(0, 1<<32|3, "n1"))
	after := s.Cluster()
	if before.Partition(0).Primary != "" || after.Partition(0).Primary != "n1" {
		t.Error("an immutable view changed, or the new one did not")
	}
	if &before.Nodes[0] != &after.Nodes[0] {
		t.Error("the nodes were rebuilt for a partition")
	}
	p := after.Partition(1)
	if p.Primary != "n1" || len(p.Replicas) != 1 || p.Replicas[0] != "n2" || !p.HeldBy("n2") || p.HeldBy("n3") || p.HeldBy("") {
		t.Errorf("partition 1 is %+v", p)
	}
	if p.Event() != o.past[1].ID() || p.Token().Compare(after.Partition(0).Token()) >= 0 {
		t.Error("wrong event, or tokens out of order")
	}
	if after.ID != projection.ClusterID("my-app") || after.Owner(o.log) != "n1" || after.LogsOf("n1")[0] != o.log {
		t.Errorf("id %s, owner %q", after.ID, after.Owner(o.log))
	}
}

func TestSnapshotAndCheckpoint(t *testing.T) {
	o := newOrigin(t, 7, "n1")
	s := fold(t, projection.NewState(), o.configure("my-app", 3, 2), o.say(events.NodeJoined, 1, events.NodeRecord{Addr: "a:1"}), o.assign(0, 1, "n1"))
	b := s.AppendSnapshot(nil)
	again, err := projection.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest() != s.Digest() || string(again.AppendSnapshot(nil)) != string(b) {
		t.Error("a snapshot does not survive itself")
	}
	file, err := projection.EncodeCheckpoint(s, 4711)
	if err != nil {
		t.Fatal(err)
	}
	c, err := projection.DecodeCheckpoint(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Index != 4711 || c.State.Digest() != s.Digest() {
		t.Errorf("checkpoint of %d", c.Index)
	}
	clone := s.Clone()
	fold(t, clone, o.assign(0, 2, "n2"))
	if s.Cluster().Partition(0).Primary != "n1" || clone.Cluster().Partition(0).Primary != "n2" {
		t.Error("a clone is not apart from its original")
	}
	if !s.Merge(clone) || s.Merge(clone) || s.Digest() != clone.Digest() || s.Cluster().Partition(0).Primary != "n2" {
		t.Error("merge")
	}
}
