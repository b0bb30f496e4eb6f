package replay

import (
	"context"
	"fmt"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Moment is the state at a point.
type Moment struct {
	Mark
	State  *projection.State
	Names  *Names
	Damage []Damage // of the part of the log that was read for it
}

// WhyOwned returns why a partition has the owners that it has: the trigger of
// its assignment and the reason in words; "" when it was never assigned.
func (m *Moment) WhyOwned(partition int) string {
	if e, ok := m.State.Register(events.PartitionRegister(partition)); ok {
		if p, err := e.Payload(); err == nil {
			if a, ok := p.(*events.Assignment); ok {
				return because(a.Trigger, a.Reason)
			}
		}
	}
	return ""
}

// StateAt opens the log in dir, folds it up to a point, and closes it. The
// point is read in UTC and without a now; see [Grammar]. The error is a
// *PointError when the text names no point of this log; it wraps ErrNotKept
// when history was not kept that far, ErrBeyond when the log does not reach
// that far yet, and is a *Damage when the state cannot be told because of
// damage.
func StateAt(ctx context.Context, dir, point string) (*projection.State, error) {
	p, err := Grammar{}.Point(point)
	if err != nil {
		return nil, err
	}
	source, err := Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	m, err := source.StateAt(ctx, p, Natural)
	if err != nil {
		return nil, err
	}
	if len(m.Damage) > 0 {
		return nil, &m.Damage[0]
	}
	return m.State, nil
}

// StateAt folds the log up to a point. It starts from the last snapshot before
// the point, so its cost does not grow with the length of the history before
// it. Its errors are those of the function [StateAt], except that damage is
// told in the answer, which then lacks what was lost there.
func (s *Source) StateAt(ctx context.Context, p Point, axis Axis) (*Moment, error) {
	c, err := s.resolve(ctx, p, axis)
	if err != nil {
		return nil, err
	}
	return s.stateAt(ctx, p, &c)
}

func (s *Source) stateAt(ctx context.Context, p Point, c *cut) (*Moment, error) {
	f := folder{cut: c}
	if err := s.fold(ctx, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	m := &Moment{State: f.state, Damage: f.damage}
	m.Mark = Mark{Log: s.Name, Point: p.String(), Axis: c.axis, Index: f.index, Time: f.state.MaxTime(), Digest: f.state.Digest()}
	if _, ok := s.feed.(*union); ok {
		m.Index = 0
	}
	for _, h := range f.state.Heads() {
		m.Events += h.Seq
	}
	if s.names != nil {
		m.Names = s.names
	} else {
		m.Names = NamesOf(f.state)
		m.Names.registry = s.registry
	}
	return m, nil
}

// folder folds the part of a log that a cut covers.
type folder struct {
	cut     *cut
	state   *projection.State
	index   uint64 // of the last record that was covered
	damage  []Damage
	decoder events.Decoder
	lost    bool                  // damage was met since the last snapshot
	past    map[events.LogID]bool // logs of which an event behind the cut was seen

	// before is called, when it is not nil, with the state before each event
	// that is applied.
	before func(e *Entry, s *projection.State) error
}

// fold runs f over the log. It wraps ErrNotKept and ErrBeyond.
func (s *Source) fold(ctx context.Context, f *folder) error {
	segments := s.feed.segments()
	i, err := s.start(ctx, segments, f)
	if err != nil {
		return err
	}
	f.index = max(segments[i].first, 1) - 1
	var h *horizon
	if !f.cut.known() {
		if h, err = s.horizon(ctx, f.cut, marksOfState(f.state)); err != nil {
			return err
		}
		if len(h.pending) == 0 {
			return s.finish(ctx, f)
		}
	}
	for e, err := range s.feed.entries(ctx, segments[i].first) {
		damage := isDamage(err)
		if damage != nil {
			if f.cut.known() && damage.From > f.cut.index {
				break
			}
			f.damage, f.lost = append(f.damage, *damage), true
			continue
		}
		if err != nil {
			return err
		}
		if f.cut.known() && e.Index > f.cut.index {
			break
		}
		if err := f.take(e); err != nil {
			return err
		}
		if h != nil && e.IsEvent() && h.passed(e) {
			break
		}
	}
	return s.finish(ctx, f)
}

// finish reports whether the end of the log was enough. Damage may be why it was not,
// also where it lies behind what had to be read.
func (s *Source) finish(ctx context.Context, f *folder) error {
	for log, seq := range f.cut.vector {
		have := f.state.Head(log).Seq
		if have >= seq || len(f.damage) > 0 {
			continue
		}
		damage, err := s.damaged(ctx)
		switch {
		case err != nil:
			return err
		case damage != nil:
			f.damage = append(f.damage, *damage)
		default:
			return fmt.Errorf("%s: %w, which holds %d of that log", events.ID{Log: log, Seq: seq}, ErrBeyond, have)
		}
	}
	return nil
}

// start chooses the last segment whose base is covered, and loads it.
func (s *Source) start(ctx context.Context, segments []segment, f *folder) (int, error) {
	if f.cut.known() {
		return s.startKnown(ctx, segments, f)
	}
	lo, hi := 0, len(segments) // those before lo begin before the point, those from hi on do not
	for lo < hi {
		mid := (lo + hi) / 2
		if m, err := s.marksAt(ctx, mid); err == nil && f.cut.coversMarks(m) {
			lo = mid + 1
		} else if err != nil && mid == 0 {
			lo = 1 // damaged; stateFrom says so
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0, ErrNotKept
	}
	return s.stateFrom(ctx, segments, lo-1, f)
}

// stateFrom loads the state at the start of segment i, or of the last one
// before it that can be read.
func (s *Source) stateFrom(ctx context.Context, segments []segment, i int, f *folder) (int, error) {
	for ; i >= 0; i-- {
		base, err := s.feed.base(ctx, i)
		if err == nil {
			f.state = base
			return i, nil
		}
		if i == 0 {
			f.damage, f.lost = append(f.damage, damageOf(err, segments[0])), true
		}
	}
	f.state = projection.NewState()
	return 0, nil
}

func (s *Source) startKnown(ctx context.Context, segments []segment, f *folder) (int, error) {
	if f.cut.index < segments[0].first-1 {
		return 0, fmt.Errorf("%w: it begins at @%d", ErrNotKept, segments[0].first)
	}
	return s.stateFrom(ctx, segments, segmentOf(segments, f.cut.index), f)
}

// coversState reports whether everything that a state stands for is before or
// at the point.
func (c *cut) coversState(s *projection.State) bool {
	if c.vector != nil {
		return c.vector.Dominates(s.Vector())
	}
	return s.MaxTime() < c.key.Time || len(s.Heads()) == 0
}

// damageOf describes a base that cannot be read.
func damageOf(err error, s segment) Damage {
	damage := isDamage(err)
	if damage != nil {
		return *damage
	}
	return Damage{File: s.file, From: s.first, Until: s.first + 1, Reason: err.Error()}
}

// take folds one record.
func (f *folder) take(e *Entry) error {
	if !e.IsEvent() {
		return f.takeSnapshot(e)
	}
	if !f.cut.covers(e) {
		f.pass(e.log)
		return nil
	}
	if err := e.load(&f.decoder); err != nil {
		f.damage, f.lost = append(f.damage, *err.(*Damage)), true
		return nil
	}
	if f.before != nil {
		if err := f.before(e, f.state); err != nil {
			return err
		}
	}
	f.state.Apply(&e.Event)
	f.index = max(f.index, e.Index)
	return nil
}

// pass notes that the rest of a log is behind the cut.
func (f *folder) pass(log events.LogID) {
	if f.past == nil {
		f.past = make(map[events.LogID]bool)
	}
	if !f.past[log] {
		f.past[log] = true
	}
}

// takeSnapshot merges a state that was received from a peer, or that makes up
// for what was lost to damage. The bases of segments say nothing new.
func (f *folder) takeSnapshot(e *Entry) error {
	if f.cut.known() {
		f.index = e.Index
	}
	if e.Base && !f.lost {
		return nil
	}
	state, err := projection.ReadSnapshot(e.Snapshot)
	if err != nil {
		f.damage = append(f.damage, Damage{File: e.File, Offset: e.Offset, Bytes: int64(e.Size),
			From: e.Index, Until: e.Index + 1, Reason: err.Error()})
		return nil
	}
	if !f.cut.known() && !f.cut.coversState(state) {
		return f.refuse(state)
	}
	f.state.Merge(state)
	f.lost = false
	return nil
}

// refuse reports whether a state that is partly behind the point stands for
// events before it that are held in no other form.
func (f *folder) refuse(state *projection.State) error {
	for _, h := range state.Heads() {
		have := f.state.Head(h.Log).Seq
		switch {
		case h.Seq <= have, f.past[h.Log]:
			continue
		case f.cut.vector != nil && f.cut.vector[h.Log] <= have:
			continue
		case f.lost:
			return nil // the damage accounts for it
		}
		return fmt.Errorf("%w: events %d to %d of log %s were received as a state only", ErrNotKept, have+1, h.Seq, h.Log)
	}
	return nil
}
