package transport

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skshohagmiah/clusterkit/events"
)

// field is one protobuf field as it stands on the wire.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	value uint64 // of a varint, fixed32 or fixed64
	bytes []byte // of a length-delimited field, not copied
	rest  int    // bytes of the message behind the field

	scratch *scratch // of the whole message
}

// scratch is what the fields of one message share, so that a message of a
// hundred thousand fields costs no more memory than what it brings.
type scratch struct {
	names events.Decoder
	sub   field       // of a message within
	head  headMessage // the one being read
}

// message is what the codec asks of a part of a message.
type message interface {
	// appendFields appends the fields in ascending order, zero values left out.
	appendFields(b []byte) []byte
	// set stores one field and reports whether it is one that may come again.
	// A number that it does not know is left alone, for it belongs to a later
	// version.
	set(f *field) (repeated bool, err error)
}

// errTruncated is the reason when a field ends beyond the bytes that are there.
var errTruncated = errors.New("not a protobuf field")

// readMessage reads a whole message.
func readMessage(b []byte, m message) error {
	var s scratch
	return readFields(b, m, &field{scratch: &s})
}

// readFields hands the fields of b to m, each in f. Every message has one
// encoding: the fields ascend, only a repeated one comes again, no number is
// longer than it need be. All lengths are checked against what is there.
func readFields(b []byte, m message, f *field) error {
	var last protowire.Number
	var again bool
	for at := 0; at < len(b); {
		n := f.read(b[at:])
		if n < 0 {
			return fmt.Errorf("byte %d: %w", at, errTruncated)
		}
		switch {
		case f.num < last:
			return fmt.Errorf("byte %d: field %d comes after field %d", at, f.num, last)
		case f.num == last && !again:
			return fmt.Errorf("byte %d: field %d comes twice", at, f.num)
		}
		f.rest = len(b) - at - n
		var err error
		if again, err = m.set(f); err != nil {
			return fmt.Errorf("byte %d: field %d: %w", at, f.num, err)
		}
		last = f.num
		at += n
	}
	return nil
}

// read reads the field at the start of b and returns its length, or a negative
// number. Groups are refused.
func (f *field) read(b []byte) int {
	tag, n := uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > uint64(protowire.MaxValidNumber) {
		return -1
	}
	f.num, f.typ, f.value, f.bytes = protowire.Number(tag>>3), protowire.Type(tag&7), 0, nil
	rest := b[n:]
	switch f.typ {
	case protowire.VarintType:
		v, m := uvarint(rest)
		if m <= 0 {
			return -1
		}
		f.value = v
		return n + m
	case protowire.Fixed64Type:
		if len(rest) < 8 {
			return -1
		}
		f.value = binary.LittleEndian.Uint64(rest)
		return n + 8
	case protowire.Fixed32Type:
		if len(rest) < 4 {
			return -1
		}
		f.value = uint64(binary.LittleEndian.Uint32(rest))
		return n + 4
	case protowire.BytesType:
		v, m := uvarint(rest)
		if m <= 0 || v > uint64(len(rest)-m) {
			return -1
		}
		end := m + int(v)
		f.bytes = rest[m:end:end]
		return n + end
	}
	return -1
}

// uvarint reads a varint in its shortest form.
func uvarint(b []byte) (uint64, int) {
	v, n := binary.Uvarint(b)
	if n > 1 && b[n-1] == 0 {
		return 0, -1
	}
	return v, n
}

// want checks the wire type of a known field, and that it is not zero: zero
// values are left out.
func (f *field) want(typ protowire.Type) error {
	if f.typ != typ {
		return fmt.Errorf("wire type %d, want %d", f.typ, typ)
	}
	if f.value == 0 && len(f.bytes) == 0 {
		return errors.New("is zero")
	}
	return nil
}

func (f *field) text(s *string) error {
	*s = string(f.bytes)
	return f.want(protowire.BytesType)
}

