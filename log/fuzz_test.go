package log

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var updateFlag = flag.Bool("update", false, "write the corpus of the fuzz targets anew")

// two returns the segments of a log of two, as kill -9 leaves them, the first
// index of the second, and where the last batch begins in it.
func two(t testing.TB) (first, second []byte, base uint64, last int64) {
	t.Helper()
	r := newRig(t, scratch(t), calm())
	r.Log.o.SegmentSize = 700 // less than Open allows: the corpus is to be small
	o := newOrigin(1)
	for i := 0; r.Stats().Segments < 2 || r.writer.size < 500; i++ {
		last = r.writer.size
		r.append(o.batch(t, 1+i%2, 10+i%20)...)
	}
	files := segmentFiles(t, r.dir)
	return readFile(t, files[0]), readFile(t, files[1])[:r.writer.size], r.manifest.open, last
}

// corpus is what FuzzOpen, FuzzReader and FuzzRepair begin with.
func corpus(t testing.TB) map[string][2][]byte {
	t.Helper()
	first, second, _, last := two(t)
	edit := func(b []byte, change func([]byte) []byte) []byte { return change(bytes.Clone(b)) }
	return map[string][2][]byte{
		"whole":            {first, second},
		"room":             {first, append(bytes.Clone(second), make([]byte, 3000)...)},
		"torn":             {first, second[:len(second)-9]},
		"torn-header":      {first, second[:last+3]},
		"zeroed-end":       {first, edit(second, func(b []byte) []byte { clear(b[last+20:]); return b })},
		"garbage":          {first, append(bytes.Clone(second), "not a record at all"...)},
		"flip-last":        {first, edit(second, func(b []byte) []byte { b[last+30] ^= 4; return b })},
		"flip-middle":      {first, edit(second, func(b []byte) []byte { b[last/2] ^= 4; return b })},
		"flip-length":      {first, edit(second, func(b []byte) []byte { b[0] ^= 4; return b })},
		"flip-sealed":      {edit(first, func(b []byte) []byte { b[100] ^= 1; return b }), second},
		"flip-snapshot":    {first, edit(second, func(b []byte) []byte { b[20] ^= 1; return b })},
		"cut-snapshot":     {first, second[:20]},
		"empty":            {first, nil},
		"empty-sealed":     {nil, second},
		"swapped":          {second, first},
		"twice":            {first, first},
		"huge-length":      {first, append(bytes.Clone(second), 0xff, 0xff, 0xff, 0xff, 0x04, 1, 2, 3)},
		"overlong-length":  {first, append(bytes.Clone(second), 0x90, 0x80, 0x00)},
		"old-bytes-behind": {first, append(bytes.Clone(second), first...)},
	}
}

// TestCorpus keeps the committed corpus in step with the format: all of it is
// made from a log that this version writes.
func TestCorpus(t *testing.T) {
	for name, c := range corpus(t) {
		for _, target := range []string{"FuzzOpen", "FuzzReader", "FuzzRepair"} {
			path := filepath.Join("testdata", "fuzz", target, name)
			if *updateFlag {
				text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n[]byte(%q)\n", c[0], c[1])
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				writeTo(t, path, []byte(text))
			}
			if ok, err := exists(path); !ok {
				t.Errorf("%s is missing (%v); run with -update", path, err)
			}
		}
	}
}

