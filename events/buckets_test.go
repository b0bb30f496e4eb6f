package events_test

import (
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// TestBuckets holds buckets to what they stand for: they differ exactly where
// the vectors do, in whatever order the heads came.
func TestBuckets(t *testing.T) {
	r := chance(t)
	type head struct {
		log events.LogID
		sum events.Sum
	}
	for range 200 {
		var a, b events.Buckets
		var want events.BucketSet
		heads := make([]head, 1+r.IntN(300))
		for i := range heads {
			heads[i] = head{r.logID(), r.sum()}
			a.Move(heads[i].log, events.Sum{}, heads[i].sum)
		}
		r.Shuffle(len(heads), func(i, j int) { heads[i], heads[j] = heads[j], heads[i] })
		for _, h := range heads {
			first := r.sum()
			b.Move(h.log, events.Sum{}, first)
			b.Move(h.log, first, h.sum)
		}
		if got := a.Unequal(&b); got != 0 {
			t.Fatalf("the same heads differ in buckets %x", got)
		}
		for range r.IntN(4) {
			h := heads[r.IntN(len(heads))]
			if want.Has(h.log) {
				continue
			}
			b.Move(h.log, h.sum, events.Sum{Lo: h.sum.Lo + 1})
			want |= 1 << events.BucketOf(h.log)
		}
		if got := a.Unequal(&b); got != want {
			t.Fatalf("unequal in %x, want %x", got, want)
		}
		bin, _ := a.AppendBinary(nil)
		text, _ := a.MarshalText()
		var c, d events.Buckets
		if err := c.UnmarshalBinary(bin); err != nil || c != a {
			t.Fatal("binary:", err)
		}
		if err := d.UnmarshalText(text); err != nil || d != a {
			t.Fatal("text:", err)
		}
		set, _ := want.MarshalText()
		var e events.BucketSet
		if err := e.UnmarshalText(set); err != nil || e != want {
			t.Fatal("set:", err)
		}
	}
}

func TestBucketsRefuse(t *testing.T) {
	var b events.Buckets
	var s events.BucketSet
	for _, err := range []error{
		b.UnmarshalBinary(make([]byte, events.BucketsSize-1)), b.UnmarshalBinary(make([]byte, events.BucketsSize+1)),
		b.UnmarshalText(make([]byte, 2*events.BucketsSize)), b.UnmarshalText([]byte("00")),
		s.UnmarshalText([]byte("00")), s.UnmarshalText([]byte("000000000000000x")), s.UnmarshalText(make([]byte, 1000)),
	} {
		if err == nil {
			t.Error("taken")
		}
	}
}
