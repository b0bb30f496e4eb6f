package replay

import (
	"context"
	"errors"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// changes folds from the beginning of the range, along its axis, and says what
// each event changed.
func (w *window) changes(ctx context.Context, yield func(*Line, error) bool) {
	lines := newest[*Line]{limit: w.Limit}
	emit := func(l *Line) bool {
		if !w.Reverse && w.Limit == 0 {
			return yield(l, nil)
		}
		kept := *l
		kept.Event = l.Event.Clone()
		lines.add(&kept)
		return true
	}
	if !w.explain(ctx, emit, func(err error) bool { return yield(nil, err) }) {
		return
	}
	for l := range lines.all(w.Reverse) {
		if !yield(l, nil) {
			return
		}
	}
}

// explain folds the log along the axis and emits the lines asked for.
func (w *window) explain(ctx context.Context, emit func(*Line) bool, report func(error) bool) bool {
	state, err := w.source.feed.base(ctx, w.first)
	if err != nil {
		state = projection.NewState()
	}
	received := received{source: w.source}
	all := *w
	all.Query = &Query{}
	all.cuts = []cut{{axis: Known}, w.cuts[1], {axis: Known}, w.cuts[3]}
	for e, err := range all.inOrder(ctx) {
		if err == nil {
			err = e.loaded(&w.decoder)
		}
		if err != nil {
			if !report(err) {
				return false
			}
			continue
		}
		line := Line{Entry: *e, Names: w.names}
		wanted := w.within(e) && w.Filter.Match(&e.Event, w.names)
		var before []quality
		if wanted {
			before = subjectFields(state, &e.Event)
		}
		if line.Outcome = state.Apply(&e.Event); line.Outcome == projection.Gap {
			received.mergeFor(ctx, state, e.Event.ID())
			line.Outcome = state.Apply(&e.Event)
		}
		if !wanted {
			continue
		}
		line.Changes = compareFields(before, subjectFields(state, &e.Event))
		if !emit(&line) {
			return false
		}
	}
	return true
}

// subjectFields returns what a state says about the subject of an event.
func subjectFields(s *projection.State, e *events.Event) []quality {
	kind, key := events.SplitRegister(e.Register)
	switch kind {
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		n, _ := s.Cluster().Node(key)
		return nodeFields(n)
	case events.KindConfig, events.KindCoordinator:
		return clusterFields(s.Cluster())
	case "":
		return nil
	}
	owner, held := s.Register(e.Register)
	if kind == events.KindPartition {
		var replicas []string
		if p, err := owner.Payload(); held && err == nil {
			if a, ok := p.(*events.Assignment); ok {
				replicas = a.Replicas
			}
		}
		return []quality{{"epoch", Epoch(owner.Version)}, {"owners", Owners(replicas)}}
	}
	if !held {
		return []quality{{e.Register, ""}}
	}
	return []quality{{e.Register, What(&owner)}}
}

// received holds the states that a log received from peers in place of events.
type received struct {
	source *Source
	states []*projection.State // in local order
	looked bool
}

// mergeFor merges into s the first received state that stands for the event
// before id.
func (r *received) mergeFor(ctx context.Context, s *projection.State, id events.ID) {
	if !r.looked {
		r.look(ctx)
	}
	for _, state := range r.states {
		if state.Head(id.Log).Seq >= id.Seq-1 {
			s.Merge(state)
			return
		}
	}
}

func (r *received) look(ctx context.Context) {
	r.looked = true
	lost := false
	for e, err := range r.source.feed.entries(ctx, 0) {
		var damage *Damage
		switch {
		case errors.As(err, &damage):
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
