package replay

import (
	"context"
	"errors"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// horizon knows when a log has nothing more to say about what a cut covers. A
// cut by local index needs none.
type horizon struct {
	cut     *cut
	heads   events.Vector // the newest event of each origin in the log
	pending map[events.LogID]bool
}

// horizon returns the horizon of a cut, for reading on from the marks.
func (s *Source) horizon(ctx context.Context, c *cut, from marks) (*horizon, error) {
	heads, err := s.heads(ctx)
	if err != nil {
		return nil, err
	}
	return &horizon{cut: c, heads: heads, pending: pending(c, heads, from)}, nil
}

// passed notes an event and reports whether no later one is covered.
func (h *horizon) passed(e *Entry) bool {
	if h.pending[e.log] && (e.seq >= h.heads[e.log] || h.cut.behind(e.log, e.seq, e.time)) {
		delete(h.pending, e.log)
	}
	return len(h.pending) == 0
}

// heads returns the newest event of each origin that the log holds, in
// whatever form.
func (s *Source) heads(ctx context.Context) (events.Vector, error) {
	if s.newest != nil {
		return s.newest, nil
	}
	heads := events.Vector{}
	segments := s.feed.segments()
	i := len(segments) - 1
	for ; i >= 0; i-- { // damage is no reason to know nothing
		if m, err := s.marksAt(ctx, i); err == nil {
			heads.Merge(m.vector())
			break
		}
	}
	var damage *Damage
	for e, err := range s.feed.entries(ctx, segments[max(i, 0)].first) {
		switch {
		case errors.As(err, &damage):
		case err != nil:
			return nil, err
		case e.IsEvent():
			heads[e.log] = max(heads[e.log], e.seq)
		case !e.Base:
			if state, err := projection.ReadSnapshot(e.Snapshot); err == nil {
				heads.Merge(state.Vector())
			}
		}
	}
	s.newest = heads
	return heads, nil
}

func (m marks) vector() events.Vector {
	v := make(events.Vector, len(m))
	for log, at := range m {
		v[log] = at.seq
	}
	return v
}
