package log

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// calmDisk does everything but wait for the disk, for tests that open thousands
// of directories and pull no plug.
type calmDisk struct{ osDisk }

type calmFile struct{ file }

func (calmFile) sync() error          { return nil }
func (calmDisk) syncDir(string) error { return nil }
func (d calmDisk) create(path string) (file, error) {
	f, err := d.osDisk.create(path)
	return calmFile{f}, err
}
func (d calmDisk) edit(path string) (file, error) {
	f, err := d.osDisk.edit(path)
	return calmFile{f}, err
}

func calm() Options {
	o := options()
	o.disk = calmDisk{}
	return o
}

// history is a log with a few segments, and which events each batch had.
type history struct {
	crashed string // as kill -9 leaves it
	closed  string // as Close leaves it
	batches [][]events.Event
	last    int64 // offset of the last batch in the newest segment
	size    int64 // and of its end
}

func newHistory(t testing.TB, segments int) *history {
	t.Helper()
	r := newRig(t, scratch(t), calm())
	a, b := newOrigin(1), newOrigin(2)
	h := new(history)
	for i := 0; r.Stats().Segments < segments || r.writer.size < 3000; i++ {
		h.last = r.writer.size
		batch := append(a.batch(t, 1+i%3, 20+i%50), b.event(t, 10))
		h.batches = append(h.batches, batch)
		r.append(batch...)
		h.size = r.writer.size
	}
	h.crashed = copyDir(t, r.dir)
	r.close()
	h.closed = copyDir(t, r.dir)
	return h
}

func (h *history) events() []events.Event {
	var all []events.Event
	for _, b := range h.batches {
		all = append(all, b...)
	}
	return all
}

// recovers opens a directory in which the log must be what the first n batches
// made it, and must go on to work.
func (h *history) recovers(t testing.TB, dir string, n int) {
	t.Helper()
	r := &rig{t: t, dir: dir, o: calm()}
	if err := r.open(); err != nil {
		t.Fatalf("open: %v", err)
	}
	defer r.Close()
	h.holds(t, r, n)
	r.append(newOrigin(9).batch(t, 2, 30)...)
	want := *r.state
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.open(); err != nil {
		t.Fatalf("open again: %v", err)
	}
	if r.state.count != want.count {
		t.Fatalf("after an append and a reopen there are %d events, want %d", r.state.count, want.count)
	}
}

// holds checks that the log is what the first n batches made it.
func (h *history) holds(t testing.TB, r *rig, n int) {
	t.Helper()
	records, err := readAll(t, r.dir)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, records)
	var want []events.Event
	for _, b := range h.batches[:n] {
		want = append(want, b...)
	}
	if got := eventsOf(t, records); !sameEvents(want, got) {
		t.Fatalf("%d events, want the first %d", len(got), len(want))
	}
	m := newModel()
	m.apply(want...)
	if r.state.count != m.count || !r.state.heads.Equal(m.heads) {
		t.Fatalf("state %v, want %v", r.state, m)
	}
}

// refuses opens a damaged directory, which must be refused and left as it is.
func refuses(t testing.TB, dir string) *CorruptError {
	t.Helper()
	before := tree(t, dir)
	l, err := Open(dir, calm())
	if err == nil {
		l.Close()
		t.Fatal("it was opened")
	}
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) {
		t.Fatalf("error %v", err)
	}
	after := tree(t, dir)
	delete(after, filepath.Join(dir, lockName))
	delete(before, filepath.Join(dir, lockName))
	if len(before) != len(after) {
		t.Fatalf("it changed: %d files, before %d", len(after), len(before))
	}
	for path, b := range before {
		if after[path] != b {
			t.Fatalf("%s was changed", path)
		}
	}
	return corrupt
}

// variant returns a copy of a directory in which one file was changed.
func variant(t testing.TB, dir, file string, change func([]byte) []byte) string {
	t.Helper()
	to := copyDir(t, dir)
	path := filepath.Join(to, walName, filepath.Base(file))
	writeTo(t, path, change(bytes.Clone(readFile(t, path))))
	return to
}

func TestUntouchedImages(t *testing.T) {
	h := newHistory(t, 3)
	h.recovers(t, copyDir(t, h.crashed), len(h.batches))
	h.recovers(t, copyDir(t, h.closed), len(h.batches))
}

