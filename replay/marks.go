package replay

import (
	"context"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// marks say how far each origin had come at some point of a log: the newest
// sequence, and its time.
type marks map[events.LogID]mark

type mark struct {
	seq  uint64
	time events.Timestamp
}

// marksOfState returns the marks of a state.
func marksOfState(s *projection.State) marks {
	m := make(marks)
	for _, h := range s.Heads() {
		m[h.Log] = mark{h.Seq, s.Time(h.Log)}
	}
	return m
}

// marksOfSnapshot reads the marks from a snapshot without building the state:
// searching a log by time or by vector needs no more. It answers false for what
// is no snapshot.
func marksOfSnapshot(b []byte) (marks, bool) {
	outline, err := projection.OutlineOf(b)
	if err != nil {
		return nil, false
	}
	m := make(marks)
	for _, h := range outline.Heads() {
		if h.Seq == 0 || h.Time == 0 {
			return nil, false
		}
		m[h.Log] = mark{h.Seq, h.Time}
	}
	return m, true
}

// marksAt returns the marks at the start of segment i.
func (s *Source) marksAt(ctx context.Context, i int) (marks, error) {
	if m, ok := s.marks[i]; ok {
		return m, nil
	}
	m, err := s.feed.marks(ctx, i)
	if err != nil {
		return nil, err
	}
	if s.marks == nil {
		s.marks = make(map[int]marks)
	}
	s.marks[i] = m
	return m, nil
}

// covers reports whether everything up to the marks is before or at the point.
func (c *cut) coversMarks(m marks) bool {
	for log, at := range m {
		if c.vector != nil && at.seq > c.vector[log] || c.vector == nil && at.time >= c.key.Time {
			return false
		}
	}
	return true
}

// skip returns the first segment that may hold an event that c does not cover.
func (s *Source) skip(ctx context.Context, c *cut) int {
	segments := s.feed.segments()
	if c.known() {
		return segmentOf(segments, max(c.index, c.index+1))
	}
	lo, hi := 0, len(segments)-1
	for lo < hi {
		mid := (lo + hi + 1) / 2
		m, err := s.marksAt(ctx, mid)
		if err == nil && c.coversMarks(m) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// until returns a segment from which on no event is covered by c, or how many
// segments there are.
func (s *Source) until(ctx context.Context, c *cut) (int, error) {
	segments := s.feed.segments()
	if c.known() {
		return segmentOf(segments, c.index) + 1, nil
	}
	heads, err := s.heads(ctx)
	if err != nil {
		return 0, err
	}
	lo, hi := 0, len(segments)
	for lo < hi {
		mid := (lo + hi) / 2
		m, err := s.marksAt(ctx, mid)
		if err == nil && len(pending(c, heads, m)) == 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo, nil
}

// pending returns the origins of which c may cover events after the marks.
// Each origin's times go forward, so one is done with once an event of it lies
// behind the cut, or its newest one was met.
func pending(c *cut, heads events.Vector, m marks) map[events.LogID]bool {
	all := make(map[events.LogID]bool)
	for log, seq := range heads {
		if at := m[log]; at.seq < seq && !c.behind(log, at.seq, at.time) {
			all[log] = true
		}
	}
	return all
}

// behind reports whether the cut covers nothing of a log after an event of
// this sequence and time.
func (c *cut) behind(log events.LogID, seq uint64, t events.Timestamp) bool {
	if c.vector != nil {
		return seq >= c.vector[log]
	}
	return t > c.key.Time
}
