package replay_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestDiffAccountsForEachRegister: between any two points of the logs of nodes
// that disagree, also about one log that forked, a diff speaks of every register
// that differs, and of no other.
func TestDiffAccountsForEachRegister(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 1))
	var sources []*replay.Source
	var lists []*naive
	for _, dir := range forkedPast(t, r) {
		s := open(t, dir)
		names, err := s.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		sources, lists = append(sources, s), append(lists, &naive{all(t, s), names})
	}
	differ := 0
	for range 200 {
		var states, folds [2]*projection.State
		var points [2]string
		for i := range states {
			k, axis := r.IntN(len(sources)), replay.Axis(r.IntN(3))
			points[i] = lists[k].randomPoint(r)
			p, _ := replay.Grammar{}.Point(points[i])
			m, err := sources[k].StateAt(context.Background(), p, axis)
			if err != nil {
				t.Fatal(err)
			}
			states[i], folds[i] = m.State, projection.NewState()
			for j := range lists[k].entries {
				if e := &lists[k].entries[j]; lists[k].covers(points[i], axis, e) {
					folds[i].Apply(&e.Event)
				}
			}
		}
		d := replay.Compare(states[0], states[1])
		want := unlike(folds[0], folds[1])
		differ += len(want)
		if d.Same != (len(want) == 0) {
			t.Fatalf("%q: same %v, and %v differ", points, d.Same, want)
		}
		checkAccount(t, d, want)
		a, inA := folds[0].Node("n3")
		b, inB := folds[1].Node("n3")
		for _, c := range d.Nodes {
			is := func(f replay.FieldChange) bool {
				return f.Field == "degraded" && f.From == a.Degraded && f.To == b.Degraded
			}
			if told := slices.ContainsFunc(c.Fields, is); c.ID == "n3" && inA && inB && told != (a.Degraded != b.Degraded) {
				t.Fatalf("%q: %q -> %q, and %+v", points, a.Degraded, b.Degraded, c)
			}
		}
	}
	if differ < 500 {
		t.Error(differ)
	}
}

// unlike returns the registers of which two states do not hold the same event, or
// not the same event of that name.
func unlike(a, b *projection.State) map[string]bool {
	list := make(map[string]bool)
	for _, pair := range [][2]*projection.State{{a, b}, {b, a}} {
		for register, e := range pair[0].Registers("") {
			if other, ok := pair[1].Register(register); !ok || other.ID() != e.ID() || other.Chain != e.Chain {
				list[register] = true
			}
		}
	}
	return list
}

func checkAccount(t *testing.T, d *replay.Diff, want map[string]bool) {
	t.Helper()
	told := make(map[string]bool)
	tell := func(registers ...string) {
		real := false
		for _, name := range registers {
			told[name], real = true, real || want[name]
		}
		if !real {
			t.Fatalf("none of %v differs in %v", registers, want)
		}
	}
	for _, c := range d.Nodes {
		tell(events.NodeRegister(c.ID), events.AccusationRegister(c.ID), events.AdminRegister(c.ID))
	}
	for _, c := range d.Partitions {
		tell(events.PartitionRegister(c.ID))
	}
	for _, c := range d.Registers {
		tell(c.Register)
	}
	for _, c := range d.Cluster {
		if c.Field == "coordinator" || c.Field == "term" {
			tell(events.CoordinatorRegister)
		} else {
			tell(events.ConfigRegister)
		}
	}
	for name := range want {
		if !told[name] {
			t.Fatalf("%s differs, and %+v does not say so", name, d)
		}
	}
}

// forkedPast writes a past of nodes that also claim, configure and update
// themselves, and of two that write one log, and returns their directories.
func forkedPast(t *testing.T, r *rand.Rand) (dirs []string) {
	t.Helper()
	dir := t.TempDir()
	ids := []string{"n1", "n2", "n3", "n4"}
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.Random(t, dir, r, 60)
		n3 := h.Node("n3")
		h.Twin(n3, "n4").Set("k1", "here") // in the log of n3, which goes on in it, too
		n3.Set("k1", "there")
		for range 80 {
			n := h.Node(ids[r.IntN(len(ids))])
			switch r.IntN(7) {
			case 0:
				n.Claim("by chance")
			case 1:
				n.Configure(8, 1+r.IntN(3), events.ID{})
			case 2:
				n.Set("k"+strconv.Itoa(r.IntN(9)), n.ID)
			case 3:
				n.Assign(r.IntN(8), ids[:1+r.IntN(3)], "balance", "by chance", events.ID{})
			case 4:
				n.Accuse(events.NodeSuspected, ids[r.IntN(3)], events.ID{}, "no answer")
			case 5:
				sealDegraded(n, r)
			default:
				n.Sync(h.Node(ids[r.IntN(3)]))
			}
		}
		h.Close()
	})
	for _, id := range ids {
		dirs = append(dirs, filepath.Join(dir, id))
	}
	return dirs
}

