package placement

import (
	"cmp"
	"slices"
)

// Moves returns how many copies must be made to get from one assignment to
// another: those on nodes that did not hold the partition before. Dropping a
// copy and changing the order in a list move nothing.
func Moves(from, to [][]string) int {
	moves := 0
	for p := range to {
		for k, id := range to[p] {
			if (p >= len(from) || !slices.Contains(from[p], id)) && !slices.Contains(to[p][:k], id) {
				moves++
			}
		}
	}
	return moves
}

// LowerBound returns a number of moves below which no assignment is possible
// that gives every node its share, whatever the zones: each node must receive
// what it lacks, and each copy that is missing or too much on a node must go
// somewhere. The arguments are those of [Place].
func LowerBound(current [][]string, nodes []Node, replication int) int {
	f := newField(nodes, len(current), replication)
	if len(f.nodes) == 0 {
		return 0
	}
	a := newAssigner(f, current)
	receive, missing := 0, 0
	for p := range a.copies {
		missing += max(a.lacks(p), 0)
	}
	surplus, total := 0, 0
	for _, i := range a.everyone {
		receive += int(max(f.shares[i].min-a.load(i), 0))
		surplus += int(max(a.over(i), 0))
		total += int(a.load(i))
	}
	return max(receive, missing, surplus+len(current)*f.replicas-total)
}

// NodeLoad is what a node holds.
type NodeLoad struct {
	Node      string
	Copies    int
	Primaries int
}

// Load returns what each node that occurs in the assignment holds, sorted by
// node.
func Load(assignment [][]string) []NodeLoad {
	byNode := make(map[string]*NodeLoad)
	for _, list := range assignment {
		for k, id := range list {
			if byNode[id] == nil {
				byNode[id] = &NodeLoad{Node: id}
			}
			byNode[id].Copies++
			if k == 0 {
				byNode[id].Primaries++
			}
		}
	}
	loads := make([]NodeLoad, 0, len(byNode))
	for _, l := range byNode {
		loads = append(loads, *l)
	}
	slices.SortFunc(loads, func(x, y NodeLoad) int { return cmp.Compare(x.Node, y.Node) })
	return loads
}
