package placement_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run only the random case of this seed")
	casesFlag = flag.Int("cases", 1200, "how many random cases to run")
)

// eachSeed runs a random case for many seeds and says how to replay one that
// fails. Costly cases run less often.
func eachSeed(t *testing.T, cost int, run func(t testing.TB, r *rand.Rand)) {
	t.Helper()
	first, n := uint64(1), max(*casesFlag/cost, 1)
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		run(&seeded{t, seed}, rand.New(rand.NewPCG(seed, 1)))
		if t.Failed() {
			t.Fatalf("replay with: go test ./projection/placement -run '^%s$' -seed %d", t.Name(), seed)
		}
	}
}

type seeded struct {
	*testing.T
	seed uint64
}

func (s *seeded) Errorf(format string, args ...any) {
	s.T.Helper()
	s.T.Errorf("seed %d: "+format, append([]any{s.seed}, args...)...)
}

type world struct {
	current [][]string
	nodes   []placement.Node
	rf      int
}

func randomWorld(r *rand.Rand) world {
	w := world{current: make([][]string, 1+r.IntN(1+r.IntN(300))), rf: 1 + r.IntN(5)}
	zones, weights := 1+r.IntN(5), r.IntN(3)
	for i := range 1 + r.IntN(40) {
		w.nodes = append(w.nodes, randomNode(r, i, zones, weights))
	}
	return w
}

func randomNode(r *rand.Rand, i, zones, weights int) placement.Node {
	n := placement.Node{ID: fmt.Sprintf("n%d", i), Zone: fmt.Sprintf("z%d", r.IntN(zones))}
	switch weights {
	case 1:
		n.Weight = 1 + r.IntN(4)
	case 2:
		n.Weight = 1 << r.IntN(12)
	}
	return n
}

// scribble makes an arbitrary assignment, foreign nodes and doubles included.
func (w *world) scribble(r *rand.Rand) {
	for p := range w.current {
		w.current[p] = nil
		for range r.IntN(w.rf + 2) {
			w.current[p] = append(w.current[p], fmt.Sprintf("n%d", r.IntN(len(w.nodes)+3)))
		}
	}
}

// change is one thing that happens to a cluster.
func (w *world) change(r *rand.Rand) {
	switch k := r.IntN(len(w.nodes)); r.IntN(5) {
	case 0, 1:
		n := randomNode(r, 100+r.IntN(900), 3, 1)
		if !slices.ContainsFunc(w.nodes, func(o placement.Node) bool { return o.ID == n.ID }) {
			n.Zone = w.nodes[k].Zone
			w.nodes = append(w.nodes, n)
		}
	case 2, 3:
		if len(w.nodes) > 1 {
			w.nodes = slices.Delete(slices.Clone(w.nodes), k, k+1)
		}
	case 4:
		w.nodes = slices.Clone(w.nodes)
		w.nodes[k].Weight = 1 + r.IntN(4)
	}
}

func (w *world) place() [][]string { return placement.Place(w.current, w.nodes, w.rf) }

// check holds an assignment against the promises of the package.
func (w *world) check(t testing.TB, got [][]string) {
	t.Helper()
	if len(got) != len(w.current) {
		t.Errorf("%d partitions, want %d", len(got), len(w.current))
		return
	}
	zone := map[string]string{}
	zones := map[string]bool{}
	for _, n := range w.nodes {
		zone[n.ID] = n.Zone
		zones[n.Zone] = true
	}
	r := min(w.rf, len(zone))
	for p, list := range got {
		have, in := map[string]bool{}, map[string]bool{}
		for _, id := range list {
			z, ok := zone[id]
			if !ok {
				t.Errorf("partition %d is on %s, which is not a node", p, id)
			}
			have[id], in[z] = true, true
		}
		if len(list) != r || len(have) != r {
			t.Errorf("partition %d: %v, want %d distinct nodes", p, list, r)
		}
		if len(in) != min(r, len(zones)) {
			t.Errorf("partition %d: %v is in %d zones, want %d", p, list, len(in), min(r, len(zones)))
		}
	}
	w.checkBalance(t, got)
}

func (w *world) checkBalance(t testing.TB, got [][]string) {
	t.Helper()
	load := map[string]placement.NodeLoad{}
	for _, l := range placement.Load(got) {
		load[l.Node] = l
	}
	limited := w.limited()
	for _, s := range placement.Shares(w.nodes, len(w.current), w.rf) {
		l := load[s.Node]
		if l.Copies < s.MinCopies || l.Copies > s.MaxCopies {
			t.Errorf("%s holds %d copies, its share is %d to %d", s.Node, l.Copies, s.MinCopies, s.MaxCopies)
		}
		slack := 0
		if limited {
			slack = 1
		}
		if l.Primaries < s.MinPrimaries-slack || l.Primaries > s.MaxPrimaries+slack {
			t.Errorf("%s is primary of %d, its share is %d to %d (limited: %t)", s.Node, l.Primaries, s.MinPrimaries, s.MaxPrimaries, limited)
		}
	}
}

