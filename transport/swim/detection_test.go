package swim_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

// detection is what one crash led to, in milliseconds after it.
type detection struct{ suspected, failed, known, events int64 }

func detect(n int, seed uint64, refuses bool, hop func(*rand.Rand) int64) detection {
	s := newSim(n, seed)
	if hop != nil {
		s.delay = func() int64 { return hop(s.rnd) }
	}
	at := 5000 + s.rnd.Int64N(3000)
	s.run(at, nil)
	s.crash(n-1, refuses)
	var d detection
	s.hook = func(e simEvent) {
		switch {
		case e.kind == 's' && d.suspected == 0:
			d.suspected = e.at - at
		case e.kind == 'f' && d.failed == 0:
			d.failed = e.at - at
		}
	}
	s.run(at+200_000, func() bool { return d.failed > 0 && s.allKnow(n-1, swim.Failed) })
	d.known = s.now - at
	s.run(s.now+2000, nil)
	d.events = int64(len(s.log))
	return d
}

func quantile(list []int64, q int) int64 {
	slices.Sort(list)
	return list[min(len(list)*q/100, len(list)-1)]
}

var runs = flag.Int("runs", 1, "how many times more crashes the detection table is made of")

// TestDetection prints the table of the package documentation and holds the
// medians to their limits.
func TestDetection(t *testing.T) {
	hops := []struct {
		name string
		hop  func(*rand.Rand) int64
	}{
		{"1-4 ms", nil},
		{"50 ms", func(*rand.Rand) int64 { return 50 }},
	}
	t.Logf("%4s %-8s %-7s | %13s | %13s | %13s | %s", "N", "crash", "hop", "suspected", "failed", "all know", "events")
	if *runs == 1 {
		hops = hops[:1] // the full table takes its time
	}
	for _, hop := range hops {
		for _, size := range []struct {
			n, runs int
			limit   int64
		}{{3, 60, 5000}, {10, 60, 5000}, {100, 6, 9000}} {
			for _, refuses := range []bool{true, false} {
				var all [4][]int64
				for seed := range size.runs * *runs {
					d := detect(size.n, uint64(seed), refuses, hop.hop)
					for i, v := range []int64{d.suspected, d.failed, d.known, d.events} {
						all[i] = append(all[i], v)
					}
				}
				name := map[bool]string{true: "refused", false: "silent"}[refuses]
				row := ""
				for i := range 3 {
					row += fmt.Sprintf(" %6d/%6d |", quantile(all[i], 50), quantile(all[i], 99))
				}
				t.Logf("%4d %-8s %-7s |%s %d/%d", size.n, name, hop.name, row, quantile(all[3], 50), quantile(all[3], 99))
				if got := quantile(all[2], 50); hop.hop == nil && got > size.limit {
					t.Errorf("N=%d, %s: all know after a median of %d ms, want at most %d", size.n, name, got, size.limit)
				}
			}
		}
	}
}
