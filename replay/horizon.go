package replay

import (
	"context"
	"errors"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// horizon knows when a log has nothing more to say about what a cut covers.
// Each origin's times go forward, so an origin is done with once one of its
// events lies behind the cut, or its newest one was met. A cut by local index
// needs no horizon.
type horizon struct {
	cut     *cut
	heads   events.Vector // the newest event of each origin in the log
	pending map[events.LogID]bool
}

// horizon returns the horizon of a cut, for reading on from a state.
func (s *Source) horizon(ctx context.Context, c *cut, from *projection.State) (*horizon, error) {
	heads, err := s.heads(ctx)
	if err != nil {
		return nil, err
	}
	h := &horizon{cut: c, heads: heads, pending: make(map[events.LogID]bool)}
	for log, seq := range heads {
		if from.Head(log).Seq < seq && !h.behind(log, from.Head(log).Seq, from.Time(log)) {
			h.pending[log] = true
		}
	}
	return h, nil
}

// behind reports whether the cut covers nothing of a log after an event of
// this sequence and time.
func (h *horizon) behind(log events.LogID, seq uint64, t events.Timestamp) bool {
	if h.cut.vector != nil {
		return seq >= h.cut.vector[log]
	}
	return t > h.cut.key.Time
}

// passed notes an event and reports whether no later one is covered.
func (h *horizon) passed(e *Entry) bool {
	if len(h.pending) > 0 && h.pending[e.log] && (e.seq >= h.heads[e.log] || h.behind(e.log, e.seq, e.time)) {
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
	var damage *Damage
	for e, err := range s.lastSegment(ctx, func(base *projection.State) { heads.Merge(base.Vector()) }) {
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
