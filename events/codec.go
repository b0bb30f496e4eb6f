package events

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of event.proto.
const (
	fieldLog protowire.Number = iota + 1
	fieldSeq
	fieldTime
	fieldType
	fieldRegister
	fieldVersion
	fieldRank
	fieldActor
	fieldCauseLog
	fieldCauseSeq
	fieldBody

	fieldChain protowire.Number = 15
)

// chainSize is the encoded length of the chain field: a tag byte, a length
// byte, 16 bytes. It is always the last of an event.
const chainSize = 18

// maxHeader is the most that the fields before the body can take in an event
// that check accepts, the tag and the length of the body included.
const maxHeader = 18 + 11 + 9 + 3 + MaxTypeLength + 3 + MaxRegister + 11 + 3 + 3 + MaxActorLength + 18 + 11 + 5

// Seal makes e an event of its log: it checks the fields, encodes them, links
// them to prev, the chain of the event before (or [Genesis]), and returns the
// result. It is called once in the life of an event, by its origin. The body
// is copied.
func Seal(e Event, prev Chain) (Event, error) {
	if err := e.check(); err != nil {
		return Event{}, fmt.Errorf("events: seal %s: %w", clip(string(e.Type)), err)
	}
	var buf [maxHeader]byte
	header := e.appendHeader(buf[:0])
	size := len(header) + len(e.Body) + chainSize
	if size > MaxEventSize {
		return Event{}, fmt.Errorf("events: seal %s: a body of %d bytes makes an event of %d, at most %d",
			e.Type, len(e.Body), size, MaxEventSize)
	}
	b := append(append(make([]byte, 0, size), header...), e.Body...)
	e.Chain = prev.link(b)
	e.raw, e.bodyAt = appendBytes(b, fieldChain, e.Chain[:]), 0
	if n := len(e.Body); n > 0 {
		e.bodyAt = len(header)
		e.Body = e.raw[e.bodyAt : e.bodyAt+n : e.bodyAt+n]
	} else {
		e.Body = nil
	}
	return e, nil
}

// appendFields appends all fields but the chain, in order, zero values left
// out.
func (e *Event) appendFields(b []byte) []byte {
	return append(e.appendHeader(b), e.Body...)
}

// appendHeader appends all that stands before the bytes of the body.
func (e *Event) appendHeader(b []byte) []byte {
	b = appendBytes(b, fieldLog, e.Log[:])
	b = appendUint(b, fieldSeq, e.Seq)
	b = appendFixed(b, fieldTime, uint64(e.Time))
	b = appendString(b, fieldType, string(e.Type))
	b = appendString(b, fieldRegister, e.Register)
	b = appendUint(b, fieldVersion, e.Version)
	b = appendUint(b, fieldRank, uint64(e.Rank))
	b = appendString(b, fieldActor, e.Actor)
	if e.Cause.Seq != 0 && e.Cause.Log != e.Log {
		b = appendBytes(b, fieldCauseLog, e.Cause.Log[:])
	}
	b = appendUint(b, fieldCauseSeq, e.Cause.Seq)
	if len(e.Body) == 0 {
		return b
	}
	return appendSize(append(b, byte(fieldBody)<<3|wireBytes), len(e.Body))
}

// isWhole reports whether the exported fields say all that the bytes of e say:
// it was made by Seal or Decode, it was not tampered with, and it has no field
// of a later version.
func (e *Event) isWhole() bool {
	var buf [maxHeader]byte
	header := e.appendHeader(buf[:0])
	n := len(header)
	return len(e.raw) == n+len(e.Body)+chainSize &&
		bytes.Equal(header, e.raw[:n]) && bytes.Equal(e.Body, e.raw[n:n+len(e.Body)])
}
