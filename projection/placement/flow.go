package placement

import (
	"cmp"
	"slices"
)

// settle moves copies until every partition has all of its own and every node
// holds its share. In flow terms: first what is too much goes to those that
// have too little; what then is still too much goes to those that may have one
// more; what then is still too little comes from those that may have one less.
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
	a.ship(most, least)
	a.ship(most, most)
	a.ship(least, least)
}

// ship carries copies from the partitions that miss some and the nodes that
// hold more than give to the nodes that hold less than take, until nothing is
// left at one of the ends.
//
// It is exact because a path costs at least as much as those before it. No
// path is cheaper than one while all copies of orig that could come back for
// nothing are back; then every single step is a shortest path, and what single
// steps cannot do is left to the search.
func (a *assigner) ship(give, take []int32) {
	s := &a.search
	s.give, s.take, s.least = give, take, 1
	if a.dropped {
		s.least = 0
		for a.augment(true) {
		}
	}
	a.directMissing()
	a.directSurplus()
	for a.augment(false) {
	}
}

func (a *assigner) gives(i int32) bool { return a.load(i) > a.search.give[i] }
func (a *assigner) takes(i int32) bool { return a.load(i) < a.search.take[i] }

// directMissing gives missing copies to nodes that lack some.
func (a *assigner) directMissing() {
	left := a.missing[:0]
	for _, p := range a.missing {
		for a.lacks(int(p)) > 0 {
			i := a.bestFit(int(p), a.takes)
			if i < 0 {
				break
			}
			a.add(int(p), i)
		}
		if a.lacks(int(p)) > 0 {
			left = append(left, p)
		}
	}
	a.missing = left
}

// ranked is a partition in the order in which a node wants it.
type ranked struct {
	rank      uint64
	partition int32
}

// directSurplus moves copies from nodes with too many to nodes with too few,
// each of which takes the partitions that rank highest with it.
func (a *assigner) directSurplus() {
	surplus := slices.ContainsFunc(a.everyone, a.gives)
	for to := int32(0); surplus && to < int32(len(a.nodes)); to++ {
		if !a.takes(to) {
			continue
		}
		a.rankDonations(to)
		for _, o := range a.ordered {
			if !a.takes(to) {
				break
			}
			if from := a.donor(int(o.partition), to); from >= 0 {
				a.drop(int(o.partition), from)
				a.add(int(o.partition), to)
			}
		}
	}
}

// rankDonations lists the partitions that some node can give to node to.
func (a *assigner) rankDonations(to int32) {
	a.ordered = a.ordered[:0]
	consider := func(p int32) {
		if a.donor(int(p), to) >= 0 {
			a.ordered = append(a.ordered, ranked{a.rank(int(p), to), p})
		}
	}
	if a.wanted != nil {
		for _, p := range a.wanted[to] {
			consider(p)
		}
	} else {
		for p := range a.copies {
			consider(int32(p))
		}
	}
	slices.SortFunc(a.ordered, func(x, y ranked) int {
		return cmp.Or(cmp.Compare(y.rank, x.rank), cmp.Compare(x.partition, y.partition))
	})
}

// donor returns the node that gives its copy of p to node to, or -1: a
// secondary before the primary, which then need not change, then the node with
// the most to give, then the one with which p ranks lowest.
func (a *assigner) donor(p int, to int32) int32 {
	best := int32(-1)
	for _, i := range a.copies[p] {
		if !a.gives(i) || !a.fits(p, i, to) {
			continue
		}
		if best < 0 || cmp.Or(compareBool(a.isPrimary(p, best), a.isPrimary(p, i)),
			cmp.Compare(a.load(i)-a.search.give[i], a.load(best)-a.search.give[best]),
			cmp.Compare(a.rank(p, best), a.rank(p, i))) > 0 {
			best = i
		}
	}
	return best
}

// search finds a cheapest path by the Bellman-Ford method with a queue (Moore,
// 1957).
type search struct {
	give, take []int32 // who is at the ends
	least      int32   // no path is cheaper

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

// augment carries one copy along a cheapest path, if there is one. With free
// set it looks only for a path that moves nothing.
func (a *assigner) augment(free bool) bool {
	end, ok := a.find(free, false)
	if !ok && !free {
		// A cycle of negative cost: orig violated the zones and the flow is not
		// exactly the cheapest. Any path will do.
		end, _ = a.find(false, true)
	}
	if end < 0 {
		return false
	}
	if !free {
		a.search.least = max(a.search.least, a.search.cost[end])
	}
	path := a.path(end)
	if !a.walk(path) {
		if end, _ = a.find(false, true); end < 0 || free || !a.walk(a.path(end)) {
			return false
		}
	}
	a.missing = slices.DeleteFunc(a.missing, func(p int32) bool { return a.lacks(int(p)) <= 0 })
	return true
}

// find returns the end of a cheapest path, or -1. With uniform set every step
// costs one, and the path has the fewest steps. It is not ok when there is a
// cycle of negative cost.
func (a *assigner) find(free, uniform bool) (end int32, ok bool) {
	s, n := &a.search, int32(len(a.nodes))
	s.reset(n)
	stop := s.least
	if uniform {
		stop = 0
	}
	for i := range n {
		if a.gives(i) {
			s.cost[i] = 0
			s.push(i)
		}
	}
	for _, p := range a.missing {
		if end := a.relax(step{-1, -1, p}, 0, 0, free, uniform, stop); end >= 0 {
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
			if end := a.relax(step{from, -1, p}, s.cost[from], s.hops[from], free, uniform, stop); end >= 0 {
				return end, true
			}
		}
	}
	return s.cheapest(a), true
}

// relax tries all nodes as the end of a step. It returns a node when the
// search is over because no path can be cheaper than the one to it.
func (a *assigner) relax(by step, cost, hops int32, free, uniform bool, stop int32) int32 {
	s, p := &a.search, int(by.partition)
	back := !uniform && by.from >= 0 && !a.had(p, by.from)
	if back {
		cost-- // a new copy goes away again
	}
	if free {
		for _, to := range a.orig[p] {
			if cost < s.cost[to] && a.fits(p, by.from, to) {
				if s.reach(step{by.from, to, by.partition}, cost, hops+1); a.takes(to) && cost <= stop {
					return to
				}
			}
		}
		return -1
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

// path returns the steps to a node, in order. Where it passes through a
// partition twice it is cut short if it can be: the loop costs nothing.
func (a *assigner) path(end int32) []step {
	var path []step
	for at := end; at >= 0 && a.search.via[at].to >= 0 && len(path) <= len(a.nodes); at = path[len(path)-1].from {
		path = append(path, a.search.via[at])
	}
	slices.Reverse(path)
	for x := 0; x < len(path); x++ {
		for y := len(path) - 1; y > x; y-- {
			if path[x].partition == path[y].partition && a.fits(int(path[x].partition), path[x].from, path[y].to) {
				path[x].to = path[y].to
				path = slices.Delete(path, x+1, y+1)
				break
			}
		}
	}
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
