package coordination

import (
	"math"

	"github.com/skshohagmiah/clusterkit/projection"
)

// observeDoubts notes since when each node is not simply alive. What the first
// view says is from before this process, and long decided.
func (c *Coordination) observeDoubts(cluster *projection.Cluster, now int64) {
	if !c.observed {
		now = math.MinInt64
	}
	for id := range c.doubts {
		if n, ok := cluster.Node(id); !ok || !doubted(n) {
			delete(c.doubts, id)
		}
	}
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		if _, ok := c.doubts[n.ID]; !ok && doubted(n) {
			c.doubts[n.ID] = now
		}
	}
}

func doubted(n *projection.Node) bool {
	return n.Status == projection.StatusSuspected || n.Status == projection.StatusFailed
}

// convicted returns when a node that failed counts as down. As a rule it was
// suspected for seconds before, and that is at once. A verdict that comes out of
// the blue was reached by others, where the node could not be seen, as in the
// smaller part of a split; in a moment the node will have heard of it, and refuted
// it.
func (c *Coordination) convicted(n *projection.Node) int64 {
	if since, ok := c.doubts[n.ID]; ok && n.Status == projection.StatusFailed && since > math.MinInt64 {
		return since + c.refuteDelay
	}
	return math.MinInt64
}
