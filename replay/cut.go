package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// ErrBeyond is wrapped when a point lies behind the end of a log: there is no
// evidence of it, yet.
var ErrBeyond = errors.New("beyond the end of this log")

// cut divides a history at a point: what it covers is before or at the point.
type cut struct {
	axis   Axis
	index  uint64        // Known: covers local indexes up to this one
	key    Key           // True: covers events up to this one
	vector events.Vector // when not nil: covers these events, on either axis
	strict bool          // True: the key itself is not covered
}

// covers reports whether an event is before or at the point.
func (c *cut) covers(e *Entry) bool {
	switch {
	case c.vector != nil:
		return c.vector.Covers(e.id())
	case c.axis == Known:
		return e.Index <= c.index
	}
	if e.time != c.key.Time {
		return e.time < c.key.Time
	}
	if c.strict {
		return e.key().Compare(c.key) < 0
	}
	return e.key().Compare(c.key) <= 0
}

// known reports whether the cut is a local index and nothing else.
func (c *cut) known() bool { return c.axis == Known && c.vector == nil }

// resolveBefore turns a point into a cut that does not cover the point itself.
func (s *Source) resolveBefore(ctx context.Context, p Point, axis Axis) (cut, error) {
	if p.kind == pointTime && axis == Known {
		p.time = events.NewTimestamp(p.time.Millis()-1, 0)
		return s.resolve(ctx, p, axis)
	}
	c, err := s.resolve(ctx, p, axis)
	switch {
	case c.vector != nil, p.kind == pointFirst, p.kind == pointHead && p.n == 0:
	case c.axis == Known:
		c.index = max(c.index, 1) - 1
	case p.kind == pointTime && p.time.Counter() == 0xffff:
		c.key, c.strict = Key{Time: events.NewTimestamp(p.time.Millis(), 0)}, true
	case p.kind == pointTime:
		c.key, c.strict = Key{Time: p.time}, true
	default:
		c.strict = true
	}
	return c, err
}

// everything covers all events.
func everything() cut { return cut{axis: Known, index: ^uint64(0)} }

// resolve turns a point into a cut of this log. Its error is a *PointError
// when the log can have no such point, and wraps ErrBeyond or ErrNotKept when
// the log does not reach that far.
func (s *Source) resolve(ctx context.Context, p Point, axis Axis) (cut, error) {
	c, err := s.place(ctx, p, axis)
	if err != nil || s.extent == nil {
		return c, err
	}
	heads, err := s.heads(ctx)
	if err != nil {
		return c, err
	}
	return c, s.extent.holds(p, &c, heads)
}

// place is resolve for what may be a part of a log.
func (s *Source) place(ctx context.Context, p Point, axis Axis) (cut, error) {
	if _, ok := s.feed.(*union); ok {
		if axis = True; p.kind == pointIndex {
			return cut{}, &PointError{p.text, "several logs have no common local index; name one LOG"}
		}
	}
	switch p.kind {
	case pointFirst:
		first := s.feed.segments()[0].first
		return cut{axis: Known, index: first - 1}, nil
	case pointHead:
		if p.n == 0 {
			return everything(), nil
		}
		return s.cutBefore(ctx, p, axis)
	case pointIndex:
		return s.cutIndex(ctx, p, axis)
	case pointEvent:
		return s.cutEvent(ctx, p, axis)
	case pointTime:
		if axis == Known {
			return s.cutReceived(ctx, p)
		}
		return cut{axis: True, key: Key{Time: p.time, Log: lastLog, Seq: ^uint64(0)}}, nil
	case pointVector:
		return s.cutVector(ctx, p)
	}
	return cut{}, &PointError{p.text, "no point"}
}

// lastLog orders after every log.
var lastLog = events.LogID(slices.Repeat([]byte{0xff}, len(events.LogID{})))

// cutIndex resolves @n.
func (s *Source) cutIndex(ctx context.Context, p Point, axis Axis) (cut, error) {
	segments := s.feed.segments()
	if p.n < segments[0].first-1 || s.extent != nil && p.n < s.extent.From {
		return cut{}, fmt.Errorf("%s: %w: it begins at @%d", p.text, ErrNotKept, segments[0].first)
	}
	var last uint64
	for e, err := range s.feed.entries(ctx, segments[segmentOf(segments, p.n)].first) {
		damage := isDamage(err)
		switch {
		case damage != nil:
			last = max(last, damage.Until)
			continue
		case err != nil:
			return cut{}, err
		}
		last = e.Index
		if e.Index < p.n {
			continue
		}
		if axis == True && e.IsEvent() {
			return cut{axis: True, key: e.key()}, nil
		}
		if axis == True {
			return cut{}, &PointError{p.text, "it is a snapshot, which has no time; name an event or use the axis known"}
		}
		break
	}
	if p.n > last {
		return cut{}, fmt.Errorf("%s: %w: it ends at @%d", p.text, ErrBeyond, last)
	}
	return cut{axis: Known, index: p.n}, nil
}

