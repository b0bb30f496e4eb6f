package placement_test

import (
	"fmt"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// A third node joins two: it gets its share, and nothing else moves.
func ExamplePlace() {
	two := []placement.Node{{ID: "a"}, {ID: "b"}}
	three := append(two, placement.Node{ID: "c"})

	before := placement.Place(make([][]string, 6), two, 2)
	after := placement.Place(before, three, 2)
	fmt.Println("moves", placement.Moves(before, after), "of at least", placement.LowerBound(before, three, 2))
	for _, l := range placement.Load(after) {
		fmt.Println(l.Node, l.Copies, "copies,", l.Primaries, "primaries")
	}
	// Output:
	// moves 4 of at least 4
	// a 4 copies, 2 primaries
	// b 4 copies, 2 primaries
	// c 4 copies, 2 primaries
}
