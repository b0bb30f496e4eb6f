package placement_test

import (
	"fmt"
	"testing"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

func nodes(n int) []placement.Node {
	list := make([]placement.Node, n)
	for i := range list {
		list[i] = placement.Node{ID: fmt.Sprintf("node-%d", i+1)}
	}
	return list
}

func zoned(n, zones int) []placement.Node {
	list := nodes(n)
	for i := range list {
		list[i].Zone = fmt.Sprintf("zone-%d", i%zones)
	}
	return list
}

// BenchmarkPlace: one node joins or leaves 100 nodes, 1024 partitions, RF 3;
// and an assignment from nothing.
func BenchmarkPlace(b *testing.B) {
	for _, c := range []struct {
		name       string
		partitions int
		before     []placement.Node
		after      []placement.Node
	}{
		{"join", 1024, nodes(100), nodes(101)},
		{"leave", 1024, nodes(101), nodes(101)[1:]},
		{"nothing to do", 1024, nodes(100), nodes(100)},
		{"join, 5 zones", 1024, zoned(100, 5), zoned(101, 5)},
		{"leave, 5 zones", 1024, zoned(101, 5), zoned(101, 5)[1:]},
		{"join, 3 zones", 1024, zoned(99, 3), zoned(100, 3)},
		{"zones appear", 1024, nodes(100), zoned(100, 5)},
		{"from nothing", 1024, nil, nodes(100)},
		{"from nothing 4096", 4096, nil, nodes(100)},
		{"from nothing 4096, 5 zones", 4096, nil, zoned(100, 5)},
		{"3 to 100 nodes", 4096, nodes(3), nodes(100)},
		{"half fail", 4096, nodes(100), nodes(50)},
	} {
		b.Run(c.name, func(b *testing.B) {
			current := placement.Place(make([][]string, c.partitions), c.before, 3)
			b.ReportAllocs()
			for b.Loop() {
				placement.Place(current, c.after, 3)
			}
		})
	}
}
