package events

import (
	"errors"
	"fmt"
)

// Payload is the typed form of a body: one of the pointer types that the list
// of event types names.
type Payload interface {
	// appendTo appends the protobuf form: fields ascending, zero values left out.
	appendTo(b []byte) []byte
	// set stores one field; an unknown field is left alone.
	set(f field) error
}

// ErrUnknownType is returned by Event.Payload for a type that this version
// does not know; the body is there all the same.
var ErrUnknownType = errors.New("events: unknown type")

// Encode returns the body that holds p.
func Encode(p Payload) []byte { return p.appendTo(nil) }

// Payload decodes the body of a known type.
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

func newPayload(t Type) Payload {
	switch t {
	case ClusterConfigured:
		return new(ClusterConfig)
	case LogStarted, LogForked:
		return new(LogOwner)
	case NodeJoined, NodeUpdated, NodeLeaving, NodeLeft, NodeRecovered:
		return new(NodeRecord)
	case NodeSuspected, NodeFailed:
		return new(Accusation)
	case NodeRemoved, NodeDrained, NodeUndrained:
		return new(NodeOrder)
	case CoordinatorClaimed:
		return new(CoordinatorClaim)
	case PartitionAssigned:
		return new(Assignment)
	case RebalanceStarted, RebalanceCompleted:
		return new(Rebalance)
	case ValueSet, ValueDeleted:
		return new(Value)
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

// maxItems bounds repeated fields and maps of a body.
const maxItems = 4096

// text checks and copies a string field.
func text(s *string, f field) error {
	if err := wire(f, wireBytes); err != nil {
		return err
	}
	v := string(f.bytes)
	if err := checkText("text", v, 0, 4096); err != nil {
		return err
	}
	*s = v
	return nil
}

func number(v *uint64, f field) error {
	*v = f.value
	return wire(f, wireVarint)
}

func small(v *uint32, f field) error {
	if f.value > 1<<31-1 {
		return fmt.Errorf("number %d is too large", f.value)
	}
	*v = uint32(f.value)
	return wire(f, wireVarint)
}

func timestamp(t *Timestamp, f field) error {
	*t = Timestamp(f.value)
	return wire(f, wireFixed64)
}

// texts appends one item of a repeated string.
func texts(list *[]string, f field) error {
	if len(*list) >= maxItems {
		return fmt.Errorf("more than %d items", maxItems)
	}
	var s string
	err := text(&s, f)
	*list = append(*list, s)
	return err
}

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
)

func wire(f field, want uint8) error {
	if uint8(f.typ) != want {
		return fmt.Errorf("wire type %d, want %d", f.typ, want)
	}
	return nil
}
