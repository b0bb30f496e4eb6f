package coordination

import (
	"cmp"
	"math"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Majority reports whether a node that sees the cluster like this may claim
// and assign: more than half of the members that neither left nor were removed
// are alive and not suspected, or there are at most two such members.
func Majority(cluster *projection.Cluster) bool {
	up, members := turnout(cluster)
	return members <= 2 || 2*up > members
}

// turnout counts the members that neither left nor were removed, and those of
// them that are alive and not suspected.
func turnout(cluster *projection.Cluster) (up, members int) {
	for i := range cluster.Nodes {
		switch cluster.Nodes[i].Status {
		case projection.StatusAlive, projection.StatusLeaving:
			members++
			up++
		case projection.StatusSuspected, projection.StatusFailed:
			members++
		}
	}
	return up, members
}

// maxTerm is the last term whose epochs fit into a version.
const maxTerm = events.MaxVersion >> 32

// claim decides about the vacant role.
func (c *Coordination) claim(cluster *projection.Cluster, now int64) (Decision, int64) {
	if lastTerm(cluster) >= maxTerm {
		return Decision{}, Never
	}
	due := c.vacant
	former, known := cluster.Node(cluster.Coordinator)
	d := Decision{Claim: true, Term: lastTerm(cluster) + 1, Reason: "the coordinator is unknown"}
	switch {
	case cluster.Term == 0 && c.opt.Alone:
		d.Reason = "first node of a new cluster"
	case cluster.Term == 0:
		d.Reason = "oldest node of a new cluster"
		due = min(c.changed+c.claimDelay, c.begun+patience*c.claimDelay)
	case known:
		d.Reason, d.Cause = "coordinator "+former.ID+" is "+state(former), former.Cause()
	}
	if due += c.rank(cluster) * c.rankDelay; now < due {
		return Decision{}, due
	}
	return d, now
}

// rank returns how many eligible nodes come before self.
func (c *Coordination) rank(cluster *projection.Cluster) (rank int64) {
	self, _ := cluster.Node(c.self)
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		if eligible(cluster, n) && cmp.Or(cmp.Compare(n.StartedAt, self.StartedAt), cmp.Compare(n.ID, self.ID)) < 0 {
			rank++
		}
	}
	return rank
}

// renew claims another term when some partition carries a later one than the
// coordinator's, against which what it writes would lose, or when the present
// one has no epochs left.
func renew(cluster *projection.Cluster) (d Decision, needed bool) {
	last := lastTerm(cluster)
	d = Decision{Claim: true, Term: last + 1}
	switch room := math.MaxUint32 - nextEpoch(cluster)&math.MaxUint32; {
	case last > cluster.Term:
		d.Reason = "partitions carry a later term"
	case room < uint64(len(cluster.PartitionMap.Partitions)):
		d.Reason = "the term has no epochs left"
	default:
		return Decision{}, false
	}
	if last >= maxTerm {
		return Decision{}, true // nothing can be written any more
	}
	return d, true
}

// lastTerm returns the largest term in the view.
func lastTerm(cluster *projection.Cluster) uint64 {
	last := cluster.Term
	for i := range cluster.PartitionMap.Partitions {
		last = max(last, cluster.PartitionMap.Partitions[i].Epoch>>32)
	}
	return last
}

// nextEpoch returns the first epoch of the present term that nobody has used.
func nextEpoch(cluster *projection.Cluster) uint64 {
	epoch := cluster.Term << 32
	for i := range cluster.PartitionMap.Partitions {
		epoch = max(epoch, cluster.PartitionMap.Partitions[i].Epoch)
	}
	return epoch + 1
}

// eligible reports whether a node may be the coordinator.
func eligible(cluster *projection.Cluster, n *projection.Node) bool {
	return n.Status == projection.StatusAlive && !n.Draining && !ill(cluster, n)
}

// holds reports whether a node may hold partitions in the long run.
func holds(n *projection.Node) bool {
	return !n.Draining && (n.Status == projection.StatusAlive || n.Status == projection.StatusSuspected)
}

// isDown reports whether a node does not run, as far as is known.
func isDown(n *projection.Node) bool {
	return n.Status == projection.StatusFailed || n.Status == projection.StatusLeft || n.Status == projection.StatusRemoved
}

// ReasonShutdown is the reason of a NodeLeft whose node means to come back.
const ReasonShutdown = "shutdown"

// goneForGood reports whether a node has said or been told not to come back.
func goneForGood(n *projection.Node) bool {
	return n.Status == projection.StatusRemoved || n.Status == projection.StatusLeft && n.Reason() != ReasonShutdown
}

// state says in a word what a node is.
func state(n *projection.Node) string {
	switch {
	case n.Draining && n.Status == projection.StatusAlive:
		return "draining"
	case n.Degraded != "" && n.Status == projection.StatusAlive:
		return "degraded"
	}
	return string(n.Status)
}
