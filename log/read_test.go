package log

import (
	"errors"
	"io/fs"
	"testing"
)

// TestReadInto reads all records into one Record, up and down, from sealed
// segments and the open one, and finds what Read finds.
func TestReadInto(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	o := newOrigin(1)
	rnd := chance(t)
	for range 200 {
		r.append(o.batch(t, 1+rnd.IntN(3), rnd.IntN(200))...)
	}
	if r.Stats().Segments < 3 {
		t.Fatalf("%d segments are too few", r.Stats().Segments)
	}
	var into Record
	for n := range r.Last() * 2 {
		index := n + 1
		if index > r.Last() {
			index = 2*r.Last() - n
		}
		want, err := r.Read(index)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.ReadInto(index, &into); err != nil {
			t.Fatal(err)
		}
		if string(into.Bytes) != string(want.Bytes) || into.Index != index || into.Kind != want.Kind ||
			into.Size != want.Size || into.EndOfBatch != want.EndOfBatch || into.Received != want.Received ||
			into.Vector().String() != want.Vector().String() {
			t.Fatalf("record %d is %+v, want %+v", index, into, want)
		}
	}
	if err := r.ReadInto(r.Last()+1, &into); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("beyond the end: %v", err)
	}
}

// TestReadIntoAllocatesNothing once the places of the records are known.
func TestReadIntoAllocatesNothing(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	r.append(newOrigin(1).batch(t, 400, 60)...)
	r.append(newOrigin(2).batch(t, 400, 60)...)
	var into Record
	n := uint64(0)
	read := func() {
		n++
		if err := r.ReadInto(2+n%799, &into); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		read()
	}
	if allocs := testing.AllocsPerRun(2000, read); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
