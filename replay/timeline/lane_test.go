package timeline

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestLane packs random intervals and reads them back.
func TestLane(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var l lane
		var want []interval
		i := interval{version: r.Uint64N(3) << 32}
		for range r.IntN(30) {
			i.from += r.Int64N(3) * r.Int64N(1<<40)
			i.label = uint32(r.IntN(1 << r.IntN(30)))
			i.version += []uint64{0, 1, 2, 1 << 32, 1<<40 + 5}[r.IntN(5)]
			if r.IntN(9) == 0 {
				i.version = r.Uint64N(100) // a register that was lost
			}
			l.add(i)
			switch n := len(want); {
			case n > 0 && want[n-1].label == i.label && want[n-1].version == i.version:
			case n > 0 && want[n-1].from == i.from:
				want[n-1] = i
			default:
				want = append(want, i)
			}
		}
		var got []interval
		last := int64(0)
		for k, until := range l.all(1 << 50) {
			if until < k.from || k.from < last {
				t.Fatalf("%v until %d, after %d", k, until, last)
			}
			got, last = append(got, k), until
		}
		if l.count != len(want) {
			t.Fatalf("%d intervals, want %d", l.count, len(want))
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(interval{})); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

// TestCurve holds that a long curve keeps its extremes and its values.
func TestCurve(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var c Curve
	most, value := int32(0), int32(0)
	for at := range int64(300_000) {
		if value = r.Int32N(1000); at == 123_456 {
			value = 5000
		}
		most = max(most, value)
		c.add(at, value)
	}
	if len(c.points) > maxPoints || len(c.points) < maxPoints/4 {
		t.Errorf("%d points", len(c.points))
	}
	if c.Max() != int(most) || c.points[len(c.points)-1].end != value {
		t.Errorf("max %d, want %d; ends with %d, want %d", c.Max(), most, c.points[len(c.points)-1].end, value)
	}
	for i, p := range c.points {
		if p.low > p.end || p.high < p.end || i > 0 && p.from <= c.points[i-1].from {
			t.Fatalf("point %d: %+v", i, p)
		}
	}
}

// TestDensity holds that no event is lost while spans grow.
func TestDensity(t *testing.T) {
	var d Density
	for at := int64(0); at < 5_000_000; at += 77 {
		d.add(at)
	}
	n := 0
	for _, c := range d.Count {
		n += c
	}
	if want := 5_000_000/77 + 1; n != want || len(d.Count) > maxSpans {
		t.Errorf("%d events in %d spans, want %d", n, len(d.Count), want)
	}
}

// TestSize holds that intervals stay as small as the package promises.
func TestSize(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "n1")
	replaytest.Large(t, 20_000, 512, time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC), dir)
	source, err := replay.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	tl, err := Build(t.Context(), Options{}, source)
	if err != nil {
		t.Fatal(err)
	}
	bytes, n := 0, 0
	for i := range tl.Views[0].Partitions {
		bytes, n = bytes+len(tl.Views[0].Partitions[i].lane.appendTo(nil)), n+tl.Views[0].Partitions[i].lane.count
	}
	if each := float64(bytes) / float64(n); n < 15_000 || each > 3.2 {
		t.Errorf("%d intervals of %.1f bytes", n, each)
	}
}
