package replay

import (
	"context"
	"errors"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// walk folds a log event by event, along the axis of the window, from the last
// snapshot before it to its end. It calls before with the state in front of
// each event, and after with the state behind it; either may be nil, and ends
// the walk by returning errStop. e is loaded. Events in front of the window
// are folded too: within tells them apart. Damage is given to report.
func (w *window) walk(ctx context.Context, before func(e *Entry, s *projection.State) error,
	after func(e *Entry, s *projection.State, o projection.Outcome) error, report func(*Damage)) (*projection.State, error) {
	all := w.folding()
	all.first = w.beginning(ctx)
	state, err := w.source.feed.base(ctx, all.first)
	damage := isDamage(err)
	if damage != nil {
		report(damage)
		state = projection.NewState()
	} else if err != nil {
		return nil, err
	}
	received := received{source: w.source}
	var decoder events.Decoder
	for e, err := range all.foldable(ctx) {
		switch {
		case err == nil && e.IsEvent():
			err = e.loaded(&decoder)
		case err == nil:
			if state, err = withReceived(state, e); err == nil {
				continue
			}
		}
		if errors.As(err, &damage) {
			report(damage)
			continue
		}
		if err != nil {
			return state, err
		}
		if state.Head(e.Event.Log).Seq+1 < e.Event.Seq {
			state = received.mergeFor(ctx, state, e.Event.ID()) // it was in front of this event too
		}
		if before != nil {
			if err := before(e, state); err != nil {
				return state, unlessStop(err)
			}
		}
		outcome := state.Apply(&e.Event)
		if after != nil {
			if err := after(e, state, outcome); err != nil {
				return state, unlessStop(err)
			}
		}
	}
	return state, nil
}

// foldable yields what inOrder yields and, where that is the order of the log, the
// states that came from peers in their places: there the node learnt of them. A
// vector has no place, and what is in front of it neither.
func (w *window) foldable(ctx context.Context) iter.Seq2[*Entry, error] {
	if w.axis != Known || !w.cuts[1].known() || !w.cuts[3].known() {
		return w.inOrder(ctx)
	}
	return func(yield func(*Entry, error) bool) {
		for e, err := range w.source.feed.entries(ctx, w.segments[w.first].first) {
			damage := isDamage(err)
			switch {
			case err == nil && w.passed(e.Index):
				return
			case err == nil && (e.Base && !e.IsEvent() || e.IsEvent() && !w.within(e)):
				continue // what the bases between segments say was read
			case damage != nil && w.passed(damage.From):
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// withReceived merges a state with one that was received. What it returns is
// another state, as of mergeFor.
func withReceived(s *projection.State, e *Entry) (*projection.State, error) {
	other, err := projection.ReadSnapshot(e.Snapshot)
	if err != nil {
		return s, &Damage{File: e.File, Offset: e.Offset, From: e.Index, Until: e.Index + 1, Reason: err.Error()}
	}
	s = s.Clone()
	s.Merge(other)
	return s, nil
}

// beginning returns the segment from which to fold so that the state in front of
// each event of the window is made of all that comes before it along the axis.
// Where a window along the axis true begins at a place of the log, or at a vector,
// events in it may be older than some before it, for news come late.
func (w *window) beginning(ctx context.Context) int {
	placed := func(c *cut) bool { return c.vector != nil || c.axis == Known }
	if w.axis != True || w.first == 0 || !placed(&w.cuts[0]) && !placed(&w.cuts[2]) {
		return w.first
	}
	any := *w
	any.Query = &Query{}
	for e, err := range any.inOrder(ctx) {
		if err == nil { // the oldest
			return min(w.first, w.source.skip(ctx, &cut{axis: True, key: e.key(), strict: true}))
		}
	}
	return w.first
}

func unlessStop(err error) error {
	if err == errStop {
		return nil
	}
	return err
}

// received holds the states that a log received from peers in place of events.
type received struct {
	source *Source
	states []*projection.State // in local order
	looked bool
}

// mergeFor merges s with the first received state that stands for the event before
// id. What it returns is another state than s then: who remembers what it read in s
// must read it anew, for more may have changed than the event says.
func (r *received) mergeFor(ctx context.Context, s *projection.State, id events.ID) *projection.State {
	if !r.looked {
		r.look(ctx)
	}
	for _, state := range r.states {
		if state.Head(id.Log).Seq >= id.Seq-1 {
			s = s.Clone()
			s.Merge(state)
			return s
		}
	}
	return s
}

func (r *received) look(ctx context.Context) {
	r.looked = true
	lost := false
	for e, err := range r.source.feed.entries(ctx, 0) {
		damage := isDamage(err)
		switch {
		case damage != nil:
			lost = true
		case err != nil:
			return
		case !e.IsEvent() && (lost || !e.Base):
			if state, err := projection.ReadSnapshot(e.Snapshot); err == nil {
				r.states, lost = append(r.states, state), false
			}
		}
	}
}
