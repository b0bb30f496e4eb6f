package clusterkit

import (
	"context"
	"iter"

	"github.com/cespare/xxhash/v2"

	"github.com/skshohagmiah/clusterkit/projection"
)

// NodeID returns the name of this node.
func (ck *ClusterKit) NodeID() string { return ck.opt.NodeID }

// Addr returns the host:port that peers dial, or "" while it is not known.
func (ck *ClusterKit) Addr() string {
	if a := ck.addr.Load(); a != nil {
		return *a
	}
	return ""
}

// Cluster returns what this node knows of the cluster now: an immutable
// snapshot that costs nothing to take. It never blocks.
func (ck *ClusterKit) Cluster() *Cluster { return ck.known().cluster }

// Coordinator returns the node that assigns partitions, the term of its claim,
// and whether anybody has the role and is thought able to fill it. It is
// advisory: during a network split, and for a moment after a failure, two nodes
// may each believe that they have it. What they write is ordered by term, so the
// later one's assignments win everywhere; who needs more than that compares
// Partition.Token. Changes are the events of type events.CoordinatorClaimed, and
// Watch shows them.
func (ck *ClusterKit) Coordinator() (node Node, term uint64, ok bool) {
	c := ck.known().cluster
	n, found := c.Node(c.Coordinator)
	if !found {
		return Node{}, c.Term, false
	}
	ok = !n.Draining && (n.Status == projection.StatusAlive || n.Status == projection.StatusSuspected)
	return *n, c.Term, ok
}

// PartitionOf returns the number of the partition that key belongs to:
// xxHash64 of its bytes, seed 0, modulo partitions. It never changes, so
// clients in other languages may compute it too.
func PartitionOf(key string, partitions int) int {
	return int(xxhash.Sum64String(key) % uint64(partitions))
}

// Partition returns the partition that key belongs to, with its owners. Before
// it has any, Primary is empty. Its slices are shared and must not be changed.
func (ck *ClusterKit) Partition(key string) Partition {
	p := PartitionOf(key, ck.config.PartitionCount)
	if all := ck.known().cluster.PartitionMap.Partitions; p < len(all) {
		return all[p]
	}
	return Partition{ID: p}
}

// Primary returns the node that owns the partition of key, and whether there
// is one.
func (ck *ClusterKit) Primary(key string) (Node, bool) {
	c := ck.known().cluster
	p := PartitionOf(key, ck.config.PartitionCount)
	if p >= len(c.PartitionMap.Partitions) {
		return Node{}, false
	}
	n, ok := c.Node(c.PartitionMap.Partitions[p].Primary)
	if !ok {
		return Node{}, false
	}
	return *n, true
}

// Replicas returns the nodes that hold copies of the partition of key beside
// the primary, in the order in which they would take over.
func (ck *ClusterKit) Replicas(key string) []Node {
	c := ck.known().cluster
	var nodes []Node
	for _, id := range ck.Partition(key).Replicas {
		if n, ok := c.Node(id); ok {
			nodes = append(nodes, *n)
		}
	}
	return nodes
}

// IsPrimary reports whether this node owns the partition of key.
func (ck *ClusterKit) IsPrimary(key string) bool {
	all := ck.known().cluster.PartitionMap.Partitions
	p := PartitionOf(key, ck.config.PartitionCount)
	return p < len(all) && all[p].Primary == ck.opt.NodeID
}

// IsReplica reports whether this node holds a copy of the partition of key
// without owning it.
func (ck *ClusterKit) IsReplica(key string) bool {
	all := ck.known().cluster.PartitionMap.Partitions
	p := PartitionOf(key, ck.config.PartitionCount)
	if p >= len(all) {
		return false
	}
	for _, id := range all[p].Replicas {
		if id == ck.opt.NodeID {
			return true
		}
	}
	return false
}

// PartitionsOf returns the partitions that node holds, as primary or replica,
// in ascending order.
func (ck *ClusterKit) PartitionsOf(node string) []Partition {
	var held []Partition
	for _, p := range ck.known().cluster.PartitionMap.Partitions {
		if p.HeldBy(node) {
			held = append(held, p)
		}
	}
	return held
}

// Watch yields the present state and then, whenever it has changed, the newest
// one. A slow reader skips states in between; it can neither block the cluster
// nor fall behind. The sequence ends with ctx or when the node stops.
func (ck *ClusterKit) Watch(ctx context.Context) iter.Seq[*Cluster] {
	return func(yield func(*Cluster) bool) {
		for {
			p := ck.known()
			if !yield(p.cluster) {
				return
			}
			select {
			case <-p.changed:
			case <-ctx.Done():
				return
			case <-ck.ctx.Done():
				return
			}
		}
	}
}
