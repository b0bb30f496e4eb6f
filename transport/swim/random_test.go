package swim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

// TestAnyCalls makes random calls and holds what must be true after each.
func TestAnyCalls(t *testing.T) {
	for seed := range uint64(300) {
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { anyCalls(t, seed) }) {
			return
		}
	}
}

// orderly are the statuses in the order in which one incarnation goes through
// them; only a new incarnation goes back.
var orderly = []swim.Status{swim.Alive, swim.Alive, swim.Alive, swim.Leaving, swim.Suspected, swim.Failed,
	swim.Left, swim.Removed, "odd"}

// witness holds the actions of a detector against what it was told.
type witness struct {
	t      *testing.T
	known  []swim.Member // the view
	open   []uint64      // a probe for each report that is due
	lastID uint64
	said   map[string]int
}

func anyCalls(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	view := manyMembers(1 + rnd.IntN(8))
	w := &witness{t: t, said: map[string]int{}}
	d := swim.New(swim.Options{Self: view[0].ID, Seed: seed})
	now := int64(0)
	for range 400 {
		now += rnd.Int64N(700)
		m := &view[rnd.IntN(len(view))]
		switch rnd.IntN(8) {
		case 0:
			next := rnd.IntN(len(orderly))
			if next < slices.Index(orderly, m.Status) {
				m.Incarnation++
			}
			m.Status = orderly[next]
			m.Incarnation += uint64(rnd.IntN(2))
			w.known = slices.Clone(view)
			d.Update(now, w.known)
		case 1:
			d.Accused(now, fmt.Sprintf("n%05d", rnd.IntN(12)), m.ID, m.Incarnation-uint64(rnd.IntN(2)))
		case 2:
			d.Doubt(now, m.ID)
		case 3:
			d.Refuted(now - int64(rnd.IntN(2000)))
		case 4, 5:
			if len(w.open) > 0 {
				i := rnd.IntN(len(w.open))
				id := w.open[i]
				w.open = slices.Delete(w.open, i, i+1)
				w.check(d.Result(now, swim.Report{ID: id, Outcome: swim.Outcome(rnd.IntN(3)), RTT: int64(rnd.IntN(400))}))
			}
		default:
			now = max(now, min(d.Next(), now+40_000))
			for range 200 {
				if w.check(d.Tick(now)); d.Next() > now {
					break
				}
			}
			if d.Next() <= now {
				t.Fatalf("at %d: Next stays %d however often Tick is called", now, d.Next())
			}
		}
		if h := d.Health(); h < 0 || h > 7 {
			t.Fatalf("health %d", h)
		}
	}
	for what, n := range w.said {
		if n > 1 {
			t.Errorf("%s: %d times", what, n)
		}
	}
}

func (w *witness) check(actions []swim.Action) {
	for _, a := range actions {
		var target string
		switch a := a.(type) {
		case swim.Probe:
			if a.ID <= w.lastID || a.Timeout <= 0 {
				w.t.Fatalf("%+v after probe %d", a, w.lastID)
			}
			w.lastID, target = a.ID, a.Target
			w.open = append(w.open, a.ID)
		case swim.Indirect:
			target = a.Target
			for _, v := range a.Via {
				w.open = append(w.open, a.ID)
				if v.ID == a.Target || v.ID == "n00000" {
					w.t.Fatalf("%+v", a)
				}
			}
		case swim.Suspect:
			target = a.Target
			w.said[fmt.Sprintf("suspect %s %d", a.Target, a.Incarnation)]++
		case swim.Convict:
			target = a.Target
			w.said[fmt.Sprintf("convict %s %d", a.Target, a.Incarnation)]++
		}
		i := slices.IndexFunc(w.known, func(m swim.Member) bool { return m.ID == target })
		if target == "n00000" || i < 0 || w.known[i].Status == swim.Left || w.known[i].Status == swim.Removed {
			w.t.Fatalf("%+v, the view is %v", a, w.known)
		}
	}
}
