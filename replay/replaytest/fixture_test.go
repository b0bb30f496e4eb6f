package replaytest_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestRun feeds a recorded history to a handler that keeps a copy of who owns
// what, and finds it equal to the cluster after each event.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "incident.bundle")
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.Incident(t, dir)
		h.Record(file, "n1", "n2", "n3")
		h.Close()
	})
	owner := make(map[int]string)
	steps := 0
	replaytest.Run(t, file, func(t *testing.T, s replaytest.Step) {
		steps++
		if p, err := s.Event.Payload(); err == nil && s.Outcome.Applied() {
			if a, ok := p.(*events.Assignment); ok {
				owner[int(a.Partition)] = a.Replicas[0]
			}
		}
		for _, p := range s.After.PartitionMap.Partitions {
			if owner[p.ID] != p.Primary {
				t.Errorf("partition %d belongs to %q, want %q", p.ID, owner[p.ID], p.Primary)
			}
		}
		if s.Event.Type == events.NodeFailed && (s.What == "" || s.Name == "") {
			t.Errorf("no words: %+v", s)
		}
	})
	if steps != 32 {
		t.Errorf("%d events, want 32", steps)
	}
}
