package timeline_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/replay/replaytest"
	"github.com/skshohagmiah/clusterkit/replay/timeline"
)

// TestGoneStaysInTheLane: a node that is forgotten has the lane that it had, to
// the end as what it was by then; and one that returns goes on in it.
func TestGoneStaysInTheLane(t *testing.T) {
	for _, returns := range []bool{false, true} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			h := replaytest.Incident(t, dir)
			n1 := h.Node("n1")
			time.Sleep(24 * time.Hour)
			n1.Bury("n3")
			time.Sleep(time.Hour)
			n1.Set("k", "v")
			if back := h.Node("n30"); returns { // a new disk of a node of the old name
				back.ID = "n3"
				back.Sync(n1)
				back.Join("with a new disk")
				n1.Sync(back)
			}
			h.Close()
		})
		tl := build(t, timeline.Options{}, dir+"/n1")
		lanes := 0
		for i := range tl.Views[0].Nodes {
			n := &tl.Views[0].Nodes[i]
			if n.ID != "n3" {
				continue
			}
			lanes++
			var last timeline.Condition
			removed := false
			for c := range tl.Conditions(n) {
				last, removed = c, removed || c.Status == "removed"
			}
			want := map[bool]string{false: "removed", true: "alive"}[returns]
			if string(last.Status) != want || !removed || last.Until != tl.Until {
				t.Errorf("returns %v: it ends as %+v, at %d", returns, last, tl.Until)
			}
		}
		if lanes != 1 {
			t.Errorf("%d lanes of n3", lanes)
		}
	}
}
