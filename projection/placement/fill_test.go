package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

func TestFillKeepsEverything(t *testing.T) {
	eachSeed(t, 2, func(t testing.TB, r *rand.Rand) {
		w := randomWorld(r)
		w.current = w.place()
		for p := range w.current {
			for k := range w.current[p] {
				if r.IntN(4) == 0 {
					w.current[p][k] = "gone" + w.current[p][k]
				}
			}
			w.current[p] = w.current[p][:r.IntN(len(w.current[p])+1)]
		}
		got := placement.Fill(w.current, w.nodes, w.rf)
		for p, list := range got {
			was := w.current[p]
			if !slices.Equal(list[:len(was)], was) {
				t.Errorf("partition %d was %v and became %v", p, was, list)
			}
			seen := map[string]bool{}
			for _, id := range list {
				if seen[id] {
					t.Errorf("partition %d: %v names %s twice", p, list, id)
				}
				seen[id] = true
			}
			gone := 0
			for _, id := range was {
				if !slices.ContainsFunc(w.nodes, func(n placement.Node) bool { return n.ID == id }) {
					gone++
				}
			}
			if want := min(w.rf, gone+len(w.nodes)); len(list) != want {
				t.Errorf("partition %d: %v has %d copies, want %d", p, list, len(list), want)
			}
		}
		if diff := compare(got, placement.Fill(got, w.nodes, w.rf)); diff != "" {
			t.Errorf("a second call adds again:\n%s", diff)
		}
	})
}

// TestFillGivesShares adds copies so that no node gets more than its share.
func TestFillGivesShares(t *testing.T) {
	current := make([][]string, 90)
	for p := range current {
		current[p] = []string{fmt.Sprintf("node-%d", 1+p%2)}
	}
	got := placement.Load(placement.Fill(current, nodes(3), 2))
	want := []placement.NodeLoad{{Node: "node-1", Copies: 60, Primaries: 45},
		{Node: "node-2", Copies: 60, Primaries: 45}, {Node: "node-3", Copies: 60}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
