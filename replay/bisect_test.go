package replay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// stateConditions are conditions on what a state says, one for each word that
// there is for it, with what they mean of a state that was folded from nothing.
var stateConditions = []struct {
	text  string
	holds func(e *replay.Entry, s *projection.State) bool
}{
	{`owner(3) == "n2"`, func(_ *replay.Entry, s *projection.State) bool {
		held := heldAt(s, 3)
		return len(held) > 0 && held[0] == "n2"
	}},
	{`"n1" in replicas(2) and len(replicas(4)) != 1`, func(_ *replay.Entry, s *projection.State) bool {
		return slices.Contains(heldAt(s, 2), "n1") && len(heldAt(s, 4)) != 1
	}},
	{`epoch(1) % 2 == 0`, func(_ *replay.Entry, s *projection.State) bool {
		stamp, _ := s.Stamp(events.PartitionRegister(1))
		return stamp.Version%2 == 0
	}},
	{`status("n3") == "suspected" or status("n9") != ""`, func(_ *replay.Entry, s *projection.State) bool {
		n, ok := s.Cluster().Node("n3")
		return ok && n.Status == projection.StatusSuspected
	}},
	{`len(alive()) == 2`, func(_ *replay.Entry, s *projection.State) bool {
		alive := 0
		for _, n := range s.Cluster().Nodes {
			if n.Status == projection.StatusAlive || n.Status == projection.StatusSuspected {
				alive++
			}
		}
		return alive == 2
	}},
	{`coordinator() == "n1"`, func(_ *replay.Entry, s *projection.State) bool { return s.Cluster().Coordinator == "n1" }},
	{`value("k0") > value("k1") or value("k2") > "3"`, func(_ *replay.Entry, s *projection.State) bool {
		return setTo(s, "k0") > setTo(s, "k1") || setTo(s, "k2") > "3"
	}},
	{`owner(3) == "n2" and partition != 3 and origin == "n1"`, func(e *replay.Entry, s *projection.State) bool {
		held := heldAt(s, 3)
		owner, _ := s.Cluster().Node("n1")
		return len(held) > 0 && held[0] == "n2" && e.Event.Register != "partition/3" && e.Event.Log == owner.Log
	}},
}

// setTo returns the value of a key, "" when there is none.
func setTo(s *projection.State, key string) string {
	e, ok := s.Register(events.ValueRegister(key))
	if !ok {
		return ""
	}
	p, err := e.Payload()
	if err != nil {
		panic(err)
	}
	return string(p.(*events.Value).Value)
}

// TestBisectSeesEachState holds bisect, along both axes of histories of nodes whose
// clocks are off, against states that are folded from nothing for every event.
func TestBisectSeesEachState(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 1))
	flips := 0
	for _, dir := range skewedPast(t, r, 120) {
		s := open(t, dir)
		list := all(t, s)
		for _, axis := range []replay.Axis{replay.Known, replay.True} {
			if axis == replay.True {
				slices.SortFunc(list, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
			}
			states := []*projection.State{projection.NewState()}
			for i := range list {
				state := projection.NewState()
				for _, e := range list[:i+1] {
					state.Apply(&e.Event)
				}
				states = append(states, state)
			}
			for _, c := range stateConditions {
				var want []replay.Flip
				held := c.holds(&list[0], states[0])
				for i := range list {
					if now := c.holds(&list[i], states[i+1]); now != held {
						held = now
						want = append(want, replay.Flip{Holds: now, Index: list[i].Index})
					}
				}
				flips += len(want)
				checkBisection(t, s, axis, c.text, want)
			}
		}
	}
	if flips < 100 {
		t.Error("only", flips, "flips")
	}
}

func checkBisection(t *testing.T, s *replay.Source, axis replay.Axis, where string, want []replay.Flip) {
	t.Helper()
	x, err := replay.ParseExpression(where)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bisect(context.Background(), replay.Query{Axis: axis, Where: x})
	if err != nil {
		t.Fatal(err)
	}
	var got []replay.Flip
	for _, f := range b.Flips {
		got = append(got, replay.Flip{Holds: f.Holds, Index: f.Index})
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s along %s: flips at %v, want %v", where, axis, got, want)
	}
}

