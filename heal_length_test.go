package clusterkit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// TestSplitOfAnyLengthHeals: too short for a suspicion, for a verdict, for the
// brake, or so long that nobody tries often any more; between halves and between
// one and the rest: 35 s after the network is back all are alive and know the
// same.
func TestSplitOfAnyLengthHeals(t *testing.T) {
	const nodes = 4
	for _, length := range []time.Duration{700 * time.Millisecond, 3 * time.Second, 8 * time.Second, 20 * time.Second, 70 * time.Second, 13 * time.Minute, 2 * time.Hour} {
		for few := 1; few <= nodes/2; few++ {
			t.Run(fmt.Sprintf("%d of %d for %v", few, nodes, length), func(t *testing.T) {
				inBubble(t, nodes, func(b *bubble) {
					b.agree(10*time.Second, b.nodes)
					var one, other []string
					for i := range nodes {
						if i < few {
							one = append(one, host(i))
						} else {
							other = append(other, host(i))
						}
					}
					b.net.Split(one, other)
					time.Sleep(length)
					b.net.HealAll()
					took := b.until("everybody alive", healed, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == nodes })
					b.agree(healed-took, b.nodes)
				})
			})
		}
	}
}