// cutBefore resolves head~n.
func (s *Source) cutBefore(ctx context.Context, p Point, axis Axis) (cut, error) {
	segments := s.feed.segments()
	// Walk back over segments until they hold more than n events.
	var behind uint64
	for i := len(segments) - 1; i >= 0; i-- {
		var indexes []uint64
		for e, err := range s.feed.entries(ctx, segments[i].first) {
			damage := isDamage(err)
			switch {
			case damage != nil:
				continue
			case err != nil:
				return cut{}, err
			}
			if i+1 < len(segments) && e.Index >= segments[i+1].first {
				break
			}
			if e.IsEvent() {
				indexes = append(indexes, e.Index)
			}
		}
		if behind+uint64(len(indexes)) > p.n {
			index := indexes[uint64(len(indexes))-1-(p.n-behind)]
			return s.cutIndex(ctx, Point{kind: pointIndex, n: index, text: p.text}, axis)
		}
		behind += uint64(len(indexes))
	}
	if behind == p.n {
		return s.place(ctx, First(), axis)
	}
	return cut{}, fmt.Errorf("%s: %w: it keeps %d events", p.text, ErrNotKept, behind)
}

// cutEvent resolves n2:77.
func (s *Source) cutEvent(ctx context.Context, p Point, axis Axis) (cut, error) {
	id, err := s.eventID(ctx, p)
	if err != nil {
		return cut{}, err
	}
	e, err := s.find(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return cut{}, fmt.Errorf("%s: %w", p.text, ErrBeyond)
	}
	if err != nil {
		return cut{}, fmt.Errorf("%s: %w", p.text, err)
	}
	if axis == Known {
		return cut{axis: Known, index: e.Index}, nil
	}
	return cut{axis: True, key: KeyOf(&e.Event)}, nil
}

func (s *Source) eventID(ctx context.Context, p Point) (events.ID, error) {
	names, err := s.Names(ctx)
	if err != nil {
		return events.ID{}, err
	}
	log, err := names.Resolve(p.name)
	if err == nil {
		return events.ID{Log: log, Seq: p.n}, nil
	}
	damage, failed := s.damaged(ctx)
	switch {
	case failed != nil:
		return events.ID{}, failed
	case damage != nil: // which may be why the name is not known
		return events.ID{}, fmt.Errorf("%s: %w: %w", p.text, err, damage)
	}
	return events.ID{}, &PointError{p.text, err.Error() + norTime(p.name)}
}

// damaged returns the first damage of the log, if there is any. It reads all
// of it.
func (s *Source) damaged(ctx context.Context) (damage *Damage, err error) {
	for _, err := range s.feed.entries(ctx, 0) {
		if errors.As(err, &damage) {
			return damage, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// cutVector resolves n1:9,n2:4.
func (s *Source) cutVector(ctx context.Context, p Point) (cut, error) {
	c := cut{axis: Known, vector: events.Vector{}}
	for _, part := range p.parts {
		part.text = p.text
		id, err := s.eventID(ctx, part)
		if err != nil {
			return cut{}, err
		}
		c.vector[id.Log] = id.Seq
	}
	return c, nil
}

// cutReceived resolves a time along the axis known: what had been appended
// here by then.
func (s *Source) cutReceived(ctx context.Context, p Point) (cut, error) {
	segments := s.feed.segments()
	limit := p.time.Millis()
	c := cut{axis: Known, index: segments[0].first - 1}
	lo, hi := 0, len(segments)
	for lo < hi {
		mid := (lo + hi) / 2
		after := false
		for e, err := range s.feed.entries(ctx, segments[mid].first) {
			after = err == nil && e.Received > limit
			break
		}
		if after {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	for e, err := range s.feed.entries(ctx, segments[max(lo-1, 0)].first) {
		damage := isDamage(err)
		switch {
		case damage != nil:
			continue
		case err != nil:
			return cut{}, err
		}
		if e.Received == 0 && e.IsEvent() {
			return cut{}, &PointError{p.text, "this log does not say when it learnt of an event; use the axis true"}
		}
		if e.Received > limit {
			break
		}
		c.index = e.Index
	}
	if c.index < segments[0].first && s.Before(ctx) > 0 {
		return c, fmt.Errorf("%s: %w", p.text, ErrNotKept)
	}
	return c, nil
}
