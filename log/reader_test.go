package log

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// TestReaderFollows reads a log of this process while it grows, over many
// segments, from a data directory and from its wal directory.
func TestReaderFollows(t *testing.T) {
	r := newRig(t, scratch(t), calm())
	a := newOrigin(1)
	r.append(a.batch(t, 1, 10)...)
	var readers []*Reader
	for _, dir := range []string{r.dir, filepath.Join(r.dir, walName)} {
		rd, err := OpenReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		readers = append(readers, rd)
	}
	next := make([]uint64, len(readers))
	for i := range 300 {
		r.append(a.batch(t, 1+i%4, 50)...)
		if i%7 > 0 {
			continue
		}
		for j, rd := range readers {
			for {
				rec, err := rd.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if next[j]++; rec.Index != next[j] {
					t.Fatalf("record %d, want %d", rec.Index, next[j])
				}
			}
			if next[j] != r.Last() {
				t.Fatalf("reader %d ends at %d of %d", j, next[j], r.Last())
			}
		}
	}
}

// TestReaderBesideAWriter reads with another goroutine while one writes.
func TestReaderBesideAWriter(t *testing.T) {
	r := newRig(t, scratch(t), calm())
	a := newOrigin(1)
	const n = 1500
	done := make(chan error, 2)
	for scan := range 2 {
		go func() {
			rd, err := OpenReader(r.dir)
			if err != nil {
				done <- err
				return
			}
			defer rd.Close()
			var prev events.Event
			seen := 0
			check := func(rec *Record) error {
				if rec.Kind != KindEvent {
					return nil
				}
				e, err := events.Decode(append([]byte(nil), rec.Bytes...))
				if err != nil {
					return err
				}
				if seen++; e.Seq != uint64(seen) || seen > 1 && !e.Links(prev.Chain) {
					return errors.New("out of order")
				}
				prev = e
				return nil
			}
			for seen < n && err == nil {
				if scan == 1 {
					err = rd.Scan(check)
					continue
				}
				var rec *Record
				if rec, err = rd.Next(); err == io.EOF {
					err = nil
				} else if err == nil {
					err = check(rec)
				}
			}
			done <- err
		}()
	}
	for range n / 3 {
		r.append(a.batch(t, 3, 60)...)
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestReaderShowsWholeBatches writes the bytes of a batch one after another.
func TestReaderShowsWholeBatches(t *testing.T) {
	h := newHistory(t, 1)
	file := lastSegment(t, h.crashed)
	whole := readFile(t, file)
	rd, err := OpenReader(h.crashed)
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	want := len(h.events()) - len(h.batches[len(h.batches)-1])
	seen := 0
	for size := h.last; size <= h.size; size++ {
		b := append([]byte(nil), whole...)
		clear(b[size:])
		writeTo(t, file, b)
		for {
			rec, err := rd.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("with %d bytes of [%d, %d): %v", size, h.last, h.size, err)
			}
			if rec.Kind == KindEvent {
				seen++
			}
		}
		if size == h.size {
			want = len(h.events())
		}
		if seen != want {
			t.Fatalf("with %d bytes of [%d, %d): %d events, want %d", size, h.last, h.size, seen, want)
		}
		if torn := rd.Torn(); torn.Bytes != int64(len(trimZeros(b)))-torn.Offset || size < h.size && torn.Offset != h.last {
			t.Fatalf("with %d bytes of [%d, %d): %+v", size, h.last, h.size, torn)
		}
	}
}

func TestReaderSeek(t *testing.T) {
	h := newHistory(t, 4)
	records, err := readAll(t, h.closed)
	if err != nil {
		t.Fatal(err)
	}
	rd, err := OpenReader(h.closed)
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	rnd := chance(t)
	for range 300 {
		i := rnd.IntN(len(records))
		if err := rd.Seek(records[i].Index); err != nil {
			t.Fatal(err)
		}
		for j := i; j < min(i+5, len(records)); j++ {
			rec, err := rd.Next()
			if err != nil || rec.Index != records[j].Index || string(rec.Bytes) != string(records[j].Bytes) {
				t.Fatalf("record %d: %v", records[j].Index, err)
			}
		}
	}
	segments, err := rd.Segments()
	if err != nil || len(segments) != len(segmentFiles(t, h.closed)) {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	for _, s := range segments {
		if err := rd.Seek(s.First); err != nil {
			t.Fatal(err)
		}
		if rec, err := rd.Next(); err != nil || rec.Kind != KindSnapshot || rec.Offset != 0 || rec.File != s.File {
			t.Fatalf("%+v begins with %+v, %v", s, rec, err)
		}
	}
	if err := rd.Seek(uint64(len(records)) + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := rd.Next(); err != io.EOF {
		t.Fatalf("behind the end: %v", err)
	}
}

// TestReaderSkips reads what damage leaves.
func TestReaderSkips(t *testing.T) {
	h := newHistory(t, 4)
	whole, err := readAll(t, h.closed)
	if err != nil {
		t.Fatal(err)
	}
	rnd := chance(t)
	files := segmentFiles(t, h.closed)
	for range 200 {
		file := files[rnd.IntN(len(files))]
		spoil(t, file, func(b []byte) {
			at := rnd.IntN(len(b))
			for i := at; i < min(len(b), at+1+rnd.IntN(300)); i++ {
				b[i] ^= byte(1 + rnd.UintN(255))
			}
		}, func() {
			rd, err := OpenReader(h.closed)
			if err != nil {
				t.Fatal(err)
			}
			defer rd.Close()
			next, lost, damages := uint64(1), uint64(0), 0
			for {
				rec, err := rd.Next()
				if err == io.EOF {
					break
				}
				var corrupt *CorruptError
				if errors.As(err, &corrupt) {
					if _, again := rd.Next(); again != err {
						t.Fatalf("%v, and then %v", err, again)
					}
					if damages++; damages > 10 || corrupt.Index != next {
						t.Fatalf("damage %d: %v, want it at %d", damages, err, next)
					}
					if err := rd.Skip(); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if rec.Index < next || string(rec.Bytes) != string(whole[rec.Index-1].Bytes) {
					t.Fatalf("record %d after %d", rec.Index, next)
				}
				lost += rec.Index - next
				next = rec.Index + 1
			}
			lost += uint64(len(whole)) + 1 - next
			if damages == 0 || lost == 0 || lost > 12 {
				t.Fatalf("%d records lost in %d places", lost, damages)
			}
		})
	}
	for _, file := range files[:len(files)-1] { // a whole segment
		b := readFile(t, file)
		os.Remove(file)
		rd, err := OpenReader(h.closed)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for {
			_, err := rd.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				if err := rd.Skip(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			seen++
		}
		if seen == 0 || seen >= len(whole) {
			t.Fatalf("without %s: %d of %d records", file, seen, len(whole))
		}
		rd.Close()
		writeTo(t, file, b)
	}
}

func TestReaderOfNothing(t *testing.T) {
	if _, err := OpenReader(filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("no directory, no error")
	}
	r := newRig(t, scratch(t), calm())
	rd, err := OpenReader(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	if _, err := rd.Next(); err != io.EOF {
		t.Errorf("an empty log: %v", err)
	}
	r.append(newOrigin(1).batch(t, 1, 10)...)
	if rec, err := rd.Next(); err != nil || rec.Index != 1 {
		t.Errorf("its first record: %v", err)
	}
}

// TestReaderAfterACrashInACut stands in a segment that the next Open drops.
func TestReaderAfterACrashInACut(t *testing.T) {
	h := newHistory(t, 2)
	r := newRig(t, copyDir(t, h.closed), calm())
	next := r.Last() + 1
	r.close()
	dir := copyDir(t, h.crashed)
	writeTo(t, filepath.Join(dir, walName, segmentName(next)), nil)
	rd, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	n := uint64(0)
	read := func() {
		t.Helper()
		for {
			rec, err := rd.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n++; rec.Index != n {
				t.Fatalf("record %d, want %d", rec.Index, n)
			}
		}
	}
	read()
	w := newRig(t, dir, calm())
	w.append(newOrigin(9).batch(t, 3, 100)...)
	read()
	if n != w.Last() {
		t.Fatalf("the reader ends at %d of %d", n, w.Last())
	}
}
