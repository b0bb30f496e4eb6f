package coordination

import (
	"github.com/skshohagmiah/clusterkit/projection"
)

// ill reports whether a node's word that it is degraded counts. It does while
// at most half of the nodes that run say so: beyond that they share a cause,
// and to move everything to the few that are left would only make it worse.
func ill(cluster *projection.Cluster, n *projection.Node) bool {
	if n.Degraded == "" {
		return false
	}
	up, degraded := 0, 0
	for i := range cluster.Nodes {
		m := &cluster.Nodes[i]
		if m.Status == projection.StatusAlive || m.Status == projection.StatusSuspected {
			up++
			if m.Degraded != "" {
				degraded++
			}
		}
	}
	return 2*degraded <= up
}

// observeHealth notes since when nodes are degraded, and who was lost.
func (c *Coordination) observeHealth(cluster *projection.Cluster, now int64) {
	for id := range c.unwell {
		if n, ok := cluster.Node(id); !ok || !ill(cluster, n) || isDown(n) {
			delete(c.unwell, id)
		}
	}
	for i := range cluster.Nodes {
		if n := &cluster.Nodes[i]; ill(cluster, n) && !isDown(n) {
			c.illSince(n.ID, now)
		}
	}
	if c.observed {
		c.brake.observe(c.nodes, cluster.Nodes, now)
	}
	c.nodes = cluster.Nodes
}

// illSince returns since when a node is degraded, from now on if that is news.
func (c *Coordination) illSince(id string, now int64) int64 {
	since, ok := c.unwell[id]
	if !ok {
		since = now
		c.unwell[id] = since
	}
	return since
}
