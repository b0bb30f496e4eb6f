package log

import (
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// TestRepairRefusesForgeries offers a peer whose events do not link.
func TestRepairRefusesForgeries(t *testing.T) {
	p := newPair(t)
	forged := newRig(t, scratch(t), calm())
	a, b := newOrigin(1), newOrigin(2)
	for range 300 { // other bodies, so other chains
		forged.append(a.event(t, 77), b.event(t, 3))
	}
	forged.close()
	dir := copyDir(t, p.dir)
	files := segmentFiles(t, dir)
	b2 := readFile(t, files[1])
	clear(b2[200:1200])
	writeTo(t, files[1], b2)
	s, _ := p.repaired(t, dir, forged.dir)
	if s.Filled != 0 || len(s.Lost) == 0 {
		t.Fatalf("it took forgeries: %+v", s)
	}
	s, got := p.repaired(t, dir, forged.dir, p.peer)
	if len(got) != len(p.all) || len(s.Lost) != 0 {
		t.Fatalf("%d events of %d: %+v", len(got), len(p.all), s)
	}
}

// TestRepairRefusesAChangedBody has a peer with one event whose chain is right
// and whose body is not, at each place of a hole.
func TestRepairRefusesAChangedBody(t *testing.T) {
	a := newOrigin(1)
	all := a.batch(t, 8, 40)
	for bad := range all {
		l := newLoss()
		l.holes = []Hole{{From: 2, To: 8}}
		forged := all[bad].Clone()
		forged.Body[0] ^= 1
		for i, e := range all[1:7] {
			if i+1 == bad {
				e = forged
			}
			l.found[e.ID()] = []events.Event{e}
		}
		g := l.meet(a.id)
		g.seq, g.chain, g.holes = 1, all[0].Chain, 0
		l.event(&all[7])
		l.settle()
		for _, e := range l.foundFor(0) {
			if int(e.Seq) == bad+1 && bad != 0 && bad != 7 {
				t.Errorf("event %d was taken, and is forged", e.Seq)
			}
		}
		if n := len(l.foundFor(0)); n < 5 || (bad == 0 || bad == 7) && n != 6 {
			t.Errorf("with event %d forged, %d of the others were taken", bad+1, n)
		}
	}
}
