package replay

import (
	"context"
	"errors"
	"iter"
	"slices"
)

// newest keeps the newest so many of the values added to it; with limit 0 it
// keeps all.
type newest[T any] struct {
	limit int
	ring  []T
	next  int // the oldest, once the ring is full
}

func (n *newest[T]) add(v T) {
	if n.limit == 0 || len(n.ring) < n.limit {
		n.ring = append(n.ring, v)
		return
	}
	n.ring[n.next] = v
	n.next = (n.next + 1) % n.limit
}

// all yields what was kept, oldest or newest first.
func (n *newest[T]) all(reverse bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range n.ring {
			if reverse {
				i = len(n.ring) - 1 - i
			}
			if !yield(n.ring[(n.next+i)%len(n.ring)]) {
				return
			}
		}
	}
}

// fromEnd yields the events asked for from the end of the log to its beginning, not
// loaded. It holds one segment of them.
func (w *window) fromEnd(ctx context.Context, yield func(*Entry, error) bool) {
	if u, ok := w.source.feed.(*union); ok {
		w.chosen(u.newestFirst(ctx), yield)
		return
	}
	var c chunk
	var entry Entry
	for i := w.last - 1; i >= w.first; i-- {
		c.clear()
		for e, err := range w.entries(ctx, i, i+1) {
			if err == nil {
				c.add(e, true)
			} else if !yield(nil, err) || isDamage(err) == nil {
				return
			}
		}
		for j := range slices.Backward(c.items) {
			if c.items[j].restore(&entry, c.file, c.bytes); !yield(&entry, nil) {
				return
			}
		}
	}
}

// chosen yields those entries of a list that are asked for.
func (w *window) chosen(list iter.Seq2[*Entry, error], yield func(*Entry, error) bool) {
	for e, err := range list {
		keep := false
		if err == nil && e.IsEvent() {
			keep, err = w.choose(e, &w.decoder)
		}
		if (err != nil || keep) && !yield(e, err) {
			return
		}
	}
}

// limited reads the log segment by segment from its end, until it has the
// newest events asked for.
func (w *window) limited(ctx context.Context, yield func(*Entry, error) bool) {
	var found []Entry // newest first along the axis known; sorted when it is true
	for i := w.last - 1; i >= w.first; i-- {
		part, ok := w.part(ctx, i, yield)
		if !ok {
			return
		}
		slices.Reverse(part)
		if found = append(found, part...); w.enough(ctx, &found, i) {
			break
		}
	}
	if !w.Reverse {
		slices.Reverse(found)
	}
	for i := range found {
		if !yield(&found[i], nil) {
			return
		}
	}
}

// part returns as many of the events of segment i that are asked for, in local
// order, as can be among the newest. Along the axis true their order says nothing.
func (w *window) part(ctx context.Context, i int, yield func(*Entry, error) bool) ([]Entry, bool) {
	part := newest[Entry]{}
	if w.axis == Known {
		part.limit = w.Limit
	}
	var least Key // of those that were kept when the others were given up
	for e, err := range w.entries(ctx, i, i+1) {
		var damage *Damage
		if err != nil {
			if !yield(nil, err) || !errors.As(err, &damage) {
				return nil, false
			}
			continue
		}
		if w.axis == True && e.key().Compare(least) < 0 {
			continue
		}
		part.add(e.keep(nil))
		if n := len(part.ring); w.axis == True && n >= 64 && n >= 2*w.Limit {
			part.ring = newestByKey(part.ring, w.Limit)
			least = part.ring[w.Limit-1].key()
		}
	}
	return slices.Collect(part.all(false)), true
}

// enough brings what was found in the segments from i on into its order and
// size, and reports whether older segments can add nothing.
func (w *window) enough(ctx context.Context, found *[]Entry, i int) bool {
	if w.axis == Known {
		if len(*found) < w.Limit {
			return false
		}
		*found = (*found)[:w.Limit]
		return true
	}
	*found = newestByKey(*found, w.Limit)
	if len(*found) < w.Limit {
		return false
	}
	*found = slices.Clip(*found)
	at, err := w.source.marksAt(ctx, i)
	oldest := cut{axis: True, key: (*found)[w.Limit-1].key()}
	return err == nil && oldest.coversMarks(at)
}

// newestByKey sorts entries along the axis true, newest first, and gives up all
// but the first so many.
func newestByKey(list []Entry, limit int) []Entry {
	slices.SortFunc(list, func(a, b Entry) int { return b.key().Compare(a.key()) })
	if len(list) > limit {
		clear(list[limit:])
		list = list[:limit]
	}
	return list
}
