package replay

import (
	"context"
	"errors"
	"iter"

	"github.com/skshohagmiah/clusterkit/projection"
)

// Query says which events of a log are asked for, and in which order.
type Query struct {
	Range   Range  // after From, up to To
	Since   Point  // from here on, the point itself included
	Until   Point  // up to here, the point itself included
	Axis    Axis   // Natural is True
	Filter  Filter // which of them
	Limit   int    // only the newest so many; 0 is all
	Reverse bool   // newest first
	Changes bool   // also say what each event changed
}

// Line is one event of an answer. It is valid until the next one.
type Line struct {
	Entry
	Names   *Names
	Outcome projection.Outcome // what became of it, with Query.Changes; else 0
	Changes []FieldChange      // what it changed, with Query.Changes
	Sources []string           // which LOGs hold it, when there are several
}

// Log yields the events that a query asks for. A *Damage does not end the
// sequence: what is intact behind it follows. Every other error ends it.
//
// In the order of a log, or along the axis true from the oldest on, it holds a
// bounded number of events in memory. In reverse it holds those it yields,
// along the axis known one segment of them.
func (s *Source) Log(ctx context.Context, q Query) iter.Seq2[*Line, error] {
	return func(yield func(*Line, error) bool) {
		w, err := s.window(ctx, &q)
		if err != nil {
			yield(nil, err)
			return
		}
		switch {
		case q.Changes:
			w.changes(ctx, yield)
		case q.Reverse || q.Limit > 0:
			w.backward(ctx, yield)
		case w.axis == Known:
			w.forward(ctx, yield)
		default:
			w.ordered(ctx, yield)
		}
	}
}

// window is a query made ready for one log.
type window struct {
	*Query
	source   *Source
	names    *Names
	axis     Axis
	cuts     []cut // of what is asked for: not covered by even ones, covered by odd ones
	segments []segment
	first    int // segment to begin with
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
	for _, p := range []Point{q.Range.From, q.Range.To, q.Since, q.Until} {
		c := everything()
		if after := len(w.cuts)%2 == 0; p.IsZero() && after {
			c = cut{axis: Known}
		} else if len(w.cuts) == 2 {
			c, err = s.resolveBefore(ctx, p, q.Axis)
		} else if !p.IsZero() {
			c, err = s.resolve(ctx, p, q.Axis)
		}
		if err != nil {
			return nil, err
		}
		w.cuts = append(w.cuts, c)
	}
	w.first = max(s.skip(ctx, w.segments, &w.cuts[0]), s.skip(ctx, w.segments, &w.cuts[2]))
	return w, nil
}

// skip returns the first segment that may hold an event that c does not cover.
func (s *Source) skip(ctx context.Context, segments []segment, c *cut) int {
	if c.known() {
		return segmentOf(segments, max(c.index, c.index+1))
	}
	lo, hi := 0, len(segments)-1
	for lo < hi {
		mid := (lo + hi + 1) / 2
		base, err := s.feed.base(ctx, mid)
		if err == nil && c.coversState(base) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// within reports whether an event lies in the range.
func (w *window) within(e *Entry) bool {
	for i := range w.cuts {
		if w.cuts[i].covers(e.Index, &e.Event) != (i%2 == 1) {
			return false
		}
	}
	return true
}

// passed reports whether nothing behind a local index can lie in the range.
func (w *window) passed(index uint64) bool {
	return w.cuts[1].known() && index > w.cuts[1].index || w.cuts[3].known() && index > w.cuts[3].index
}

// entries yields the events of some segments that are asked for, and the
// damage that was met.
func (w *window) entries(ctx context.Context, from, to int) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		limit := ^uint64(0)
		if to < len(w.segments) {
			limit = w.segments[to].first
		}
		for e, err := range w.source.feed.entries(ctx, w.segments[from].first) {
			var damage *Damage
			switch {
			case errors.As(err, &damage):
				if damage.From >= limit || w.passed(damage.From) {
					return
				}
				if !yield(nil, err) {
					return
				}
				continue
			case err != nil:
				yield(nil, err)
				return
			case e.Index >= limit || w.passed(e.Index):
				return
			}
			if e.IsEvent() && w.within(e) && w.Filter.Match(&e.Event, w.names) && !yield(e, nil) {
				return
			}
		}
	}
}

// forward streams along the axis known.
func (w *window) forward(ctx context.Context, yield func(*Line, error) bool) {
	line := Line{Names: w.names}
	for e, err := range w.entries(ctx, w.first, len(w.segments)) {
		if err != nil {
			if !yield(nil, err) {
				return
			}
			continue
		}
		line.Entry = *e
		if !yield(&line, nil) {
			return
		}
	}
}