// TestTornTail cuts the newest segment at every byte of its last batch.
func TestTornTail(t *testing.T) {
	h := newHistory(t, 2)
	file := lastSegment(t, h.crashed)
	for size := h.last; size <= h.size; size++ {
		cut := variant(t, h.crashed, file, func(b []byte) []byte { return b[:size] })
		n := len(h.batches) - 1
		if size == h.size {
			n++
		}
		h.recovers(t, cut, n)
		kept, _ := filepath.Glob(filepath.Join(cut, quarantineName, "*"))
		if torn := size > h.last && size < h.size; torn != (len(kept) == 1) {
			t.Fatalf("cut at %d of %d..%d: quarantine has %v", size, h.last, h.size, kept)
		} else if torn {
			if want := trimZeros(readFile(t, file)[h.last:size]); !bytes.Equal(readFile(t, kept[0]), want) {
				t.Fatalf("cut at %d: quarantine keeps other bytes", size)
			}
		}
	}
	// What Close saw is not there any more: that was no crash.
	for size := int64(0); size < h.size; size += 7 {
		refuses(t, variant(t, h.closed, file, func(b []byte) []byte { return b[:size] }))
	}
}

// TestTornInTheFirstBatch cuts the newest segment where it has nothing else.
func TestTornInTheFirstBatch(t *testing.T) {
	r := newRig(t, scratch(t), calm())
	h := new(history)
	a := newOrigin(1)
	for r.Stats().Segments < 3 {
		h.batches = append(h.batches, a.batch(t, 2, 100))
		r.append(h.batches[len(h.batches)-1]...)
	}
	size := r.writer.size
	dir := copyDir(t, r.dir)
	file := lastSegment(t, dir)
	for cut := int64(0); cut < size; cut += 3 {
		h.recovers(t, variant(t, dir, file, func(b []byte) []byte { return b[:cut] }), len(h.batches)-1)
		zeroed := variant(t, dir, file, func(b []byte) []byte { clear(b[cut:]); return b })
		if cut < size-4 {
			h.recovers(t, zeroed, len(h.batches)-1)
		}
	}
}

// TestZeroTail zeroes the end, as a crash leaves what it did not write.
func TestZeroTail(t *testing.T) {
	h := newHistory(t, 2)
	file := lastSegment(t, h.crashed)
	for from := h.last; from <= h.size; from++ {
		dir := variant(t, h.crashed, file, func(b []byte) []byte { clear(b[from:]); return b })
		switch {
		case from == h.size:
			h.recovers(t, dir, len(h.batches))
		case from <= h.size-4:
			h.recovers(t, dir, len(h.batches)-1)
		default: // hardly to be told from a change
			if l, err := Open(dir, calm()); err == nil {
				l.Close()
			}
		}
		if from < h.size {
			refuses(t, variant(t, h.closed, file, func(b []byte) []byte { clear(b[from:]); return b }))
		}
	}
	// Any number of zeros behind the end is room and nothing else.
	for _, n := range []int{1, 15, 16, 511, 4096, 100_000} {
		h.recovers(t, variant(t, h.crashed, file, func(b []byte) []byte { return append(b[:h.size], make([]byte, n)...) }), len(h.batches))
		h.recovers(t, variant(t, h.closed, file, func(b []byte) []byte { return append(b, make([]byte, n)...) }), len(h.batches))
	}
}

// TestGarbageTail puts random bytes behind the end.
func TestGarbageTail(t *testing.T) {
	h := newHistory(t, 2)
	rnd := chance(t)
	file := lastSegment(t, h.crashed)
	for i := range 200 {
		garbage := make([]byte, 1+rnd.IntN(1<<(i%12)))
		for j := range garbage {
			garbage[j] = byte(rnd.Uint32())
		}
		from := h.crashed
		if i%2 == 0 {
			from = h.closed
		}
		h.recovers(t, variant(t, from, file, func(b []byte) []byte { return append(b[:h.size], garbage...) }), len(h.batches))
	}
}

