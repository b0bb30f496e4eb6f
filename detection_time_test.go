package clusterkit_test

import (
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// TestDetectionTime measures, in time that no other load can stretch, how long
// it takes until everybody knows that a node is gone which says nothing any
// more: whole nodes with their log and transport, not the detector alone.
func TestDetectionTime(t *testing.T) {
	for _, nodes := range []int{3, 10} {
		inBubble(t, nodes, func(b *bubble) {
			last := nodes - 1
			lost, rest := b.nodes[last].NodeID(), b.nodes[:last]
			var others []string
			for i := range last {
				others = append(others, host(i))
			}
			var took []time.Duration
			for range 5 {
				time.Sleep(20 * time.Second) // and some fraction of an interval, as it comes
				b.net.Split([]string{host(last)}, others)
				took = append(took, b.until("the verdict", 10*time.Second, rest, func(c *clusterkit.Cluster) bool {
					return status(c, lost) == "failed"
				}))
				b.net.HealAll()
				b.until("the return", healed, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == nodes })
			}
			slices.Sort(took)
			t.Logf("%d nodes: %v in the median of %v", nodes, took[2], took)
			if took[2] > 6500*time.Millisecond {
				t.Errorf("%d nodes: detected after %v in the median, want about 5 s", nodes, took[2])
			}
		})
	}
}
