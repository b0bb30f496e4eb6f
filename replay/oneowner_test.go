package replay_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// belowPast is a past in which n2, which has not heard of it, gives partition 0 to
// these nodes with an epoch that n1 gave to n1 and n2, after a higher one. What n1 did
// first lies some segments back; n3 and n4 know of it only from its state.
func belowPast(t *testing.T, owners ...string) func(node string) string {
	return past(t, func(h *replaytest.History) {
		n1, n2, n3, n4 := h.Node("n1"), h.Node("n2"), h.Node("n3"), h.Node("n4")
		n1.Join("first")
		claim := n1.Claim("no coordinator")
		n1.Configure(1, 2, claim.ID())
		n2.Sync(n1)
		n4.Sync(n1)
		joined := n2.Join("joins")
		n1.Sync(n2)
		n1.Assign(0, []string{"n1", "n2"}, "balance", "n2 joined", joined.ID()) // 1.1
		n3.TakeState(n1)
		n4.TakeState(n1)
		for range 100 {
			n1.Set("k", "v")
		}
		for range 5 {
			n1.Assign(0, []string{"n2", "n1"}, "balance", "to and fro", joined.ID())
		}
		n1.Emit(events.Event{Type: "app/marked", Actor: "app"})
		time.Sleep(time.Second)
		n2.Assign(0, owners, "balance", "it had no owner", joined.ID()) // 1.1, too
		time.Sleep(time.Second)
		h.SyncAll("n1", "n2", "n3", "n4")
		n1.Assign(0, []string{"n1", "n2"}, "balance", "back", joined.ID())
		n1.Set("k", "the end")
		h.SyncAll("n1", "n2", "n3", "n4")
	})
}

// withoutTheFirst opens a log as a node does that keeps all but its first segment.
func withoutTheFirst(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "wal", "0*"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	slices.Sort(files)
	r := eventlog.Retention{}
	for _, file := range files[1:] {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		r.Bytes += info.Size()
	}
	removed := make(chan struct{}, len(files))
	l, err := eventlog.Open(dir, eventlog.Options{NodeID: filepath.Base(dir), Cluster: "test", SegmentSize: 4096, Retention: r,
		Snapshot: func() []byte { return projection.NewState().AppendSnapshot(nil) },
		Hooks:    eventlog.Hooks{Removed: func(eventlog.Segment, bool) { removed <- struct{}{} }}})
	if err != nil {
		t.Fatal(err)
	}
	<-removed
	if err := l.Close(); err != nil || len(removed) > 0 {
		t.Fatal(len(removed), err)
	}
}

func counts(c *replay.Checkup) map[string]int {
	m := make(map[string]int)
	for _, r := range c.Rules {
		if r.Count > 0 {
			m[r.Rule] = r.Count
		}
	}
	return m
}

// TestCheckOneOwnerOfAnOldEpoch: an epoch that is given twice is told, though the
// partition has a higher one by then, and though the first time lies in front of the
// range or is known from a state only; and not when the owners are the same.
func TestCheckOneOwnerOfAnOldEpoch(t *testing.T) {
	other, same := belowPast(t, "n2"), belowPast(t, "n1", "n2")
	where, _ := replay.ParseExpression(`epoch(0) > 1`)
	never, _ := replay.ParseExpression(`epoch(0) == 1`)
	marked, _ := replay.Grammar{}.Point("n1:100")
	for _, node := range []string{"n1", "n2", "n3", "n4"} {
		for name, c := range map[string]struct {
			query           replay.Query
			oneOwner, epoch int
		}{
			"all":             {replay.Query{}, 1, 1},
			"its partition":   {replay.Query{Filter: replay.Filter{Partitions: []replay.Interval{{First: 0, Last: 0}}}}, 1, 1},
			"another one":     {replay.Query{Filter: replay.Filter{Partitions: []replay.Interval{{First: 1, Last: 9}}}}, 0, 0},
			"its origin":      {replay.Query{Filter: replay.Filter{Origins: []string{"n2"}}}, 1, 1},
			"another origin":  {replay.Query{Filter: replay.Filter{Origins: []string{"n1"}}}, 0, 0},
			"when it is so":   {replay.Query{Where: where}, 1, 1},
			"when it is not":  {replay.Query{Where: never}, 0, 0},
			"since a place":   {replay.Query{Range: replay.Range{From: marked}}, 1, 1},
			"up to a place":   {replay.Query{Range: replay.Range{To: marked}}, 0, 0},
			"the newest":      {replay.Query{Limit: 1}, 1, 1},
			"back from there": {replay.Query{Reverse: true}, 1, 1},
		} {
			for path, oneOwner := range map[string]int{other(node): c.oneOwner, same(node): 0} {
				got, err := open(t, path).Check(context.Background(), c.query, replay.Rules{})
				if err != nil {
					t.Fatal(err)
				}
				if has := counts(got); has["one-owner"] != oneOwner || has["epochs"] != c.epoch {
					t.Errorf("%s of %s: %v, want %d and %d", name, path, has, oneOwner, c.epoch)
				}
				if list := got.Rules[0].Examples; oneOwner > 0 {
					if len(list) != 1 || list[0].Text != "given to n2 with epoch 1.1, which n1:5 gave to n1,n2" || got.Names.Event(list[0].Event) != "n2:3" || list[0].Subject != "partition/0" {
						t.Errorf("%s of %s: %+v", name, path, list)
					}
				}
			}
		}
	}
}

