package placement

import (
	"cmp"
	"slices"
)

// settle moves copies until every partition has all of its own and every node
// holds its share. In flow terms: first what is too much goes to those that
// have too little, as far as a single move does it; then whoever can spare a
// copy gives to those that still have too little; then what is still too much
// goes to those that may have one more.
func (a *assigner) settle() {
	least, most := make([]int32, len(a.nodes)), make([]int32, len(a.nodes))
	for i, b := range a.shares {
		least[i], most[i] = b.min, b.max
	}
	a.missing = a.missing[:0]
	for p := range a.copies {
		if a.lacks(p) > 0 {
			a.missing = append(a.missing, int32(p))
		}
	}
	a.ship(most, least, 1, 1)
	mixed := a.unsettled()
	a.ship(least, least, 1, unreached)
	if mixed {
		// Somebody may have given who need not have: taking that back can cost
		// nothing, or less.
		a.ship(most, most, -unreached, unreached)
	} else {
		a.ship(most, most, 1, unreached)
	}
}

// ship carries copies from the partitions that miss some and the nodes that
// hold more than give to the nodes that hold less than take, until nothing is
// left at one of the ends or a path costs more than most. No path costs less
// than least.
//
// It is exact because a path costs at least as much as those before it. When
// none costs less than one every single step is a shortest path, and only what
// single steps cannot do is left to the search.
func (a *assigner) ship(give, take []int32, least, most int32) {
	s := &a.search
	s.give, s.take, s.least, s.most = give, take, least, most
	if a.dropped {
		s.least = 0 // what trim took away comes back for nothing
	}
	if !a.unsettled() {
		return
	}
	if least > 0 {
		a.directMissing()
		a.directSurplus()
	}
	for a.unsettled() && a.augment() {
	}
}

// unsettled reports whether there is something to carry and somebody to take
// it.
func (a *assigner) unsettled() bool {
	return slices.ContainsFunc(a.everyone, a.takes) &&
		(len(a.missing) > 0 || slices.ContainsFunc(a.everyone, a.gives))
}

func (a *assigner) gives(i int32) bool { return a.load(i) > a.search.give[i] }
func (a *assigner) takes(i int32) bool { return a.load(i) < a.search.take[i] }

// wish is a node that a partition with a missing copy may go to: the first
// bits of the rank, inverted so that the highest comes first, then the
// partition, then the node.
type wish uint64

const (
	wishRank = 12 // bits
	wishNode = 26
)

func newWish(rank uint64, p, i int32) wish {
	return wish(^rank>>(64-wishRank)<<(64-wishRank) | uint64(p)<<wishNode | uint64(i))
}

func (w wish) partition() int { return int(w << wishRank >> (wishRank + wishNode)) }
func (w wish) node() int32    { return int32(w & (1<<wishNode - 1)) }

// directMissing gives missing copies to nodes that lack some, the pairs that
// rank highest first. From nothing that is the stable matching of partitions
// and nodes.
//
// Hardly any pair but those of the highest ranks comes to be, so they are looked
// at band by band of ranks. What does not fit now will not fit later, since
// copies are only added here; so a band more holds only what may still come.
func (a *assigner) directMissing() {
	var wishes, room []wish
	for low := uint64(0); len(a.missing) > 0 && low < 1<<wishRank; {
		takers := slices.DeleteFunc(slices.Clone(a.everyone), func(i int32) bool { return !a.takes(i) })
		if len(takers) == 0 {
			return
		}
		high := a.band(low, len(takers))
		wishes = a.wishes(wishes[:0], takers, low, high)
		wishes, room = byRank(wishes, room)
		for _, w := range wishes {
			if p, i := w.partition(), w.node(); a.lacks(p) > 0 && a.takes(i) && a.fits(p, -1, i) {
				a.add(p, i)
			}
		}
		a.missing = slices.DeleteFunc(a.missing, func(p int32) bool { return a.lacks(int(p)) <= 0 })
		low = high
	}
}

// band returns where the band of ranks ends that begins at low: each is larger
// than the one before, and one is enough when there is little to look at.
func (a *assigner) band(low uint64, takers int) uint64 {
	const (
		few = 1 << wishRank // pairs that are not worth a band of their own
		ply = 4             // times as many wishes in the first band as copies
	)
	if a.allowed != nil || len(a.missing)*takers <= few {
		return 1 << wishRank
	}
	if low > 0 {
		return min(2*low, 1<<wishRank)
	}
	return min(max(uint64(ply*a.replicas)<<wishRank/uint64(takers), 1), 1<<wishRank)
}

