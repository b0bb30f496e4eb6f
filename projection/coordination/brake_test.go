package coordination_test

import (
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// TestBrake: of n members half may be lost within a minute, and no more.
func TestBrake(t *testing.T) {
	ids := []string{"a", "b", "c", "d", "e", "f"}
	for n, most := range map[int]int{2: 1, 3: 1, 4: 2, 5: 2, 6: 3} {
		for _, verdict := range []events.Type{events.NodeFailed, events.NodeRemoved} {
			s := newSim(t, 4, 2, coordination.Options{})
			for _, id := range ids[:n] {
				s.start(id, "", 1, id == "a")
			}
			s.run(1000)
			c := s.nodes["a"].coordination
			may := func(id string) bool {
				ok, again := c.MayLose(s.nodes["a"].state.Cluster(), id, s.now)
				if !ok && (again <= s.now || again > s.now+60_000) {
					t.Errorf("of %d: ask again at %d, and it is %d", n, again, s.now)
				}
				return ok
			}
			first := s.now
			for i := range most {
				id := ids[n-1-i]
				if !may(id) {
					t.Fatalf("of %d members %s, number %d to be lost, is held back", n, id, i+1)
				}
				s.nodes[id].running = false
				if verdict == events.NodeFailed {
					s.accuse("a", id, verdict)
				} else {
					s.order("a", id, verdict)
				}
				s.run(1000)
			}
			if may(ids[n-1-most]) {
				t.Errorf("of %d members %d may be lost within a minute by %s", n, most+1, verdict)
			}
			if !may(ids[n-1]) {
				t.Error("who is lost already may not be lost")
			}
			c.LiftBrake(s.now)
			if !may(ids[n-1-most]) {
				t.Error("the lifted brake holds")
			}
			s.run(first + 62_000 - s.now + int64(most)*1000)
			if verdict == events.NodeFailed && !may(ids[n-1-most]) {
				t.Errorf("of %d members none more may be lost a minute later", n)
			}
		}
	}
}
