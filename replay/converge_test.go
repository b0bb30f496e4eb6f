package replay_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// past makes up a past and returns a function that gives the path of a node.
func past(t *testing.T, tell func(h *replaytest.History)) func(node string) string {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		tell(h)
		h.Close()
	})
	return func(node string) string { return filepath.Join(dir, node) }
}

func converge(t *testing.T, names ...string) *replay.Convergence {
	t.Helper()
	var sources []*replay.Source
	for _, name := range names {
		sources = append(sources, open(t, name))
	}
	c, err := replay.Converge(context.Background(), sources...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConvergeBehind(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		n2.Sync(n1)
		n2.Join("second")
		for range 100 {
			n1.Set("k", "v")
		}
	})
	c := converge(t, path("n1"), path("n2"))
	if c.Verdict != replay.Behind || len(c.Origins) != 2 {
		t.Fatalf("%+v", c)
	}
	o := c.Origins[0]
	if o.Name != "n1" || len(o.Missing) != 1 || o.Missing[0].Side != 1 || o.Missing[0].From != 3 || o.Missing[0].Count != 100 {
		t.Errorf("%+v", o)
	}
	if o = c.Origins[1]; len(o.Missing) != 1 || o.Missing[0].Side != 0 || o.Missing[0].From != 1 {
		t.Errorf("%+v", o)
	}
}

// TestConvergeForked: a log that was restored from a backup and went on
// otherwise. The first event that differs is found among many that do.
func TestConvergeForked(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		for range 60 {
			n1.Set("k", "v")
		}
		n2.Sync(n1)
		twin := h.Twin(n1, "twin")
		for range 50 {
			n1.Set("k", "as it was")
			twin.Set("k", "as it never was")
		}
		n2.Sync(twin)
	})
	c := converge(t, path("n1"), path("n2"))
	if c.Verdict != replay.Forked {
		t.Fatalf("%+v", c)
	}
	f := c.Origins[0].Fork
	if f == nil || f.Seq != 63 || f.What[0] == f.What[1] {
		t.Errorf("%+v", f)
	}
	// One of them is shorter than the fork is deep.
	path = past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		n2.Sync(n1)
		twin := h.Twin(n1, "twin")
		twin.Set("k", "as it never was")
		twin.Set("k", "as it never was")
		n2.Sync(twin)
		for range 50 {
			n1.Set("k", "as it was")
		}
	})
	if c = converge(t, path("n1"), path("n2")); c.Verdict != replay.Forked || c.Origins[0].Fork.Seq != 3 {
		t.Errorf("%+v", c)
	}
}

// TestConvergeNeverEqualOnNothing: what was not compared is not equal.
func TestConvergeNeverEqualOnNothing(t *testing.T) {
	path := past(t, func(h *replaytest.History) { h.Node("n1"); h.Node("n2") })
	if c := converge(t, path("n1"), path("n2")); c.Verdict != replay.CannotCompare || len(c.Notes) == 0 {
		t.Errorf("%+v", c)
	}
	other := past(t, func(h *replaytest.History) {
		h.Cluster = "other"
		h.Node("n1").Join("first")
	})
	mine := past(t, func(h *replaytest.History) { h.Node("n1").Join("first") })
	if c := converge(t, mine("n1"), other("n1")); c.Verdict != replay.CannotCompare {
		t.Errorf("two clusters: %+v", c)
	}
}

