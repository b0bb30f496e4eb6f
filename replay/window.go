package replay

import (
	"context"
	"errors"
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
	decoder  events.Decoder
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

// ends returns what knows the end of the range that is no local index.
func (w *window) ends(ctx context.Context, from int) (all []*horizon, err error) {
	for i := 1; i < len(w.cuts); i += 2 {
		if w.cuts[i].known() {
			continue
		}
		base, err := w.source.feed.base(ctx, from)
		if err != nil {
			return nil, nil // damaged: read to the end
		}
		h, err := w.source.horizon(ctx, &w.cuts[i], base)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// entries yields the events of some segments that are asked for, and the
// damage that was met. They are loaded only when the filter had to look inside.
func (w *window) entries(ctx context.Context, from, to int) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		limit := ^uint64(0)
		if to < len(w.segments) {
			limit = w.segments[to].first
		}
		ends, err := w.ends(ctx, from)
		if err != nil {
			yield(nil, err)
			return
		}
		for e, err := range w.source.feed.entries(ctx, w.segments[from].first) {
			var damage *Damage
			switch {
			case errors.As(err, &damage):
				if damage.From >= limit || w.passed(damage.From) || !yield(nil, err) {
					return
				}
				continue
			case err != nil:
				yield(nil, err)
				return
			case e.Index >= limit || w.passed(e.Index):
				return
			case !e.IsEvent():
				continue
			}
			if w.within(e) && !w.choose(e, yield) {
				return
			}
			for _, h := range ends {
				if h.passed(e) {
					return
				}
			}
		}
	}
}

// choose yields an event if the filter chooses it.
func (w *window) choose(e *Entry, yield func(*Entry, error) bool) bool {
	if !w.Filter.mayMatch(&e.glance, w.names) {
		return true
	}
	if w.Filter.exact() {
		return yield(e, nil)
	}
	if err := e.load(&w.decoder); err != nil {
		return yield(nil, err)
	}
	return !w.Filter.Match(&e.Event, w.names) || yield(e, nil)
}

// inOrder yields the events asked for along the axis, oldest first. Like those
// of entries they may not be loaded.
func (w *window) inOrder(ctx context.Context) iter.Seq2[*Entry, error] {
	if w.axis == Known {
		return w.entries(ctx, w.first, len(w.segments))
	}
	return func(yield func(*Entry, error) bool) { w.ordered(ctx, yield) }
}
