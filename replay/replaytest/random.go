package replaytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// Random makes up, in dir, a past of so many steps, in which nodes n1 to n3 do
// whatever comes to their minds and hear of each other sometimes at once and
// sometimes much later. Call it in a bubble of testing/synctest. The logs are
// left open.
func Random(t testing.TB, dir string, r *rand.Rand, steps int) *History {
	h := New(t, dir)
	ids := []string{"n1", "n2", "n3"}
	for i, id := range ids {
		n := h.Node(id)
		if i > 0 {
			n.Sync(h.Node("n1"))
		}
		n.Join("begins")
		time.Sleep(time.Millisecond)
	}
	claim := h.Node("n1").Claim("first")
	h.Node("n1").Configure(8, 2, claim.ID())
	h.SyncAll(ids...)
	for range steps {
		h.step(r, ids)
	}
	return h
}

func (h *History) step(r *rand.Rand, ids []string) {
	n := h.Node(ids[r.IntN(len(ids))])
	other := ids[r.IntN(len(ids))]
	switch r.IntN(10) {
	case 0:
		n.Accuse(events.NodeSuspected, other, events.ID{}, "no answer")
	case 1:
		n.Announce(events.NodeRecovered, events.ID{}, "refutes")
	case 2, 3, 4:
		owners := slices.Clone(ids)
		r.Shuffle(len(owners), func(i, j int) { owners[i], owners[j] = owners[j], owners[i] })
		n.Assign(r.IntN(8), owners[:1+r.IntN(2)], "balance", "by chance", n.held[r.IntN(len(n.held))].ID())
	case 5:
		n.Set("k"+strconv.Itoa(r.IntN(3)), fmt.Sprint(r.Uint32()))
	case 6:
		n.Emit(events.Event{Type: "app/ping", Actor: "app"})
	case 7, 8:
		n.Sync(h.Node(other))
	default:
		time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
	}
}