// TestCheckOneOwnerOfAnEpochNotKept: it is known from the state in front of what is kept.
func TestCheckOneOwnerOfAnEpochNotKept(t *testing.T) {
	dir := belowPast(t, "n2")("n1")
	withoutTheFirst(t, dir)
	c, err := open(t, dir).Check(context.Background(), replay.Query{}, replay.Rules{})
	if has := counts(c); err != nil || has["one-owner"] != 1 || has["epochs"] != 1 {
		t.Errorf("%v %v", has, err)
	}
}

// TestCheckDamageIsToldOnce: also when the log is read again.
func TestCheckDamageIsToldOnce(t *testing.T) {
	dir := belowPast(t, "n2")("n1")
	files, err := filepath.Glob(filepath.Join(dir, "wal", "0*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	slices.Sort(files)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(b, []byte("app/marked")); at >= 0 {
			b[at] ^= 4
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := open(t, dir).Check(context.Background(), replay.Query{}, replay.Rules{})
	if err != nil || len(c.Damage) != 1 || c.Damage[0].Until != c.Damage[0].From+1 || counts(c)["one-owner"] != 1 {
		t.Errorf("%+v %v", c, err)
	}
}

// TestCheckOfAFork: two events of one name with one epoch are two owners.
func TestCheckOfAFork(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1 := h.Node("n1")
		n1.Join("first")
		claim := n1.Claim("no coordinator")
		n1.Configure(1, 1, claim.ID())
		twin := h.Twin(n1, "n2")
		time.Sleep(time.Second)
		n1.Assign(0, []string{"n1"}, "bootstrap", "it had no owner", claim.ID())
		twin.Assign(0, []string{"n2"}, "bootstrap", "it had no owner", claim.ID())
	})
	both, err := replay.Union(context.Background(), open(t, path("n1")), open(t, path("n2")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := both.Check(context.Background(), replay.Query{}, replay.Rules{})
	if err != nil || counts(c)["one-owner"] != 1 {
		t.Errorf("%v %v", counts(c), err)
	}
}

// receivedPast is a past in which n2 took a state from n1 in place of events, and
// then an event that rests on them.
func receivedPast(t *testing.T) func(node string) string {
	return past(t, func(h *replaytest.History) {
		n1, n2, n3 := h.Node("n1"), h.Node("n2"), h.Node("n3")
		n1.Join("first")
		claim := n1.Claim("no coordinator")
		n1.Configure(1, 1, claim.ID())
		n1.Assign(0, []string{"n1"}, "bootstrap", "it had no owner", claim.ID())
		n2.Sync(n1)
		n3.Sync(n1)
		joined := n3.Join("joins")
		n1.Sync(n3)
		n1.Announce(events.NodeLeft, claim.ID(), "leaves")
		n1.Assign(0, []string{"n3"}, "failover", "n1 left", joined.ID())
		n2.TakeState(n1)
		time.Sleep(time.Minute)
		n1.Assign(0, []string{"n3"}, "failover", "once more", joined.ID())
		n2.Sync(n1)
		time.Sleep(time.Hour)
		n1.Set("k", "the end")
		n2.Sync(n1)
	})
}

// TestCheckWithReceivedState: what a node knows from the state of another one was so
// when it took an assignment from there.
func TestCheckWithReceivedState(t *testing.T) {
	path := receivedPast(t)
	c, err := open(t, path("n2")).Check(context.Background(), replay.Query{}, replay.Rules{})
	if err != nil || len(counts(c)) > 0 {
		t.Errorf("%+v %v", c, err)
	}
}

// TestCheckOfNonsense: a register in which something stands that belongs elsewhere,
// or in which no event makes sense, says what its view says.
func TestCheckOfNonsense(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1 := h.Node("n1")
		n1.Join("first")
		claim := n1.Claim("no coordinator")
		n1.Configure(2, 1, claim.ID())
		n1.Assign(0, []string{"n1"}, "bootstrap", "it had no owner", claim.ID())
		n1.Assign(1, []string{"n1"}, "bootstrap", "it had no owner", claim.ID())
		value := events.Encode(&events.Value{Key: "k", Value: []byte("v")})
		n1.Emit(events.Event{Type: events.ValueSet, Register: events.PartitionRegister(0), Version: 1 << 40, Body: value})
		n1.Emit(events.Event{Type: events.ValueSet, Register: events.PartitionRegister(1 << 20), Body: value})
		n1.Emit(events.Event{Type: events.ValueSet, Register: "partition/007", Body: value})
		n1.Emit(events.Event{Type: events.ValueSet, Register: events.NodeRegister("n7"), Body: value})
		time.Sleep(time.Minute)
		n1.Emit(events.Event{Type: events.ValueSet, Register: events.ConfigRegister, Body: value})
		time.Sleep(time.Hour)
		n1.Set("k", "the end")
	})
	c, err := open(t, path("n1")).Check(context.Background(), replay.Query{}, replay.Rules{})
	if has := counts(c); err != nil || len(has) != 1 || has["owned"] != 1 || c.Rules[3].Worst.Millis != time.Minute.Milliseconds() {
		t.Errorf("%v %v", has, err)
	}
}

