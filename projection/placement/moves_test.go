package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// TestPlaceMovesFewest compares the moves of Place with the cost of a
// minimum-cost flow that is computed by the book, on small clusters.
func TestPlaceMovesFewest(t *testing.T) {
	exact, trimmedCases, above := 0, 0, 0
	eachSeed(t, 1, func(t testing.TB, r *rand.Rand) {
		w := world{current: make([][]string, 1+r.IntN(12)), rf: 1 + r.IntN(4)}
		zones, weights := 1+r.IntN(4), r.IntN(3)
		for i := range 1 + r.IntN(8) {
			w.nodes = append(w.nodes, randomNode(r, i, zones, weights))
		}
		if r.IntN(2) == 0 {
			w.scribble(r)
		} else {
			w.current = w.place()
			w.change(r)
		}
		moves, fewest := placement.Moves(w.current, w.place()), fewestMoves(&w)
		_, _, _, trimmed := placement.Limits(w.current, w.nodes, w.rf)
		switch {
		case moves < fewest:
			t.Errorf("%d moves, fewer than the reference's %d", moves, fewest)
		case trimmed:
			trimmedCases++
			above += moves - fewest
		case moves != fewest:
			t.Errorf("%d moves, want %d", moves, fewest)
		default:
			exact++
		}
		if bound := placement.LowerBound(w.current, w.nodes, w.rf); bound > fewest {
			t.Errorf("the lower bound is %d, and %d moves are enough", bound, fewest)
		}
	})
	t.Logf("%d cases exact; %d had to be trimmed and moved %d copies more than needed in all", exact, trimmedCases, above)
	if above*100 > trimmedCases*5 {
		t.Errorf("%d moves too many in %d cases that had to be trimmed", above, trimmedCases)
	}
}

// TestPrimariesChangeFewest compares how many primaries change with a
// minimum-cost flow over the same lists.
func TestPrimariesChangeFewest(t *testing.T) {
	eachSeed(t, 1, func(t testing.TB, r *rand.Rand) {
		w := world{current: make([][]string, 1+r.IntN(20)), rf: 1 + r.IntN(4), nodes: nodes(1 + r.IntN(8))}
		if w.current = w.place(); r.IntN(2) == 0 {
			for p := range w.current {
				r.Shuffle(len(w.current[p]), func(i, j int) {
					w.current[p][i], w.current[p][j] = w.current[p][j], w.current[p][i]
				})
			}
		} else {
			w.change(r)
		}
		got := w.place()
		g, changed := newNetwork(), 0
		for p, list := range got {
			g.edge("source", fmt.Sprint("p", p), 1, 0)
			was := slices.IndexFunc(w.current[p], func(id string) bool { return slices.Contains(list, id) })
			for _, id := range list {
				cost := 1
				if was >= 0 && w.current[p][was] == id {
					cost = 0
				}
				g.edge(fmt.Sprint("p", p), id, 1, cost)
			}
			if was < 0 || w.current[p][was] != list[0] {
				changed++
			}
		}
		for _, s := range placement.Shares(w.nodes, len(w.current), w.rf) {
			g.edge(s.Node, "sink", s.MinPrimaries, -mandatory)
			g.edge(s.Node, "sink", s.MaxPrimaries-s.MinPrimaries, 0)
		}
		fewest := ((g.cheapest("source", "sink") % mandatory) + mandatory) % mandatory
		if !w.limited() && changed != fewest {
			t.Errorf("%d primaries changed, %d are enough", changed, fewest)
		}
	})
}

// fewestMoves solves the flow network of the package comment.
func fewestMoves(w *world) int {
	zoneOf, least, most, _ := placement.Limits(w.current, w.nodes, w.rf)
	shares := placement.Shares(w.nodes, len(w.current), w.rf)
	g := newNetwork()
	r := min(w.rf, len(shares))
	for p, list := range w.current {
		from := fmt.Sprint("p", p)
		g.edge("source", from, r, 0)
		for z := range least {
			in := fmt.Sprint("p", p, "z", z)
			g.edge(from, in, least[z], -mandatory)
			g.edge(from, in, most[z]-least[z], 0)
		}
		for _, s := range shares {
			cost := 1
			if slices.Contains(list, s.Node) {
				cost = 0
			}
			g.edge(fmt.Sprint("p", p, "z", zoneOf(s.Node)), s.Node, 1, cost)
		}
	}
	for _, s := range shares {
		g.edge(s.Node, "sink", s.MinCopies, -mandatory)
		g.edge(s.Node, "sink", s.MaxCopies-s.MinCopies, 0)
	}
	return ((g.cheapest("source", "sink") % mandatory) + mandatory) % mandatory
}

// mandatory is the reward of an edge that must be used.
const mandatory = 1 << 20

// network is a minimum-cost flow by successive shortest paths, as plain as can
// be.
type network struct {
	vertex map[string]int
	edges  []edge // each followed by its reverse
	out    [][]int
}

