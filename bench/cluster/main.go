// Command cluster measures clusterkit beside memberlist, serf and ckit: see the
// package measure for what, and the README in the folder above for figures.
//
//	go run .                                     everything; takes about an hour
//	go run . -nodes 10 -only clusterkit -runs 1  one row
package main

import "github.com/skshohagmiah/clusterkit/bench/measure"

func main() {
	measure.Main(
		measure.System{Name: "clusterkit", Start: startOurs},
		measure.System{Name: "memberlist", Start: startMemberlist},
		measure.System{Name: "serf", Start: startSerf},
		measure.System{Name: "ckit", Start: startCkit},
	)
}
