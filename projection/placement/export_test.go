package placement

// Limits returns, for the reference solution of the tests, how many copies of
// one partition each zone is to hold and whether the current assignment has to
// be trimmed before anything moves.
func Limits(current [][]string, nodes []Node, replication int) (zone func(node string) int, least, most []int, trimmed bool) {
	f := newField(nodes, len(current), replication)
	index := map[string]int{}
	for i := range f.nodes {
		index[f.nodes[i].ID] = int(f.zone[i])
	}
	for _, b := range f.zones {
		least, most = append(least, int(b.min)), append(most, int(b.max))
	}
	a := newAssigner(f, current)
	a.trim()
	return func(node string) int { return index[node] }, least, most, a.dropped
}

// Rank is the rendezvous hash of a partition and a node.
func Rank(node string, p int) uint64 {
	r := newRanker(node)
	return r.rank(p, lane(uint64(p)))
}
