package replay_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestEndingIsTheFold: what is told of the end of a log without folding it is
// what the fold says.
func TestEndingIsTheFold(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 0))
	for range 6 {
		for _, dir := range randomPast(t, r, 20+r.IntN(300)) {
			s := open(t, dir)
			got, owners, ok := replay.EndingOf(s)
			want, err := s.StateAt(context.Background(), replay.Head(), replay.Natural)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			n := 0
			for range want.State.Registers("") {
				n++
			}
			if got != want.Mark || owners != n {
				t.Errorf("%+v with %d registers, want %+v with %d", got, owners, want.Mark, n)
			}
		}
	}
}

// TestSketchIsTheEvent: an event is read as the event that it is, and what looks
// like one of a later version is refused.
func TestSketchIsTheEvent(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 0))
	read, refused := 0, 0
	for _, dir := range randomPast(t, r, 200) {
		for entry, err := range open(t, dir).Entries(context.Background(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			for try := range 40 {
				b := slices.Clone(entry.Event.Raw())
				switch at := r.IntN(len(b) + 1); {
				case try == 0 || at == len(b):
				case try%4 == 0:
					b = b[:at]
				case try%4 == 1:
					b = slices.Insert(b, at, byte(r.Uint32()))
				default:
					b[at] ^= 1 << r.IntN(8)
				}
				stamp, register, chain, ok := replay.SketchOf(b)
				e, err := events.Decode(b)
				switch {
				case !ok && try > 0:
					refused++
				case err == nil && (!ok || stamp != e.Stamp() || register != e.Register || chain != e.Chain):
					t.Fatalf("%x is read as %v %v %q, is %v %q", b, ok, stamp, register, e.Stamp(), e.Register)
				case err == nil:
					read++
				}
			}
		}
	}
	if read < 1000 || refused < 1000 {
		t.Error(read, refused)
	}
}

// TestNoPlainEnding: what is not plain is folded.
func TestNoPlainEnding(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2, n3 := h.Node("n1"), h.Node("n2"), h.Node("n3")
		n1.Join("first")
		n2.TakeState(n1)
		n3.Sync(n1)
		n3.Emit(events.Event{Type: events.LogForked, Register: events.LogRegister(n1.Log), Body: events.Encode(&events.LogOwner{Node: "n1"})})
	})
	for name, want := range map[string]bool{"n1": true, "n2": false, "n3": false} {
		if _, _, ok := replay.EndingOf(open(t, path(name))); ok != want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

// segments returns the segment files of a data directory, oldest first.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "wal", "0*"))
	if slices.Sort(files); err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	return files
}

// TestConvergeVouchesForEnds: heads say that the same events came before, and
// nothing of whether they can still be read. A segment that is gone or has
// another size is noticed, wherever it is.
func TestConvergeVouchesForEnds(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		for range 200 {
			n1.Set("k", "v")
		}
		n2.Sync(n1)
	})
	converges := func(want replay.Verdict, damage int) {
		t.Helper()
		if c := converge(t, path("n2"), path("n1")); c.Verdict != want || len(c.Sides[1].Damage) != damage {
			t.Errorf("%+v", c)
		}
	}
	converges(replay.Equal, 0)
	files := segments(t, path("n1"))
	middle, last := files[len(files)/2], files[len(files)-1]
	whole, err := os.ReadFile(middle)
	if err != nil {
		t.Fatal(err)
	}
	write := func(file string, b []byte) {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	write(middle, flipped)
	converges(replay.Equal, 0)
	v, err := replay.Verify(context.Background(), open(t, path("n1")))
	if err != nil || v.Result != replay.Fail {
		t.Errorf("%+v %v", v, err)
	}
	write(middle, whole[:len(whole)-1])
	converges(replay.CannotCompare, 1)
	os.Remove(middle)
	converges(replay.CannotCompare, 1)
	write(middle, whole)
	converges(replay.Equal, 0)
	newest, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	newest[len(newest)/2] ^= 1
	write(last, newest)
	converges(replay.CannotCompare, 1)
}

// TestConvergeEqualHeadsOtherMiddle: somebody changed an event in the middle
// and went on as if it were the old one. The chain of that event is another
// one, those behind it were copied: only who reads it all can see it.
func TestConvergeEqualHeadsOtherMiddle(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		for range 100 {
			n1.Set("k", "v")
		}
		list := slices.Clone(n1.Events())
		forged := list[50]
		forged.Body = events.Encode(&events.Value{Key: "k", Value: []byte("forged")})
		forged, err := events.Seal(forged, list[49].Chain)
		if err != nil {
			panic(err)
		}
		list[50] = forged
		n2.Take(list...)
	})
	if c := converge(t, path("n1"), path("n2")); c.Verdict != replay.Equal {
		t.Errorf("%+v", c)
	}
	v, err := replay.Verify(context.Background(), open(t, path("n2")))
	if err != nil || v.Result != replay.Fail {
		t.Errorf("%+v %v", v, err)
	}
}

// TestSnapshotThatLies: the state that a segment begins with lacks a register.
// The heads say that the logs are equal, the states say that they are not.
func TestSnapshotThatLies(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		n1.Set("lost", "v")
		for range 40 {
			n1.Set("k", "v")
			time.Sleep(time.Second)
		}
		n2.Sync(n1)
		var heads []projection.LogHead
		for _, head := range n2.State.Heads() {
			heads = append(heads, projection.LogHead{Head: head, Time: n2.State.Time(head.Log)})
		}
		var owners []events.Event
		for name, e := range n2.State.Registers("") {
			if name != events.ValueRegister("lost") {
				owners = append(owners, e.Clone())
			}
		}
		lie, err := projection.Assemble(heads, owners)
		if err != nil {
			panic(err)
		}
		n2.State = lie
		for range 60 {
			n1.Set("k", "v")
			n2.Sync(n1)
		}
	})
	if c := converge(t, path("n1"), path("n2")); c.Verdict != replay.StateDiffers || c.State == nil {
		t.Errorf("%+v", c)
	}
	v, err := replay.Verify(context.Background(), open(t, path("n2")))
	if err != nil || v.Result != replay.Fail {
		t.Errorf("%+v %v", v, err)
	}
	if v, err := replay.Verify(context.Background(), open(t, path("n1"))); err != nil || v.Result != replay.Pass {
		t.Errorf("%+v %v", v, err)
	}
}
