package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// maxUnion bounds how many logs can be merged.
const maxUnion = 64

// Union merges the logs of several nodes into one source: every event once, in
// the order of the axis true, with the names of the LOGs that hold it in
// [Line.Sources]. An event's time of receipt is the last of theirs. What one
// log lacks another one fills in; what none holds is taken from the states
// that they received in its place.
//
// There is one order only, so both axes are the same, and no local index. The
// sources belong to the union from here on: closing it closes them. A union of
// one is that one.
func Union(ctx context.Context, sources ...*Source) (*Source, error) {
	switch {
	case len(sources) == 1:
		return sources[0], nil
	case len(sources) == 0 || len(sources) > maxUnion:
		return nil, fmt.Errorf("a union of %d logs: want 1 to %d", len(sources), maxUnion)
	}
	if err := SameRedaction(sources...); err != nil {
		return nil, err
	}
	u := &union{sources: sources}
	s := &Source{Kind: KindUnion, feed: u, extent: extentOf(sources), redacted: sources[0].redacted, registry: sources[0].registry, names: &Names{registry: sources[0].registry}}
	for i, part := range sources {
		names, err := part.Names(ctx)
		if err != nil {
			return nil, err
		}
		s.names.merge(names)
		u.titles = append(u.titles, part.title())
		if i > 0 {
			s.Name += " "
		}
		s.Name += part.Name
		if i == 0 || s.cluster == "" {
			s.cluster = part.cluster
		}
		if part.cluster != "" && part.cluster != s.cluster {
			return nil, fmt.Errorf("%s belongs to cluster %s and %s to %s: they have no common history",
				sources[0].Name, s.cluster, part.Name, part.cluster)
		}
	}
	return s, nil
}

// title names a source in a list of several: by its node, where that is known.
func (s *Source) title() string {
	if s.node != "" {
		return s.node
	}
	return s.Name
}

// Titles returns the names of the logs that a union merges, nil of any other
// source.
func (s *Source) Titles() []string {
	if u, ok := s.feed.(*union); ok {
		return slices.Clone(u.titles)
	}
	return nil
}

// union is a feed of one segment.
type union struct {
	sources []*Source
	titles  []string
	states  []*projection.State // that stand for events; see bases
	looked  bool
}

func (u *union) segments() []segment { return []segment{{first: 1, file: u.sources[0].Name}} }

func (u *union) close() error {
	var errs []error
	for _, s := range u.sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// base is the smallest of the states that the logs begin with: the union
// reaches back as far as any of them does.
func (u *union) base(ctx context.Context, _ int) (*projection.State, error) {
	var least *projection.State
	var size uint64
	var failed error
	for _, s := range u.sources {
		state, err := s.feed.base(ctx, 0)
		if err != nil {
			failed = err
			continue
		}
		n := stoodFor(state)
		if least == nil || n < size {
			least, size = state, n
		}
	}
	if least == nil {
		return nil, failed
	}
	return least, nil
}

func (u *union) marks(ctx context.Context, i int) (marks, error) {
	state, err := u.base(ctx, i)
	if err != nil {
		return nil, err
	}
	return marksOfState(state), nil
}

// holding returns the titles of the sources of a set.
func (u *union) holding(set uint64) []string {
	var titles []string
	for i, title := range u.titles {
		if set&(1<<i) != 0 {
			titles = append(titles, title)
		}
	}
	return titles
}

// newestFirst yields the events of all sources from the last on. What stands for
// those that are missing is not among them.
func (u *union) newestFirst(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		z := zipper{union: u, backward: true, yield: yield}
		defer z.stop()
		if err := z.begin(ctx); err != nil {
			yield(nil, err)
			return
		}
		for z.step(ctx) {
		}
	}
}

func (u *union) entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		base, err := u.base(ctx, 0)
		if err != nil {
			base = projection.NewState() // the damage itself is told below
		}
		z := zipper{union: u, from: from, have: base.Vector(), yield: yield}
		defer z.stop()
		if err := z.begin(ctx); err != nil {
			yield(nil, err)
			return
		}
		for z.step(ctx) {
		}
	}
}

// zipper merges the sorted events of several sources.
type zipper struct {
	*union
	from  uint64
	index uint64
	have  events.Vector // what was yielded, or is in the base
	teeth []tooth
	entry Entry
	yield func(*Entry, error) bool

	backward bool
}

// tooth is the next event of one source.
type tooth struct {
	next func() (*Entry, error, bool)
	stop func()
	e    *Entry // nil at its end
}

