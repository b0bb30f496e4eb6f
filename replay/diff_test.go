package replay_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestDiffAccountsForEachRegister: between any two points of the logs of nodes
// that disagree, also about one log that forked, a diff speaks of every register
// that differs, and of no other.
func TestDiffAccountsForEachRegister(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 1))
	var sources []*replay.Source
	var lists []*naive
	for _, dir := range forkedPast(t, r) {
		s := open(t, dir)
		names, err := s.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		sources, lists = append(sources, s), append(lists, &naive{all(t, s), names})
	}
	differ := 0
	for range 200 {
		var states, folds [2]*projection.State
		var points [2]string
		for i := range states {
			k, axis := r.IntN(len(sources)), replay.Axis(r.IntN(3))
			points[i] = lists[k].randomPoint(r)
			p, _ := replay.Grammar{}.Point(points[i])
			m, err := sources[k].StateAt(context.Background(), p, axis)
			if err != nil {
				t.Fatal(err)
			}
			states[i], folds[i] = m.State, projection.NewState()
			for j := range lists[k].entries {
				if e := &lists[k].entries[j]; lists[k].covers(points[i], axis, e) {
					folds[i].Apply(&e.Event)
				}
			}
		}
		d := replay.Compare(states[0], states[1])
		want := unlike(folds[0], folds[1])
		differ += len(want)
		if d.Same != (len(want) == 0) {
			t.Fatalf("%q: same %v, and %v differ", points, d.Same, want)
		}
		checkAccount(t, d, want)
		a, inA := folds[0].Node("n3")
		b, inB := folds[1].Node("n3")
		for _, c := range d.Nodes {
			is := func(f replay.FieldChange) bool {
				return f.Field == "degraded" && f.From == a.Degraded && f.To == b.Degraded
			}
			if told := slices.ContainsFunc(c.Fields, is); c.ID == "n3" && inA && inB && told != (a.Degraded != b.Degraded) {
				t.Fatalf("%q: %q -> %q, and %+v", points, a.Degraded, b.Degraded, c)
			}
		}
	}
	if differ < 500 {
		t.Error(differ)
	}
}

// unlike returns the registers of which two states do not hold the same event, or
// not the same event of that name.
func unlike(a, b *projection.State) map[string]bool {
	list := make(map[string]bool)
	for _, pair := range [][2]*projection.State{{a, b}, {b, a}} {
		for register, e := range pair[0].Registers("") {
			if other, ok := pair[1].Register(register); !ok || other.ID() != e.ID() || other.Chain != e.Chain {
				list[register] = true
			}
		}
	}
	return list
}

func checkAccount(t *testing.T, d *replay.Diff, want map[string]bool) {
	t.Helper()
	told := make(map[string]bool)
	tell := func(registers ...string) {
		real := false
		for _, name := range registers {
			told[name], real = true, real || want[name]
		}
		if !real {
			t.Fatalf("none of %v differs in %v", registers, want)
		}
	}
	for _, c := range d.Nodes {
		tell(events.NodeRegister(c.ID), events.AccusationRegister(c.ID), events.AdminRegister(c.ID))
	}
	for _, c := range d.Partitions {
		tell(events.PartitionRegister(c.ID))
	}
	for _, c := range d.Registers {
		tell(c.Register)
	}
	for _, c := range d.Cluster {
		if c.Field == "coordinator" || c.Field == "term" {
			tell(events.CoordinatorRegister)
		} else {
			tell(events.ConfigRegister)
		}
	}
	for name := range want {
		if !told[name] {
			t.Fatalf("%s differs, and %+v does not say so", name, d)
		}
	}
}

// forkedPast writes a past of nodes that also claim, configure and update
// themselves, and of two that write one log, and returns their directories.
func forkedPast(t *testing.T, r *rand.Rand) (dirs []string) {
	t.Helper()
	dir := t.TempDir()
	ids := []string{"n1", "n2", "n3", "n4"}
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.Random(t, dir, r, 60)
		n3 := h.Node("n3")
		h.Twin(n3, "n4") // which has the log of n3, and goes on in it by itself
		for range 80 {
			n := h.Node(ids[r.IntN(len(ids))])
			switch r.IntN(7) {
			case 0:
				n.Claim("by chance")
			case 1:
				n.Configure(8, 1+r.IntN(3), events.ID{})
			case 2:
				n.Set("k"+strconv.Itoa(r.IntN(9)), n.ID)
			case 3:
				n.Assign(r.IntN(8), ids[:1+r.IntN(3)], "balance", "by chance", events.ID{})
			case 4:
				n.Accuse(events.NodeSuspected, ids[r.IntN(3)], events.ID{}, "no answer")
			case 5:
				sealDegraded(n, r)
			default:
				n.Sync(h.Node(ids[r.IntN(3)]))
			}
		}
		h.Close()
	})
	for _, id := range ids {
		dirs = append(dirs, filepath.Join(dir, id))
	}
	return dirs
}

// sealDegraded lets a node say how well it is.
func sealDegraded(n *replaytest.Node, r *rand.Rand) {
	e, ok := n.State.Register(events.NodeRegister("n3"))
	if !ok {
		return
	}
	p, err := e.Payload()
	if err != nil {
		panic(err)
	}
	record := *p.(*events.NodeRecord)
	record.Degraded = []string{"", "disk full"}[r.IntN(2)]
	n.Emit(events.Event{Type: events.NodeUpdated, Register: e.Register, Body: events.Encode(&record)})
}
