package placement

// primaries returns the primary of each partition. It is the same problem as
// placing one copy of each partition, on one of the nodes that hold it: the
// current one if it is still there, else the first that still is.
func (a *assigner) primaries() []int32 {
	f := &field{nodes: a.nodes, partitions: a.partitions, replicas: 1,
		zone: a.zone, zones: make([]bounds, 1), shares: a.leads}
	b := &assigner{field: f, orig: make([][]int32, len(a.copies)), copies: make([][]int32, len(a.copies)),
		held: make([][]int32, len(a.nodes)), allowed: a.copies, wanted: a.held, everyone: a.everyone, ranks: a.ranks}
	room := make([]int32, 2*len(a.copies))
	for p := range a.copies {
		b.orig[p], b.copies[p] = room[2*p:2*p:2*p+1], room[2*p+1:2*p+1:2*p+2]
		for _, i := range a.orig[p] {
			if a.holds(p, i) {
				b.orig[p] = append(b.orig[p], i)
				b.add(p, i)
				break
			}
		}
	}
	b.settle()
	for range a.copies { // each round raises the limits, so fewer are enough
		if !b.widen() {
			break
		}
		b.settle()
	}
	primary := make([]int32, len(a.copies))
	for p := range b.copies {
		primary[p] = b.copies[p][0]
	}
	return primary
}

// widen raises what nodes may hold by one if not everything found a place. The
// shares of primaries and the copies are rounded independently, so in rare
// cases they do not fit together.
func (a *assigner) widen() bool {
	short := len(a.missing) > 0
	for _, i := range a.everyone {
		short = short || a.over(i) > 0
	}
	if short {
		wider := make([]bounds, len(a.nodes))
		for i, b := range a.shares {
			wider[i] = bounds{b.min, b.max + 1}
		}
		a.shares = wider
	}
	return short
}
