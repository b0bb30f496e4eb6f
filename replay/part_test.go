package replay_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// exported exports a part of a log and imports it again.
func exported(t *testing.T, dir string, q replay.Query) *replay.Source {
	t.Helper()
	s := open(t, dir)
	p, err := s.Part(t.Context(), q)
	if err != nil {
		t.Fatalf("%s %s..%s: %v", q.Range, q.Since, q.Until, err)
	}
	lines := records(t, p)
	again, err := replay.OpenReader(t.Context(), strings.NewReader(strings.Join(lines, "")), "part")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again[0].Close() })
	if got := records(t, again[0]); !slices.Equal(got, lines) {
		t.Fatalf("%s: exported again it is another", q.Range)
	}
	return again[0]
}

// boundaries returns the local indexes around which segments begin.
func boundaries(t *testing.T, s *replay.Source) (all []uint64) {
	t.Helper()
	var last uint64
	for e, err := range s.Entries(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if last = e.Index; e.Base {
			all = append(all, max(e.Index, 2)-1, e.Index, e.Index+1)
		}
	}
	return append(all, last)
}

// TestPartAnswersAsTheWhole takes parts of random logs, between all segment boundaries
// and places of every kind, on both axes. Within a part everything is as it was; of what
// is not in it nothing is said but that it is not kept.
func TestPartAnswersAsTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 31))
	answered := make(map[bool]int)
	for _, dir := range randomPast(t, r, 120) {
		s := open(t, dir)
		n := naiveOf(t, s)
		edges := boundaries(t, s)
		for i, from := range edges {
			to := edges[i+r.IntN(len(edges)-i)]
			checkPart(t, answered, r, n, s, dir, "@"+strconv.FormatUint(from, 10), "@"+strconv.FormatUint(to, 10), replay.Known)
			a, b := n.randomPoint(r), n.randomPoint(r)
			if axis := replay.Axis(r.IntN(3)); (axis != replay.Natural || a[0] != '@' && b[0] != '@') && n.size(a, axis) <= n.size(b, axis) {
				checkPart(t, answered, r, n, s, dir, a, b, axis)
			}
		}
		checkPart(t, answered, r, n, s, dir, "first", n.randomPoint(r), replay.Natural)
		checkPart(t, answered, r, n, s, dir, n.randomPoint(r), "head", replay.Natural)
	}
	if answered[true] < 50 || answered[false] < 50 {
		t.Errorf("points that were answered, and refused: %v", answered)
	}
}

// size is how many events are before or at a point.
func (n *naive) size(point string, axis replay.Axis) (size int) {
	index, _ := strconv.ParseUint(strings.TrimPrefix(point, "@"), 10, 64)
	for i := range n.entries {
		if axis != replay.True && point[0] == '@' { // which may be where a segment begins
			if n.entries[i].Index <= index {
				size++
			}
		} else if n.covers(point, axis, &n.entries[i]) {
			size++
		}
	}
	return size
}

func checkPart(t *testing.T, answered map[bool]int, r *rand.Rand, n *naive, s *replay.Source, dir, from, to string, axis replay.Axis) {
	t.Helper()
	span := replay.Range{From: point(t, from), To: point(t, to)}
	p := exported(t, dir, replay.Query{Range: span, Axis: axis})
	if v, err := replay.Verify(t.Context(), p); err != nil || v.Result != replay.Pass && (v.Events > 0 || v.Result == replay.Fail) {
		t.Fatalf("%s %s: verify: %+v, %v", span, axis, v, err)
	}
	q := replay.Query{Range: span, Axis: axis}
	if got, want := eventsOf(t, p, q), eventsOf(t, s, q); !slices.Equal(got, want) {
		t.Fatalf("log %s %s: %d events, want %d", span, axis, len(got), len(want))
	}
	points := []string{from, to}
	for range 4 {
		points = append(points, n.randomPoint(r))
	}
	for i, text := range points {
		on := axis
		if i > 4 {
			on = replay.Axis(r.IntN(3))
		}
		got, err := p.StateAt(t.Context(), point(t, text), on)
		if err != nil && !errors.Is(err, replay.ErrNotKept) && !errors.Is(err, replay.ErrBeyond) && !errors.As(err, new(*replay.PointError)) {
			t.Fatalf("%s of %s: %v", text, span, err)
		}
		if text == "first" || text == "head" {
			continue // they are its own
		}
		within := on == axis && (axis == replay.Known || !strings.Contains(text+from+to, "@")) && // on one order
			(from == "first" || text == from || n.size(text, on) > n.size(from, on)) && (to == "head" || n.size(text, on) <= n.size(to, on))
		if err != nil && within {
			t.Fatalf("%s %s is in %s: %v", text, on, span, err)
		}
		answered[err == nil]++
		if err != nil {
			continue
		}
		want, err := s.StateAt(t.Context(), point(t, text), on)
		if err != nil || got.Digest != want.Digest {
			t.Fatalf("%s %s of %s: %s, want %s, %v", text, on, span, got.State.Vector(), want.State.Vector(), err)
		}
	}
}

