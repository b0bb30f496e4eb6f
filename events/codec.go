package events

import (
	"encoding/binary"
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

// Seal makes e an event of its log: it checks the fields, encodes them, links
// them to prev, the chain of the event before (or [Genesis]), and returns the
// result. It is called once in the life of an event, by its origin.
func Seal(e Event, prev Chain) (Event, error) {
	if err := e.check(); err != nil {
		return Event{}, fmt.Errorf("events: seal %s: %w", clip(string(e.Type)), err)
	}
	size := len(e.Type) + len(e.Register) + len(e.Actor) + len(e.Body) + 128
	if size > MaxEventSize {
		return Event{}, fmt.Errorf("events: seal %s: a body of %d bytes makes the event larger than %d", e.Type, len(e.Body), MaxEventSize)
	}
	b := e.appendFields(make([]byte, 0, size))
	e.Chain = prev.link(b)
	b = protowire.AppendTag(b, fieldChain, protowire.BytesType)
	b = protowire.AppendBytes(b, e.Chain[:])
	return Decode(b)
}

// appendFields appends all fields but the chain, in order, zero values left
// out.
func (e *Event) appendFields(b []byte) []byte {
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
	return appendBytes(b, fieldBody, e.Body)
}

// Decode reads one event. It keeps b, which must not be changed afterwards.
// Every error wraps [ErrMalformed].
func Decode(b []byte) (Event, error) {
	var d Decoder
	return d.Decode(b)
}

// Decoder decodes many events and makes the strings that they share only once.
// The zero value is ready to use. Not safe for concurrent use.
type Decoder struct {
	names map[string]string
}

// maxNames bounds the memory of a Decoder that is fed ever new names.
const maxNames = 1 << 16

// Decode is like the function [Decode], without allocating for names that this
// decoder has met before.
func (d *Decoder) Decode(b []byte) (Event, error) {
	var e Event
	if err := d.decode(&e, b); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return e, nil
}

func (d *Decoder) decode(e *Event, b []byte) error {
	if len(b) > MaxEventSize {
		return fmt.Errorf("%d bytes, at most %d", len(b), MaxEventSize)
	}
	if len(b) < chainSize || b[len(b)-chainSize] != byte(fieldChain<<3|2) || b[len(b)-chainSize+1] != 16 {
		return fmt.Errorf("no chain at the end")
	}
	e.raw = b
	e.Chain = Chain(b[len(b)-16:])
	var causeLog LogID
	if err := d.decodeFields(e, b[:len(b)-chainSize], &causeLog); err != nil {
		return err
	}
	switch {
	case e.Cause.Seq != 0 && causeLog.IsZero():
		e.Cause.Log = e.Log
	case causeLog == e.Log && !causeLog.IsZero(), e.Cause.Seq == 0 && !causeLog.IsZero():
		return fmt.Errorf("cause log without need")
	default:
		e.Cause.Log = causeLog
	}
	return e.check()
}

func (d *Decoder) decodeFields(e *Event, b []byte, causeLog *LogID) error {
	var last protowire.Number
	for at := 0; at < len(b); {
		f, n := nextField(b[at:])
		if n < 0 {
			return fmt.Errorf("byte %d: not a protobuf field", at)
		}
		if f.num <= last || f.num >= fieldChain {
			return fmt.Errorf("byte %d: field %d out of order", at, f.num)
		}
		last = f.num
		if err := d.set(e, f, causeLog); err != nil {
			return fmt.Errorf("byte %d: field %d: %w", at, f.num, err)
		}
		at += n
		if f.num == fieldBody {
			e.bodyAt = at - len(f.bytes)
		}
	}
	return nil
}

// set stores one field. A field with its zero value, a wrong wire type or a
// wrong length is an error: every event has exactly one encoding.
func (d *Decoder) set(e *Event, f field, causeLog *LogID) error {
	if f.num > fieldBody {
		return nil // of a later version; kept, as all the bytes are
	}
	want := wireTypes[f.num]
	if f.typ != want {
		return fmt.Errorf("wire type %d, want %d", f.typ, want)
	}
	if f.value == 0 && len(f.bytes) == 0 {
		return fmt.Errorf("is zero")
	}
	switch f.num {
	case fieldLog:
		return setLogID(&e.Log, f.bytes)
	case fieldCauseLog:
		return setLogID(causeLog, f.bytes)
	case fieldSeq:
		e.Seq = f.value
	case fieldTime:
		e.Time = Timestamp(f.value)
	case fieldVersion:
		e.Version = f.value
	case fieldCauseSeq:
		e.Cause.Seq = f.value
	case fieldRank:
		if f.value > 255 {
			return fmt.Errorf("rank %d, at most 255", f.value)
		}
		e.Rank = uint8(f.value)
	case fieldType:
		e.Type = Type(d.name(f.bytes))
	case fieldRegister:
		e.Register = d.name(f.bytes)
	case fieldActor:
		e.Actor = d.name(f.bytes)
	case fieldBody:
		e.Body = f.bytes[:len(f.bytes):len(f.bytes)]
	}
	return nil
}

var wireTypes = [...]protowire.Type{
	fieldLog: protowire.BytesType, fieldSeq: protowire.VarintType, fieldTime: protowire.Fixed64Type,
	fieldType: protowire.BytesType, fieldRegister: protowire.BytesType, fieldVersion: protowire.VarintType,
	fieldRank: protowire.VarintType, fieldActor: protowire.BytesType, fieldCauseLog: protowire.BytesType,
	fieldCauseSeq: protowire.VarintType, fieldBody: protowire.BytesType,
}

func setLogID(id *LogID, b []byte) error {
	if len(b) != len(id) {
		return fmt.Errorf("log id of %d bytes, want %d", len(b), len(id))
	}
	*id = LogID(b)
	return nil
}

// name returns b as a string, the same one each time.
func (d *Decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok { // does not allocate
		return s
	}
	s := string(b)
	if d.names == nil {
		d.names = make(map[string]string)
	}
	if len(b) <= MaxRegister && len(d.names) < maxNames {
		d.names[s] = s
	}
	return s
}

// field is one protobuf field as it stands on the wire.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	value uint64 // of a varint or fixed64
	bytes []byte // of a length-delimited field, not copied
}

// nextField reads the field at the start of b and returns its length, or a
// negative number. Groups and 32-bit fields are not used here. A varint longer
// than it need be is refused, as an event has exactly one encoding.
func nextField(b []byte) (field, int) {
	tag, n := uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > uint64(protowire.MaxValidNumber) {
		return field{}, -1
	}
	f := field{num: protowire.Number(tag >> 3), typ: protowire.Type(tag & 7)}
	switch f.typ {
	case protowire.VarintType:
		v, m := uvarint(b[n:])
		if m <= 0 {
			return f, -1
		}
		f.value = v
		return f, n + m
	case protowire.Fixed64Type:
		if len(b) < n+8 {
			return f, -1
		}
		f.value = binary.LittleEndian.Uint64(b[n:])
		return f, n + 8
	case protowire.BytesType:
		v, m := uvarint(b[n:])
		if m <= 0 || v > uint64(len(b)-n-m) {
			return f, -1
		}
		n += m
		f.bytes = b[n : n+int(v)]
		return f, n + int(v)
	}
	return f, -1
}

// uvarint reads a varint in its shortest form.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	v, n := binary.Uvarint(b)
	if n > 1 && b[n-1] == 0 {
		return 0, -1
	}
	return v, n
}

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendFixed(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, num, protowire.Fixed64Type), v)
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}
