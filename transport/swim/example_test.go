package swim_test

import (
	"fmt"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

// A node of two whose peer refuses connections: the caller carries out each
// action and reports what came of it.
func ExampleDetector() {
	d := swim.New(swim.Options{Self: "n1"})
	view := []swim.Member{
		{ID: "n1", Addr: "host1:8080", Incarnation: 1, Status: swim.Alive},
		{ID: "n2", Addr: "host2:8080", Incarnation: 4, Status: swim.Alive},
	}
	d.Update(0, view)
	for convicted := false; !convicted; {
		now := d.Next() // a real caller waits until then
		actions := d.Tick(now)
		for len(actions) > 0 {
			action := actions[0]
			actions = actions[1:]
			switch a := action.(type) {
			case swim.Probe:
				r := swim.Report{ID: a.ID, Outcome: swim.Missed, Detail: "connection refused"}
				actions = append(actions, d.Result(now, r)...)
			case swim.Suspect:
				fmt.Println("suspect", a.Target, "in incarnation", a.Incarnation, "-", a.Reason)
				view[1].Status = swim.Suspected // NodeSuspected is written and applied
				d.Update(now, view)
			case swim.Convict:
				fmt.Println("convict", a.Target, "-", a.Reason)
				convicted = true
			}
		}
	}
	// Output:
	// suspect n2 in incarnation 4 - connection refused
	// convict n2 - suspected for 4000 ms by n1 and did not refute
}

func ExampleDetector_Next() {
	d := swim.New(swim.Options{Self: "n1"})
	fmt.Println("alone:", d.Next() == swim.Never)
	d.Update(0, []swim.Member{{ID: "n2", Addr: "host2:8080", Incarnation: 1, Status: swim.Alive}})
	fmt.Println("with a peer:", d.Next() < 1000)
	// Output:
	// alone: true
	// with a peer: true
}