// eventsOf returns the names of the events that a query finds.
func eventsOf(t *testing.T, s *replay.Source, q replay.Query) (ids []string) {
	t.Helper()
	for l, err := range s.Log(t.Context(), q) {
		if err != nil {
			t.Fatalf("log %s: %v", q.Range, err)
		}
		ids = append(ids, l.Event.ID().String()+" @"+strconv.FormatUint(l.Index, 10))
	}
	return ids
}

// TestPartOfReceivedStates: a part never says something else than the log does where a
// state came in place of events, before, in or behind the part, nor of a log that
// itself begins with a state.
func TestPartOfReceivedStates(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2, n3 := h.Node("n1"), h.Node("n2"), h.Node("n3")
		n1.Join("first")
		n2.Sync(n1)
		n2.Join("second")
		for i := range 12 {
			time.Sleep(time.Second)
			n2.Set("k", strconv.Itoa(i))
			n1.Set("l", strconv.Itoa(i))
		}
		n2.TakeState(n1)
		for i := range 12 {
			time.Sleep(time.Second)
			n1.Set("l", strconv.Itoa(i))
			n2.Set("k", strconv.Itoa(i))
		}
		n2.Sync(n1)
		n3.TakeState(n2)
		n3.Join("third")
		n3.Sync(n1)
	})
	for _, node := range []string{"n2", "n3"} {
		s := open(t, path(node))
		list := all(t, s)
		for from := 0; from < len(list); from += 4 {
			for to := from; to < len(list); to += 6 {
				for axis := replay.Natural; axis <= replay.Known; axis++ {
					ends := replay.Range{From: replay.At(list[from].Index), To: replay.At(list[to].Index)}
					if axis == replay.True {
						ends = replay.Range{From: replay.Instant(list[from].Event.Time.Time()), To: replay.Instant(list[to].Event.Time.Time())}
					}
					if _, err := s.StateAt(t.Context(), ends.To, axis); err != nil {
						continue // the log itself cannot say
					}
					p := exported(t, path(node), replay.Query{Range: ends, Axis: axis})
					for i := from; i < len(list); i += 5 {
						for _, at := range []replay.Point{point(t, list[i].Event.ID().String()), replay.Instant(list[i].Event.Time.Time())} {
							got, err := p.StateAt(t.Context(), at, replay.True)
							if err != nil {
								continue
							}
							want, err := s.StateAt(t.Context(), at, replay.True)
							if err != nil || got.Digest != want.Digest {
								t.Fatalf("%s: %s of %s: %s, want %s, %v", node, at, ends, got.State.Vector(), want.State.Vector(), err)
							}
						}
					}
				}
			}
		}
	}
}

// TestUnionOfParts goes as far as the part that goes furthest, and as far as the log does
// when one is whole.
func TestUnionOfParts(t *testing.T) {
	dirs := incident(t)
	until := func(dir, to string) *replay.Source { return exported(t, dir, replay.Query{Until: point(t, to)}) }
	whole, err := replay.Union(t.Context(), open(t, dirs[0]), open(t, dirs[1]))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of  []*replay.Source
		far bool
	}{
		{[]*replay.Source{until(dirs[0], "n1:14"), until(dirs[1], "n1:18")}, false},
		{[]*replay.Source{until(dirs[0], "n1:14"), open(t, dirs[1])}, true},
	} {
		u, err := replay.Union(t.Context(), c.of...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := u.StateAt(t.Context(), point(t, "n1:18"), replay.True)
		want, _ := whole.StateAt(t.Context(), point(t, "n1:18"), replay.True)
		if err != nil || got.Digest != want.Digest {
			t.Errorf("within: %v", err)
		}
		if _, err = u.StateAt(t.Context(), point(t, "2000-01-01T02:00:00Z"), replay.True); (err == nil) != c.far || err != nil && !errors.Is(err, replay.ErrNotKept) {
			t.Errorf("behind: %v, want an answer: %v", err, c.far)
		}
	}
}

// TestPartBeginsWithItsState: as many events before its end as it has is where it begins.
func TestPartBeginsWithItsState(t *testing.T) {
	dir := incident(t)[0]
	p := exported(t, dir, replay.Query{Range: replay.Range{From: replay.At(18)}})
	n := len(all(t, p))
	want, err := open(t, dir).StateAt(t.Context(), point(t, "head~"+strconv.Itoa(n)), replay.Known)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "head~" + strconv.Itoa(n)} {
		if got, err := p.StateAt(t.Context(), point(t, text), replay.Known); err != nil || got.Digest != want.Digest {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := p.StateAt(t.Context(), point(t, "head~"+strconv.Itoa(n+1)), replay.Known); !errors.Is(err, replay.ErrNotKept) {
		t.Errorf("before that: %v", err)
	}
}
