package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// goal is where a following ends. It is a place of the log and no set of events:
// what was yielded is all that the log has up to there, so one can go on from
// there. The zero goal is never reached.
//
//	head, head~20, @77   a local index: behind that record
//	n2:77, a vector      where the last of these came to be known
//	a time               before the first record that was received after it
//
// A time means that of receipt, because an event of any time may be late. At the end of
// a log that can grow, the clock here tells that it has passed.
type goal struct {
	placed bool
	index  uint64        // placed: the last local index in front of it
	vector events.Vector // when not nil: all that must be known
	limit  int64         // when not 0: Unix milliseconds of receipt that are still in front of it
	order  *cut          // when not nil: covers what is in front of it, in a log that is sorted like that
}

// settle is how long after a time a log is still read: a record is stamped a
// little before it can be seen.
const settle = time.Second

// errReached ends a following that has reached its goal.
var errReached = errors.New("reached")

// goal turns a point into a goal of this log.
func (s *Source) goal(ctx context.Context, p Point) (goal, error) {
	if p.IsZero() {
		return goal{}, nil
	}
	g, err := s.goalAt(ctx, p)
	if g.placed && g.index < s.feed.segments()[0].first { // before all there is, or will be
		g = goal{vector: events.Vector{}}
	}
	return g, err
}

func (s *Source) goalAt(ctx context.Context, p Point) (g goal, err error) {
	if _, grows := s.feed.(*directory); !grows && p.kind != pointVector {
		c, err := s.resolve(ctx, p, Known) // what it does not hold will never come
		if c.known() {
			return goal{placed: true, index: c.index}, err
		}
		return goal{order: &c}, err
	}
	switch p.kind {
	case pointHead: // as it is now
		c, err := s.cutBefore(ctx, p, Known)
		return goal{placed: true, index: c.index}, err
	case pointIndex:
		if first := s.feed.segments()[0].first; p.n < first-1 {
			return g, fmt.Errorf("%s: %w: it begins at @%d", p.text, ErrNotKept, first)
		}
		return goal{placed: true, index: p.n}, nil
	case pointEvent:
		id, err := s.eventID(ctx, p)
		return goal{vector: events.Vector{id.Log: id.Seq}}, err
	case pointTime:
		return goal{limit: p.time.Millis()}, nil
	}
	c, err := s.resolve(ctx, p, Known)
	return goal{placed: c.vector == nil, index: c.index, vector: c.vector}, err
}

// goalOfNode turns a point into a goal of a live node, which says of its events
// neither where they are nor when it received them.
func goalOfNode(ctx context.Context, base string, p Point, c *liveCluster, names *Names) (g goal, err error) {
	g.vector = events.Vector{}
	switch p.kind {
	case 0:
		return goal{}, nil
	case pointTime:
		if t, _ := p.Time(); t.Before(time.Now()) {
			return g, &PointError{p.text, "a live node does not say when it learnt of an event, so following it can end at a time to come only"}
		}
		return goal{limit: p.time.Millis()}, nil
	case pointIndex:
		return g, &PointError{p.text, "a live node does not say the local index of an event; name an event, a vector or a time to come"}
	case pointEvent:
		p.parts = []Point{p}
	case pointFirst:
		return g, nil
	case pointHead:
		if p.n == 0 {
			g.vector.Merge(c.Vector)
			return g, nil
		}
		s, err := Open(ctx, base)
		if err != nil {
			return g, err
		}
		defer s.Close()
		m, err := s.StateAt(ctx, p, Known)
		if err != nil {
			return g, err
		}
		g.vector = m.State.Vector()
		return g, nil
	}
	for _, part := range p.parts {
		log, err := names.Resolve(part.name)
		if err != nil {
			return g, &PointError{p.text, err.Error()}
		}
		g.vector[log] = part.n
	}
	return g, nil
}

// known reports whether all of a vector is, of which the goal may be made.
func (g *goal) known(v events.Vector) bool { return g.vector != nil && v.Dominates(g.vector) }

// passed reports whether what is read next lies behind the goal.
func (g *goal) passed(e *Entry, err error) bool {
	damage := isDamage(err)
	switch {
	case damage != nil:
		return g.placed && damage.From > g.index
	case err != nil:
		return false
	}
	return g.placed && e.Index > g.index || g.limit != 0 && e.Received > g.limit || g.order != nil && e.IsEvent() && !g.order.covers(e)
}

// reached reports whether nothing is left in front of the goal once this was
// read and all of after is known. What a segment begins with is known too, even
// where damage hides how it came to be so.
func (g *goal) reached(e *Entry, err error, after events.Vector) bool {
	switch {
	case err != nil:
		return false
	case g.placed && e.Index >= g.index, g.known(after):
		return true
	case g.vector == nil || e.IsEvent() || !e.Base:
		return false
	}
	m, ok := marksOfSnapshot(e.Snapshot)
	return ok && g.known(m.vector())
}

// over reports whether the goal is a time that is over.
func (g *goal) over(now time.Time) bool { return g.limit != 0 && now.UnixMilli() > g.limit }

// missed is what ends a log that cannot grow and has not reached the goal.
func (g *goal) missed(p Point) error {
	if g.vector == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", p, ErrBeyond)
}
