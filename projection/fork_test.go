package projection_test

import (
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// branch returns a second history of o from its first n events on: each event
// keeps its register and its stamp and says something else, as the log of a
// node restored from a backup might in the worst case.
func branch(tb testing.TB, o *origin, n int) *origin {
	b := &origin{tb: tb, log: o.log, node: o.node, past: slices.Clone(o.past[:n]), head: events.Head{Log: o.log, Chain: events.Genesis(o.log)}}
	if n > 0 {
		b.head = b.past[n-1].Head()
	}
	for i, e := range o.past[n:] {
		e.Body = append([]byte{0xf8, 0x07, byte(1 + i%100)}, e.Body...) // an unknown field: still legible
		if i%3 == 1 {
			e.Time++
		}
		if p, err := e.Payload(); err == nil && e.Type == events.TombstonesCollected && i%2 == 0 {
			if c := p.(*events.Collection); e.Register == events.GoneRegister(c.Nodes) && len(c.Nodes) > 0 { // forgets less
				c.Nodes = c.Nodes[1:]
				e.Register, e.Body = events.GoneRegister(c.Nodes), events.Encode(c)
			}
		}
		b.emit(e)
	}
	return b
}

// A log that forked: whoever holds which branch, merging brings all to one
// state, in any order.
func TestLawFork(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		if h.forgets {
			return // which values are forgotten is a function of the events that vectors name
		}
		k := h.rng.IntN(len(h.origins))
		trunk := h.origins[k].origin
		other := branch(t, trunk, h.rng.IntN(len(trunk.past)+1))
		if h.rng.IntN(2) == 0 {
			other.emit(events.Event{Type: "app/longer"})
		}
		branches := []*origin{trunk, other}
		var states []*projection.State
		for range 4 {
			h.origins[k].origin = branches[h.rng.IntN(2)]
			states = append(states, h.fold(t, projection.NewState(), h.interleave(h.nothing(), h.randomCut())))
		}
		witness := newOrigin(t, 20_000, "witness") // beyond the numbers of the histories
		if h.rng.IntN(2) == 0 {                    // somebody noticed
			fold(t, states[0], witness.emit(events.Event{Type: events.LogForked, Register: events.LogRegister(trunk.log), Version: 1 << 40, Rank: 1,
				Body: events.Encode(&events.LogOwner{Seq: 3})}))
			if !states[0].Forked(trunk.log) {
				t.Error("not known as forked")
			}
		}
		join := func(order []int) *projection.State {
			s := states[order[0]].Clone()
			for _, i := range order[1:] {
				s.Merge(states[i])
			}
			return s
		}
		want := join([]int{0, 1, 2, 3})
		for range 4 {
			same(t, "another order of merging", want, join(h.rng.Perm(4)))
		}
		left, right := join([]int{0, 1}), join([]int{2, 3})
		left.Merge(right)
		same(t, "two by two", want, left)
		read, err := projection.ReadSnapshot(want.AppendSnapshot(nil))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "a snapshot", want, read)
	})
}

// Where values are collected and a log has forked, what is merged first may show
// until all know of the same collections, see the package doc. Then merging is
// commutative again, and whoever merges with whoever else, all soon hold the same.
func TestLawForkedValues(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		k := h.rng.IntN(len(h.origins))
		trunk := h.origins[k].origin
		branches := []*origin{trunk, branch(t, trunk, h.rng.IntN(len(trunk.past)+1))}
		var states []*projection.State
		for range 4 {
			h.origins[k].origin = branches[h.rng.IntN(2)]
			states = append(states, h.fold(t, projection.NewState(), h.interleave(h.nothing(), h.randomCut())))
		}
		agree := func(what string) { // of a log known as forked the heads need not be equal
			for _, s := range states[1:] {
				if s.Digest() != states[0].Digest() {
					t.Errorf("%s: digests %s and %s", what, states[0].Digest(), s.Digest())
				}
			}
		}
		apart := make([]*projection.State, len(states))
		for i, s := range states {
			apart[i] = s.Clone()
		}
		for range 2 { // first they learn of all collections, then what is left
			all := states[0].Clone()
			for _, i := range h.rng.Perm(4) {
				all.Merge(states[i])
			}
			for _, s := range states {
				s.Merge(all)
			}
			for range 4 {
				ab, ba := states[h.rng.IntN(4)].Clone(), states[h.rng.IntN(4)].Clone()
				a := ab.Clone()
				ab.Merge(ba)
				ba.Merge(a)
				if ab.Digest() != ba.Digest() {
					t.Errorf("either way: digests %s and %s", ab.Digest(), ba.Digest())
				}
			}
		}
		agree("each with all, twice")
		states = apart
		apartStill := func(s *projection.State) bool { return s.Digest() != states[0].Digest() }
		for merges := 0; slices.ContainsFunc(states, apartStill); merges++ {
			if states[h.rng.IntN(4)].Merge(states[h.rng.IntN(4)]); merges > 300 {
				t.Fatal("they merge for ever")
			}
		}
	})
}

