package log

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/events"
)

// pair is a log and the copy that a peer has, in another order.
type pair struct {
	dir, peer string
	all       []events.Event // in the order of dir
}

func newPair(t testing.TB) *pair {
	t.Helper()
	r, peer := newRig(t, scratch(t), calm()), newRig(t, scratch(t), calm())
	a, b := newOrigin(1), newOrigin(2)
	p := &pair{dir: r.dir, peer: peer.dir}
	for i := range 120 {
		x, y := a.batch(t, 1+i%3, 20+i%60), b.batch(t, 1+i%2, 40)
		r.append(append(append([]events.Event{}, x...), y...)...)
		p.all = append(append(p.all, x...), y...)
		peer.append(y...)
		peer.append(x...)
	}
	r.close()
	peer.close()
	return p
}

// events returns how many events of each log there are, with the chains
// checked.
func checkChains(t testing.TB, all []events.Event) events.Vector {
	t.Helper()
	heads := make(map[events.LogID]events.Event)
	v := events.Vector{}
	for _, e := range all {
		if before, ok := heads[e.Log]; ok && e.Seq == before.Seq+1 && !e.Links(before.Chain) {
			t.Fatalf("event %s does not link to the one before", e.ID())
		} else if ok && e.Seq <= before.Seq {
			t.Fatalf("event %s after %s", e.ID(), before.ID())
		}
		heads[e.Log] = e
		v[e.Log]++
	}
	return v
}

// repaired repairs a copy of a directory and holds the result to what is
// promised.
func (p *pair) repaired(t testing.TB, dir string, peers ...string) (*Salvage, []events.Event) {
	t.Helper()
	before := tree(t, dir)
	out := filepath.Join(scratch(t), "out")
	s, err := Repair(dir, out, peers...)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range tree(t, dir) {
		if before[path] != b {
			t.Fatalf("Repair changed %s", path)
		}
	}
	if _, err := Verify(out); err != nil {
		t.Fatal(err)
	}
	records, err := readAll(t, out)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, records)
	got := eventsOf(t, records)
	checkChains(t, got)
	r := newRig(t, out, calm())
	r.append(newOrigin(9).batch(t, 2, 10)...)
	r.reopen()
	r.close()
	return s, got
}

func TestRepairWithAPeer(t *testing.T) {
	p := newPair(t)
	rnd := chance(t)
	want := checkChains(t, p.all)
	for i := range 24 {
		dir := copyDir(t, p.dir)
		files := segmentFiles(t, dir)
		for range 1 + rnd.IntN(3) {
			file := files[rnd.IntN(len(files))]
			b := readFile(t, file)
			at := rnd.IntN(len(b))
			switch i % 3 {
			case 0:
				b[at] ^= 1 << rnd.IntN(8)
			case 1:
				for j := at; j < min(at+500, len(b)); j++ {
					b[j] = byte(rnd.Uint32())
				}
			case 2:
				b = b[:at]
			}
			writeTo(t, file, b)
		}
		s, got := p.repaired(t, dir, p.peer)
		if v := checkChains(t, got); !v.Equal(want) || len(s.Lost) > 0 || len(s.Holes) == 0 {
			t.Fatalf("with the peer there are %v, want %v; %+v", v, want, s)
		}
		s, got = p.repaired(t, dir)
		lost := 0
		for _, span := range s.Lost {
			lost += int(span.To - span.From)
		}
		// What nothing behind a hole refers to is not known to be lost.
		if s.Filled != 0 || len(got)+lost > len(p.all) || s.Holes[len(s.Holes)-1].To != 0 && len(got)+lost < len(p.all)-20 {
			t.Fatalf("alone there are %d events and %d are lost, of %d; %+v", len(got), lost, len(p.all), s)
		}
	}
}

func TestRepairMissingSegments(t *testing.T) {
	p := newPair(t)
	want := checkChains(t, p.all)
	for i := range segmentFiles(t, p.dir) {
		dir := copyDir(t, p.dir)
		os.Remove(segmentFiles(t, dir)[i])
		s, got := p.repaired(t, dir, p.peer)
		if v := checkChains(t, got); !v.Equal(want) || len(s.Holes) != 1 {
			t.Fatalf("without segment %d there are %v, want %v; %+v", i+1, v, want, s)
		}
		if s.NoBase {
			t.Errorf("without segment %d: %+v", i+1, s)
		}
	}
}