// limited reports whether zones or the number of partitions limit what nodes
// hold, so that the copies are not simply in proportion to the weights.
func (w *world) limited() bool {
	sum := 0
	for _, n := range w.nodes {
		sum += max(n.Weight, 1)
	}
	r := min(w.rf, len(w.nodes))
	for _, s := range placement.Shares(w.nodes, len(w.current), w.rf) {
		k := slices.IndexFunc(w.nodes, func(n placement.Node) bool { return n.ID == s.Node })
		plain := len(w.current) * r * max(w.nodes[k].Weight, 1)
		if s.MinCopies != plain/sum || s.MaxCopies != (plain+sum-1)/sum {
			return true
		}
	}
	return false
}

func TestPlaceKeepsItsPromises(t *testing.T) {
	eachSeed(t, 4, func(t testing.TB, r *rand.Rand) {
		w := randomWorld(r)
		if r.IntN(3) == 0 {
			w.scribble(r)
		}
		for range 6 {
			before := clone(w.current)
			got := w.place()
			if diff := compare(before, w.current); diff != "" {
				t.Errorf("Place changed its argument (-want +got):\n%s", diff)
			}
			w.check(t, got)
			w.checkSame(t, r, got)
			w.current = got
			w.change(r)
		}
	})
}

// checkSame checks that the order of the nodes does not matter and that a
// second call changes nothing.
func (w *world) checkSame(t testing.TB, r *rand.Rand, got [][]string) {
	t.Helper()
	shuffled := slices.Clone(w.nodes)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if diff := compare(got, placement.Place(w.current, shuffled, w.rf)); diff != "" {
		t.Errorf("another order of nodes gives another assignment (-first +second):\n%s", diff)
	}
	if diff := compare(got, placement.Place(got, w.nodes, w.rf)); diff != "" {
		t.Errorf("a second call moves again (-first +second):\n%s", diff)
	}
}

// compare is cmp.Diff without its cost when both are equal.
func compare(want, got [][]string) string {
	if slices.EqualFunc(want, got, slices.Equal[[]string]) {
		return ""
	}
	return cmp.Diff(want, got)
}

func clone(a [][]string) [][]string {
	c := make([][]string, len(a))
	for i := range a {
		c[i] = slices.Clone(a[i])
	}
	return c
}

func TestPlaceEdges(t *testing.T) {
	for _, c := range []struct {
		name    string
		current [][]string
		nodes   []placement.Node
		rf      int
		want    [][]string
	}{
		{"no partitions", nil, []placement.Node{{ID: "a"}}, 3, [][]string{}},
		{"no nodes", [][]string{{"a"}, nil}, nil, 3, [][]string{nil, nil}},
		{"one node", make([][]string, 2), []placement.Node{{ID: "a"}}, 3, [][]string{{"a"}, {"a"}}},
		{"a node named twice", make([][]string, 1), []placement.Node{{ID: "a"}, {ID: "a", Weight: 7}}, 2, [][]string{{"a"}}},
		{"no replication", make([][]string, 1), []placement.Node{{ID: "a"}}, 0, [][]string{{"a"}}},
		{"order is kept", [][]string{{"b", "c", "a"}}, []placement.Node{{ID: "a"}, {ID: "b"}, {ID: "c"}}, 3, [][]string{{"b", "c", "a"}}},
		{"the first replica follows a lost primary", [][]string{{"x", "c", "a"}}, []placement.Node{{ID: "a"}, {ID: "b"}, {ID: "c"}}, 3, [][]string{{"c", "a", "b"}}},
		{"a zone that gets its copy", [][]string{{"a", "b"}}, []placement.Node{{ID: "a", Zone: "1"}, {ID: "b", Zone: "1"}, {ID: "c", Zone: "2"}}, 2, [][]string{{"a", "c"}}},
	} {
		if diff := cmp.Diff(c.want, placement.Place(c.current, c.nodes, c.rf)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestPrimariesAsNearAsTheListsAllow has a node with a copy of everything,
// alone in its zone, and lists in which the shares of primaries do not fit: n7
// holds two partitions, of which it should lead one, and so does everybody
// else but n1.
func TestPrimariesAsNearAsTheListsAllow(t *testing.T) {
	w := world{rf: 2, current: [][]string{{"n1", "n3"}, {"n7", "n3"}, {"n3", "n6"}, {"n1", "n3"}, {"n6", "n3"},
		{"n2", "n3"}, {"n3", "n4"}, {"n7", "n3"}, {"n0", "n3"}},
		nodes: []placement.Node{{ID: "n0", Weight: 3}, {ID: "n1", Weight: 4}, {ID: "n2", Weight: 2}, {ID: "n3", Zone: "z", Weight: 2},
			{ID: "n4"}, {ID: "n5"}, {ID: "n6", Weight: 2}, {ID: "n672"}, {ID: "n7", Weight: 2}}}
	got := w.place()
	w.check(t, got)
	w.current = got
	w.checkSame(t, rand.New(rand.NewPCG(1, 1)), got)
}

// TestPlaceIsEqualEverywhere holds Place to what it gave when it was written:
// nodes of different platforms must agree, and a change of the algorithm moves
// data.
func TestPlaceIsEqualEverywhere(t *testing.T) {
	got := uint64(0)
	r := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		w := randomWorld(r)
		for range 4 {
			w.current = w.place()
			got = xxhash.Sum64String(fmt.Sprint(got, w.current))
			w.change(r)
		}
	}
	if want := uint64(0x7b8978ae51b043f8); got != want {
		t.Errorf("the assignments have the hash %#x, want %#x", got, want)
	}
}
