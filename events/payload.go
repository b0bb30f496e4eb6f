package events

import (
	"errors"
	"fmt"
)

// Payload is the typed form of a body: one of the pointer types that the list
// of event types names. Its text is valid UTF-8 without control characters, at
// most 4096 bytes each; its 32-bit numbers are below 2^31; its lists and maps
// have at most 4096 entries. [Encode] does not check that, so an origin that
// takes text from outside checks it, or calls [Event.Payload] on what it has
// sealed.
type Payload interface {
	// appendTo appends the protobuf form: fields ascending, zero values left out.
	appendTo(b []byte) []byte
	// set stores one field; an unknown field is left alone.
	set(f field) error
	// fresh returns an empty payload of the same type. The receiver may be nil.
	fresh() Payload
	// appendJSON appends the JSON form of a body of this type, or reports that
	// appendTo would not have made this body. The receiver may be nil.
	appendJSON(b, body []byte) ([]byte, bool)
}

// Bounds on what the body of a known type may hold.
const (
	maxText   = 4096      // bytes of one string
	maxSmall  = 1<<31 - 1 // a 32-bit number; an int holds it on every platform
	maxItems  = 4096      // entries of a list or map
	listGuess = 4         // items to make room for when the first is met
)

// ErrUnknownType is returned by Event.Payload for a type that this version
// does not know; the body is there all the same.
var ErrUnknownType = errors.New("events: unknown type")

// Encode returns the body that holds p.
func Encode(p Payload) []byte { return p.appendTo(nil) }

// Payload decodes the body of a known type. The result shares nothing with e.
func (e *Event) Payload() (Payload, error) {
	p := newPayload(e.Type)
	if p == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownType, e.Type)
	}
	if err := decodePayload(p, e.Body); err != nil {
		return nil, fmt.Errorf("events: body of %s %s: %w", e.Type, e.ID(), err)
	}
	return p, nil
}

// CheckPayload returns the error that Payload would return. For those who look
// at many events: of an assignment, which most are, it makes nothing.
func (e *Event) CheckPayload() error {
	if e.Type == PartitionAssigned && checkAssignment(e.Body) {
		return nil
	}
	_, err := e.Payload()
	return err
}

// payloadOf returns a nil pointer of the type that holds the bodies of t, or
// nil when this version does not know t.
func payloadOf(t Type) Payload {
	switch t {
	case ClusterConfigured:
		return (*ClusterConfig)(nil)
	case LogStarted, LogForked:
		return (*LogOwner)(nil)
	case NodeJoined, NodeUpdated, NodeLeaving, NodeLeft, NodeRecovered:
		return (*NodeRecord)(nil)
	case NodeSuspected, NodeFailed:
		return (*Accusation)(nil)
	case NodeRemoved, NodeDrained, NodeUndrained, BrakeHeld, BrakeLifted:
		return (*NodeOrder)(nil)
	case CoordinatorClaimed:
		return (*CoordinatorClaim)(nil)
	case PartitionAssigned:
		return (*Assignment)(nil)
	case RebalanceStarted, RebalanceCompleted:
		return (*Rebalance)(nil)
	case ValueSet, ValueDeleted:
		return (*Value)(nil)
	case FloorRaised, TombstonesCollected:
		return (*Collection)(nil)
	}
	return nil
}

func newPayload(t Type) Payload {
	if p := payloadOf(t); p != nil {
		return p.fresh()
	}
	return nil
}

func decodePayload(p Payload, b []byte) error {
	for at := 0; at < len(b); {
		f, n := nextField(b[at:])
		if n < 0 {
			return fmt.Errorf("byte %d: not a protobuf field", at)
		}
		if err := p.set(f); err != nil {
			return fmt.Errorf("byte %d: field %d: %w", at, f.num, err)
		}
		at += n
	}
	return nil
}

// text checks and copies a string field.
func text(s *string, f field) error {
	if err := wire(f, wireBytes); err != nil {
		return err
	}
	if err := checkText("text", f.bytes, 0, maxText); err != nil {
		return err
	}
	*s = string(f.bytes)
	return nil
}

func number(v *uint64, f field) error {
	*v = f.value
	return wire(f, wireVarint)
}

func small(v *uint32, f field) error {
	if f.value > maxSmall {
		return fmt.Errorf("number %d, at most %d", f.value, maxSmall)
	}
	*v = uint32(f.value)
	return wire(f, wireVarint)
}

func timestamp(t *Timestamp, f field) error {
	if *t = Timestamp(f.value); *t > MaxTimestamp {
		return errors.New("time out of range")
	}
	return wire(f, wireFixed64)
}

func wire(f field, want uint8) error {
	if f.typ != want {
		return fmt.Errorf("wire type %d, want %d", f.typ, want)
	}
	return nil
}
