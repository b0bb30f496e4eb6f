package coordination_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// TestForeseeComesTrue plans a change, lets it happen, and compares.
func TestForeseeComesTrue(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := newSim(t, 1+r.IntN(60), 1+r.IntN(4), coordination.Options{})
		for i := range 2 + r.IntN(7) {
			s.join(r, i, i == 0)
		}
		s.run(time.Minute.Milliseconds())
		before := s.view()
		id := fmt.Sprintf("n%d", 1+r.IntN(len(before.Nodes)-1)) // not the coordinator
		var change coordination.Change
		var happen func()
		switch r.IntN(5) {
		case 0:
			change.Join = []placement.Node{{ID: "new", Zone: "z1", Weight: 2}}
			happen = func() { s.start("new", "z1", 2, false) }
		case 1:
			change.Leave = []string{id}
			happen = func() { s.goodbye(id, "left") }
		case 2:
			change.Fail = []string{id}
			happen = func() { s.nodes[id].running = false; s.accuse("n0", id, events.NodeFailed) }
		case 3:
			change.Drain = []string{id}
			happen = func() { s.order("n0", id, events.NodeDrained) }
		case 4:
			weight := 1 + r.IntN(4)
			change.Weights = map[string]int{id: weight}
			happen = func() {
				s.nodes[id].weight = uint32(weight)
				s.speak(s.nodes[id], events.NodeUpdated, 0, "")
				s.settle()
			}
		}
		plan, err := coordination.Foresee(before, change)
		if err != nil {
			t.Fatal(err)
		}
		happen()
		s.run(3 * time.Minute.Milliseconds())
		want := lists(before)
		for _, a := range plan.Assignments {
			want[a.Partition] = a.Replicas
		}
		if diff := cmp.Diff(want, lists(s.view())); diff != "" {
			t.Fatalf("seed %d: %+v: (-planned +happened):\n%s", seed, change, diff)
		}
		if diff := cmp.Diff(plan.After, placement.Load(lists(s.view()))); diff != "" || plan.Moves < plan.LowerBound ||
			plan.Base != coordination.BaseOf(before) {
			t.Errorf("seed %d: %d moves, the bound is %d; load (-planned +happened):\n%s", seed, plan.Moves, plan.LowerBound, diff)
		}
	}
}

func TestForesee(t *testing.T) {
	s := newSim(t, 12, 2, coordination.Options{})
	for _, id := range []string{"a", "b", "c"} {
		s.start(id, "", 1, id == "a")
	}
	s.run(time.Minute.Milliseconds())
	for _, c := range []struct {
		name                   string
		change                 coordination.Change
		moves, bound, affected int
		err                    string
	}{
		{"nothing", coordination.Change{}, 0, 0, 0, ""},
		{"join", coordination.Change{Join: []placement.Node{{ID: "d"}}}, 6, 6, 6, ""},
		{"leave", coordination.Change{Leave: []string{"c"}}, 8, 8, 10, ""},
		{"more weight", coordination.Change{Weights: map[string]int{"a": 2}}, 4, 4, 7, ""},
		{"more copies", coordination.Change{Replication: 3}, 12, 12, 12, ""},
		{"fewer copies", coordination.Change{Replication: 1}, 0, 0, 12, ""},
		{"replaced", coordination.Change{Join: []placement.Node{{ID: "d"}}, Drain: []string{"b"}}, 8, 8, 8, ""},
		{"all but one", coordination.Change{Fail: []string{"b", "c"}}, 4, 4, 8, ""},
		{"unknown", coordination.Change{Fail: []string{"x"}}, 0, 0, 0, `coordination: plan: there is no node "x"`},
		{"unknown weight", coordination.Change{Weights: map[string]int{"x": 2}}, 0, 0, 0, `coordination: plan: there is no node "x"`},
		{"twice", coordination.Change{Join: []placement.Node{{ID: "a"}}}, 0, 0, 0, `coordination: plan: node "a" is there already`},
	} {
		plan, err := coordination.Foresee(s.view(), c.change)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: error %v, want %s", c.name, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if plan.Moves != c.moves || plan.LowerBound != c.bound || len(plan.Assignments) != c.affected {
			t.Errorf("%s: %d moves, bound %d, %d assignments; want %d, %d, %d", c.name,
				plan.Moves, plan.LowerBound, len(plan.Assignments), c.moves, c.bound, c.affected)
		}
	}
}
