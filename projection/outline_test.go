package projection_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/skshohagmiah/clusterkit/projection"
)

// TestOutline: the parts of a snapshot are the heads and the owners of its state,
// and put together again they are the state.
func TestOutline(t *testing.T) {
	s := story(t)
	o, err := projection.OutlineOf(s.AppendSnapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	heads := o.Heads()
	if len(heads) != len(s.Heads()) {
		t.Fatalf("%d heads of %d", len(heads), len(s.Heads()))
	}
	for i, h := range s.Heads() {
		if heads[i].Head != h || heads[i].Time != s.Time(h.Log) {
			t.Errorf("head %d is %v at %v, want %v at %v", i, heads[i].Head, heads[i].Time, h, s.Time(h.Log))
		}
	}
	var owners [][]byte
	for raw := range o.Owners() {
		owners = append(owners, raw)
	}
	for name, e := range s.Registers("") {
		if len(owners) == 0 || !bytes.Equal(owners[0], e.Raw()) {
			t.Fatalf("the owner of %s is not the next one", name)
		}
		owners = owners[1:]
	}
	if len(owners) > 0 {
		t.Errorf("%d owners too many", len(owners))
	}
}

// TestOutlineDamage: whatever the bytes, an outline is refused or can be read to
// its end, and all that ReadSnapshot reads has one.
func TestOutlineDamage(t *testing.T) {
	whole := story(t).AppendSnapshot(nil)
	refused := 0
	look := func(b []byte) {
		o, err := projection.OutlineOf(b)
		if err != nil {
			if refused++; !errors.Is(err, projection.ErrSnapshot) {
				t.Fatal(err)
			}
			return
		}
		o.Heads()
		for raw := range o.Owners() {
			if len(raw) > len(b) {
				t.Fatal("an owner is longer than everything")
			}
		}
	}
	for n := range whole {
		look(whole[:n])
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[n] ^= 1 << bit
			look(b)
		}
	}
	if refused < len(whole) {
		t.Errorf("only %d of %d were refused", refused, 9*len(whole))
	}
}
