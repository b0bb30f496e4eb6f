package clusterkit

import (
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// TestOrdersCannotUndoRemoval: no order to drain a node, or to drain it no longer,
// follows one to remove it, also when both are taken at once.
func TestOrdersCannotUndoRemoval(t *testing.T) {
	for _, committed := range []bool{true, false} {
		f := founded(t, 1, 3)
		r := f.replicas[0]
		n, _ := r.state.Cluster().Node(f.replicas[1].node)
		_, err := r.remove(f.now, n, "operator:x", events.ID{}, "test")
		f.must(err)
		if committed {
			f.settle(r)
		}
		for _, order := range []events.Type{events.NodeDrained, events.NodeUndrained} {
			if _, err := r.order(f.now, order, n.ID, "operator:x", "test"); err == nil {
				t.Errorf("removed (committed: %v) and then %s", committed, order)
			}
		}
		if f.settle(r); !selfRemoved(r.state.Cluster(), n.ID, n.Log) {
			t.Errorf("committed %v: it is not removed", committed)
		}
	}
}