func TestRepairOfASoundLog(t *testing.T) {
	p := newPair(t)
	s, got := p.repaired(t, p.dir, p.peer)
	if len(s.Holes)+len(s.Lost) > 0 || s.Filled > 0 || !sameEvents(p.all, got) || s.NewLog {
		t.Fatalf("%+v", s)
	}
	a, _ := ReadIdentity(p.dir)
	if _, err := Repair(p.dir, p.peer); err == nil {
		t.Error("it wrote over another directory")
	}
	out := filepath.Join(scratch(t), "out")
	if _, err := Repair(p.dir, out); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadIdentity(out); err != nil || a != b {
		t.Fatalf("%+v, want %+v (%v)", b, a, err)
	}
}

func TestRepairIdentity(t *testing.T) {
	p := newPair(t)
	dir := copyDir(t, p.dir)
	old, _ := ReadIdentity(dir)
	path := filepath.Join(dir, identityName)
	b := readFile(t, path)
	b[len(b)-5] ^= 1
	writeTo(t, path, b)
	out := filepath.Join(scratch(t), "out")
	s, err := Repair(dir, out)
	if err != nil || !s.NewLog {
		t.Fatalf("%+v, %v", s, err)
	}
	if id, err := ReadIdentity(out); err != nil || id.Log == old.Log || id.NodeID != old.NodeID {
		t.Fatalf("%+v, %v", id, err)
	}
	writeTo(t, path, []byte("{}"))
	var corrupt *CorruptError
	if _, err := Repair(dir, filepath.Join(scratch(t), "out")); !errors.As(err, &corrupt) {
		t.Fatal(err)
	}
}

// TestRepairTornTail has nothing to mend but what Open would cut off.
func TestRepairTornTail(t *testing.T) {
	h := newHistory(t, 2)
	file := lastSegment(t, h.crashed)
	dir := variant(t, h.crashed, file, func(b []byte) []byte { return b[:h.size-5] })
	p := &pair{}
	s, got := p.repaired(t, dir)
	if len(s.Holes) != 0 || len(got) != len(h.events())-len(h.batches[len(h.batches)-1]) {
		t.Fatalf("%d events, %+v", len(got), s)
	}
}

// TestRepairDamagedArchive reads what else there is.
func TestRepairDamagedArchive(t *testing.T) {
	o := calm()
	r := newRig(t, scratch(t), o)
	r.close()
	r.o.Retention.Archive = filepath.Join(r.dir, "archive")
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	r.grow(t, newOrigin(1), 6)
	r.Log.o.Retention.Bytes = 1
	if err := r.retain(time.Now()); err != nil {
		t.Fatal(err)
	}
	r.close()
	files, _ := filepath.Glob(filepath.Join(r.dir, "archive", "*.gz"))
	b := readFile(t, files[1])
	b[len(b)/2] ^= 0x55
	writeTo(t, files[1], b)
	if _, err := Verify(r.dir); err == nil {
		t.Fatal("Verify says nothing")
	}
	s, _ := (&pair{}).repaired(t, r.dir)
	if len(s.Holes) != 1 || s.Holes[0].Parts[0].File != files[1] {
		t.Fatalf("%+v", s)
	}
}

// TestRepairDirectory loses what lies beside the segments.
func TestRepairDirectory(t *testing.T) {
	p := newPair(t)
	for name, damage := range map[string]func(dir string){
		"MANIFEST changed": func(dir string) { writeTo(t, filepath.Join(dir, manifestName), []byte("clusterkit log 1\n")) },
		"MANIFEST missing": func(dir string) { os.Remove(filepath.Join(dir, manifestName)) },
		"CLEAN changed":    func(dir string) { writeTo(t, filepath.Join(dir, cleanName), []byte("{}")) },
		"a truncation":     func(dir string) { writeTo(t, filepath.Join(dir, walName, segmentName(1)+".START"), nil) },
		"no file":          func(dir string) { os.Mkdir(filepath.Join(dir, walName, segmentName(1<<40)), 0o750) },
		"a device":         func(dir string) { os.Symlink("/dev/null", filepath.Join(dir, walName, segmentName(1<<40))) },
		"checkpoint":       func(dir string) { writeTo(t, filepath.Join(dir, checkpointName), []byte("{")) },
	} {
		dir := copyDir(t, p.dir)
		damage(dir)
		s, got := p.repaired(t, dir)
		if len(s.Holes)+len(s.Lost) > 0 || s.Uncertain || s.NewLog || !sameEvents(p.all, got) {
			t.Errorf("%s: %d events, %+v", name, len(got), s)
		}
		if passed := name == "MANIFEST changed" || name == "a truncation" || name == "a device"; passed != (len(s.Passed) == 1) {
			t.Errorf("%s: passed %q", name, s.Passed)
		}
	}
}

