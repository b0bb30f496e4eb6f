package placement

import (
	"cmp"
	"slices"
)

// assigner is an assignment of copies to nodes on its way to be right. Nodes
// are indexes into the field's.
type assigner struct {
	*field
	orig    [][]int32 // per partition: the copies it had, in order, each once
	copies  [][]int32 // per partition: the copies it has
	held    [][]int32 // per node: the partitions it has
	missing []int32   // partitions that may have too few copies, ascending
	dropped bool      // trim has taken copies away

	allowed [][]int32 // per partition: the nodes that may have it; nil for all
	wanted  [][]int32 // per node: the partitions it may have; nil for all

	everyone []int32  // all nodes
	ranks    []ranker // per node
	search   search
	offers   []offer // scratch of directSurplus
}

func newAssigner(f *field, current [][]string) *assigner {
	n := len(f.nodes)
	a := &assigner{field: f, orig: make([][]int32, len(current)), copies: make([][]int32, len(current)),
		held: make([][]int32, n), ranks: make([]ranker, n), everyone: make([]int32, n)}
	index := make(map[string]int32, n)
	for i := range f.nodes {
		index[f.nodes[i].ID] = int32(i)
		a.everyone[i] = int32(i)
		a.ranks[i] = newRanker(f.nodes[i].ID)
		a.held[i] = make([]int32, 0, f.shares[i].max+2)
	}
	total := 0
	for _, list := range current {
		total += len(list)
	}
	orig := make([]int32, 0, total)
	copies := make([]int32, 0, len(current)*f.replicas+total)
	for p, list := range current {
		begin := len(orig)
		for _, id := range list {
			if i, ok := index[id]; ok && !slices.Contains(orig[begin:], i) {
				orig = append(orig, i)
				a.held[i] = append(a.held[i], int32(p))
			}
		}
		a.orig[p] = orig[begin:len(orig):len(orig)]
		at := len(copies)
		copies = append(copies, a.orig[p]...)
		room := at + max(len(a.orig[p]), f.replicas)
		a.copies[p] = copies[at:len(copies):room]
		copies = copies[:room]
	}
	return a
}

func (a *assigner) load(i int32) int32            { return int32(len(a.held[i])) }
func (a *assigner) holds(p int, i int32) bool     { return slices.Contains(a.copies[p], i) }
func (a *assigner) had(p int, i int32) bool       { return slices.Contains(a.orig[p], i) }
func (a *assigner) lacks(p int) int               { return a.replicas - len(a.copies[p]) }
func (a *assigner) over(i int32) int32            { return a.load(i) - a.shares[i].max }
func (a *assigner) isPrimary(p int, i int32) bool { return len(a.orig[p]) > 0 && a.orig[p][0] == i }

// rank is the rendezvous hash of a partition and a node; the larger, the more
// the partition belongs there.
func (a *assigner) rank(p int, i int32) uint64 {
	return a.ranks[i].rank(p, lane(uint64(p)))
}

// candidates returns the nodes that may have p.
func (a *assigner) candidates(p int) []int32 {
	if a.allowed != nil {
		return a.allowed[p]
	}
	return a.everyone
}

func (a *assigner) add(p int, i int32) {
	a.copies[p] = append(a.copies[p], i)
	a.held[i] = append(a.held[i], int32(p))
}

func (a *assigner) drop(p int, i int32) {
	a.copies[p] = remove(a.copies[p], i)
	a.held[i] = remove(a.held[i], int32(p))
}

// remove takes v out of list, keeping the order of the others.
func remove(list []int32, v int32) []int32 {
	k := slices.Index(list, v)
	return slices.Delete(list, k, k+1)
}

