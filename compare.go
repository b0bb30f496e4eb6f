package clusterkit

import (
	"context"
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// RevisionError is returned by CompareAndSet and CompareAndDelete when the
// value is not, or no longer, the one that the caller expected.
type RevisionError struct {
	Expected Value
	Found    Value // without bytes; Revision 0: there is no value
}

func (e *RevisionError) Error() string {
	return fmt.Sprintf("clusterkit: value %q is at %s, expected %s", e.Expected.Key, e.Found.at(), e.Expected.at())
}

func (v *Value) at() string {
	switch {
	case v.Revision == 0:
		return "no revision"
	case v.Event.IsZero():
		return fmt.Sprintf("revision %d", v.Revision)
	}
	return fmt.Sprintf("revision %d by event %s", v.Revision, v.Event)
}

// CompareAndSet writes a value if the present one is old, as Value returned
// it; else it returns a *RevisionError and writes nothing. An old of Revision 0
// stands for no value, and one without an Event for any of its Revision.
//
// The comparison is with what this node knows, in one step with the write: of
// two callers on one node one wins. It is no agreement with the others. Two
// nodes that have not heard of each other's writes may both succeed; then one
// of both is lost like any concurrent write: see Conflicts.
func (ck *ClusterKit) CompareAndSet(ctx context.Context, old Value, value []byte) (events.Event, error) {
	return ck.changeValue(ctx, events.ValueSet, &events.Value{Key: old.Key, Value: slices.Clone(value)}, &old)
}

// CompareAndDelete removes a value if it is old, as CompareAndSet would write
// it.
func (ck *ClusterKit) CompareAndDelete(ctx context.Context, old Value) (events.Event, error) {
	return ck.changeValue(ctx, events.ValueDeleted, &events.Value{Key: old.Key}, &old)
}

// expect returns a *RevisionError if a value is another one than expected.
func (r *replica) expect(old *Value) error {
	found := Value{Key: old.Key}
	if e, ok := r.newest(events.ValueRegister(old.Key)); ok && e.Type == events.ValueSet {
		found.Revision, found.Event = e.Version, e.ID()
	}
	if found.Revision == old.Revision && (old.Event.IsZero() || old.Event == found.Event) {
		return nil
	}
	return &RevisionError{Expected: *old, Found: found}
}

// newest returns the event that owns a register, or will when what is staged is
// applied.
func (r *replica) newest(register string) (events.Event, bool) {
	newest, ok := r.state.Register(register)
	for _, e := range r.staged {
		if e.Register == register && (!ok || e.Stamp().Compare(newest.Stamp()) > 0) {
			newest, ok = e, true
		}
	}
	return newest, ok
}
