package log

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestScanNewest: what it calls sound is what Scan shows, with nothing wrong. The
// newest segment is cut, and its bytes are flipped.
func TestScanNewest(t *testing.T) {
	h := newHistory(t, 3)
	for name, dir := range map[string]string{"closed": h.closed, "crashed": h.crashed} {
		files := segmentFiles(t, dir)
		newest := files[len(files)-1]
		whole := readFile(t, newest)
		if sound, n := scansNewest(t, dir); !sound || n == 0 {
			t.Fatalf("%s: sound %v, %d records", name, sound, n)
		}
		sounds := 0
		try := func(b []byte) {
			writeTo(t, newest, b)
			if sound, _ := scansNewest(t, dir); sound {
				sounds++
			}
		}
		for at := 0; at < min(len(whole), len(trimZeros(whole))+20); at += 7 {
			try(whole[:at])
			try(append(slices.Clone(whole[:at]), make([]byte, 600)...))
			flipped := slices.Clone(whole)
			flipped[at] ^= 1 << (at % 8)
			try(flipped)
		}
		if (sounds > 0) != (name == "crashed") { // a clean close tells what was there
			t.Errorf("%s: %d cuts and flips are sound", name, sounds)
		}
		writeTo(t, newest, whole)
		r := newReader(t, dir)
		defer r.Close()
		var next string
		for range 2 { // a segment that has come since the reader looked, and gone
			sound := r.ScanNewest(func(rec *Record) bool {
				next = filepath.Join(dir, walName, segmentName(rec.Index+1))
				return true
			})
			if _, err := os.Stat(next); sound == (err == nil) {
				t.Errorf("%s: sound %v beside %s: %v", name, sound, next, err)
			}
			writeTo(t, next, nil)
		}
		os.Remove(next)
		if r.ScanNewest(func(*Record) bool { return false }) {
			t.Errorf("%s: sound although it was ended", name)
		}
	}
}

// newReader opens a reader, which the caller closes.
func newReader(t *testing.T, dir string) *Reader {
	t.Helper()
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// scansNewest holds ScanNewest against Scan, which must show the same when it is
// sound. It returns how many records there were.
func scansNewest(t *testing.T, dir string) (sound bool, n int) {
	t.Helper()
	r := newReader(t, dir)
	defer r.Close()
	var once []Record
	sound = r.ScanNewest(func(rec *Record) bool {
		kept := *rec
		kept.Bytes = bytes.Clone(rec.Bytes)
		once = append(once, kept)
		return true
	})
	if !sound {
		return false, len(once)
	}
	i := 0
	err := r.Scan(func(rec *Record) error {
		if i >= len(once) || rec.Index != once[i].Index || rec.Offset != once[i].Offset || !bytes.Equal(rec.Bytes, once[i].Bytes) {
			t.Fatalf("record %d at %d differs", rec.Index, rec.Offset)
		}
		i++
		return nil
	})
	if torn := r.Torn(); err != nil || i != len(once) || torn.Bytes != 0 || torn.Damaged != nil {
		t.Fatalf("sound with %d records, and Scan shows %d, torn %+v, %v", len(once), i, torn, err)
	}
	return true, i
}
