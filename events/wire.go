package events

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// The wire types of protobuf that are used here.
const (
	wireVarint  = uint8(protowire.VarintType)
	wireFixed64 = uint8(protowire.Fixed64Type)
	wireBytes   = uint8(protowire.BytesType)
	wireFixed32 = uint8(protowire.Fixed32Type)
)

// field is one protobuf field as it stands on the wire.
type field struct {
	num   protowire.Number
	typ   uint8
	value uint64 // of a varint or fixed64
	bytes []byte // of a length-delimited field, not copied
}

// nextField reads the field at the start of b and returns its length, or a
// negative number.
func nextField(b []byte) (field, int) {
	tag, n := uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > uint64(protowire.MaxValidNumber) {
		return field{}, -1
	}
	f := field{num: protowire.Number(tag >> 3), typ: uint8(tag & 7)}
	f.value, f.bytes, n = readValue(b, n, f.typ)
	return f, n
}

// readValue reads the value of a field, which stands in b from at, and returns
// it with the place after it, or a negative one. Nothing here uses 32-bit
// fields, but a later version may; groups are refused. So is a varint longer
// than it need be, as an event has exactly one encoding.
func readValue(b []byte, at int, typ uint8) (value uint64, data []byte, next int) {
	switch typ {
	case wireVarint:
		v, n := uvarint(b[at:])
		if n <= 0 {
			return 0, nil, -1
		}
		return v, nil, at + n
	case wireFixed64:
		if len(b)-at < 8 {
			return 0, nil, -1
		}
		return binary.LittleEndian.Uint64(b[at:]), nil, at + 8
	case wireBytes:
		v, n := uvarint(b[at:])
		if n <= 0 || v > uint64(len(b)-at-n) {
			return 0, nil, -1
		}
		at += n
		end := at + int(v)
		return 0, b[at:end:end], end
	case wireFixed32:
		if len(b)-at < 4 {
			return 0, nil, -1
		}
		return uint64(binary.LittleEndian.Uint32(b[at:])), nil, at + 4
	}
	return 0, nil, -1
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

// Fields are written with tags of one byte: none has a number above 15.

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(append(b, byte(num)<<3|wireVarint), v)
}

func appendFixed(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(append(b, byte(num)<<3|wireFixed64), v)
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return appendText(b, num, s)
}

func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return appendText(b, num, v)
}

// appendText appends a field even when it is empty, as the items of lists may be.
func appendText[T string | []byte](b []byte, num protowire.Number, v T) []byte {
	return append(appendSize(append(b, byte(num)<<3|wireBytes), len(v)), v...)
}

// appendSize appends how many bytes follow; mostly they are few.
func appendSize(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(b, uint64(n))
}
