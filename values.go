package clusterkit

import (
	"iter"
	"slices"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// values holds the application's values for readers that must not wait. The
// writer keeps it in step with the state, after each batch.
type values struct {
	all       sync.Map // key -> Value
	forgotten uint64   // registers, by the state that was last taken up; the writer's
}

// Value is an application value as this node knows it.
type Value struct {
	Key      string
	Bytes    []byte    // shared, must not be changed
	Revision uint64    // grows with each write that knew of this one, by 1 as a rule; 0: there is no value
	Event    events.ID // that wrote it: what tells two concurrent writes of one revision apart
}

// Value returns the value of a key, and whether there is one; if not, a Value
// of Revision 0 that CompareAndSet understands. It never blocks.
func (ck *ClusterKit) Value(key string) (Value, bool) {
	v, ok := ck.values.all.Load(key)
	if !ok {
		return Value{Key: key}, false
	}
	return v.(Value), true
}

// Values yields all values in ascending order of their keys, as they are when
// the iteration begins.
func (ck *ClusterKit) Values() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		var list []Value
		ck.values.all.Range(func(_, v any) bool {
			list = append(list, v.(Value))
			return true
		})
		slices.SortFunc(list, func(a, b Value) int {
			if a.Key < b.Key {
				return -1
			}
			return 1
		})
		for _, v := range list {
			if !yield(v) {
				return
			}
		}
	}
}

// take takes up the event that owns the register of a value.
func (v *values) take(e *events.Event) {
	p, err := e.Payload()
	if err != nil {
		return
	}
	_, key := events.SplitRegister(e.Register)
	body, ok := p.(*events.Value)
	switch {
	case !ok || body.Key != key:
	case e.Type == events.ValueDeleted:
		v.all.Delete(key)
	default:
		v.all.Store(key, Value{Key: key, Bytes: body.Value, Revision: e.Version, Event: e.ID()})
	}
}

// reload takes up all values of a state, and none that it does not hold.
func (v *values) reload(s *projection.State) {
	v.forgotten = s.Forgotten()
	v.all.Range(func(key, _ any) bool {
		if _, ok := s.Stamp(events.ValueRegister(key.(string))); !ok {
			v.all.Delete(key)
		}
		return true
	})
	for _, e := range s.Registers(events.KindValue) {
		v.take(e)
	}
}