func (z *zipper) begin(ctx context.Context) error {
	for _, s := range z.sources {
		w, err := s.window(ctx, &Query{Axis: True})
		if err != nil {
			return err
		}
		w.backward = z.backward
		next, stop := iter.Pull2(w.inOrder(ctx))
		z.teeth = append(z.teeth, tooth{next: next, stop: stop})
	}
	for i := range z.teeth {
		if !z.advance(i) {
			break
		}
	}
	return nil
}

func (z *zipper) stop() {
	for i := range z.teeth {
		z.teeth[i].stop()
	}
}

// advance goes to the next event of source i, and tells the damage before it.
func (z *zipper) advance(i int) bool {
	t := &z.teeth[i]
	for {
		e, err, ok := t.next()
		if !ok {
			t.e = nil
			return true
		}
		damage := isDamage(err)
		if damage != nil {
			d := *damage // its local indexes mean nothing here
			d.Reason, d.From, d.Until = damage.missing()+"; "+d.Reason, 0, 0
			err = &d
		}
		if err != nil {
			if !z.yield(nil, err) || damage == nil {
				t.e = nil
				z.index = ^uint64(0)
				return false
			}
			continue
		}
		if len(e.typ) == 0 { // a sweep leaves it out
			e.glance, _ = glanceAt(e.raw)
		}
		t.e = e
		return true
	}
}

// step yields the next event of all sources and takes it from those that hold it. Two events of one name are yielded one after the other.
func (z *zipper) step(ctx context.Context) bool {
	if z.index == ^uint64(0) {
		return false
	}
	var first *Entry
	for i := range z.teeth {
		e := z.teeth[i].e
		if e == nil {
			continue
		}
		if first == nil || z.backward && e.key().Compare(first.key()) >= 0 || !z.backward && e.key().Compare(first.key()) < 0 {
			first = e
		}
	}
	if first == nil {
		return false
	}
	z.index++
	e := &z.entry
	*e = *first
	e.Index, e.holders = z.index, 0
	var holds [maxUnion]bool
	for i := range z.teeth {
		if o := z.teeth[i].e; o != nil && o.key() == first.key() && string(o.raw) == string(first.raw) {
			holds[i] = true
			e.holders |= 1 << i
			e.Received = max(e.Received, o.Received)
		}
	}
	if !z.backward {
		if e.seq > z.have[e.log]+1 && !z.fill(ctx, e) {
			return false
		}
		z.have[e.log] = max(z.have[e.log], e.seq)
	}
	if e.Index >= z.from && !z.yield(e, nil) {
		return false
	}
	for i := range z.teeth {
		if holds[i] && !z.advance(i) {
			return false
		}
	}
	return true
}

// fill yields a state that stands for the events missing before e, if some
// source has one.
func (z *zipper) fill(ctx context.Context, e *Entry) bool {
	for _, state := range z.bases(ctx) {
		if state.Head(e.log).Seq < e.seq-1 {
			continue
		}
		z.have.Merge(state.Vector())
		if z.index < z.from {
			return true
		}
		return z.yield(&Entry{Index: e.Index, File: e.File, Snapshot: state.AppendSnapshot(nil)}, nil)
	}
	return true
}

// bases returns the states that the logs begin with or received from peers.
func (u *union) bases(ctx context.Context) []*projection.State {
	if u.looked {
		return u.states
	}
	u.looked = true
	for _, s := range u.sources {
		if state, err := s.feed.base(ctx, 0); err == nil && len(state.Heads()) > 0 {
			u.states = append(u.states, state)
		}
		r := received{source: s}
		r.look(ctx)
		u.states = append(u.states, r.states...)
	}
	return u.states
}

// find looks for an event in every source.
func (u *union) find(ctx context.Context, id events.ID) (*Entry, error) {
	var failed error
	for i, s := range u.sources {
		e, err := s.find(ctx, id)
		if err == nil {
			e.Index, e.holders = 0, 1<<i
			return e, nil
		}
		if failed == nil || !errors.Is(err, ErrNotFound) {
			failed = err
		}
	}
	return nil, failed
}

// merge takes up what other names know.
func (n *Names) merge(o *Names) {
	logs := make([]events.LogID, 0, len(o.owner))
	for log := range o.owner {
		logs = append(logs, log)
	}
	slices.SortFunc(logs, events.LogID.Compare)
	for _, log := range logs {
		n.add(log, o.owner[log])
	}
}