// TestBisectOfReceivedState: what a node was told in one piece counts from the
// first event on that needs it, whatever that event is about.
func TestBisectOfReceivedState(t *testing.T) {
	dir := t.TempDir()
	var index uint64
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n2 := suspectedByState(h)
		n1 := h.Node("n1")
		n1.Set("k", "w")
		n2.Sync(n1)
		index = n2.Last()
		n2.Set("k", "x")
		h.Close()
	})
	s := open(t, filepath.Join(dir, "n2"))
	for _, axis := range []replay.Axis{replay.Known, replay.True} {
		checkBisection(t, s, axis, `status("n2") == "suspected"`, []replay.Flip{{Holds: true, Index: index}})
	}
}

// suspectedByState lets n2 learn, by a state that it takes from n1, that n1 suspects
// it, and returns it.
func suspectedByState(h *replaytest.History) *replaytest.Node {
	n1, n2 := h.Node("n1"), h.Node("n2")
	n1.Join("first")
	n2.Sync(n1)
	n2.Join("second")
	n2.Set("k", "v") // after which the members are known
	n1.Sync(n2)
	n1.Accuse(events.NodeSuspected, "n2", events.ID{}, "no answer")
	n2.TakeState(n1)
	return n2
}

// TestReceivedStateHasItsPlace: along the axis known it counts from the next event
// on, though that needs nothing of it.
func TestReceivedStateHasItsPlace(t *testing.T) {
	dir := t.TempDir()
	var next, last uint64
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n2 := suspectedByState(h)
		n2.Set("k", "x")
		next = n2.Last()
		n2.Set("k", "y")
		last = n2.Last()
		h.Close()
	})
	s := open(t, filepath.Join(dir, "n2"))
	condition := `status("n2") == "suspected"`
	checkBisection(t, s, replay.Known, condition, []replay.Flip{{Holds: true, Index: next}})
	q := replay.Query{Axis: replay.Known}
	q.Where, _ = replay.ParseExpression(condition)
	var got []uint64
	for l, err := range s.Log(context.Background(), q) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l.Index)
	}
	if !slices.Equal(got, []uint64{next, last}) {
		t.Errorf("%v, want %v", got, []uint64{next, last})
	}
}

// TestBisectEqualsNaiveFold: every flip, and no other, is an event after which the
// condition is another than before.
func TestBisectEqualsNaiveFold(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 4))
	flips := 0
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		n := naiveOf(t, s)
		for range 60 {
			q, points := n.randomQuery(r)
			c := naiveConditions[r.IntN(len(naiveConditions))]
			q.Where, _ = replay.ParseExpression(c.text)
			want := n.flips(&q, points, c)
			got, err := s.Bisect(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			listed := make([]string, 0, len(got.Flips))
			for _, f := range got.Flips {
				listed = append(listed, fmt.Sprint(n.names.Event(f.Event), f.Holds))
			}
			if flips += len(listed); !slices.Equal(listed, want.listed) || got.More != want.more || got.Before != want.before || got.After != want.after || got.Events != want.events {
				t.Fatalf("%+v %q %s:\n got %+v\nwant %+v", q, points, c.text, got, want)
			}
		}
	}
	if flips < 300 {
		t.Error(flips)
	}
}

// naiveFlips is what a bisection should find.
type naiveFlips struct {
	listed        []string
	more          int
	before, after bool
	events        uint64
}

func (n *naive) flips(q *replay.Query, points [4]string, c naiveCondition) (f naiveFlips) {
	f.listed = []string{}
	last, begun := false, false
	n.statesBefore(q.Axis, points, func(e *replay.Entry, before, after *projection.Cluster) {
		within := n.within(q.Axis, points, e)
		if !begun && within {
			begun, last = true, c.holds(&e.Event, before)
			f.before = last
		}
		was := last
		last = c.holds(&e.Event, after)
		if within {
			f.events, f.after = f.events+1, last
			if begun && last != was && q.Filter.Match(&e.Event, n.names) {
				f.listed = append(f.listed, fmt.Sprint(n.names.Event(e.Event.ID()), last))
			}
		}
	})
	if q.Limit > 0 && len(f.listed) > q.Limit {
		f.more = len(f.listed) - q.Limit
		f.listed = f.listed[f.more:]
	}
	if q.Reverse {
		slices.Reverse(f.listed)
	}
	return f
}