type edge struct{ to, room, cost int }

func newNetwork() *network { return &network{vertex: map[string]int{}} }

func (g *network) at(name string) int {
	v, ok := g.vertex[name]
	if !ok {
		v = len(g.out)
		g.vertex[name] = v
		g.out = append(g.out, nil)
	}
	return v
}

func (g *network) edge(from, to string, room, cost int) {
	u, v := g.at(from), g.at(to)
	g.out[u] = append(g.out[u], len(g.edges))
	g.out[v] = append(g.out[v], len(g.edges)+1)
	g.edges = append(g.edges, edge{v, room, cost}, edge{u, 0, -cost})
}

// cheapest returns the cost of a cheapest maximum flow.
func (g *network) cheapest(from, to string) (total int) {
	s, t := g.at(from), g.at(to)
	for {
		dist, via := make([]int, len(g.out)), make([]int, len(g.out))
		for v := range dist {
			dist[v] = 1 << 30
		}
		dist[s] = 0
		for again := true; again; {
			again = false
			for u := range g.out {
				for _, e := range g.out[u] {
					if x := g.edges[e]; x.room > 0 && dist[u] < 1<<30 && dist[u]+x.cost < dist[x.to] {
						dist[x.to], via[x.to], again = dist[u]+x.cost, e, true
					}
				}
			}
		}
		if dist[t] == 1<<30 {
			return total
		}
		for v := t; v != s; v = g.edges[via[v]^1].to {
			g.edges[via[v]].room--
			g.edges[via[v]^1].room++
		}
		total += dist[t]
	}
}

// TestPlaceMovesNearTheBound changes one node of clusters of many sizes.
func TestPlaceMovesNearTheBound(t *testing.T) {
	eachSeed(t, 2, func(t testing.TB, r *rand.Rand) {
		w := world{current: make([][]string, 1+r.IntN(300)), rf: 1 + r.IntN(5), nodes: nodes(2 + r.IntN(38))}
		w.current = w.place()
		if r.IntN(2) == 0 {
			w.nodes = append(w.nodes, placement.Node{ID: "new"})
		} else {
			k := r.IntN(len(w.nodes))
			w.nodes = slices.Delete(w.nodes, k, k+1)
		}
		moves, bound := placement.Moves(w.current, w.place()), placement.LowerBound(w.current, w.nodes, w.rf)
		// The bound looks at the nodes only and is not always reached; what is
		// above it must be the fewest there are.
		if moves*100 > bound*105 && (len(w.current) > 60 || moves > fewestMoves(&w)) {
			t.Errorf("%d moves, the bound is %d (%d partitions, %d nodes, RF %d)", moves, bound, len(w.current), len(w.nodes), w.rf)
		}
	})
}

// TestMovesTable prints moves beside their lower bound when one node joins,
// leaves and returns, and how many of its old partitions it gets back.
func TestMovesTable(t *testing.T) {
	t.Logf("%10s %6s %6s | %6s %6s | %6s %6s | %6s %6s %9s | %9s", "partitions", "nodes", "zones",
		"join", "bound", "leave", "bound", "return", "bound", "got back", "primaries")
	for _, partitions := range []int{271, 1024} {
		for _, n := range []int{3, 10, 50, 100} {
			for _, zones := range []int{1, 3, 5} {
				row(t, partitions, n, zones)
			}
		}
	}
}

func row(t *testing.T, partitions, n, zones int) {
	t.Helper()
	all := zoned(n+1, zones)
	few := slices.Delete(slices.Clone(all), n/2, n/2+1)
	step := func(from [][]string, to []placement.Node) (next [][]string, moves, bound int) {
		next = placement.Place(from, to, 3)
		moves, bound = placement.Moves(from, next), placement.LowerBound(from, to, 3)
		return next, moves, bound
	}
	start := placement.Place(make([][]string, partitions), all[:n], 3)
	joined, join, joinBound := step(start, all)
	left, leave, leaveBound := step(joined, few)
	returned, back, backBound := step(left, all)
	had, kept, changed := 0, 0, 0
	for p := range joined {
		if slices.Contains(joined[p], all[n/2].ID) {
			had++
			if slices.Contains(returned[p], all[n/2].ID) {
				kept++
			}
		}
		if joined[p][0] != start[p][0] {
			changed++
		}
	}
	t.Logf("%10d %6d %6d | %6d %6d | %6d %6d | %6d %6d %4d/%-4d | %4d/%-4d", partitions, n, zones,
		join, joinBound, leave, leaveBound, back, backBound, kept, had, changed, partitions/(n+1))
	if zones == 1 && (join*100 > joinBound*105 || leave*100 > leaveBound*105 || back*100 > backBound*105) {
		t.Errorf("%d partitions, %d nodes: more than 1.05 times the fewest moves", partitions, n)
	}
}