// fuzzed makes a directory of two segments with any contents. The manifest says
// what it must for Open to look into them.
func fuzzed(t testing.TB, base uint64, first, second []byte) string {
	t.Helper()
	dir := scratch(t)
	if err := os.Mkdir(filepath.Join(dir, walName), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := (Identity{NodeID: "n1", Cluster: "test", Log: newOrigin(1).id}).write(calmDisk{}, dir); err != nil {
		t.Fatal(err)
	}
	m := manifest{sealed: []sealedEntry{{1, int64(len(first)), 1}}, open: base}
	if err := m.write(calmDisk{}, dir); err != nil {
		t.Fatal(err)
	}
	writeTo(t, filepath.Join(dir, walName, segmentName(1)), first)
	writeTo(t, filepath.Join(dir, walName, segmentName(base)), second)
	return dir
}

// FuzzOpen opens a directory with any segments: it is refused as damaged and
// left alone, or it is a log that works.
func FuzzOpen(f *testing.F) {
	_, _, base, _ := two(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		dir := fuzzed(t, base, first, second)
		l, err := Open(dir, calm())
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			if !bytes.Equal(readFile(t, filepath.Join(dir, walName, segmentName(1))), first) ||
				!bytes.Equal(readFile(t, filepath.Join(dir, walName, segmentName(base))), second) {
				t.Fatal("a damaged log was changed")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		last, err := l.Append(newOrigin(9).batch(t, 2, 30))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if l, err = Open(dir, calm()); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l.Last() != last {
			t.Fatalf("last %d, want %d", l.Last(), last)
		}
		if r, err := l.Read(last); err != nil || !r.EndOfBatch {
			t.Fatalf("%+v, %v", r, err)
		}
		if got, err := l.Range(newOrigin(9).id, 2, 10, 1000); err != nil || len(got) != 1 {
			t.Fatalf("%d events, %v", len(got), err)
		}
		err = l.Load(func([]byte) error { return nil }, func(*Record) error { return nil })
		if err != nil && !errors.As(err, &corrupt) { // in the segment that Open does not read
			t.Fatal(err)
		}
	})
}

// FuzzReader reads a directory with any segments: whatever it shows verifies,
// in order, and it comes to an end.
func FuzzReader(f *testing.F) {
	_, _, base, _ := two(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		dir := fuzzed(t, base, first, second)
		next := uint64(1)
		err := newLoss().survivors(dir, func(r *Record) error {
			if r.Index < next {
				return fmt.Errorf("record %d after %d", r.Index, next-1)
			}
			next = r.Index + 1
			return nil
		}, func(h Hole) error {
			if h.From < 1 || h.To != 0 && h.To < h.From || len(h.Parts) == 0 {
				return fmt.Errorf("%+v", h)
			}
			for _, p := range h.Parts {
				if p.Offset < 0 || p.Bytes < 0 {
					return fmt.Errorf("%+v", h)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRepair repairs a directory with any segments: what comes out is sound.
func FuzzRepair(f *testing.F) {
	_, _, base, _ := two(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		dir := fuzzed(t, base, first, second)
		out := filepath.Join(dir, "out")
		if _, err := Repair(dir, out); err != nil {
			var corrupt *CorruptError // a record that verifies and holds no event
			if errors.As(err, &corrupt) {
				return
			}
			t.Fatal(err)
		}
		if _, err := Verify(out); err != nil {
			t.Fatal(err)
		}
		l, err := Open(out, calm())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
}

// FuzzManifest reads any bytes as a manifest.
func FuzzManifest(f *testing.F) {
	f.Add((&manifest{}).encode())
	f.Add((&manifest{archive: "a \"b\"", sealed: []sealedEntry{{1, 2, 3}, {9, 8, 7}}, open: 12}).encode())
	f.Add([]byte("clusterkit log 1\ncrc32c 00000000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeManifest(b); err == nil {
			if again, err := decodeManifest(m.encode()); err != nil || !bytes.Equal(m.encode(), again.encode()) {
				t.Fatalf("%+v became %+v, %v", m, again, err)
			}
		}
	})
}

// FuzzFindRecord looks for records in any bytes.
func FuzzFindRecord(f *testing.F) {
	_, second, base, _ := two(f)
	f.Add(second, 1, base, base+100)
	f.Add(second[33:], 0, uint64(1), uint64(1<<40))
	f.Fuzz(func(t *testing.T, b []byte, from int, least, most uint64) {
		if from < 0 {
			return
		}
		r, ok := findRecord(b, from, max(1, least), most)
		if ok && (r.off < from || r.off+r.size > len(b) || r.Index < least || r.Index > most) {
			t.Fatalf("%+v", r)
		}
		w := &walker{file: "fuzz", index: max(1, least)}
		judge(b, w, &Record{}, 0, errShort)
	})
}