// wishes appends the pairs that can still come to be and rank within a band.
func (a *assigner) wishes(list []wish, takers []int32, low, high uint64) []wish {
	if a.allowed == nil {
		pairs := uint64(len(a.missing)) * uint64(len(takers)) * (high - low) >> wishRank
		list = slices.Grow(list, int(pairs+pairs/16))
	}
	for _, p := range a.missing {
		if a.allowed != nil {
			takers = a.allowed[p]
		}
		first := lane(uint64(p))
		for _, i := range takers {
			rank := a.ranks[i].rank(int(p), first)
			if at := ^rank >> (64 - wishRank); at < low || at >= high {
				continue
			}
			if (a.allowed == nil || a.takes(i)) && a.fits(int(p), -1, i) {
				list = append(list, newWish(rank, p, i))
			}
		}
	}
	return list
}

// byRank sorts wishes by the bits of their rank, a counting sort, because there
// may be as many as partitions times nodes. Of equal ranks it keeps the order,
// which is that of the partitions; only when there are few the nodes of one
// partition are in order too. It returns what is no longer in use as well.
func byRank(wishes, room []wish) (sorted, unused []wish) {
	if len(wishes) < 1<<wishRank/8 {
		slices.Sort(wishes)
		return wishes, room
	}
	var begin [1<<wishRank + 1]int
	for _, w := range wishes {
		begin[w>>(64-wishRank)+1]++
	}
	for k := 1; k < len(begin); k++ {
		begin[k] += begin[k-1]
	}
	sorted = slices.Grow(room[:0], len(wishes))[:len(wishes)]
	for _, w := range wishes {
		k := w >> (64 - wishRank)
		sorted[begin[k]] = w
		begin[k]++
	}
	if len(wishes) < 1<<wishRank {
		for k := 1; k < len(sorted); k++ {
			for j := k; j > 0 && sorted[j] < sorted[j-1]; j-- {
				sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
			}
		}
	}
	return sorted, wishes
}

// offer is a copy that node from can give to a node that takes.
type offer struct {
	gain      int64 // how much better the partition ranks with who takes
	partition int32
	from      int32
}

// directSurplus moves copies from nodes with too many to nodes with too few.
// Each of these takes what ranks highest with it compared to who has it: that
// is what it would have been given if it had always been there.
func (a *assigner) directSurplus() {
	surplus := slices.ContainsFunc(a.everyone, a.gives)
	for _, to := range a.everyone {
		if !surplus || !a.takes(to) {
			continue
		}
		for a.offersTo(to); a.takes(to) && len(a.offers) > 0; {
			o := a.nextOffer()
			if p := int(o.partition); a.gives(o.from) && a.fits(p, o.from, to) {
				a.drop(p, o.from)
				a.add(p, to)
			}
		}
	}
}

// offersTo lists what other nodes can give to node to, as a heap.
func (a *assigner) offersTo(to int32) {
	a.offers = a.offers[:0]
	consider := func(p int) {
		own := int64(-1)
		for _, from := range a.copies[p] {
			if a.gives(from) && a.fits(p, from, to) {
				if own < 0 {
					own = int64(a.rank(p, to) >> 1)
				}
				a.offers = append(a.offers, offer{own - int64(a.rank(p, from)>>1), int32(p), from})
			}
		}
	}
	if a.wanted != nil {
		for _, p := range a.wanted[to] {
			consider(int(p))
		}
	} else {
		for p := range a.copies {
			consider(p)
		}
	}
	for i := len(a.offers)/2 - 1; i >= 0; i-- {
		a.sink(i)
	}
}

// nextOffer takes the best of the offers.
func (a *assigner) nextOffer() offer {
	best, last := a.offers[0], len(a.offers)-1
	a.offers[0] = a.offers[last]
	a.offers = a.offers[:last]
	a.sink(0)
	return best
}

// sink restores the heap below i.
func (a *assigner) sink(i int) {
	h := a.offers
	for {
		best := 2*i + 1
		if best >= len(h) {
			return
		}
		if best+1 < len(h) && h[best+1].before(&h[best]) {
			best++
		}
		if !h[best].before(&h[i]) {
			return
		}
		h[i], h[best] = h[best], h[i]
		i = best
	}
}

func (o *offer) before(other *offer) bool {
	if o.gain != other.gain {
		return o.gain > other.gain
	}
	return cmp.Or(cmp.Compare(o.partition, other.partition), cmp.Compare(o.from, other.from)) < 0
}

// search finds a cheapest path by the Bellman-Ford method with a queue (Moore,
// 1957).
type search struct {
	give, take []int32 // who is at the ends
	least      int32   // no path is cheaper
	most       int32   // no path may cost more

	cost  []int32
	hops  []int32
	via   []step // how a node was reached
	queue []int32
	in    []bool
}

// step hands the copy of a partition from one node to another; a negative from
// takes up a missing copy.
type step struct{ from, to, partition int32 }

const unreached = int32(1 << 30)

