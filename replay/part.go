package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Extent says which part of a log a [Source] is, of which the rest was left out.
// What came before is kept as a state, and of what came after it is known from
// when on it is missing, so that a part answers as its log does or wraps
// ErrNotKept.
type Extent struct {
	From uint64 `json:"from"`         // it begins behind this local index, with the state there
	To   uint64 `json:"to,omitempty"` // its last local index; 0 when nothing came after

	// The oldest time of an event behind To, and when the first was received.
	Time     events.Timestamp `json:"time,omitempty"`
	Received events.Timestamp `json:"received,omitempty"`
}

// String says it in words.
func (x *Extent) String() string {
	var words []string
	if x.From > 0 {
		words = append(words, fmt.Sprintf("what came up to @%d is there as a state only", x.From))
	}
	if x.To > 0 {
		after := ""
		if x.To != ^uint64(0) {
			after = fmt.Sprintf(" @%d", x.To)
		}
		words = append(words, fmt.Sprintf("what came after%s is left out, from %s on", after, x.Time.Time().UTC().Format("2006-01-02T15:04:05.000Z")))
	}
	return strings.Join(words, ", and ")
}

// holds reports whether a point does not lie behind the part that has these heads.
func (x *Extent) holds(p Point, c *cut, heads events.Vector) error {
	if x.To > 0 && (p.kind == pointTime && c.known() && p.time.Millis() >= x.Received.Millis() ||
		c.vector == nil && c.axis == True && c.key.Time >= x.Time || !heads.Dominates(c.vector)) {
		return fmt.Errorf("%s: %w: it is a part of a log, %s", p.text, ErrNotKept, x)
	}
	return nil
}

// extentOf returns the extent of several logs as one: of them the one that goes
// furthest counts, for it holds all that it knew. Local indexes they have none.
func extentOf(sources []*Source) *Extent {
	x := Extent{To: ^uint64(0)}
	for _, s := range sources {
		if s.extent == nil || s.extent.To == 0 {
			return nil
		}
		x.Time, x.Received = max(x.Time, s.extent.Time), max(x.Received, s.extent.Received)
	}
	return &x
}

// Extent returns which part of a log this is, nil when it is not known to be one.
func (s *Source) Extent() *Extent { return s.extent }

// Part returns the shortest stretch of a log that answers what lies in the
// range and between the limits of a query as the log itself does, for an export
// or a bundle. It is a stretch of local order: of the axis true, on which news
// come late, it holds what came in between as well. Every record in it is as
// it was. It takes the place of s: closing it closes s. When the range leaves out
// nothing, it is s. Several logs that were merged have no parts.
func (s *Source) Part(ctx context.Context, q Query) (*Source, error) {
	all := true
	for _, p := range [...]Point{q.Range.From, q.Range.To, q.Since, q.Until} {
		all = all && p.IsZero()
	}
	if all {
		return s, nil
	}
	if s.Kind == KindUnion {
		return nil, &PointError{q.Range.String(), "several logs have no common order of which this could be a part; name one LOG"}
	}
	w, err := s.window(ctx, &Query{Range: q.Range, Since: q.Since, Until: q.Until, Axis: q.Axis})
	if err != nil {
		return nil, err
	}
	named, err := s.namedBy(ctx, &q)
	if err != nil {
		return nil, err
	}
	if w.cuts[0].known() && w.cuts[2].known() && max(w.cuts[0].index, w.cuts[2].index) > 0 {
		named = min(named, max(w.cuts[0].index, w.cuts[2].index)) // so that it has a name there, too
	}
	w.first = min(w.first, segmentOf(w.segments, named))
	p := &part{feed: s.feed, from: w.segments[w.first].first - 1, to: ^uint64(0)}
	if err := p.begin(ctx, w, named); err != nil {
		return nil, err
	}
	for _, c := range []*cut{&w.cuts[1], &w.cuts[3]} {
		if err := p.end(ctx, s, w, c); err != nil {
			return nil, err
		}
	}
	x := Extent{From: p.from, To: p.to}
	if err := p.after(ctx, w, &x); err != nil {
		return nil, err
	}
	if x.From < w.segments[0].first && s.extent != nil { // it is a part of a part
		x.From = s.extent.From
	}
	if x.To == 0 && s.extent != nil {
		x.To, x.Time, x.Received = s.extent.To, s.extent.Time, s.extent.Received
	}
	if p.from < w.segments[0].first && p.to == ^uint64(0) {
		return s, nil
	}
	if err := p.divide(ctx, s, w); err != nil {
		return nil, err
	}
	out := *s
	out.feed, out.extent, out.marks, out.newest = p, &x, nil, nil
	if p.to != ^uint64(0) {
		out.checkpoint = nil // it stands for what is left out
	}
	return &out, nil
}

// namedBy returns the first local index of the events that a query names: they
// belong to a part, in which their names mean the same then.
func (s *Source) namedBy(ctx context.Context, q *Query) (uint64, error) {
	first := ^uint64(0)
	for _, p := range [...]Point{q.Range.From, q.Range.To, q.Since, q.Until} {
		if p.kind == pointIndex && q.Axis == True { // it stands for an event, too
			first = min(first, p.n)
		}
		if p.kind != pointEvent {
			continue
		}
		c, err := s.cutEvent(ctx, p, Known)
		if err != nil {
			return 0, err
		}
		first = min(first, c.index)
	}
	return first, nil
}

