package placement

// Share is what a node is to hold. A node is balanced when it holds between
// the least and the most, which differ by at most one.
type Share struct {
	Node                       string
	MinCopies, MaxCopies       int
	MinPrimaries, MaxPrimaries int
}

// Shares returns what [Place] gives to each node, sorted by node.
//
// The share of a node is its weighted max-min fair part of all copies: shares
// are proportional to weights, except that no node has more than one copy of a
// partition, no zone more than one while there are at least as many zones as
// copies, and no zone less than one while there are more copies than zones.
// What these limits take from a node or zone, or give to it, is borne by the
// others in proportion to their weights.
func Shares(nodes []Node, partitions, replication int) []Share {
	f := newField(nodes, partitions, replication)
	shares := make([]Share, len(f.nodes))
	for i := range shares {
		shares[i] = Share{f.nodes[i].ID, int(f.shares[i].min), int(f.shares[i].max),
			int(f.leads[i].min), int(f.leads[i].max)}
	}
	return shares
}

// ratio returns the range of integers next to num/den.
func ratio(num, den int64) bounds {
	b := bounds{int32(num / den), int32(num / den)}
	if num%den != 0 {
		b.max++
	}
	return b
}

// share computes the bounds of nodes and zones.
func (f *field) share() {
	f.shares = make([]bounds, len(f.nodes))
	f.leads = make([]bounds, len(f.nodes))
	if len(f.nodes) == 0 {
		return
	}
	var sum int64
	for i := range f.nodes {
		sum += int64(f.nodes[i].Weight)
	}
	for i := range f.nodes {
		f.leads[i] = ratio(int64(f.partitions)*int64(f.nodes[i].Weight), sum)
	}
	if f.replicas <= len(f.zones) {
		f.shareManyZones()
	} else {
		f.shareFewZones()
	}
	for z := range f.zones {
		if f.zones[z].min > 0 && len(f.zones) > 1 {
			f.must = append(f.must, int32(z))
		}
	}
}

// shareManyZones divides the copies when each of a partition can be in a zone
// of its own: a zone holds at most one copy of each.
func (f *field) shareManyZones() {
	weight := f.zoneWeights()
	full := make([]bool, len(f.zones))
	rest, free := int64(f.replicas), int64(0) // copies per partition, weight
	for z := range weight {
		free += weight[z]
	}
	for again := true; again; {
		again = false
		// All that are full at this level are full at the higher level that
		// follows, so the order does not matter.
		r, w := rest, free
		for z := range weight {
			if !full[z] && weight[z]*r >= w {
				full[z], again = true, true
				rest--
				free -= weight[z]
			}
		}
	}
	p := int64(f.partitions)
	for z := range f.zones {
		f.zones[z] = bounds{0, 1}
		if full[z] {
			f.zones[z].min = 1
		}
	}
	for i := range f.nodes {
		w := int64(f.nodes[i].Weight)
		if z := f.zone[i]; full[z] {
			f.shares[i] = ratio(p*w, weight[z])
		} else {
			f.shares[i] = ratio(p*rest*w, free)
		}
	}
}

// shareFewZones divides the copies when there are more of each partition than
// zones: a zone holds at least one copy of each, a node at most one.
func (f *field) shareFewZones() {
	p := int64(f.partitions)
	weight := f.zoneWeights()
	low := make([]bool, len(f.zones)) // zones that are raised to one copy
	rest := int64(f.replicas)         // copies per partition for the other zones
	for {
		l := f.level(low, rest)
		raised := false
		for z := range f.zones {
			// Raising a zone lowers the level for the others, so whoever is
			// too low now stays so.
			if !low[z] && l.full[z] == 0 && l.rest*l.weight[z] < l.free {
				low[z], raised = true, true
				rest--
			}
		}
		if raised {
			continue
		}
		for z := range f.zones {
			if f.zones[z] = (bounds{1, 1}); !low[z] {
				f.zones[z] = l.zone(z)
			}
		}
		for i := range f.nodes {
			w := int64(f.nodes[i].Weight)
			switch z := f.zone[i]; {
			case low[z]:
				f.shares[i] = ratio(p*w, weight[z])
			case l.capped[i]:
				f.shares[i] = ratio(p, 1)
			default:
				f.shares[i] = ratio(p*l.rest*w, l.free)
			}
		}
		return
	}
}

// level is how copies are divided over the nodes of some zones: those with too
// much weight are capped at one copy of each partition, the others share the
// rest by weight.
type level struct {
	capped []bool
	full   []int64 // per zone: capped nodes
	weight []int64 // per zone: weight of the others
	rest   int64   // copies per partition for the others
	free   int64   // weight of all the others
}

func (f *field) level(except []bool, copies int64) level {
	l := level{capped: make([]bool, len(f.nodes)), full: make([]int64, len(f.zones)),
		weight: make([]int64, len(f.zones)), rest: copies}
	for i := range f.nodes {
		if z := f.zone[i]; !except[z] {
			l.weight[z] += int64(f.nodes[i].Weight)
			l.free += int64(f.nodes[i].Weight)
		}
	}
	for again := true; again; {
		again = false
		r, w := l.rest, l.free
		for i := range f.nodes {
			z, weight := f.zone[i], int64(f.nodes[i].Weight)
			if !except[z] && !l.capped[i] && weight*r >= w {
				l.capped[i], again = true, true
				l.full[z]++
				l.weight[z] -= weight
				l.free -= weight
				l.rest--
			}
		}
	}
	return l
}

// zone returns how many copies of one partition a zone holds.
func (l *level) zone(z int) bounds {
	b := bounds{int32(l.full[z]), int32(l.full[z])}
	if l.free > 0 {
		more := ratio(l.rest*l.weight[z], l.free)
		b.min, b.max = b.min+more.min, b.max+more.max
	}
	return b
}

func (f *field) zoneWeights() []int64 {
	weight := make([]int64, len(f.zones))
	for i := range f.nodes {
		weight[f.zone[i]] += int64(f.nodes[i].Weight)
	}
	return weight
}
