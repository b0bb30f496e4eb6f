package replay

import (
	"context"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
)

// window is a query made ready for one log.
type window struct {
	*Query
	source   *Source
	names    *Names
	axis     Axis
	cuts     []cut // what is asked for is not covered by the even ones, and by the odd ones it is
	segments []segment
	first    int // segment to begin with
	last     int // segment to end before
	decoder  events.Decoder
	exactly  map[string]struct{} // only what writes one of these registers, when not nil
	backward bool                // inOrder goes from the newest event to the oldest
}

func (s *Source) window(ctx context.Context, q *Query) (*window, error) {
	names, err := s.Names(ctx)
	if err != nil {
		return nil, err
	}
	w := &window{Query: q, source: s, names: names, axis: q.Axis, segments: s.feed.segments()}
	if w.axis == Natural {
		w.axis = True
	}
	for i, p := range []Point{q.Range.From, q.Range.To, q.Since, q.Until} {
		c := everything()
		if i%2 == 0 {
			c = cut{axis: Known} // covers nothing
		}
		switch {
		case p.IsZero():
		case i == 2:
			c, err = s.resolveBefore(ctx, p, q.Axis)
		default:
			c, err = s.resolve(ctx, p, q.Axis)
		}
		if err != nil {
			return nil, err
		}
		w.cuts = append(w.cuts, c)
	}
	w.first = max(s.skip(ctx, &w.cuts[0]), s.skip(ctx, &w.cuts[2]))
	w.last = len(w.segments)
	for _, i := range []int{1, 3} {
		last, err := s.until(ctx, &w.cuts[i])
		if err != nil {
			return nil, err
		}
		w.last = min(w.last, last)
	}
	return w, nil
}

// within reports whether an event lies in the range.
func (w *window) within(e *Entry) bool {
	for i := range w.cuts {
		if w.cuts[i].covers(e) != (i%2 == 1) {
			return false
		}
	}
	return true
}

// passed reports whether nothing from a local index on can lie in the range.
func (w *window) passed(index uint64) bool {
	return w.cuts[1].known() && index > w.cuts[1].index || w.cuts[3].known() && index > w.cuts[3].index
}

// before reports whether nothing up to a local index can lie in the range.
func (w *window) before(index uint64) bool {
	return w.cuts[0].known() && index <= w.cuts[0].index || w.cuts[2].known() && index <= w.cuts[2].index
}

// entries yields the events of some segments that are asked for, in local
// order, not loaded, and the damage that was met.
func (w *window) entries(ctx context.Context, from, to int) iter.Seq2[*Entry, error] {
	return w.sweep(ctx, from, to, true)
}

func (w *window) sweep(ctx context.Context, from, to int, bytes bool) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for e, err := range w.source.sweep(ctx, from, to, bytes, w.choose) {
			if err == nil {
				if !yield(e, nil) {
					return
				}
				continue
			}
			damage := isDamage(err)
			if damage != nil && (w.passed(damage.From) || damage.Until > 0 && w.before(damage.Until-1)) {
				continue // it does not matter here
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// choose reports whether an event is asked for. It runs in several goroutines.
func (w *window) choose(e *Entry, d *events.Decoder) (bool, error) {
	if w.exactly != nil {
		if _, ok := w.exactly[string(e.register)]; !ok {
			return false, nil
		}
	}
	if !w.within(e) || !w.Filter.mayMatch(&e.glance, w.names) {
		return false, nil
	}
	if w.Filter.exact() {
		return true, nil
	}
	if err := e.loaded(d); err != nil {
		return false, err
	}
	return w.Filter.Match(&e.Event, w.names), nil
}

// inOrder yields the events asked for along the axis, oldest first unless it goes
// backward, not loaded.
func (w *window) inOrder(ctx context.Context) iter.Seq2[*Entry, error] {
	if _, sorted := w.source.feed.(*union); w.axis == Known || sorted && w.backward {
		return w.asKept(ctx, true)
	}
	return func(yield func(*Entry, error) bool) { w.ordered(ctx, yield) }
}

// asKept yields the events asked for in the order in which the log keeps them, or
// from its end to its beginning.
func (w *window) asKept(ctx context.Context, bytes bool) iter.Seq2[*Entry, error] {
	if w.backward {
		return func(yield func(*Entry, error) bool) { w.fromEnd(ctx, yield) }
	}
	return w.sweep(ctx, w.first, w.last, bytes)
}

// compare orders keys as inOrder does.
func (w *window) compare(a, b Key) int {
	if w.backward {
		return b.Compare(a)
	}
	return a.Compare(b)
}
