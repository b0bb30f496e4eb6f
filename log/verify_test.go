package log

import (
	"errors"
	"os"
	"testing"
)

func TestVerify(t *testing.T) {
	h := newHistory(t, 4)
	v, err := Verify(h.crashed)
	if err != nil || v.Segments != len(segmentFiles(t, h.crashed)) {
		t.Fatalf("%+v, %v", v, err)
	}
	records, _ := readAll(t, h.crashed)
	if v.Records != uint64(len(records)) {
		t.Fatalf("%d records, want %d", v.Records, len(records))
	}
	var corrupt *CorruptError
	for _, file := range segmentFiles(t, h.closed) {
		for at := 0; at < len(readFile(t, file)); at += 501 {
			spoil(t, file, func(b []byte) { b[at] ^= 8 }, func() {
				if _, err := Verify(h.closed); !errors.As(err, &corrupt) || corrupt.File != file {
					t.Fatalf("flip at %d of %s: %v", at, file, err)
				}
			})
		}
		b := readFile(t, file)
		os.Remove(file)
		if _, err := Verify(h.closed); !errors.As(err, &corrupt) {
			t.Fatalf("without %s: %v", file, err)
		}
		writeTo(t, file, b)
	}
	if v, err := Verify(newRig(t, scratch(t), calm()).dir); err != nil || v.Records != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
}

// TestListed: what the list of segments shows without reading one.
func TestListed(t *testing.T) {
	h := newHistory(t, 4)
	listed := func() error {
		r, err := OpenReader(h.closed)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		_, err = r.Listed()
		return err
	}
	if err := listed(); err != nil {
		t.Fatal(err)
	}
	files := segmentFiles(t, h.closed)
	for i, file := range files {
		var corrupt *CorruptError
		b := readFile(t, file)
		if writeTo(t, file, b[:len(b)-1]); i < len(files)-1 {
			if err := listed(); !errors.As(err, &corrupt) || corrupt.File != file || corrupt.Index == 0 {
				t.Errorf("cut %s: %v", file, err)
			}
		}
		os.Remove(file)
		if err := listed(); !errors.As(err, &corrupt) || corrupt.File != file {
			t.Errorf("without %s: %v", file, err)
		}
		writeTo(t, file, b)
	}
}