func TestRepairRefuses(t *testing.T) {
	p := newPair(t)
	out := filepath.Join(scratch(t), "out")
	r := newRig(t, p.dir, calm())
	if _, err := Repair(p.dir, out); !errors.Is(err, ErrLocked) {
		t.Errorf("of a running node: %v", err)
	}
	r.close()
	if _, err := Repair(filepath.Join(p.dir, "nowhere"), out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	file := segmentFiles(t, p.dir)[1]
	spoil(t, file, func(b []byte) { b[100] ^= 1 }, func() {
		if _, err := Repair(p.dir, out, filepath.Join(p.dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("with a peer that is not there: %v", err)
		}
	})
	if ok, _ := exists(out); ok {
		t.Error("it left something behind")
	}
}

// TestRepairBehindTheLastSnapshot loses records that nothing names afterwards.
func TestRepairBehindTheLastSnapshot(t *testing.T) {
	own := newRig(t, scratch(t), calm())
	id := own.Identity().Log
	me, a, b := &origin{id: id, chain: events.Genesis(id)}, newOrigin(1), newOrigin(2)
	peer := newRig(t, scratch(t), calm())
	both := func(batch ...events.Event) {
		own.append(batch...)
		peer.append(batch...)
	}
	for own.Stats().Segments < 3 {
		both(me.event(t, 50), a.event(t, 50))
	}
	from := own.writer.size
	both(me.event(t, 60), a.event(t, 60))
	both(b.event(t, 10), b.event(t, 20)) // of which nothing remains
	to := own.writer.size
	both(a.event(t, 70))
	all := int(me.seq + a.seq + b.seq)
	c := newOrigin(3)
	peer.append(c.event(t, 10)) // which perhaps came here
	own.close()
	peer.close()
	file := lastSegment(t, own.dir)
	bad := readFile(t, file)
	clear(bad[from+20 : to])
	writeTo(t, file, bad)
	p := &pair{}

	s, got := p.repaired(t, own.dir)
	if len(got) != all-4 || !s.Uncertain || !s.NewLog || len(s.Lost) != 1 || s.Lost[0] != (Span{a.id, a.seq - 1, a.seq}) {
		t.Fatalf("alone: %d events of %d, %+v", len(got), all, s)
	}
	s, got = p.repaired(t, own.dir, peer.dir)
	if len(got) != all+1 || s.Filled != 5 || len(s.Lost) != 0 || !s.NewLog {
		t.Fatalf("with a peer: %d events of %d, %+v", len(got), all, s)
	}
	heads := events.Vector{}
	for _, e := range got {
		heads[e.Log] = max(heads[e.Log], e.Seq)
	}
	if want := (events.Vector{id: me.seq, a.id: a.seq, b.id: b.seq, c.id: 1}); !heads.Equal(want) {
		t.Fatalf("heads %v, want %v", heads, want)
	}
}

// TestRepairTakesOnlyWhatWasThere has a peer that knows more than the log did
// when it wrote the snapshot behind the hole: filling that in would put events
// before a state that does not have them.
func TestRepairTakesOnlyWhatWasThere(t *testing.T) {
	own, peer := newRig(t, scratch(t), calm()), newRig(t, scratch(t), calm())
	a, b := newOrigin(1), newOrigin(2)
	for own.Stats().Segments < 3 {
		batch := []events.Event{a.event(t, 100), b.event(t, 30)}
		own.append(batch...)
		peer.append(batch...)
	}
	peer.append(b.batch(t, 50, 30)...)
	own.close()
	peer.close()
	file := segmentFiles(t, own.dir)[1]
	bad := readFile(t, file)
	clear(bad[len(bad)-900:])
	writeTo(t, file, bad)
	s, got := (&pair{}).repaired(t, own.dir, peer.dir)
	if len(got) != int(a.seq+b.seq)-50 || len(s.Lost) > 0 || s.Uncertain || s.Filled == 0 {
		t.Fatalf("%d events, %+v", len(got), s)
	}
}

// TestRepairWithoutABase has lost the snapshot that stood for what was removed.
func TestRepairWithoutABase(t *testing.T) {
	r, peer := newRig(t, scratch(t), calm()), newRig(t, scratch(t), calm())
	a := newOrigin(1)
	for r.Stats().Segments < 6 {
		batch := a.batch(t, 2, 100)
		r.append(batch...)
		peer.append(batch...)
	}
	r.Log.o.Retention.Bytes = 1 << 10
	if err := r.retain(time.Now()); err != nil || r.First() == 1 {
		t.Fatalf("first %d, %v", r.First(), err)
	}
	first := r.First()
	r.close()
	peer.close()
	spoil(t, segmentFiles(t, r.dir)[0], func(b []byte) { b[30] ^= 1 }, func() {
		s, got := (&pair{}).repaired(t, r.dir, peer.dir)
		if !s.NoBase || s.Filled != 0 || len(s.Lost) != 0 || s.Uncertain || len(s.Holes) != 1 || s.Holes[0].From != first {
			t.Fatalf("%d events, %+v", len(got), s)
		}
	})
}

// TestRepairOfARepair finds nothing to do, though the first could not fill all.
func TestRepairOfARepair(t *testing.T) {
	p := newPair(t)
	dir := copyDir(t, p.dir)
	for _, file := range segmentFiles(t, dir) {
		b := readFile(t, file)
		clear(b[len(b)/3 : len(b)/2])
		writeTo(t, file, b)
	}
	out := filepath.Join(scratch(t), "out")
	if _, err := Repair(dir, out); err != nil {
		t.Fatal(err)
	}
	records, err := readAll(t, out)
	if err != nil {
		t.Fatal(err)
	}
	s, got := p.repaired(t, out, p.peer)
	if len(s.Holes)+len(s.Lost) > 0 || s.Filled > 0 || s.NewLog || !sameEvents(eventsOf(t, records), got) {
		t.Fatalf("%d events, %+v", len(got), s)
	}
}

// TestRepairKeepsWhatItCannotRead compares quarantine/ with the damaged files.
func TestRepairKeepsWhatItCannotRead(t *testing.T) {
	p := newPair(t)
	dir := copyDir(t, p.dir)
	files := segmentFiles(t, dir)
	for i, file := range files[1:4] { // one hole over three files
		b := readFile(t, file)
		if i == 0 {
			b = append(b[:len(b)-100], "not what was here"...)
		} else if i == 1 {
			b = []byte("nothing is left")
		} else {
			b[5] ^= 1
		}
		writeTo(t, file, b)
	}
	out := filepath.Join(scratch(t), "out")
	s, err := Repair(dir, out)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Holes) != 1 || len(s.Holes[0].Parts) != 3 {
		t.Fatalf("%+v", s)
	}
	for _, part := range s.Holes[0].Parts {
		want := readFile(t, part.File)[part.Offset:][:part.Bytes]
		if got := readFile(t, filepath.Join(out, quarantineName, part.Kept)); string(got) != string(want) {
			t.Fatalf("%+v: %d other bytes", part, len(got))
		}
	}
	var told Salvage
	if err := json.Unmarshal(readFile(t, filepath.Join(out, quarantineName, "salvage.json")), &told); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*s, told); diff != "" {
		t.Fatalf("salvage.json (-returned +written):\n%s", diff)
	}
}

