// Command placement compares how partitions are placed on nodes: clusterkit's
// placement beside ckit's rendezvous hash, dskit's ring and
// buraksezer/consistent, each by its own code. It prints one table in Markdown
// for each number of partitions.
//
//	go run .            3 copies of 271 and of 1024 partitions on 3, 10, 50 and 100 nodes
//
// Each row begins with the nodes as they are, lets one more join, and in
// another try lets one of them leave; the figures are the median over several
// joining and leaving nodes.
//
//   - copies: how many a node holds, the least and the most.
//   - primaries: of how many partitions a node is the first, likewise.
//   - join, leave: copies that must be made on nodes that did not have them, and
//     how many times the fewest with which this can be done at all: what the new
//     node ends up with, what the old one held. An algorithm that leaves the
//     nodes unequal may so come out at 1.00 while the next column counts what it
//     needs to make every node hold its share.
//   - to balance: the fewest moves after which every node holds its share,
//     counted from the algorithm's own assignment before the change; "no" when
//     its result is not balanced.
//   - time: to compute the whole assignment once more after a node has joined.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

const copies = 3

// placer decides who holds each of a number of partitions, the primary first.
// current is what it decided last; most do not look at it.
type placer struct {
	name  string
	place func(current [][]string, nodes []string) (decision, error)
}

// decision is an assignment, and how long it took to compute it.
type decision struct {
	assignment [][]string
	took       time.Duration
}

func main() {
	tries := flag.Int("tries", 7, "joining and leaving nodes to try for each row")
	flag.Parse()
	if err := run(os.Stdout, *tries); err != nil {
		fmt.Fprintln(os.Stderr, "placement:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, tries int) error {
	fmt.Fprintf(w, "%s, %d cores, %d copies of each partition\n", runtime.Version(), runtime.GOMAXPROCS(0), copies)
	for _, partitions := range []int{271, 1024} {
		fmt.Fprintf(w, "\n%d partitions:\n\n| nodes | placed by | copies | primaries | join | x fewest | leave | x fewest | to balance | time |\n", partitions)
		fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
		for _, n := range []int{3, 10, 50, 100} {
			for _, p := range placers() {
				r, err := measure(p, n, partitions, tries)
				if err != nil {
					return fmt.Errorf("%s with %d nodes: %w", p.name, n, err)
				}
				fmt.Fprintf(w, "| %d | %s | %s | %s | %d | %.2f | %s | %s | %s | %s |\n", n, p.name, r.copies, r.primaries,
					r.join, r.joinRatio, r.leave, r.leaveRatio, r.balance, r.time)
			}
		}
	}
	return nil
}

// row is what one line of the table says.
type row struct {
	copies, primaries string
	join              int
	joinRatio         float64
	leave, leaveRatio string
	balance           string
	time              string
}

func measure(p placer, n, partitions, tries int) (row, error) {
	members := names(n)
	empty := make([][]string, partitions)
	first, err := p.place(empty, members)
	if err != nil {
		return row{}, err
	}
	before := first.assignment
	r := row{leave: "-", leaveRatio: "-"}
	r.copies, r.primaries = spread(before, members)
	var joins, leaves []change
	var times []time.Duration
	balanced := true
	for try := range tries {
		grown := append(slices.Clone(members), fmt.Sprintf("joining-%d", try))
		joined, err := p.place(before, grown)
		if err != nil {
			return row{}, err
		}
		after := joined.assignment
		times = append(times, joined.took)
		c := change{moves: placement.Moves(before, after), fewest: load(after, grown[n])}
		c.toBalance, balanced = fewest(before, grown), balanced && isBalanced(after, grown)
		joins = append(joins, c)
		if n <= copies { // whoever leaves, nobody is left to take its copies
			continue
		}
		gone := try * n / tries
		fewer := slices.Delete(slices.Clone(members), gone, gone+1)
		left, err := p.place(before, fewer)
		if err != nil {
			return row{}, err
		}
		after = left.assignment
		leaves = append(leaves, change{moves: placement.Moves(before, after), fewest: load(before, members[gone])})
		balanced = balanced && isBalanced(after, fewer)
	}
	join := median(joins)
	r.join, r.joinRatio = join.moves, join.ratio()
	if len(leaves) > 0 {
		leave := median(leaves)
		r.leave, r.leaveRatio = fmt.Sprint(leave.moves), fmt.Sprintf("%.2f", leave.ratio())
	}
	r.balance = "no"
	if balanced {
		r.balance = fmt.Sprintf("%d of %d", join.moves, join.toBalance)
	}
	slices.Sort(times)
	r.time = fmt.Sprintf("%.2f ms", times[len(times)/2].Seconds()*1000)
	return r, nil
}

// change is what one node cost that came or went.
type change struct{ moves, fewest, toBalance int }

func (c change) ratio() float64 { return float64(c.moves) / float64(max(c.fewest, 1)) }

func median(all []change) change {
	slices.SortFunc(all, func(a, b change) int { return a.moves*max(b.fewest, 1) - b.moves*max(a.fewest, 1) })
	return all[len(all)/2]
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("node-%d", i)
	}
	return all
}

// spread returns the least and the most that a node holds, and of how many
// partitions it is the primary.
func spread(assignment [][]string, nodes []string) (held, first string) {
	loads := everyLoad(assignment, nodes)
	c := func(l placement.NodeLoad) int { return l.Copies }
	p := func(l placement.NodeLoad) int { return l.Primaries }
	return extent(loads, c), extent(loads, p)
}

func extent(loads []placement.NodeLoad, of func(placement.NodeLoad) int) string {
	least, most := of(loads[0]), of(loads[0])
	for _, l := range loads {
		least, most = min(least, of(l)), max(most, of(l))
	}
	return fmt.Sprintf("%d..%d", least, most)
}

// everyLoad is what each node holds, those that hold nothing included.
func everyLoad(assignment [][]string, nodes []string) []placement.NodeLoad {
	loads := placement.Load(assignment)
	for _, id := range nodes {
		if !slices.ContainsFunc(loads, func(l placement.NodeLoad) bool { return l.Node == id }) {
			loads = append(loads, placement.NodeLoad{Node: id})
		}
	}
	return loads
}

func load(assignment [][]string, node string) int {
	for _, l := range placement.Load(assignment) {
		if l.Node == node {
			return l.Copies
		}
	}
	return 0
}

// isBalanced reports whether every node holds its share, within one copy, and
// is the primary of its share.
func isBalanced(assignment [][]string, nodes []string) bool {
	total, n := len(assignment)*min(copies, len(nodes)), len(nodes)
	for _, l := range everyLoad(assignment, nodes) {
		if l.Copies < total/n || l.Copies > (total+n-1)/n ||
			l.Primaries < len(assignment)/n || l.Primaries > (len(assignment)+n-1)/n {
			return false
		}
	}
	return true
}

func fewest(current [][]string, nodes []string) int {
	return placement.LowerBound(current, ours(nodes), copies)
}

func ours(names []string) []placement.Node {
	nodes := make([]placement.Node, len(names))
	for i, id := range names {
		nodes[i] = placement.Node{ID: id}
	}
	return nodes
}