// fits reports whether partition p may have a copy on node to, given that the
// copy on node from goes away; a negative from takes up a missing copy. The
// zones of the partition then stay, or can still become, what they must be.
func (a *assigner) fits(p int, from, to int32) bool {
	if a.holds(p, to) || a.allowed != nil && !slices.Contains(a.allowed[p], to) {
		return false
	}
	if len(a.zones) == 1 {
		return true
	}
	enter, leave, missing := a.zone[to], int32(-1), a.lacks(p)-1
	if from >= 0 {
		leave, missing = a.zone[from], missing+1
		if leave == enter {
			return true
		}
	}
	if a.inZone(p, enter) >= a.zones[enter].max {
		return false
	}
	for _, z := range a.must {
		short := int(a.zones[z].min - a.inZone(p, z))
		if z == enter {
			short--
		}
		if z == leave {
			short++
		}
		missing -= max(short, 0)
	}
	return missing >= 0
}

// inZone returns how many copies of p are in zone z.
func (a *assigner) inZone(p int, z int32) (n int32) {
	for _, i := range a.copies[p] {
		if a.zone[i] == z {
			n++
		}
	}
	return n
}

// trim takes away the copies that no assignment can keep: those beyond the
// number of copies, and those that leave no room for the zones.
func (a *assigner) trim() {
	for p := range a.copies {
		for {
			i := a.victim(p)
			if i < 0 {
				break
			}
			a.drop(p, i)
			a.dropped = true
		}
	}
}

// victim returns the copy of p that must go: of those that may, one on the
// node that has the most beyond its share, a secondary before the primary. It
// returns -1 when all can stay.
func (a *assigner) victim(p int) int32 {
	crowded, spare := false, a.lacks(p)
	for _, z := range a.must {
		spare -= int(max(a.zones[z].min-a.inZone(p, z), 0))
	}
	if len(a.zones) > 1 {
		for _, i := range a.copies[p] {
			crowded = crowded || a.inZone(p, a.zone[i]) > a.zones[a.zone[i]].max
		}
	}
	if !crowded && spare >= 0 {
		return -1
	}
	best := int32(-1)
	for _, i := range a.copies[p] {
		n, b := a.inZone(p, a.zone[i]), a.zones[a.zone[i]]
		if len(a.zones) > 1 && (crowded && n <= b.max || n <= b.min) {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(a.over(i), a.over(best)), -compareBool(a.isPrimary(p, i), a.isPrimary(p, best)),
			cmp.Compare(a.rank(p, best), a.rank(p, i))) > 0 {
			best = i
		}
	}
	return best
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// fill adds missing copies and moves nothing.
func (a *assigner) fill(current [][]string, replication int) {
	for _, least := range []bool{true, false} {
		for p := range a.copies {
			for len(a.copies[p])-len(a.orig[p])+len(current[p]) < replication {
				i := a.bestFit(p, func(i int32) bool {
					return a.load(i) < a.shares[i].max && (!least || a.load(i) < a.shares[i].min)
				})
				if i < 0 {
					break
				}
				a.add(p, i)
			}
		}
	}
	for p := range a.copies {
		for len(a.copies[p])-len(a.orig[p])+len(current[p]) < replication && len(a.copies[p]) < len(a.nodes) {
			a.add(p, a.leastLoaded(p))
		}
	}
}

// bestFit returns the node of the highest rank that may and can take a missing
// copy of p, or -1.
func (a *assigner) bestFit(p int, may func(i int32) bool) int32 {
	best, top := int32(-1), uint64(0)
	for _, i := range a.candidates(p) {
		if may(i) && a.fits(p, -1, i) {
			if r := a.rank(p, i); best < 0 || r > top {
				best, top = i, r
			}
		}
	}
	return best
}

// leastLoaded returns a node without a copy of p: one that fits before one that
// does not, then the one with the least load for its weight.
func (a *assigner) leastLoaded(p int) int32 {
	best, bestCrowd := int32(-1), int32(0)
	for i := range int32(len(a.nodes)) {
		if a.holds(p, i) {
			continue
		}
		crowd := a.inZone(p, a.zone[i])
		if best < 0 || cmp.Or(cmp.Compare(crowd, bestCrowd),
			cmp.Compare(int64(a.load(i))*int64(a.nodes[best].Weight), int64(a.load(best))*int64(a.nodes[i].Weight)),
			cmp.Compare(a.rank(p, best), a.rank(p, i))) < 0 {
			best, bestCrowd = i, crowd
		}
	}
	return best
}
