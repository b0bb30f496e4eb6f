package replay_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
)

// naive answers a query by looking at every event.
type naive struct {
	entries []replay.Entry
	names   *replay.Names
}

func naiveOf(t *testing.T, s *replay.Source) *naive {
	t.Helper()
	names, err := s.Names(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return &naive{all(t, s), names}
}

// covers says whether an event is before or at a point: what a point means,
// written down a second time.
func (n *naive) covers(point string, axis replay.Axis, e *replay.Entry) bool {
	i := slices.IndexFunc(n.entries, func(o replay.Entry) bool {
		return n.names.Event(o.Event.ID()) == point || "@"+strconv.FormatUint(o.Index, 10) == point
	})
	if i < 0 {
		at, err := replay.Grammar{}.Point(point)
		if err != nil {
			panic(err)
		}
		when, ok := at.Time()
		if !ok {
			panic(point)
		}
		if axis == replay.Known {
			return e.Received <= when.UnixMilli()
		}
		return e.Event.Time.Millis() <= when.UnixMilli()
	}
	known := axis == replay.Known || axis == replay.Natural && point[0] == '@'
	if known {
		return e.Index <= n.entries[i].Index
	}
	return replay.KeyOf(&e.Event).Compare(replay.KeyOf(&n.entries[i].Event)) <= 0
}

// randomPoint names a place in the history.
func (n *naive) randomPoint(r *rand.Rand) string {
	e := &n.entries[r.IntN(len(n.entries))]
	switch r.IntN(3) {
	case 0:
		return "@" + strconv.FormatUint(e.Index, 10)
	case 1:
		return n.names.Event(e.Event.ID())
	}
	return e.Event.Time.Time().Add(time.Duration(r.IntN(3)-1) * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

// randomQuery makes a query, and returns its points by their names.
func (n *naive) randomQuery(r *rand.Rand) (q replay.Query, points [4]string) {
	q = replay.Query{Axis: replay.Axis(r.IntN(3)), Reverse: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		q.Limit = 1 + r.IntN(20)
	}
	if r.IntN(3) == 0 {
		q.Filter.Types = []string{[]string{"Partition*", "app/ping", "Node*"}[r.IntN(3)]}
	}
	if r.IntN(3) == 0 {
		q.Filter.Partitions = []replay.Interval{{First: 1, Last: 3}}
	}
	if r.IntN(3) == 0 {
		q.Filter.Nodes = []string{"n2"}
	}
	for i, p := range []*replay.Point{&q.Range.From, &q.Range.To, &q.Since, &q.Until} {
		if r.IntN(3) == 0 {
			points[i] = n.randomPoint(r)
			*p, _ = replay.Grammar{}.Point(points[i])
		}
	}
	return q, points
}

// naiveCondition is a condition, and what it means.
type naiveCondition struct {
	text  string
	holds func(e *events.Event, c *projection.Cluster) bool
}

var naiveConditions = []naiveCondition{
	{`status("n2") == "suspected"`, func(e *events.Event, c *projection.Cluster) bool {
		n, ok := c.Node("n2")
		return ok && n.Status == projection.StatusSuspected
	}},
	{`owner(1) == "n2" || version > 5`, func(e *events.Event, c *projection.Cluster) bool {
		return len(c.PartitionMap.Partitions) > 1 && c.PartitionMap.Partitions[1].Primary == "n2" || e.Version > 5
	}},
	{`len(alive()) < 2 and actor != "app"`, func(e *events.Event, c *projection.Cluster) bool {
		alive := 0
		for i := range c.Nodes {
			if s := c.Nodes[i].Status; s == projection.StatusAlive || s == projection.StatusSuspected {
				alive++
			}
		}
		return alive < 2 && e.Actor != "app"
	}},
}

// statesBefore calls do with each event and the view of all that came before it
// along an axis, up to the ends of what is asked for.
func (n *naive) statesBefore(axis replay.Axis, points [4]string, do func(e *replay.Entry, before, after *projection.Cluster)) {
	list := slices.DeleteFunc(slices.Clone(n.entries), func(e replay.Entry) bool {
		return points[1] != "" && !n.covers(points[1], axis, &e) || points[3] != "" && !n.covers(points[3], axis, &e)
	})
	if axis != replay.Known {
		slices.SortFunc(list, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
	}
	s := projection.NewState()
	before := s.Cluster()
	for i := range list {
		s.Apply(&list[i].Event)
		after := s.Cluster()
		do(&list[i], before, after)
		before = after
	}
}

func (n *naive) answer(q *replay.Query, points [4]string, condition naiveCondition) []string {
	met := make(map[events.ID]bool)
	if condition.holds != nil {
		n.statesBefore(q.Axis, points, func(e *replay.Entry, before, _ *projection.Cluster) {
			met[e.Event.ID()] = condition.holds(&e.Event, before)
		})
	}
	var chosen []replay.Entry
	for i := range n.entries {
		e := &n.entries[i]
		if n.within(q.Axis, points, e) && q.Filter.Match(&e.Event, n.names) && (condition.holds == nil || met[e.Event.ID()]) {
			chosen = append(chosen, *e)
		}
	}
	if q.Axis != replay.Known {
		slices.SortFunc(chosen, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
	}
	if q.Limit > 0 && len(chosen) > q.Limit {
		chosen = chosen[len(chosen)-q.Limit:]
	}
	if q.Reverse {
		slices.Reverse(chosen)
	}
	var ids []string
	for i := range chosen {
		ids = append(ids, n.names.Event(chosen[i].Event.ID()))
	}
	return ids
}

// within reports whether an event lies in a range.
func (n *naive) within(axis replay.Axis, points [4]string, e *replay.Entry) bool {
	in := func(k int) bool { return n.covers(points[k], axis, e) }
	since := points[2] == "" || in(2) && n.isAt(points[2], axis, e) || !in(2)
	return (points[0] == "" || !in(0)) && (points[1] == "" || in(1)) && since && (points[3] == "" || in(3))
}

// isAt reports whether an event is what a point names, or of its millisecond.
func (n *naive) isAt(point string, axis replay.Axis, e *replay.Entry) bool {
	if n.names.Event(e.Event.ID()) == point || "@"+strconv.FormatUint(e.Index, 10) == point {
		return true
	}
	p, _ := replay.Grammar{}.Point(point)
	when, ok := p.Time()
	if axis == replay.Known {
		return ok && e.Received == when.UnixMilli()
	}
	return ok && e.Event.Time.Millis() == when.UnixMilli()
}
