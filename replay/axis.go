package replay

import (
	"cmp"
	"fmt"

	"github.com/skshohagmiah/clusterkit/events"
)

// Axis says along which order a history is read. Every node keeps the same
// events, each in the order in which it came to know them, so there are two.
type Axis uint8

const (
	// Natural is the axis that suits a point: Known for a local index and for
	// head~20, True for everything else.
	Natural Axis = iota
	// True is the order of the events' own times: what was so. It is the same
	// on all nodes that hold the same events.
	True
	// Known is the order in which this node appended them: what it believed.
	Known
)

// ParseAxis reads "true" or "known"; "" is Natural.
func ParseAxis(text string) (Axis, error) {
	switch text {
	case "":
		return Natural, nil
	case "true":
		return True, nil
	case "known":
		return Known, nil
	}
	return 0, fmt.Errorf("axis %q: want true (what was so) or known (what this node believed)", text)
}

// String returns "true", "known" or "".
func (a Axis) String() string { return [...]string{"", "true", "known"}[a] }

// MarshalText implements [encoding.TextMarshaler].
func (a Axis) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Key orders events along the true axis: by time, then by log, then by
// sequence. It is total, and the same on all nodes.
type Key struct {
	Time events.Timestamp
	Log  events.LogID
	Seq  uint64
}

// KeyOf returns the key of an event.
func KeyOf(e *events.Event) Key { return Key{e.Time, e.Log, e.Seq} }

// Compare orders keys.
func (k Key) Compare(o Key) int {
	if k.Time != o.Time {
		return cmp.Compare(k.Time, o.Time)
	}
	return cmp.Or(k.Log.Compare(o.Log), cmp.Compare(k.Seq, o.Seq))
}