// TestRepairMemory repairs much more than it may hold.
func TestRepairMemory(t *testing.T) {
	const most = 16 << 20
	o := calm()
	o.SegmentSize = 1 << 20
	r := newRig(t, scratch(t), o)
	a := newOrigin(1)
	for r.Stats().Bytes < 4*most {
		r.append(a.batch(t, 8, 16<<10)...)
	}
	r.close()
	peer := copyDir(t, r.dir)
	file := segmentFiles(t, r.dir)[5]
	b := readFile(t, file)
	clear(b[300_000:400_000])
	writeTo(t, file, b)
	b = nil

	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before, peak := stats.HeapAlloc, uint64(0)
	done := make(chan struct{})
	var s *Salvage
	go func() { // ends with the repair
		defer close(done)
		s, _ = Repair(r.dir, filepath.Join(scratch(t), "out"), peer)
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		runtime.GC() // what is garbage does not count, however busy the machine is
		runtime.ReadMemStats(&stats)
		peak = max(peak, stats.HeapAlloc)
		select {
		case <-done:
			running = false
		case <-tick.C:
		}
	}
	if s == nil || s.Filled == 0 || len(s.Lost) > 0 {
		t.Fatalf("%+v", s)
	}
	if peak > before+most {
		t.Errorf("%d bytes of memory for a log of %d and a hole of 100000", peak-before, 4*most)
	}
	t.Logf("%d bytes", peak-before)
}