// sealDegraded lets a node say how well it is.
func sealDegraded(n *replaytest.Node, r *rand.Rand) {
	e, ok := n.State.Register(events.NodeRegister("n3"))
	if !ok {
		return
	}
	p, err := e.Payload()
	if err != nil {
		panic(err)
	}
	record := *p.(*events.NodeRecord)
	record.Degraded = []string{"", "disk full"}[r.IntN(2)]
	n.Emit(events.Event{Type: events.NodeUpdated, Register: e.Register, Body: events.Encode(&record)})
}

// TestDiffEqualsNaiveComparison: a diff lists every register that differs between
// two states, and what is asked of some nodes or partitions is the part about them.
func TestDiffEqualsNaiveComparison(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 7))
	differ := 0
	var states []*projection.State
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		n := naiveOf(t, s)
		for range 12 {
			state := projection.NewState()
			for i := range n.entries[:r.IntN(len(n.entries)+1)] {
				state.Apply(&n.entries[i].Event)
			}
			states = append(states, state)
		}
	}
	for range 300 {
		a, b := states[r.IntN(len(states))], states[r.IntN(len(states))]
		d := replay.Compare(a, b)
		want := differing(a, b)
		differ += len(want)
		got := make(map[string]bool)
		for _, c := range d.Nodes {
			got[events.NodeRegister(c.ID)] = true
		}
		moves := 0
		for _, c := range d.Partitions {
			got[events.PartitionRegister(c.ID)] = true
			from, to := heldAt(a, c.ID), heldAt(b, c.ID)
			if !slices.Equal(c.From, from) || !slices.Equal(c.To, to) {
				t.Fatalf("%+v, want %v -> %v", c, from, to)
			}
			for _, id := range to {
				if !slices.Contains(from, id) {
					moves++
				}
			}
		}
		for _, c := range d.Registers {
			got[c.Register] = true
		}
		for _, c := range d.Cluster {
			got[map[string]string{"coordinator": "coordinator", "term": "coordinator"}[c.Field]] = true
			got[events.ConfigRegister] = got[events.ConfigRegister] || c.Field != "coordinator" && c.Field != "term"
		}
		for register := range want {
			kind, id := events.SplitRegister(register)
			if kind == events.KindAccusation || kind == events.KindAdmin { // which say something of the node
				got[register] = got[register] || got[events.NodeRegister(id)]
			}
			if !got[register] {
				t.Fatalf("%s differs and is not in %+v", register, d)
			}
		}
		if d.Same != (len(want) == 0) || d.Moves != moves {
			t.Fatalf("same %v with %v; %d moves, want %d", d.Same, want, d.Moves, moves)
		}
		holdsPart(t, d)
	}
	if differ < 1000 {
		t.Error(differ)
	}
}

// differing returns the registers whose owners two states do not share.
func differing(a, b *projection.State) map[string]bool {
	list := make(map[string]bool)
	for _, pair := range [][2]*projection.State{{a, b}, {b, a}} {
		for register, e := range pair[0].Registers("") {
			if other, ok := pair[1].Register(register); !ok || other.ID() != e.ID() {
				list[register] = true
			}
		}
	}
	return list
}

// heldAt returns who holds a partition, as its assignment says.
func heldAt(s *projection.State, partition int) []string {
	e, ok := s.Register(events.PartitionRegister(partition))
	if !ok {
		return []string{}
	}
	p, err := e.Payload()
	if err != nil {
		panic(err)
	}
	return slices.Clone(p.(*events.Assignment).Replicas)
}

// holdsPart holds Of against its words.
func holdsPart(t *testing.T, d *replay.Diff) {
	t.Helper()
	if d.Of(nil, nil) != d {
		t.Fatal("nothing is asked for, and something is left out")
	}
	n2, few := d.Of([]string{"n2"}, nil), d.Of(nil, []replay.Interval{{First: 1, Last: 2}, {First: 5, Last: 5}})
	for _, c := range d.Nodes {
		if got := slices.ContainsFunc(n2.Nodes, func(o replay.NodeChange) bool { return o.ID == c.ID }); got != (c.ID == "n2") {
			t.Fatalf("%+v of %+v", n2, d)
		}
	}
	for _, c := range d.Partitions {
		is := func(o replay.PartitionChange) bool { return o.ID == c.ID }
		if got := slices.ContainsFunc(n2.Partitions, is); got != slices.Contains(slices.Concat(c.From, c.To), "n2") {
			t.Fatalf("%+v of %+v", n2, d)
		}
		if got := slices.ContainsFunc(few.Partitions, is); got != slices.Contains([]int{1, 2, 5}, c.ID) {
			t.Fatalf("%+v of %+v", few, d)
		}
	}
	if len(few.Nodes) > 0 || few.Same != (len(few.Partitions) == 0) || n2.Same != (len(n2.Nodes)+len(n2.Partitions) == 0) {
		t.Fatalf("%+v and %+v of %+v", n2, few, d)
	}
}
