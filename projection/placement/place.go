// Package placement decides which nodes hold which partitions. [Place] is a
// pure function in integer arithmetic: the same input gives the same output on
// every platform, whatever the order in which the nodes are named.
//
// # Promises
//
// For P partitions, N nodes and a replication factor RF, in this order of
// precedence:
//
//  1. Every partition has R = min(RF, N) distinct nodes.
//  2. The copies of a partition are in min(R, number of zones) distinct zones,
//     and beyond that they are spread over the zones as evenly as the shares of
//     the zones allow. The empty zone is a zone like any other.
//  3. Every node holds its share of the P·R copies, rounded down or up. The
//     share is proportional to the weight, within what 1 and 2 leave possible:
//     a node can hold at most P copies, one per partition, and with as many
//     copies as zones a zone can hold at most P. What a node or a zone cannot
//     take is shared by the others in proportion to their weights (weighted
//     max-min fairness, see [Shares]). So the spread over zones goes before
//     balance: with three copies and three zones of which one has a single
//     node, that node holds a copy of everything.
//  4. As few copies as possible move. This is not a heuristic: the assignment
//     is a minimum-cost flow that starts from the current one, so no other
//     assignment which keeps the promises 1 to 3 moves fewer. (Where the
//     current assignment violates the spread over zones, or has more than R
//     copies, it is very near that minimum instead.)
//  5. Every node is the primary of its share of the partitions, P·weight over
//     the sum of the weights, rounded down or up; and as few primaries change
//     as possible. A primary is the first in the list, so this only reorders
//     lists and moves no data. Shares of copies that were limited by 2 and 3
//     can make this impossible by a single partition here and there; the
//     primaries are then as near as the lists allow.
//  6. What is left open is decided by rendezvous hash (Thaler and Ravishankar,
//     1996), so a node that returns gets, for the most part, the partitions
//     that it had.
//
// Place is idempotent: Place(Place(x)) = Place(x).
//
// bench/placement compares it with others: at 100 nodes and 1024 partitions a
// node that joins or leaves moves the fewest copies possible in about half a
// millisecond, and less than two place everything from nothing, where ckit's rendezvous hash and dskit's ring leave nodes with
// half or twice their share and buraksezer/consistent moves twice the fewest.
//
// # How
//
// Shares are a range [floor, ceil] per node. Copies are flow from partitions
// to nodes, and a partition passes through its zones:
//
//	               floor(Xz/P)..ceil(Xz/P)    0..1       floor(xi)..ceil(xi)
//	partition  R  ------------------------> zone ---> node ------------------> sink
//
// The current assignment, less what is forbidden, is a pseudo-flow of cost
// zero; a copy that is not in the current assignment costs one. Successive
// shortest augmenting paths (Ahuja, Magnanti and Orlin, "Network Flows", 1993,
// chapter 9) carry missing copies and surplus to the nodes that lack some.
// Nearly all paths are a single step, from a node with too many copies to one
// with too few, and these are found without a search, in rendezvous order.
package placement

import (
	"cmp"
	"slices"
)

// Node is a node that may hold partitions.
type Node struct {
	ID     string
	Zone   string // copies of a partition are spread over zones; "" is a zone too
	Weight int    // share relative to other nodes; below 1 means 1, at most 1<<20
}

// maxWeight keeps all products of a share within 64 bits.
const maxWeight = 1 << 20

// Place returns who is to hold each partition, the primary first. The index is
// the partition, in the result as in current, whose length is the number of
// partitions; an entry of current may be empty, may name a node twice or name
// nodes that are not in nodes. A replication below 1 means 1. Without nodes all
// entries of the result are nil. The arguments are not changed and the result
// shares no slice with them.
func Place(current [][]string, nodes []Node, replication int) [][]string {
	f := newField(nodes, len(current), replication)
	if len(f.nodes) == 0 || len(current) == 0 {
		return make([][]string, len(current))
	}
	a := newAssigner(f, current)
	a.trim()
	a.settle()
	return a.lists(a.primaries())
}

// Fill returns current with copies added where a partition has fewer than
// replication, as far as there are nodes, and moves nothing: every list begins
// with what it was, nodes included that may not be given more. An addition goes
// to another zone if possible and to the node that lacks most. The rest is as
// for [Place].
func Fill(current [][]string, nodes []Node, replication int) [][]string {
	f := newField(nodes, len(current), replication)
	out := make([][]string, len(current))
	for p := range current {
		out[p] = slices.Clone(current[p])
	}
	if len(f.nodes) == 0 {
		return out
	}
	a := newAssigner(f, current)
	a.fill(current, max(replication, 1))
	for p := range out {
		for _, i := range a.copies[p][len(a.orig[p]):] {
			out[p] = append(out[p], f.nodes[i].ID)
		}
	}
	return out
}

// field is the ground on which partitions are placed: the nodes, sorted, and
// what each of them and each zone is to hold.
type field struct {
	nodes      []Node
	partitions int
	replicas   int // copies of each partition, at most one per node

	zone  []int32 // of each node, an index
	zones []bounds
	must  []int32 // zones of which every partition needs a copy

	shares []bounds // copies that each node is to hold
	leads  []bounds // partitions of which each node is to be the primary
}

// bounds is a closed range.
type bounds struct{ min, max int32 }

func newField(nodes []Node, partitions, replication int) *field {
	f := &field{nodes: slices.Clone(nodes), partitions: partitions}
	for i := range f.nodes {
		f.nodes[i].Weight = min(max(f.nodes[i].Weight, 1), maxWeight)
	}
	slices.SortFunc(f.nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Weight, b.Weight))
	})
	f.nodes = slices.CompactFunc(f.nodes, func(a, b Node) bool { return a.ID == b.ID })
	f.replicas = min(max(replication, 1), len(f.nodes))
	f.indexZones()
	f.share()
	return f
}

func (f *field) indexZones() {
	var names []string
	for i := range f.nodes {
		names = append(names, f.nodes[i].Zone)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	f.zone = make([]int32, len(f.nodes))
	for i := range f.nodes {
		z, _ := slices.BinarySearch(names, f.nodes[i].Zone)
		f.zone[i] = int32(z)
	}
	f.zones = make([]bounds, len(names))
}

// lists writes the assignment out: copies that stay keep their order, new ones
// follow by rank, and the primary comes first.
func (a *assigner) lists(primary []int32) [][]string {
	out := make([][]string, len(a.copies))
	flat := make([]string, 0, len(a.copies)*a.replicas)
	var added []int32
	for p := range a.copies {
		begin := len(flat)
		flat = append(flat, a.nodes[primary[p]].ID)
		for _, i := range a.orig[p] {
			if i != primary[p] && a.holds(p, i) {
				flat = append(flat, a.nodes[i].ID)
			}
		}
		added = added[:0]
		for _, i := range a.copies[p] {
			if i != primary[p] && !a.had(p, i) {
				added = append(added, i)
			}
		}
		if len(added) > 1 {
			slices.SortFunc(added, func(x, y int32) int {
				return cmp.Or(cmp.Compare(a.rank(p, y), a.rank(p, x)), cmp.Compare(x, y))
			})
		}
		for _, i := range added {
			flat = append(flat, a.nodes[i].ID)
		}
		out[p] = flat[begin:len(flat):len(flat)]
	}
	return out
}
