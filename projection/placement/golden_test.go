package placement_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// TestResultsStay holds the results of many worlds against what they were when
// the algorithm was settled. Faster code must not place differently: nodes of
// two versions would move copies to and fro.
func TestResultsStay(t *testing.T) {
	sum := xxhash.New()
	note := func(lists [][]string) {
		for _, list := range lists {
			fmt.Fprintln(sum, list)
		}
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := randomWorld(r)
		if seed%3 == 0 {
			w.scribble(r)
		}
		for range 4 {
			w.current = w.place()
			note(w.current)
			w.change(r)
		}
		note(placement.Fill(w.current, w.nodes, w.rf+1))
	}
	for _, zones := range []int{1, 2, 3, 5, 7} {
		for _, n := range []int{100, 3} {
			list := placement.Place(make([][]string, 1024), zoned(n, zones), 3)
			note(list)
			list = placement.Place(list, zoned(n*2, zones), 3)
			note(list)
			note(placement.Place(list, zoned(n, zones), 4))
		}
	}
	note(placement.Place(make([][]string, 4096), zoned(100, 5), 3))
	note(placement.Place(make([][]string, 2000), nodes(100), 3))
	// Names longer than the short form of the hash.
	long := zoned(60, 4)
	for i := range long {
		long[i].ID = fmt.Sprintf("%s.%d.example", "a-name-of-some-length-and-more"[:i%30], i)
	}
	note(placement.Place(make([][]string, 700), long, 3))
	if got, want := fmt.Sprintf("%016x", sum.Sum64()), "970bea916dac4502"; got != want {
		t.Errorf("the results have changed: %s, want %s", got, want)
	}
}