// augment carries one copy along a cheapest path, if there is one.
func (a *assigner) augment() bool {
	end, ok := a.find(false)
	if ok && (end < 0 || a.search.cost[end] > a.search.most) {
		return false
	}
	if !ok || !a.walk(a.path(end)) {
		// There is a cycle of negative cost, or a path that passes through a
		// partition twice: orig violated the zones and the flow is not exactly
		// the cheapest. A path with the fewest steps is always good.
		if end, _ = a.find(true); end < 0 || !a.walk(a.path(end)) {
			return false
		}
	} else {
		a.search.least = max(a.search.least, a.search.cost[end])
	}
	a.missing = slices.DeleteFunc(a.missing, func(p int32) bool { return a.lacks(int(p)) <= 0 })
	return true
}

// find returns the end of a cheapest path, or -1. With uniform set every step
// costs one, and the path has the fewest steps. It is not ok when there is a
// cycle of negative cost.
func (a *assigner) find(uniform bool) (end int32, ok bool) {
	s, n := &a.search, int32(len(a.nodes))
	s.reset(n)
	stop := s.least
	if uniform {
		stop = 1
	}
	for i := range n {
		if a.gives(i) {
			s.cost[i] = 0
			s.push(i)
		}
	}
	for _, p := range a.missing {
		if end := a.relax(step{-1, -1, p}, 0, 0, uniform, stop); end >= 0 {
			return end, true
		}
	}
	for len(s.queue) > 0 {
		from := s.queue[0]
		s.queue = s.queue[1:]
		s.in[from] = false
		if s.hops[from] > n {
			return -1, false
		}
		for _, p := range a.held[from] {
			if end := a.relax(step{from, -1, p}, s.cost[from], s.hops[from], uniform, stop); end >= 0 {
				return end, true
			}
		}
	}
	return s.cheapest(a), true
}

// relax tries all nodes as the end of a step. It returns a node when the
// search is over because no path can be cheaper than the one to it.
func (a *assigner) relax(by step, cost, hops int32, uniform bool, stop int32) int32 {
	s, p := &a.search, int(by.partition)
	if !uniform && by.from >= 0 && !a.had(p, by.from) {
		cost-- // a new copy goes away again
	}
	for _, to := range a.candidates(p) {
		if cost >= s.cost[to] {
			continue
		}
		c := cost
		if uniform || !a.had(p, to) {
			c++
		}
		if c < s.cost[to] && a.fits(p, by.from, to) {
			if s.reach(step{by.from, to, by.partition}, c, hops+1); a.takes(to) && c <= stop {
				return to
			}
		}
	}
	return -1
}

func (s *search) reset(n int32) {
	if s.cost == nil {
		s.cost, s.hops = make([]int32, n), make([]int32, n)
		s.via, s.in = make([]step, n), make([]bool, n)
	}
	for i := range n {
		s.cost[i], s.hops[i], s.in[i], s.via[i] = unreached, 0, false, step{-1, -1, -1}
	}
	s.queue = s.queue[:0]
}

func (s *search) push(i int32) {
	if !s.in[i] {
		s.in[i] = true
		s.queue = append(s.queue, i)
	}
}

func (s *search) reach(by step, cost, hops int32) {
	s.cost[by.to], s.hops[by.to], s.via[by.to] = cost, hops, by
	s.push(by.to)
}

// cheapest returns the node that takes at the lowest cost, then after the
// fewest steps.
func (s *search) cheapest(a *assigner) int32 {
	best := int32(-1)
	for i := range int32(len(s.cost)) {
		if s.cost[i] < unreached && a.takes(i) && s.via[i].to >= 0 && (best < 0 ||
			cmp.Or(cmp.Compare(s.cost[i], s.cost[best]), cmp.Compare(s.hops[i], s.hops[best])) < 0) {
			best = i
		}
	}
	return best
}

// path returns the steps to a node, in order.
func (a *assigner) path(end int32) []step {
	var path []step
	for at := end; at >= 0 && a.search.via[at].to >= 0 && len(path) <= len(a.nodes); at = path[len(path)-1].from {
		path = append(path, a.search.via[at])
	}
	slices.Reverse(path)
	return path
}

// walk takes all steps of a path or none.
func (a *assigner) walk(path []step) bool {
	for k, s := range path {
		p := int(s.partition)
		if s.from < 0 && a.lacks(p) <= 0 || s.from >= 0 && !a.holds(p, s.from) || !a.fits(p, s.from, s.to) {
			for k--; k >= 0; k-- {
				a.drop(int(path[k].partition), path[k].to)
				if path[k].from >= 0 {
					a.add(int(path[k].partition), path[k].from)
				}
			}
			return false
		}
		if s.from >= 0 {
			a.drop(p, s.from)
		}
		a.add(p, s.to)
	}
	return true
}