// part is a stretch of another feed.
type part struct {
	feed
	from, to uint64            // what lies behind from and not behind to
	received int64             // of the record at from
	skipped  int               // the segment of the feed in which it begins
	start    *projection.State // at from; nil when it begins as the feed does
	list     []segment
}

// begin finds the last index up to which all lies before the window and the
// events that are named.
func (p *part) begin(ctx context.Context, w *window, named uint64) error {
	before := func(c *cut, e *Entry) bool { // and so that the state at the point can be made from here
		if c.known() {
			return c.covers(e)
		}
		m, ok := marks{e.log: mark{e.seq, e.time}}, true
		if !e.IsEvent() {
			m, ok = marksOfSnapshot(e.Snapshot)
		}
		return ok && c.coversMarks(m)
	}
	for e, err := range p.feed.entries(ctx, p.from+1) {
		switch {
		case isDamage(err) != nil:
			return nil // it belongs to the part, and whatever comes after it
		case err != nil:
			return err
		case e.Base:
		case e.Index >= named || !before(&w.cuts[0], e) && !before(&w.cuts[2], e):
			return nil
		default:
			p.from = e.Index
		}
	}
	return nil
}

// end finds the last index that may matter for what a cut covers.
func (p *part) end(ctx context.Context, s *Source, w *window, c *cut) error {
	if c.known() {
		if p.to = min(p.to, c.index); p.to < p.from {
			return &PointError{w.Range.String(), "the part ends before it begins"}
		}
		return nil
	}
	m, err := s.marksAt(ctx, w.first)
	if err != nil && isDamage(err) == nil {
		return err
	}
	h, err := s.horizon(ctx, c, m)
	if err != nil {
		return err
	}
	last := p.from
	if len(h.pending) > 0 {
		last = ^uint64(0)
		for e, err := range p.feed.entries(ctx, w.segments[w.first].first) {
			if err != nil && isDamage(err) == nil {
				return err
			}
			if err == nil && e.IsEvent() && h.passed(e) {
				last = max(e.Index, p.from)
				break
			}
		}
	}
	p.to = min(p.to, last)
	return nil
}

// after finds out what comes behind the part, and from when on it is missing.
func (p *part) after(ctx context.Context, w *window, x *Extent) error {
	x.To = 0
	if p.to == ^uint64(0) {
		return nil
	}
	known, err := p.feed.marks(ctx, w.first)
	if err != nil || known == nil {
		known = make(marks)
	}
	oldest := ^events.Timestamp(0)
	for e, err := range p.feed.entries(ctx, w.segments[w.first].first) {
		switch {
		case isDamage(err) != nil:
			continue
		case err != nil:
			return err
		case e.Index > p.to && x.To == 0 && !e.Base:
			x.To, x.Received = p.to, events.NewTimestamp(e.Received, 0)
		}
		if e.IsEvent() {
			known[e.log] = mark{e.seq, e.time}
			if e.Index > p.to {
				oldest = min(oldest, e.time)
			}
			continue
		}
		state, ok := marksOfSnapshot(e.Snapshot)
		for log, at := range state { // events in form of a state: younger than what was known of that log
			if ok && !e.Base && at.seq > known[log].seq {
				if e.Index > p.to {
					oldest = min(oldest, known[log].time+1)
				}
				known[log] = at
			}
		}
	}
	if x.To == 0 {
		p.to = ^uint64(0)
		return nil
	}
	x.Time = oldest
	return nil
}

// divide makes the segments of the part: those of the feed, the first from where
// the part begins.
func (p *part) divide(ctx context.Context, s *Source, w *window) error {
	p.skipped = segmentOf(w.segments, p.from)
	begin := w.segments[p.skipped]
	if p.from >= begin.first {
		f := folder{cut: &cut{axis: Known, index: p.from}}
		if err := s.fold(ctx, &f); err != nil {
			return err
		}
		for e, err := range p.feed.entries(ctx, p.from) {
			if err == nil {
				p.received = e.Received
			}
			break
		}
		p.start, begin.first = f.state, p.from
	}
	p.list = append(p.list, begin)
	for _, next := range w.segments[p.skipped+1:] {
		if next.first <= p.to {
			p.list = append(p.list, next)
		}
	}
	return nil
}

func (p *part) segments() []segment { return p.list }

func (p *part) base(ctx context.Context, i int) (*projection.State, error) {
	if i == 0 && p.start != nil {
		return p.start.Clone(), nil
	}
	return p.feed.base(ctx, p.skipped+i)
}

func (p *part) marks(ctx context.Context, i int) (marks, error) {
	if i == 0 && p.start != nil {
		return marksOfState(p.start), nil
	}
	return p.feed.marks(ctx, p.skipped+i)
}

func (p *part) entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if p.start != nil && from <= p.from {
			e := Entry{Index: p.from, Received: p.received, File: p.list[0].file, Base: true, Snapshot: p.start.AppendSnapshot(nil)}
			if !yield(&e, nil) {
				return
			}
		}
		for e, err := range p.feed.entries(ctx, max(from, p.from+1)) {
			var damage *Damage
			switch errors.As(err, &damage); {
			case damage != nil && damage.Until > 0 && damage.Until <= p.from+1:
				continue
			case damage != nil && damage.From > p.to, err == nil && e.Index > p.to:
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