// Two branches of a log that bear different collections under one name forget
// what both say, in whatever order they come; and a snapshot of that can be read.
func TestBranchesForget(t *testing.T) {
	x, y := newOrigin(t, 2, "x"), newOrigin(t, 3, "y")
	common := slices.Concat(x.come(1), y.come(1))
	var states []*projection.State
	for _, victim := range []*origin{x, y} {
		o := newOrigin(t, 1, "n1")
		s := fold(t, projection.NewState(), slices.Concat(common, o.come(1))...)
		fold(t, s, o.burial(s.Bury(1, []events.GoneNode{{ID: victim.node, Incarnation: 5,
			Logs: []events.GoneLog{{ID: victim.log, Closed: true}}}}, "test")))
		states = append(states, s)
	}
	xy, yx := states[0].Clone(), states[1].Clone()
	xy.Merge(states[1])
	yx.Merge(states[0])
	same(t, "either way", xy, yx)
	if n := len(xy.Cluster().Nodes); n != 1 || !xy.Closed(x.log) || !xy.Closed(y.log) {
		t.Errorf("%d nodes, want 1", n)
	}
	read, err := projection.ReadSnapshot(xy.AppendSnapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a snapshot", xy, read)
}

// Once the fork is known, nodes that hold different branches, or nothing of
// the log, agree as soon as their registers do.
func TestForkLeavesTheVector(t *testing.T) {
	a := newOrigin(t, 1, "n1")
	a.emit(events.Event{Type: "app/common"})
	b := branch(t, a, 1)
	a.emit(events.Event{Type: "app/one"})
	b.emit(events.Event{Type: "app/other"})
	b.emit(events.Event{Type: "app/longer"})
	w := newOrigin(t, 2, "n2")
	started := w.emit(events.Event{Type: events.LogStarted, Register: events.LogRegister(a.log), Version: 1, Time: events.NewTimestamp(1_900_000_000_000, 0),
		Body: events.Encode(&events.LogOwner{Node: "n1"})})
	forked := w.emit(events.Event{Type: events.LogForked, Register: events.LogRegister(a.log), Version: 1, Rank: 1,
		Body: events.Encode(&events.LogOwner{Node: "n1", Seq: 2})})

	states := []*projection.State{fold(t, projection.NewState(), a.past...), fold(t, projection.NewState(), b.past...), projection.NewState()}
	for _, s := range states {
		fold(t, s, started)
	}
	if states[0].Digest().Vector == states[1].Digest().Vector {
		t.Error("a fork that nobody knows of is not in the vector sum")
	}
	for _, s := range states {
		fold(t, s, forked) // older than LogStarted, and wins by its rank
		if d := s.Digest(); d != states[0].Digest() || d.Forked != 1 || d.Logs != 2 {
			t.Errorf("digest %s, want %s", d, states[0].Digest())
		}
		if s.Owner(a.log) != "n1" {
			t.Errorf("the log is of %q", s.Owner(a.log))
		}
	}
	if got := states[0].Head(a.log); got.Seq != 2 {
		t.Errorf("the head is %d", got.Seq)
	}
	if !states[2].Merge(states[0]) || !states[2].Merge(states[1]) || states[2].Merge(states[0]) || states[2].Head(a.log) != b.head {
		t.Error("merging the branches does not keep the longer head")
	}
}

func TestEqualStamps(t *testing.T) {
	a := newOrigin(t, 1, "n1")
	one := a.configure("one", 4, 1)
	b := newOrigin(t, 1, "n1")
	two := b.configure("two", 4, 1)
	if one.Stamp() != two.Stamp() {
		t.Fatal("the stamps differ")
	}
	x, y := fold(t, projection.NewState(), one), fold(t, projection.NewState(), two)
	xy, yx := x.Clone(), y.Clone()
	if a, b := xy.Merge(y), yx.Merge(x); !a || !b {
		// The head with the larger chain and the owner with the larger bytes
		// may be on the same branch; then one of the two learns nothing.
		if !a && !b {
			t.Error("nobody learnt anything")
		}
	}
	same(t, "either way", xy, yx)
	if name := xy.Cluster().Name; name != "two" { // equal up to there, and 't' > 'o'
		t.Errorf("the owner says %q", name)
	}
}
