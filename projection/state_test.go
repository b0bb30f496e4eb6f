package projection_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	e = b.accuse(events.NodeFailed, "n1", 9) // who wrote it had heard of more than is known here
	see(e, projection.StatusFailed, false, e)
	if n, _ := s.Cluster().Node("n1"); n.Incarnation != 9 {
		t.Errorf("incarnation 9 failed, and %d is named", n.Incarnation)
	}
	a.time = b.time
	recovered := a.say(events.NodeRecovered, 10, events.NodeRecord{Addr: "a:1"})
	see(recovered, projection.StatusAlive, false, recovered)
	see(b.accuse(events.NodeFailed, "n1", 9), projection.StatusAlive, false, recovered)
	b.time += 1 << 20
	e = b.order(events.NodeDrained, "n1", 10, 3)
	see(e, projection.StatusAlive, true, e)
	a.time = b.time
	drained := e
	e = a.say(events.NodeLeaving, 10, events.NodeRecord{Addr: "a:1"})
	see(e, projection.StatusLeaving, true, e)
	e = a.say(events.NodeLeft, 10, events.NodeRecord{Addr: "a:1"})
	see(e, projection.StatusLeft, true, e)
	e = a.say(events.NodeJoined, 11, events.NodeRecord{Addr: "a:1"})
	see(e, projection.StatusAlive, true, drained)
	e = b.order(events.NodeRemoved, "n1", 11, 4)
	see(e, projection.StatusRemoved, false, e)
	e = a.say(events.NodeJoined, 12, events.NodeRecord{Addr: "a:1"})
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
	var token projection.Token
	if err := token.UnmarshalText([]byte(p.Token().String())); err != nil || token != p.Token() {
		t.Errorf("token %s read again is %s, %v", p.Token(), token, err)
	}
	if token.UnmarshalText([]byte("00")) == nil || token.UnmarshalText([]byte("xyz")) == nil {
		t.Error("a token that is none is read")
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

func TestRegisters(t *testing.T) {
	o := newOrigin(t, 1, "n1")
	s := projection.NewState()
	for _, name := range []string{"node/b", "node-x/y", "node", "node/a", "nodes/q", "value/k/1", "coordinator", "noda/z"} {
		fold(t, s, o.emit(events.Event{Type: "Later", Register: name, Version: 1}))
	}
	list := func(kind string, most int) string {
		var b []string
		for key, e := range s.Registers(kind) {
			if !strings.HasSuffix(e.Register, key) {
				t.Errorf("key %q for register %q", key, e.Register)
			}
			if b = append(b, key); len(b) == most {
				break
			}
		}
		return strings.Join(b, " ")
	}
	for _, c := range []struct {
		kind string
		most int
		want string
	}{
		{"node", 9, " a b"}, // the register "node" has no key
		{"node", 2, " a"},
		{"value", 9, "k/1"},
		{"coordinator", 9, ""},
		{"nod", 9, ""},
		{"zzz", 9, ""},
		{"", 9, "coordinator noda/z node node-x/y node/a node/b nodes/q value/k/1"},
	} {
		if got := list(c.kind, c.most); got != c.want {
			t.Errorf("registers of kind %q are %q, want %q", c.kind, got, c.want)
		}
	}
	e, ok := s.Register("node/a")
	if !ok || e.ID() != o.past[3].ID() {
		t.Errorf("register node/a is owned by %s, %v", e.ID(), ok)
	}
	fold(t, s, o.emit(events.Event{Type: "Later", Register: "node/a", Version: 2})) // into the same buffer
	if !bytes.Equal(e.Raw(), o.past[3].Raw()) {
		t.Error("what Register returned has changed")
	}
	if _, ok := s.Register("node/c"); ok {
		t.Error("there is no register node/c")
	}
	if _, ok := s.Stamp("node/c"); ok {
		t.Error("there is no register node/c")
	}
}

// A view may be read while the state goes on; the race detector looks on.
func TestClusterIsShared(t *testing.T) {
	s, o := grown(t, 10, 64)
	done := make(chan struct{})
	views := make(chan *projection.Cluster, 1)
	go func() { // ends when views is closed
		defer close(done)
		for c := range views {
			if b, err := json.Marshal(c); err != nil || len(b) == 0 {
				t.Error(err)
			}
		}
	}()
	for i := range 300 {
		fold(t, s, o.assign(i%64, uint64(i+1)<<32, "node-1", "node-2"))
		if i%10 == 0 {
			fold(t, s, o.accuse(events.NodeSuspected, "node-3", uint64(i)))
		}
		select {
		case views <- s.Cluster():
		default:
		}
	}
	close(views)
	<-done
}

func TestAllocations(t *testing.T) {
	s, o := grown(t, 100, 1024)
	var batch []events.Event
	for i := range 2000 {
		batch = append(batch, o.assign(i%16, uint64(i+1)<<32, "node-1", "node-2", "node-3"))
	}
	fold(t, s, batch[:500]...)
	i := 500
	c := s.Cluster()
	for name, work := range map[string]func(){
		"Apply":     func() { s.Apply(&batch[i]); i++ },
		"Stamp":     func() { s.Stamp("node/node-57") },
		"Head":      func() { s.Head(o.log) },
		"Digest":    func() { s.Digest() },
		"Node":      func() { c.Node("node-57") },
		"Partition": func() { c.Partition(517).HeldBy("node-57") },
		"Token":     func() { c.Partition(517).Token() },
	} {
		if n := testing.AllocsPerRun(1000, work); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// A large event does not leave its buffer behind for the small ones after it.
func TestLargeBufferIsGivenBack(t *testing.T) {
	held := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := held()
	o := newOrigin(t, 1, "n1")
	s := projection.NewState()
	for i := range 64 {
		key := events.ValueRegister(fmt.Sprint(i))
		fold(t, s, o.emit(events.Event{Type: events.ValueSet, Register: key, Version: 1, Body: make([]byte, 200<<10)}))
		fold(t, s, o.emit(events.Event{Type: events.ValueSet, Register: key, Version: 2}))
		o.past = nil
	}
	if n := held() - before; n > 1<<20 {
		t.Errorf("%d bytes are held for 64 empty values", n)
	}
	runtime.KeepAlive(s)
}

func TestOneNodeAndOnePartition(t *testing.T) {
	s := story(t)
	for _, n := range s.Cluster().Nodes {
		got, ok := s.Node(n.ID)
		if diff := cmp.Diff(n, got, cmp.AllowUnexported(n)); !ok || diff != "" {
			t.Errorf("node %s (-in the view +alone)\n%s", n.ID, diff)
		}
	}
	for i, p := range s.Cluster().PartitionMap.Partitions {
		got, ok := s.Partition(i)
		if diff := cmp.Diff(p, got, cmp.AllowUnexported(p)); ok != (p.Epoch > 0) || diff != "" {
			t.Errorf("partition %d (-in the view +alone)\n%s", i, diff)
		}
	}
	if _, ok := s.Node("odd"); ok {
		t.Error("a node that said nothing legible")
	}
}