// TestConditionsKnowReceivedStates: a condition is held against a state in which there
// is what was received in place of the events before, whoever asks.
func TestConditionsKnowReceivedStates(t *testing.T) {
	s := open(t, receivedPast(t)("n2"))
	var err error
	q := replay.Query{Axis: replay.True}
	if q.Where, err = replay.ParseExpression(`owner(0) == "n3" && status("n3") == "alive"`); err != nil {
		t.Fatal(err)
	}
	var listed, walked []events.ID
	for l, err := range s.Log(context.Background(), q) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, l.Event.ID())
	}
	for step, err := range replay.Walk(context.Background(), q, s) {
		if err != nil {
			t.Fatal(err)
		}
		if step.Chosen {
			walked = append(walked, step.Event.ID())
		}
	}
	if len(listed) != 2 || !slices.Equal(listed, walked) {
		t.Errorf("%v and %v", listed, walked)
	}
}

// TestCheckOfAStateFromLater: what a state says that is merged early, because it
// stands for an event that was needed, was not yet so when older events were written.
func TestCheckOfAStateFromLater(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2, n3, n4 := h.Node("n1"), h.Node("n2"), h.Node("n3"), h.Node("n4")
		n1.Join("first")
		claim := n1.Claim("no coordinator")
		n1.Configure(1, 1, claim.ID())
		for _, n := range []*replaytest.Node{n2, n3} {
			n.Sync(n1)
		}
		n3.Join("joins")
		n1.Sync(n3)
		n1.Set("k", "what n2 hears only in a state")
		n4.Sync(n1)
		time.Sleep(time.Second)
		n1.Assign(0, []string{"n1"}, "bootstrap", "it had no owner", claim.ID()) // 1.1
		time.Sleep(time.Second)
		n3.Sync(n1)
		n3.Assign(0, []string{"n3"}, "balance", "n3 joined", claim.ID()) // 1.2
		time.Sleep(time.Second)
		n3.Announce(events.NodeLeft, claim.ID(), "leaves")
		for _, e := range n3.Events() { // n2 and n4 have not heard of n1's assignment
			if e.Log == n3.Log {
				n2.Take(e)
				if e.Type != events.LogStarted && e.Type != events.NodeJoined {
					n4.Take(e)
				}
			}
		}
		n2.TakeState(n4)
		n2.Sync(n1)
		n2.Sync(n3)
	})
	c, err := open(t, path("n2")).Check(context.Background(), replay.Query{}, replay.Rules{})
	if has := counts(c); err != nil || has["epochs"]+has["live-owner"]+has["one-owner"]+has["caused"] > 0 {
		t.Errorf("%+v %v", c, err)
	}
}

// TestCheckOfAForgottenNode: one that is forgotten and comes back is a new one.
func TestCheckOfAForgottenNode(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		claim := n1.Claim("no coordinator")
		n1.Configure(1, 1, claim.ID())
		n1.Assign(0, []string{"n1"}, "bootstrap", "it had no owner", claim.ID())
		n2.Sync(n1)
		n2.Join("joins")
		n1.Sync(n2)
		stamp, _ := n1.State.Stamp(events.NodeRegister("n2"))
		n1.Emit(events.Event{Type: events.NodeRemoved, Register: events.AdminRegister("n2"), Actor: "operator:ada",
			Body: events.Encode(&events.NodeOrder{Node: "n2", Incarnation: stamp.Version, Reason: "sold"})}) // once
		n1.Bury("n2")
		if _, known := n1.State.Cluster().Node("n2"); known {
			t.Error("it is not forgotten")
		}
		again := h.Node("n3")
		again.Sync(n1)
		again.ID = "n2"
		again.Join("with a new log")
		n1.Sync(again)
		n1.Accuse(events.NodeFailed, "n2", claim.ID(), "no answer") // twice
		if n, _ := n1.State.Cluster().Node("n2"); n == nil || n.Status != projection.StatusFailed {
			t.Error(n)
		}
	})
	c, err := open(t, path("n1")).Check(context.Background(), replay.Query{}, replay.Rules{Moves: 1})
	if err != nil || counts(c)["membership"] > 0 {
		t.Errorf("%+v %v", c, err)
	}
}
