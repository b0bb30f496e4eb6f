package projection_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

var update = flag.Bool("update", false, "write the golden files")

// story returns a state in which there is one of everything.
func story(tb testing.TB) *projection.State {
	a, b, c := newOrigin(tb, 1, "n1"), newOrigin(tb, 2, "n2"), newOrigin(tb, 3, "n3")
	s := projection.NewState()
	for _, o := range []*origin{a, b, c} {
		fold(tb, s, o.emit(events.Event{Type: events.LogStarted, Register: events.LogRegister(o.log), Version: 1,
			Body: events.Encode(&events.LogOwner{Node: o.node})}))
		fold(tb, s, o.say(events.NodeJoined, 1, events.NodeRecord{Name: "node <" + o.node + ">", Addr: o.node + ":8080", Zone: "z", Weight: 2,
			Services: map[string]string{"http": "80", "grpc": "90"}, Metadata: map[string]string{"version": "1"},
			JoinedAt: o.time, StartedAt: o.time, Reason: "start"}))
	}
	return fold(tb, s,
		a.emit(events.Event{Type: events.CoordinatorClaimed, Register: events.CoordinatorRegister, Version: 1,
			Body: events.Encode(&events.CoordinatorClaim{Node: "n1", Reason: "vacant"})}),
		a.configure("my-app", 3, 2),
		a.assign(0, 1<<32|1, "n1", "n2"),
		a.assign(2, 1<<32|2, "n2", "n1"),
		b.accuse(events.NodeFailed, "n3", 1),
		a.order(events.NodeDrained, "n2", 1, 1),
		a.emit(events.Event{Type: events.ValueSet, Register: events.ValueRegister("k"), Version: 1, Actor: "app",
			Body: events.Encode(&events.Value{Key: "k", Value: []byte("v")})}),
		a.emit(events.Event{Type: events.LogForked, Register: events.LogRegister(c.log), Version: 1, Rank: 1,
			Body: events.Encode(&events.LogOwner{Node: "n3", Seq: 2})}),
		b.emit(events.Event{Type: "NodeHibernated", Register: "later/n1", Version: 1, Body: []byte{1, 2, 3}}),
		b.emit(events.Event{Type: events.NodeJoined, Register: "node/odd", Version: 1, Body: []byte{0xff}}),
		b.emit(events.Event{Type: "app/order-shipped", Actor: "app"}),
	)
}

// golden compares with a file, or writes it.
func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func TestGoldenSnapshot(t *testing.T) {
	s := story(t)
	want := golden(t, "snapshot-1.bin", s.AppendSnapshot(nil))
	if !bytes.Equal(want, s.AppendSnapshot(nil)) {
		t.Error("the snapshot has changed; a new form needs a new version")
	}
	read, err := projection.ReadSnapshot(want)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the golden snapshot", s, read)
}

func TestGoldenCheckpoint(t *testing.T) {
	s := story(t)
	got, err := projection.EncodeCheckpoint(s, 4711)
	if err != nil {
		t.Fatal(err)
	}
	want := golden(t, "cluster-state-1.json", got)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the checkpoint has changed (-want +got)\n%s", diff)
	}
	c, err := projection.DecodeCheckpoint(want)
	if err != nil {
		t.Fatal(err)
	}
	if c.Index != 4711 || c.Format != projection.CheckpointFormat {
		t.Errorf("index %d, format %d", c.Index, c.Format)
	}
	same(t, "the golden checkpoint", s, c.State)

	// Its top level is the Cluster, as GET /cluster has it.
	var view projection.Cluster
	if err := json.Unmarshal(want, &view); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(&view)
	b, _ := json.Marshal(s.Cluster())
	if !bytes.Equal(a, b) {
		t.Errorf("the view in the checkpoint is\n%s, want\n%s", a, b)
	}
	if n, ok := view.Node("n2"); !ok || view.Owner(n.Log) != "n2" || !slices.Equal(view.LogsOf("n2"), []events.LogID{n.Log}) {
		t.Error("a view read from JSON does not find its nodes")
	}
}

// Whatever byte is changed, added or cut off, it is noticed.
func TestSnapshotDamage(t *testing.T) {
	state := story(t)
	good := state.AppendSnapshot(nil)
	damaged(t, good, func(b []byte) error {
		_, err := projection.ReadSnapshot(b)
		if is := state.IsSnapshot(b); is != (err == nil) {
			t.Errorf("it is the snapshot: %v, and reading it says %v", is, err)
		}
		return err
	})
	if other := projection.NewState(); other.IsSnapshot(good) || !other.IsSnapshot(other.AppendSnapshot(nil)) {
		t.Error("a snapshot is taken for that of another state")
	}
}

func TestCheckpointDamage(t *testing.T) {
	good, err := projection.EncodeCheckpoint(story(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	damaged(t, good, func(b []byte) error { _, err := projection.DecodeCheckpoint(b); return err })
}

func damaged(t *testing.T, good []byte, read func([]byte) error) {
	t.Helper()
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := read(bad); !errors.Is(err, projection.ErrSnapshot) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if err := read(good[:i]); !errors.Is(err, projection.ErrSnapshot) {
			t.Fatalf("cut off at %d: %v", i, err)
		}
	}
	if err := read(append(slices.Clone(good), '\n')); !errors.Is(err, projection.ErrSnapshot) {
		t.Fatalf("a byte added: %v", err)
	}
}

// TestAssemble takes states apart and puts them together again.
func TestAssemble(t *testing.T) {
	s := story(t)
	var heads []projection.LogHead
	for _, h := range s.Heads() {
		heads = append(heads, projection.LogHead{Head: h, Time: s.Time(h.Log)})
	}
	slices.Reverse(heads)
	var owners []events.Event
	for _, e := range s.Registers("") {
		owners = append(owners, e.Clone())
	}
	slices.Reverse(owners)
	again, err := projection.Assemble(heads, owners)
	if err != nil || !bytes.Equal(again.AppendSnapshot(nil), s.AppendSnapshot(nil)) {
		t.Errorf("another state, %v", err)
	}
	if _, err := projection.Assemble(heads[1:], owners); err == nil {
		t.Error("owners without the head of their log")
	}
	if _, err := projection.Assemble(heads, append(owners, owners[0])); err == nil {
		t.Error("two owners of a register")
	}
}
