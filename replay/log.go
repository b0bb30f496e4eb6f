package replay

import (
	"context"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Query says which events of a log are asked for, and in which order.
type Query struct {
	Range   Range       // after From, up to To
	Since   Point       // from here on, the point itself included
	Until   Point       // up to here, the point itself included
	Axis    Axis        // Natural is True
	Filter  Filter      // which of them
	Where   *Expression // which of them, by the event and the state of all before it along the axis, up to To and Until
	Limit   int         // only the newest so many; 0 is all
	Reverse bool        // newest first
	Changes bool        // also say what each event changed
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
// It holds a bounded number of events in memory; in reverse one segment of them, and
// with Limit, or with Reverse and a condition or Changes, those it yields.
func (s *Source) Log(ctx context.Context, q Query) iter.Seq2[*Line, error] {
	return func(yield func(*Line, error) bool) {
		w, err := s.window(ctx, &q)
		if err != nil {
			yield(nil, err)
			return
		}
		if q.Changes || q.Where != nil {
			w.changes(ctx, yield)
			return
		}
		w.backward = q.Reverse && q.Limit == 0
		list := w.inOrder(ctx)
		if q.Limit > 0 {
			list = func(yield func(*Entry, error) bool) { w.limited(ctx, yield) }
		}
		line := Line{Names: w.names}
		for e, err := range list {
			if err == nil {
				err = e.loaded(&w.decoder)
			}
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			line.Entry = *e
			s.sign(&line)
			if !yield(&line, nil) {
				return
			}
		}
	}
}

// sign says in a line of a union who holds the event.
func (s *Source) sign(l *Line) {
	if u, ok := s.feed.(*union); ok {
		l.Sources, l.Index = u.holding(l.holders), 0 // a union has no index of its own
	}
}

// loaded loads the event unless that was done.
func (e *Entry) loaded(d *events.Decoder) error {
	if e.Event.Seq != 0 {
		return nil
	}
	return e.load(d)
}
