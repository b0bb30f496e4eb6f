package coordination_test

import (
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// TestOutagesAreNotAddedUp lets a node fail, return and fail again, so quickly
// that nobody sees it alive in between: its copies are awaited anew.
func TestOutagesAreNotAddedUp(t *testing.T) {
	s := newSim(t, 8, 2, coordination.Options{})
	for _, id := range []string{"a", "b", "c", "d"} {
		s.start(id, "", 1, id == "a")
	}
	s.run(time.Minute.Milliseconds())
	b := s.nodes["b"]
	b.running = false
	s.accuse("a", "b", events.NodeFailed)
	s.run(50_000)
	written := s.assignments

	b.running = true
	s.speak(b, events.NodeJoined, 1, "started")
	b.running = false
	s.accuse("a", "b", events.NodeFailed)
	s.run(59_999)
	if s.assignments != written {
		t.Errorf("%d assignments before the second outage lasted for RebalanceDelay", s.assignments-written)
	}
	s.run(1)
	if s.assignments == written {
		t.Error("nothing is replaced after RebalanceDelay")
	}
}

// TestOptions checks what zero and negative options mean.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  coordination.Options
		wait time.Duration // from the failure to the replacement
	}{
		{"default", coordination.Options{}, time.Minute},
		{"given", coordination.Options{RebalanceDelay: 3 * time.Second}, 3 * time.Second},
		{"rounded up", coordination.Options{RebalanceDelay: time.Nanosecond}, time.Millisecond},
		{"none", coordination.Options{RebalanceDelay: -1}, 0},
	} {
		s := newSim(t, 8, 2, c.opt)
		for _, id := range []string{"a", "b", "c"} {
			s.start(id, "", 1, id == "a")
		}
		s.run(time.Minute.Milliseconds())
		s.nodes["b"].running = false
		s.accuse("a", "b", events.NodeFailed)
		held := func() (n int) {
			for _, list := range lists(s.view()) {
				for _, id := range list {
					if id == "b" {
						n++
					}
				}
			}
			return n
		}
		if c.wait > 0 {
			if s.run(c.wait.Milliseconds() - 1); held() == 0 {
				t.Errorf("%s: replaced before %v", c.name, c.wait)
			}
			s.run(1)
		}
		if n := held(); n != 0 {
			t.Errorf("%s: %d copies are not replaced after %v", c.name, n, c.wait)
		}
	}
}
