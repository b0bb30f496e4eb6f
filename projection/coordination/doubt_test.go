package coordination_test

import (
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// TestVerdictOutOfTheBlue: who is suddenly said to have failed has a moment to
// refute it before anything is taken from it, partitions or the role; who was
// suspected for longer has had that moment.
func TestVerdictOutOfTheBlue(t *testing.T) {
	const delay = 1000
	for _, c := range []struct {
		name      string
		victim    string
		suspected int64 // for so long before
		refutes   bool
		wait      int64 // until something is done about it
	}{
		{"a holder", "c", 0, false, delay},
		{"a holder that refutes", "c", 0, true, 0},
		{"a holder that was suspected for a moment", "c", 400, false, delay - 400},
		{"a holder that was suspected for long", "c", 4000, false, 0},
		{"the coordinator", "a", 0, false, delay},
		{"the coordinator that refutes", "a", 0, true, 0},
		{"the coordinator that was suspected for long", "a", 4000, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSim(t, 8, 2, coordination.Options{RefuteDelay: delay * time.Millisecond})
			for _, id := range []string{"a", "b", "c", "d"} {
				s.start(id, "", 1, id == "a")
			}
			s.run(time.Minute.Milliseconds())
			victim := s.nodes[c.victim]
			term, written := s.view().Term, s.assignments
			acted := func() bool { return s.view().Term != term || s.assignments != written }
			victim.running = false
			if c.suspected > 0 {
				s.accuse("b", c.victim, events.NodeSuspected)
				s.run(c.suspected)
			}
			s.accuse("b", c.victim, events.NodeFailed)
			if c.wait > 0 || c.refutes {
				if s.run(max(c.wait, delay) - 1 - c.suspected); acted() {
					t.Fatalf("something was done before %d ms", c.wait)
				}
			}
			if c.refutes {
				victim.running = true
				s.speak(victim, events.NodeRecovered, 1, "refutes")
				s.settle()
			}
			if s.run(1); acted() == c.refutes {
				t.Errorf("after %d ms something was done: %v", c.wait, acted())
			}
			if s.run(500); acted() == c.refutes {
				t.Errorf("half a second later something was done: %v", acted())
			}
		})
	}
}
