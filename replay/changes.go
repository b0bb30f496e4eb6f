package replay

import (
	"context"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// changes folds from the beginning of the range, along its axis, to ask the
// condition of the query and to say what each event changed.
func (w *window) changes(ctx context.Context, yield func(*Line, error) bool) {
	lines := newest[*Line]{limit: w.Limit}
	line := Line{Names: w.names}
	var before []quality
	wanted := false
	note := func(e *Entry, s *projection.State) error {
		if w.Where != nil {
			w.Where.look(s, e) // also at those that are not asked for
		}
		wanted = w.within(e) && w.Filter.Match(&e.Event, w.names) && (w.Where == nil || w.Where.Holds(e, s, w.names))
		if wanted && w.Changes {
			before = subjectFields(s, &e.Event)
		}
		return nil
	}
	tell := func(e *Entry, s *projection.State, o projection.Outcome) error {
		if !wanted {
			return nil
		}
		line.Entry = *e
		w.source.sign(&line)
		if w.Changes {
			line.Outcome, line.Changes = o, compareFields(before, subjectFields(s, &e.Event))
		}
		if w.Reverse || w.Limit > 0 {
			kept := line
			kept.Entry = e.keep(nil)
			w.source.sign(&kept)
			lines.add(&kept)
		} else if !yield(&line, nil) {
			return errStop
		}
		return nil
	}
	stopped := false
	_, err := w.walk(ctx, note, tell, func(d *Damage) { stopped = stopped || !yield(nil, d) })
	if err != nil && !stopped {
		yield(nil, err)
	}
	for l := range lines.all(w.Reverse) {
		if stopped = stopped || !yield(l, nil); stopped {
			return
		}
	}
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
