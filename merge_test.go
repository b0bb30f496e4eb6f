package clusterkit

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
)

// startPair starts two nodes that are one cluster.
func startPair(t *testing.T) [2]*ClusterKit { return startPairWith(t, func(*Options) {}) }

func startPairWith(t *testing.T, change func(o *Options)) [2]*ClusterKit {
	t.Helper()
	var pair [2]*ClusterKit
	for i, id := range []string{"n0", "n1"} {
		o := Options{NodeID: id, HTTPAddr: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), id),
			SyncInterval: 100 * time.Millisecond, ProbeInterval: 200 * time.Millisecond,
			Config: &Config{ClusterName: "pair", PartitionCount: 4, ReplicationFactor: 2}}
		if i > 0 {
			o.KnownNodes = []string{pair[0].Addr()}
		}
		change(&o)
		ck, err := NewClusterKit(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ck.Stop(); err != nil {
				t.Error(err)
			}
		})
		if err := ck.Start(); err != nil {
			t.Fatal(err)
		}
		pair[i] = ck
	}
	awaitEqual(t, pair, func(c *Cluster) bool { return len(c.Nodes) == 2 })
	return pair
}

// awaitEqual waits until both nodes know the same and it satisfies ok.
func awaitEqual(t *testing.T, pair [2]*ClusterKit, ok func(*Cluster) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		a, b := pair[0].known(), pair[1].known()
		if a.digest == b.digest && ok(a.cluster) {
			return
		}
		select {
		case <-a.changed:
		case <-b.changed:
		case <-ctx.Done():
			t.Fatalf("the nodes do not agree:\n%s %s\n%s %s", a.digest, a.cluster.Vector, b.digest, b.cluster.Vector)
		}
	}
}

// foreignState is a state in which a log that nobody here has ever held wrote
// one value.
func foreignState(t *testing.T, key string) *projection.State {
	t.Helper()
	log := events.NewLogID(time.Now().UnixMilli(), [10]byte{42, key[0]})
	e, err := events.Seal(events.Event{Log: log, Seq: 1, Time: events.NewTimestamp(time.Now().UnixMilli(), 0),
		Type: events.ValueSet, Register: events.ValueRegister(key), Version: 1,
		Body: events.Encode(&events.Value{Key: key, Value: []byte("x")})}, events.Genesis(log))
	if err != nil {
		t.Fatal(err)
	}
	s := projection.NewState()
	s.Apply(&e)
	return s
}

// TestStateTravelsWhenEventsAreNotKept gives one node a state whose events it
// does not hold: the other one, which asks for them, is sent the state.
func TestStateTravelsWhenEventsAreNotKept(t *testing.T) {
	pair := startPair(t)
	foreign := foreignState(t, "k")
	if err := pair[0].merge(t.Context(), foreign.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	log := foreign.Heads()[0].Log
	awaitEqual(t, pair, func(c *Cluster) bool { return c.Vector[log] == 1 })
	if _, err := pair[1].Set(t.Context(), "after", []byte("it")); err != nil {
		t.Fatal(err)
	}
	awaitEqual(t, pair, func(c *Cluster) bool { return true })
}

// TestMergedStateSurvivesARestart merges a state and starts again from disk.
func TestMergedStateSurvivesARestart(t *testing.T) {
	o := Options{NodeID: "n0", HTTPAddr: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "d"),
		Config: &Config{ClusterName: "one", PartitionCount: 4}}
	ck, err := NewClusterKit(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := ck.Start(); err != nil {
		t.Fatal(err)
	}
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreign := foreignState(t, "k")
	if err := ck.merge(t.Context(), foreign.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	if err := ck.merge(t.Context(), []byte("not a snapshot")); err == nil {
		t.Error("nonsense is merged")
	}
	if err := ck.Stop(); err != nil {
		t.Fatal(err)
	}
	before := ck.known().digest
	again, err := NewClusterKit(o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	if again.known().digest != before {
		t.Errorf("digest %s after the restart, was %s", again.known().digest, before)
	}
}

// TestDivergenceIsFoundAndRepaired makes one node forget a register behind the
// back of its own fold: equal vectors, unequal states.
func TestDivergenceIsFoundAndRepaired(t *testing.T) {
	pair := startPair(t)
	if _, err := pair[0].Set(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	awaitEqual(t, pair, func(c *Cluster) bool { return true })
	forget(t, pair[1], "k")
	awaitEqual(t, pair, func(c *Cluster) bool { return true })
	if pair[0].divergences.Load()+pair[1].divergences.Load() == 0 {
		t.Error("nobody noticed the divergence")
	}
	back, err := ask(t.Context(), pair[1], func(r *replica, _ int64) (bool, error) {
		_, ok := r.state.Register(events.ValueRegister("k"))
		return ok, nil
	})
	if err != nil || !back {
		t.Errorf("the lost register did not come back: %v", err)
	}
}

// forget makes a node lose a value behind the back of its own fold.
func forget(t *testing.T, ck *ClusterKit, key string) {
	t.Helper()
	err := ck.do(t.Context(), func(r *replica, _ int64) error {
		if err := ck.persist(); err != nil {
			return err
		}
		broken, err := withoutRegister(r.state, events.ValueRegister(key))
		if err != nil {
			return err
		}
		r.state = broken
		ck.publish()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// withoutRegister returns a state with the same heads and one register less,
// as a bug in the fold would leave it.
func withoutRegister(s *projection.State, name string) (*projection.State, error) {
	broken := projection.NewState()
	for _, h := range s.Heads() {
		for seq := uint64(1); seq <= h.Seq; seq++ {
			e, err := events.Seal(events.Event{Log: h.Log, Seq: seq, Time: s.Time(h.Log), Type: "app/filler"}, events.Genesis(h.Log))
			if err != nil {
				return nil, err
			}
			e.Chain = h.Chain
			broken.Apply(&e)
		}
	}
	other := projection.NewState()
	for register, e := range s.Registers("") {
		if register != name {
			one := projection.NewState()
			c := e.Clone()
			applyAlone(one, &c)
			other.Merge(one)
		}
	}
	broken.Merge(other)
	return broken, nil
}

// applyAlone folds an event without those before it.
func applyAlone(s *projection.State, e *events.Event) {
	seq := e.Seq
	for e.Seq = 1; e.Seq < seq; e.Seq++ {
		filler := *e
		filler.Register, filler.Version, filler.Type = "", 0, "app/filler"
		s.Apply(&filler)
	}
	e.Seq = seq
	s.Apply(e)
}

// TestStrangerBringsItsState: who has never been heard of cannot be asked, so it
// brings the state that stands in for its events.
func TestStrangerBringsItsState(t *testing.T) {
	ck := startPair(t)[0]
	req := &transport.SyncRequest{Header: ck.header("n0"), Snapshot: foreignState(t, "brought").AppendSnapshot(nil)}
	req.From = "stranger"
	if _, err := (*backend)(ck).Sync(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if v, ok := ck.Value("brought"); !ok || string(v.Bytes) != "x" {
		t.Errorf("the value is %q, %v", v.Bytes, ok)
	}
	before := ck.known().digest
	req.Snapshot[7] ^= 1
	if _, err := (*backend)(ck).Sync(t.Context(), req); err == nil {
		t.Error("a state with a changed bit was taken")
	}
	if ck.known().digest.Vector != before.Vector {
		t.Error("a refused state changed something")
	}
}
