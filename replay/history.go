package replay

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Step is one event of a history that is folded, and the state behind it. It is
// valid until the next one.
type Step struct {
	Entry   // its event is the zero Event when only received states were taken up
	State   *projection.State
	Outcome projection.Outcome
	Within  bool // false in front of the range, where events are only folded
	Chosen  bool // within the range, and what the filter and the condition of the query ask for

	// Jumped says that more changed than the event says, because a snapshot
	// took the place of events: any register may have another winner.
	Jumped bool

	// Learnt has for each source when it came to know the event, in Unix
	// milliseconds: 0 when it does not say, -1 when it does not hold the event.
	Learnt []int64
}

// Walk folds the history that several logs hold together, event by event along
// the axis true, each event once; of a single log also along the axis known. It
// uses the range, the two limits and the axis of the query, and of its filter and
// its condition it tells what they choose. It starts from the last snapshot in
// front of the range. A *Damage does not end the sequence;
// every other error does.
func Walk(ctx context.Context, q Query, sources ...*Source) iter.Seq2[*Step, error] {
	return func(yield func(*Step, error) bool) {
		if len(sources) == 0 || len(sources) > 1 && q.Axis == Known {
			yield(nil, errors.New("walk: the axis known is that of one log"))
			return
		}
		if err := SameRedaction(sources...); err != nil {
			yield(nil, err)
			return
		}
		h := history{yield: yield, query: &q, names: new(Names), learnt: make([]int64, len(sources))}
		if err := h.open(ctx, q, sources); err != nil && err != errStop {
			yield(nil, err)
			return
		} else if err != nil {
			return
		}
		if err := h.run(ctx); err != nil && err != errStop {
			yield(nil, err)
		}
	}
}

// history folds the union of several logs.
type history struct {
	yield   func(*Step, error) bool
	query   *Query
	names   *Names
	windows []*window // of the range, one a source
	states  []spare   // that may make up for events that no log holds
	state   *projection.State
	jumped  bool
	decoder events.Decoder
	learnt  []int64
	step    Step
}

// spare is a state that stands for events.
type spare struct {
	state    *projection.State
	received *received // or those of a log, not looked for yet
}

// open prepares a window for each source, and starts from the oldest base.
func (h *history) open(ctx context.Context, q Query, sources []*Source) error {
	for _, s := range sources {
		w, err := s.window(ctx, &Query{Range: q.Range, Since: q.Since, Until: q.Until, Axis: q.Axis})
		if err != nil {
			return err
		}
		h.names.LearnNames(w.names)
		w.first = w.beginning(ctx)
		h.windows = append(h.windows, w)
		base, err := s.feed.base(ctx, w.first)
		var damage *Damage
		if errors.As(err, &damage) {
			if !h.yield(nil, damage) {
				return errStop
			}
			continue
		} else if err != nil {
			return err
		}
		h.states = append(h.states, spare{state: base})
	}
	slices.SortStableFunc(h.states, func(a, b spare) int { return cmp.Compare(a.state.MaxTime(), b.state.MaxTime()) })
	h.state = projection.NewState()
	if len(h.states) > 0 {
		h.state = h.states[0].state
		h.jumped = len(h.state.Heads()) > 0
		h.states = h.states[1:]
	}
	for _, w := range h.windows {
		h.states = append(h.states, spare{received: &received{source: w.source}})
	}
	return nil
}

// folding returns a window of everything up to the end of w.
func (w *window) folding() *window {
	all := *w
	all.Query = &Query{}
	all.cuts = []cut{{axis: Known}, w.cuts[1], {axis: Known}, w.cuts[3]}
	return &all
}

func (h *history) run(ctx context.Context) error {
	var err error
	if len(h.windows) == 1 {
		err = h.single(ctx)
	} else {
		err = h.several(ctx)
	}
	if err != nil {
		return err
	}
	return h.end(ctx)
}

// single walks one log, which needs no merging.
func (h *history) single(ctx context.Context) error {
	w := h.windows[0]
	for e, err := range ahead(ctx, w.folding().inOrder) {
		if err == nil {
			h.learnt[0] = e.Received
			err = h.take(ctx, e, w.within(e))
		}
		if err := h.told(err); err != nil {
			return err
		}
	}
	return nil
}