// TestReceivedState: a node that took a state in place of events knows what
// was, from then on, and says that it does not know before.
func TestReceivedState(t *testing.T) {
	var middle, end time.Time
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		for range 30 {
			n1.Set("k", "v")
			time.Sleep(time.Second)
		}
		middle = time.Now()
		for range 30 {
			n1.Set("k", "v")
			time.Sleep(time.Second)
		}
		n2.TakeState(n1)
		end = time.Now()
		time.Sleep(time.Second)
		n2.Join("late")
		n1.Sync(n2)
		for range 60 {
			n1.Set("k", "w")
			n2.Sync(n1)
		}
	})
	ctx := context.Background()
	s, full := open(t, path("n2")), open(t, path("n1"))
	for _, at := range []time.Time{middle, end} {
		m, err := s.StateAt(ctx, replay.Instant(at), replay.Natural)
		if at == middle {
			if !errors.Is(err, replay.ErrNotKept) {
				t.Errorf("%v: %v", at, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := full.StateAt(ctx, replay.Instant(at), replay.Natural)
		if err != nil || m.Digest != want.Digest {
			t.Errorf("%v: %v %v", at, m.State.Vector(), err)
		}
	}
	v, err := replay.Verify(ctx, s)
	if err != nil || v.Result != replay.Pass {
		t.Errorf("%+v %v", v, err)
	}
	if c := converge(t, path("n1"), path("n2")); c.Verdict != replay.Equal {
		t.Errorf("%+v", c)
	}
	for l, err := range s.Log(ctx, replay.Query{Changes: true}) {
		if err != nil || !l.Outcome.Applied() {
			t.Fatalf("%s %v %v", l.Names.Event(l.Event.ID()), l.Outcome, err)
		}
	}
}

func TestStateAtErrors(t *testing.T) {
	path := past(t, func(h *replaytest.History) { h.Node("n1").Join("first") })
	ctx := context.Background()
	for point, check := range map[string]func(error) bool{
		"nonsense": isPointError,
		"n9:1":     isPointError,
		"14:03":    isPointError,
		"@99":      func(err error) bool { return errors.Is(err, replay.ErrBeyond) },
		"n1:99":    func(err error) bool { return errors.Is(err, replay.ErrBeyond) },
		"n1:99,":   func(err error) bool { return errors.Is(err, replay.ErrBeyond) },
		"head~99":  func(err error) bool { return errors.Is(err, replay.ErrNotKept) },
	} {
		if _, err := replay.StateAt(ctx, path("n1"), point); !check(err) {
			t.Errorf("%s: %v", point, err)
		}
	}
	if s, err := replay.StateAt(ctx, path("n1"), "head"); err != nil || len(s.Cluster().Nodes) != 1 {
		t.Error(s, err)
	}
}

func isPointError(err error) bool {
	var point *replay.PointError
	return errors.As(err, &point)
}

// TestVerifyFindsForgery: events that were changed by somebody who repaired
// the checksums.
func TestVerifyFindsForgery(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		for range 5 {
			n1.Set("k", "v")
		}
		list := n1.Events()
		forged := list[3]
		forged.Body = events.Encode(&events.Value{Key: "k", Value: []byte("forged")})
		forged, err := events.Seal(forged, list[2].Chain)
		if err != nil {
			panic(err)
		}
		n2.Take(list[0], list[1], list[2], forged, list[4], list[5])
	})
	v, err := replay.Verify(context.Background(), open(t, path("n2")))
	if err != nil || v.Result != replay.Fail {
		t.Fatalf("%+v %v", v, err)
	}
	for _, c := range v.Checks {
		want := replay.Pass
		if c.Name == "chains" {
			want = replay.Fail
		}
		if c.Result != want {
			t.Errorf("%+v", c)
		}
	}
}

// lie returns a state that says it is s and has forgotten one register.
func lie(t *testing.T, s *projection.State, register string) *projection.State {
	t.Helper()
	var heads []projection.LogHead
	for _, h := range s.Heads() {
		heads = append(heads, projection.LogHead{Head: h, Time: s.Time(h.Log)})
	}
	var owners []events.Event
	for name, e := range s.Registers("") {
		if name != register {
			owners = append(owners, e.Clone())
		}
	}
	lying, err := projection.Assemble(heads, owners)
	if err != nil {
		t.Fatal(err)
	}
	return lying
}

// TestVerifyFindsLie: a snapshot that is well formed and is not the fold of
// what comes before it. verify finds it wherever it is; converge, which starts
// at the last one, when it is the last.
func TestVerifyFindsLie(t *testing.T) {
	for name, until := range map[string]int{"in the middle": 160, "at the end": 400} {
		t.Run(name, func(t *testing.T) {
			path := past(t, func(h *replaytest.History) {
				n1, n2 := h.Node("n1"), h.Node("n2")
				n1.Join("first")
				n1.Set("lost", "v")
				honest := projection.NewState()
				for i := range 400 {
					if i == 80 {
						n1.State = lie(t, n1.State, events.ValueRegister("lost"))
					}
					if i == until {
						for _, e := range n1.Events() {
							honest.Apply(&e)
						}
						n1.State = honest
					}
					n1.Set("k", "v")
				}
				n2.Take(n1.Events()...)
			})
			if v, err := replay.Verify(context.Background(), open(t, path("n2"))); err != nil || v.Result != replay.Pass {
				t.Fatalf("the honest log: %+v %v", v, err)
			}
			v, err := replay.Verify(context.Background(), open(t, path("n1")))
			if err != nil || v.Result != replay.Fail {
				t.Fatalf("%+v %v", v, err)
			}
			for _, c := range v.Checks {
				if (c.Name == "snapshots") != (c.Result == replay.Fail) {
					t.Errorf("%+v", c)
				}
			}
			want := replay.Equal
			if until == 400 {
				want = replay.StateDiffers
			}
			if c := converge(t, path("n1"), path("n2")); c.Verdict != want {
				t.Errorf("%s, want %s: %v", c.Verdict, want, c.Notes)
			}
		})
	}
}