// TestOldBytesBehindTheEnd lets the end be followed by records of this log from
// elsewhere, as a disk may that gives back what a file once held.
func TestOldBytesBehindTheEnd(t *testing.T) {
	h := newHistory(t, 3)
	files := segmentFiles(t, h.crashed)
	old := readFile(t, files[0])
	for _, from := range []int{0, 100, 1000} {
		h.recovers(t, variant(t, h.crashed, files[len(files)-1], func(b []byte) []byte { return append(b[:h.size], old[from:]...) }), len(h.batches))
	}
}

// spoil changes a file in place, lets check look at the directory, and puts the
// file right again.
func spoil(t testing.TB, file string, change func([]byte), check func()) {
	t.Helper()
	good := readFile(t, file)
	bad := bytes.Clone(good)
	change(bad)
	writeTo(t, file, bad)
	check()
	writeTo(t, file, good)
}

// TestFlips flips bits everywhere. Nothing acknowledged may be lost by it, and
// nothing wrong may be read.
func TestFlips(t *testing.T) {
	h := newHistory(t, 2)
	all := h.events()
	for _, dir := range []string{h.crashed, h.closed} {
		files := segmentFiles(t, dir)
		for i, file := range files {
			size, newest := int64(len(readFile(t, file))), i == len(files)-1
			if newest {
				size = h.size
			}
			for at := int64(0); at < size; at += 5 {
				spoil(t, file, func(b []byte) { b[at] ^= 1 << (at % 8) }, func() {
					if newest {
						if e := refuses(t, dir); e.Offset > at || e.File != file {
							t.Fatalf("flip at %d: %v", at, e)
						}
					}
					records, err := readAll(t, dir)
					var corrupt *CorruptError
					if !errors.As(err, &corrupt) && !(newest && dir == h.crashed && at >= h.last) {
						t.Fatalf("%s: flip at %d of %d: the reader says %v", filepath.Base(file), at, size, err)
					}
					got := eventsOf(t, records)
					if !sameEvents(all[:len(got)], got) {
						t.Fatalf("flip at %d: a wrong event", at)
					}
				})
			}
		}
	}
}

// TestEveryBitOfTheLastBatch is the hardest case: only the last batch has no
// later record that proves it.
func TestEveryBitOfTheLastBatch(t *testing.T) {
	h := newHistory(t, 1)
	file := lastSegment(t, h.crashed)
	for bit := h.last * 8; bit < h.size*8; bit++ {
		spoil(t, file, func(b []byte) { b[bit/8] ^= 1 << (bit % 8) }, func() {
			var e *CorruptError
			if _, err := surveySegment(file, 1, 0); !errors.As(err, &e) || e.Offset > bit/8 {
				t.Fatalf("bit %d: %v", bit, err)
			}
			if bit%16 == 0 {
				refuses(t, h.crashed)
			}
		})
	}
}

func TestOverwrittenBytes(t *testing.T) {
	h := newHistory(t, 2)
	rnd := chance(t)
	file := lastSegment(t, h.crashed)
	for range 200 {
		n := 1 + rnd.Int64N(64)
		at := rnd.Int64N(h.last - n)
		spoil(t, file, func(b []byte) {
			for i := range n {
				b[at+i] ^= byte(1 + rnd.UintN(255))
			}
		}, func() { refuses(t, h.crashed) })
	}
}

func TestMissingSegments(t *testing.T) {
	h := newHistory(t, 5)
	n := len(segmentFiles(t, h.crashed))
	for i := range n {
		for _, from := range []string{h.crashed, h.closed} {
			dir := copyDir(t, from)
			file := segmentFiles(t, dir)[i]
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if e := refuses(t, dir); e.File != file {
				t.Errorf("segment %d of %d: %v", i+1, n, e)
			}
			var corrupt *CorruptError
			if _, err := readAll(t, dir); !errors.As(err, &corrupt) || corrupt.File != file {
				t.Errorf("segment %d of %d: the reader says %v", i+1, n, err)
			}
		}
	}
}