// told hands damage on, and returns every other error.
func (h *history) told(err error) error {
	if err == nil || isDamage(err) == nil {
		return err
	}
	if !h.yield(nil, err) {
		return errStop
	}
	return nil
}

// strand is one of several logs that are walked side by side.
type strand struct {
	window *window
	next   func() (*Entry, error, bool)
	entry  *Entry // the next one; nil at the end
}

// several walks logs side by side, taking the oldest event of all each time.
func (h *history) several(ctx context.Context) error {
	strands := make([]strand, len(h.windows))
	for i, w := range h.windows {
		next, stop := iter.Pull2(w.folding().inOrder(ctx))
		defer stop()
		strands[i] = strand{window: w, next: next}
		if err := h.advance(&strands[i]); err != nil {
			return err
		}
	}
	for {
		var first *strand
		for i := range strands {
			if s := &strands[i]; s.entry != nil && (first == nil || s.entry.key().Compare(first.entry.key()) < 0) {
				first = s
			}
		}
		if first == nil {
			return nil
		}
		key, within := first.entry.key(), false
		for i := range strands {
			h.learnt[i] = -1
			if s := &strands[i]; s.entry != nil && s.entry.key() == key {
				h.learnt[i] = s.entry.Received
				within = within || s.window.within(s.entry)
			}
		}
		if err := h.told(h.take(ctx, first.entry, within)); err != nil {
			return err
		}
		for i := range strands {
			if h.learnt[i] < 0 {
				continue
			}
			if err := h.advance(&strands[i]); err != nil {
				return err
			}
		}
	}
}

// advance moves a strand to its next event.
func (h *history) advance(s *strand) error {
	for {
		e, err, ok := s.next()
		if !ok {
			s.entry = nil
			return nil
		}
		if err == nil {
			s.entry = e
			return nil
		}
		if err := h.told(err); err != nil {
			return err
		}
	}
}

// take folds one event.
func (h *history) take(ctx context.Context, e *Entry, within bool) error {
	if err := e.loaded(&h.decoder); err != nil {
		return err
	}
	if h.state.Head(e.Event.Log).Seq+1 < e.Event.Seq && h.mergeFor(ctx, e.Event.ID()) {
		h.jumped = true // in front of this event, to which a condition is held
	}
	chosen := within && (h.query.Filter.IsZero() || h.query.Filter.Match(&e.Event, h.names))
	if h.query.Where != nil {
		chosen = h.query.Where.Holds(e, h.state, h.names) && chosen
	}
	outcome := h.state.Apply(&e.Event)
	h.step = Step{Entry: *e, State: h.state, Outcome: outcome, Within: within, Chosen: chosen, Jumped: h.jumped, Learnt: h.learnt}
	h.jumped = false
	if !h.yield(&h.step, nil) {
		return errStop
	}
	return nil
}

// mergeFor merges a state that stands for the event before id.
func (h *history) mergeFor(ctx context.Context, id events.ID) bool {
	have := h.state.Head(id.Log).Seq
	for _, s := range h.states {
		if s.state == nil {
			h.state = s.received.mergeFor(ctx, h.state, id)
		} else if s.state.Head(id.Log).Seq >= id.Seq-1 {
			h.state = h.state.Clone() // as received.mergeFor does
			h.state.Merge(s.state)
		}
		if h.state.Head(id.Log).Seq > have {
			return true
		}
	}
	return false
}

// end takes up what the logs hold in the form of states only, when the walk
// went to their ends.
func (h *history) end(ctx context.Context) error {
	for _, w := range h.windows {
		if !w.toEnd() {
			return nil
		}
		heads, err := w.source.heads(ctx)
		if err != nil {
			return err
		}
		for log, seq := range heads {
			if h.state.Head(log).Seq < seq && h.mergeFor(ctx, events.ID{Log: log, Seq: seq + 1}) {
				h.jumped = true
			}
		}
	}
	if !h.jumped {
		return nil
	}
	for i := range h.learnt {
		h.learnt[i] = -1
	}
	if h.step = (Step{State: h.state, Within: true, Jumped: true, Learnt: h.learnt}); !h.yield(&h.step, nil) {
		return errStop
	}
	return nil
}

// toEnd reports whether the window goes to the end of the log.
func (w *window) toEnd() bool { return w.cuts[1].index == ^uint64(0) && w.cuts[3].index == ^uint64(0) }