// raw stores the bytes of a field, which may be an empty message.
func (f *field) raw(v *[]byte) error {
	if *v = f.bytes; f.typ != protowire.BytesType {
		return f.want(protowire.BytesType)
	}
	return nil
}

func (f *field) number(v *uint64) error {
	*v = f.value
	return f.want(protowire.VarintType)
}

func (f *field) fixed(v *uint64) error {
	*v = f.value
	return f.want(protowire.Fixed64Type)
}

func (f *field) flag(v *bool) error {
	if f.value > 1 {
		return fmt.Errorf("flag of %d, want 1", f.value)
	}
	*v = f.value == 1
	return f.want(protowire.VarintType)
}

// array16 stores a field of exactly 16 bytes, not all zero.
func (f *field) array16(v *[16]byte) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if len(f.bytes) != len(v) {
		return fmt.Errorf("%d bytes, want %d", len(f.bytes), len(v))
	}
	if *v = [16]byte(f.bytes); *v == [16]byte{} {
		return errors.New("is zero")
	}
	return nil
}

func (f *field) log(id *events.LogID) error { return f.array16((*[16]byte)(id)) }

func (f *field) digest(d *events.Digest) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if err := d.UnmarshalBinary(f.bytes); err != nil {
		return err
	}
	if *d == (events.Digest{}) {
		return errors.New("is zero")
	}
	return nil
}

func (f *field) buckets(b **events.Buckets) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	*b = new(events.Buckets)
	return (*b).UnmarshalBinary(f.bytes)
}

// heads appends one head to a list of at most most.
func (f *field) heads(list *Heads, most int) error {
	if f.typ != protowire.BytesType {
		return f.want(protowire.BytesType)
	}
	if len(*list) >= most {
		return fmt.Errorf("more than %d heads", most)
	}
	h := &f.scratch.head
	*h = headMessage{}
	err := f.within(h)
	if err == nil && h.Log.IsZero() {
		err = errors.New("head without a log")
	}
	if err != nil {
		return err
	}
	if *list == nil {
		*list = make(Heads, 0, f.room(most))
	}
	*list = append(*list, events.Head(*h))
	return nil
}

// room guesses how many more fields of this one's size there are in the
// message, itself included, at most most.
func (f *field) room(most int) int { return min(1+f.rest/(2+len(f.bytes)), most) }

// within reads the message that a field holds.
func (f *field) within(m message) error {
	f.scratch.sub.scratch = f.scratch
	return readFields(f.bytes, m, &f.scratch.sub)
}

// headMessage is a head as a message: the log, its sequence, its chain.
type headMessage events.Head

func (h *headMessage) appendFields(b []byte) []byte {
	b = appendArray16(b, 1, h.Log)
	b = appendUint(b, 2, h.Seq)
	return appendArray16(b, 3, h.Chain)
}

func (h *headMessage) set(f *field) (bool, error) {
	switch f.num {
	case 1:
		return false, f.log(&h.Log)
	case 2:
		return false, f.number(&h.Seq)
	case 3:
		return false, f.array16((*[16]byte)(&h.Chain))
	}
	return true, nil
}

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendFlag(b []byte, num protowire.Number, v bool) []byte {
	return appendUint(b, num, protowire.EncodeBool(v))
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

func appendArray16(b []byte, num protowire.Number, v [16]byte) []byte {
	if v == [16]byte{} {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v[:])
}

func appendDigest(b []byte, num protowire.Number, d events.Digest) []byte {
	if d == (events.Digest{}) {
		return b
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), events.DigestSize)
	b, _ = d.AppendBinary(b) // never fails
	return b
}

func appendBuckets(b []byte, num protowire.Number, v *events.Buckets) []byte {
	if v == nil {
		return b
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), events.BucketsSize)
	b, _ = v.AppendBinary(b) // never fails
	return b
}

func appendHeads(b []byte, num protowire.Number, list Heads) []byte {
	var buf [2*18 + 11]byte
	for i := range list {
		body := (*headMessage)(&list[i]).appendFields(buf[:0])
		b = protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), body)
	}
	return b
}