func TestShortenedSegments(t *testing.T) {
	h := newHistory(t, 4)
	files := segmentFiles(t, h.crashed)
	for _, file := range files[:len(files)-1] {
		size := len(readFile(t, file))
		for _, to := range []int{0, 1, size / 2, size - 1} {
			dir := variant(t, h.crashed, file, func(b []byte) []byte { return b[:to] })
			refuses(t, dir)
			var corrupt *CorruptError
			if _, err := readAll(t, dir); !errors.As(err, &corrupt) {
				t.Errorf("%s cut to %d: the reader says %v", filepath.Base(file), to, err)
			}
		}
		refuses(t, variant(t, h.crashed, file, func(b []byte) []byte { return append(b, 0) }))
	}
}

func TestMissingFiles(t *testing.T) {
	h := newHistory(t, 2)
	for _, name := range []string{identityName, manifestName} {
		dir := copyDir(t, h.closed)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if e := refuses(t, dir); filepath.Base(e.File) != name {
			t.Errorf("without %s: %v", name, e)
		}
		path := filepath.Join(h.closed, name)
		for at := range readFile(t, path) {
			dir := copyDir(t, h.closed)
			b := readFile(t, path)
			b[at] ^= 4
			writeTo(t, filepath.Join(dir, name), b)
			if e := refuses(t, dir); filepath.Base(e.File) != name {
				t.Errorf("flip in %s: %v", name, e)
			}
		}
	}
}

// TestLeftovers puts files beside the segments.
func TestLeftovers(t *testing.T) {
	h := newHistory(t, 3)
	next := func(dir string) uint64 {
		r := newRig(t, copyDir(t, dir), calm())
		defer r.close()
		return r.Last() + 1
	}(h.closed)
	for _, c := range []struct {
		name    string
		refused bool
	}{
		{segmentName(1) + ".START", true},
		{segmentName(1) + ".END", true},
		{segmentName(next) + ".END", true},
		{segmentName(2), true},
		{segmentName(next + 1), true},
		{segmentName(99999999), true},
		{segmentName(1) + ".START.TEMP", false},
		{segmentName(1) + ".bak", false},
		{"notes.txt", false},
	} {
		dir := copyDir(t, h.closed)
		path := filepath.Join(dir, walName, c.name)
		writeTo(t, path, []byte("something else"))
		if !c.refused {
			h.recovers(t, dir, len(h.batches))
			if string(readFile(t, path)) != "something else" {
				t.Errorf("%s was changed", c.name)
			}
			continue
		}
		if e := refuses(t, dir); e.File != path {
			t.Errorf("%s: %v", c.name, e)
		}
	}
}

// TestHalfACut leaves what a crash in the middle of a cut leaves.
func TestHalfACut(t *testing.T) {
	h := newHistory(t, 3)
	r := newRig(t, copyDir(t, h.closed), calm())
	next := r.Last() + 1
	r.close()
	for _, size := range []int{0, 1, 64 << 10} {
		dir := copyDir(t, h.crashed)
		writeTo(t, filepath.Join(dir, walName, segmentName(next)), make([]byte, size))
		writeTo(t, filepath.Join(dir, manifestName+tempSuffix), []byte("clusterkit"))
		h.recovers(t, dir, len(h.batches))
		if ok, _ := exists(filepath.Join(dir, manifestName+tempSuffix)); ok {
			t.Error("a temporary file was left")
		}
	}
}

// TestCopyOfALiveLog opens a copy whose manifest is older than its segments.
func TestCopyOfALiveLog(t *testing.T) {
	r := newRig(t, scratch(t), calm())
	h := new(history)
	a := newOrigin(1)
	var old []byte
	for r.Stats().Segments < 5 {
		h.batches = append(h.batches, a.batch(t, 2, 100))
		r.append(h.batches[len(h.batches)-1]...)
		if r.Stats().Segments == 3 && old == nil {
			old = readFile(t, filepath.Join(r.dir, manifestName))
		}
	}
	dir := copyDir(t, r.dir)
	writeTo(t, filepath.Join(dir, manifestName), old)
	h.recovers(t, dir, len(h.batches))
}

func ExampleCorruptError() {
	err := error(&CorruptError{File: "data/wal/00000000000000000001", Offset: 4711, Index: 23, Reason: "checksum mismatch"})
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		fmt.Println(corrupt.Offset, err)
	}
	// Output: 4711 log: data/wal/00000000000000000001 is damaged at byte 4711, record 23: checksum mismatch
}
