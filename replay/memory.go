package replay

import (
	"context"
	"iter"

	"github.com/skshohagmiah/clusterkit/projection"
)

// memory is a log that is held in memory: what came over the network or from
// a pipe, and what a checkpoint says.
type memory struct {
	name    string
	start   *projection.State // before the events; nil when that is nothing
	from    uint64            // local index of the first event; 0 means 1
	raw     [][]byte          // the events, in local order
	index   []uint64          // the local index of each; nil when they are 1, 2, 3 ...
	arrived []int64           // when each was received; nil when not known
	damage  []Damage
}

func (m *memory) segments() []segment { return []segment{{first: m.at(0), file: m.name}} }

func (m *memory) base(context.Context, int) (*projection.State, error) {
	if m.start == nil {
		return projection.NewState(), nil
	}
	return m.start.Clone(), nil
}

func (m *memory) marks(context.Context, int) (marks, error) {
	if m.start == nil {
		return marks{}, nil
	}
	return marksOfState(m.start), nil
}

func (m *memory) at(i int) uint64 {
	if m.index == nil {
		return max(m.from, 1) + uint64(i)
	}
	if i >= len(m.index) {
		return max(m.from, 1)
	}
	return m.index[i]
}

func (m *memory) entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for i := range m.damage {
			if !yield(nil, &m.damage[i]) {
				return
			}
		}
		for i, raw := range m.raw {
			if m.at(i) < from {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			e := Entry{Index: m.at(i), File: m.name, Size: len(raw), raw: raw}
			if m.arrived != nil {
				e.Received = m.arrived[i]
			}
			var ok bool
			if e.glance, ok = glanceAt(raw); ok {
				ok = yield(&e, nil)
			} else {
				ok = yield(nil, &Damage{File: m.name, From: e.Index, Until: e.Index + 1, Reason: "no event"})
			}
			if !ok {
				return
			}
		}
	}
}

func (m *memory) close() error { return nil }
