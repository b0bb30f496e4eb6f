package projection

import (
	"maps"

	"github.com/skshohagmiah/clusterkit/events"
)

// Merge joins o into s and reports whether that changed s: for each register
// the event with the larger stamp, for each log the larger head. It stands in
// for applying all events that o stands for. It is commutative, associative
// and idempotent, so a state may be merged again, or late, without harm; it
// must never replace another one. o is not changed and shares nothing with s
// afterwards.
//
// What one of the two has forgotten the other one does not bring back.
func (s *State) Merge(o *State) (changed bool) {
	before := s.forgotten
	if len(o.collections) > 0 {
		for _, r := range s.order {
			if o.registers[r.name()] == nil && o.forgot(r.kind, &r.event) {
				s.drop(r)
			}
		}
		s.sweep()
	}
	for _, r := range o.order {
		if s.registers[r.name()] == nil && s.forgot(r.kind, &r.event) {
			continue
		}
		changed = s.write(&r.event) || changed
	}
	for _, h := range o.byLog {
		changed = s.mergeHead(h) || changed
	}
	if s.pending > 0 {
		s.settle()
	}
	return changed || s.forgotten > before
}

func (s *State) mergeHead(o *logHead) (changed bool) {
	h := s.logs[o.Log]
	if h == nil {
		h = s.addLog(o.Log)
	}
	further, later := compareHeads(o.Head, h.Head) > 0, o.time > h.time
	if further {
		h.Head = o.Head
	}
	if later {
		h.time = o.time
	}
	if further || later {
		s.move(h)
	}
	return further || later
}

// Clone returns a state that equals s and shares nothing with it that could
// change.
func (s *State) Clone() *State {
	s.Cluster() // which leaves nothing to do for the sums and the view
	size := 0
	for _, r := range s.order {
		size += len(r.event.Raw())
	}
	c := newState(len(s.order), len(s.byLog))
	raws, cells := make([]byte, size), make([]register, len(s.order))
	for i, r := range s.order {
		n := len(r.event.Raw())
		cells[i] = *r
		cells[i].event = r.event.CloneInto(raws[:0:n])
		raws = raws[n:]
		c.adopt(r.name(), &cells[i])
	}
	heads := make([]logHead, len(s.byLog))
	for i, h := range s.byLog {
		heads[i] = *h
		c.logs[h.Log] = &heads[i]
		c.byLog = append(c.byLog, &heads[i])
	}
	c.sorted, c.forked, c.former = s.sorted, maps.Clone(s.forked), s.former
	c.digest, c.buckets = s.digest, s.buckets
	c.pending, c.forgotten = s.pending, s.forgotten
	for _, collected := range s.collections {
		copied := *collected // its vectors never change
		c.collections = append(c.collections, &copied)
	}
	of := c.view.of
	c.view = s.view
	c.view.of, c.view.stale = of, nil
	return c
}

// newState returns an empty state with room for what is to come.
func newState(registers, logs int) *State {
	return &State{
		registers: make(map[string]*register, registers),
		order:     make([]*register, 0, registers),
		logs:      make(map[events.LogID]*logHead, logs),
		byLog:     make([]*logHead, 0, logs),
		forked:    make(map[events.LogID]struct{}),
		view:      view{nodes: []Node{}, partitions: []Partition{}, owners: make(map[events.LogID]string)},
	}
}
