package clusterkit_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit"
)

// TestUpdateNode: what a node says anew of itself all come to know, what it does
// not mention stays, and its share of the primaries follows its weight.
func TestUpdateNode(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.agree(10*time.Second, b.nodes)
		ctx, ck := context.Background(), b.nodes[1]
		type said struct {
			Zone               string
			Weight             int
			Services, Metadata map[string]string
		}
		update := func(u clusterkit.NodeUpdate, want said) {
			t.Helper()
			e, err := ck.UpdateNode(ctx, u)
			if err != nil {
				t.Fatal(err)
			}
			b.until("the update everywhere", 5*time.Second, b.nodes, func(c *clusterkit.Cluster) bool { return c.Vector[e.Log] >= e.Seq })
			for _, by := range b.nodes {
				n, _ := by.Cluster().Node("n1")
				if diff := cmp.Diff(want, said{n.Zone, int(n.Weight), n.Services, n.Metadata}); diff != "" {
					t.Errorf("%s (-want +got):\n%s", by.NodeID(), diff)
				}
			}
		}
		zone, weight := "east", 2
		services, metadata := map[string]string{"rpc": "h1:90"}, map[string]string{"disk": "fast"}
		update(clusterkit.NodeUpdate{Zone: &zone, Services: services}, said{"east", 1, services, map[string]string{}})
		update(clusterkit.NodeUpdate{Weight: &weight, Metadata: metadata}, said{"east", 2, services, metadata})
		b.until("twice the share", time.Minute, b.nodes, func(c *clusterkit.Cluster) bool {
			first, _ := held(c, "n0")
			heavy, _ := held(c, "n1")
			last, _ := held(c, "n2")
			return first == 4 && heavy == 8 && last == 4
		})
	})
}
