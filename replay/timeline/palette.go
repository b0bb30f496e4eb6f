package timeline

import (
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/replay"
)

// hues tell nodes apart, for readers with any of the common colour blindnesses
// too: the set of Okabe and Ito ("Color Universal Design", 2008) without black,
// which pictures need for other things. Beyond them the same hues come again,
// lighter and darker, and pages draw a pattern over them.
var hues = []uint32{0x0072b2, 0xe69f00, 0x009e73, 0xcc79a7, 0x56b4e9, 0xd55e00, 0xf0e442}

// hue returns the colour of the i-th node.
func hue(i int) uint32 {
	c := hues[i%len(hues)]
	switch i / len(hues) % 3 {
	case 1:
		return blend(c, 0xffffff, 45)
	case 2:
		return blend(c, 0x000000, 40)
	}
	return c
}

// blend mixes so many hundredths of b into a.
func blend(a, b uint32, percent uint32) uint32 {
	out := uint32(0)
	for shift := 0; shift < 24; shift += 8 {
		x, y := a>>shift&0xff, b>>shift&0xff
		out |= (x*(100-percent) + y*percent) / 100 << shift
	}
	return out
}

func hex(c uint32) string { return fmt.Sprintf("#%06x", c) }

// nodes returns all nodes of all views, whether members or merely owners,
// sorted. The place of a node here gives its colour.
func (t *Timeline) nodes() []string {
	set := make(map[string]bool)
	for _, v := range t.Views {
		for i := range v.Nodes {
			set[v.Nodes[i].ID] = true
		}
	}
	for id := range t.owners.at {
		for _, word := range t.owners.list(uint32(id))[1:] {
			set[t.words.list[word]] = true
		}
	}
	list := make([]string, 0, len(set))
	for id := range set {
		list = append(list, id)
	}
	slices.SortFunc(list, replay.CompareNames)
	return list
}
