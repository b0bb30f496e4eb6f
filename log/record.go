package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// Kind says what a record holds.
type Kind uint8

// The kinds of record.
const (
	KindEvent    Kind = iota // the bytes of one event, as its origin made them
	KindSnapshot             // the state of everything before it
)

// String returns "event" or "snapshot".
func (k Kind) String() string {
	if k == KindSnapshot {
		return "snapshot"
	}
	return "event"
}

// Limits of what can be appended.
const (
	MaxSnapshot = 1 << 30  // bytes of one snapshot
	MaxBatch    = 64 << 20 // bytes of one batch of events
)

// Record is one entry of the log.
type Record struct {
	Index      uint64 // its place in this log, from 1 without a gap
	Kind       Kind   // what Bytes is
	Received   int64  // when it was appended here, in Unix milliseconds; never before that of the record before
	Bytes      []byte // the event or the state
	EndOfBatch bool   // the last record of a batch, which is kept whole or not at all
	File       string // path of the segment
	Offset     int64  // where the record begins in the file
	Size       int    // how many bytes it takes there

	durable uint64 // the index that was durable when this record was written
	heads   []byte // of a snapshot: the encoded vector
	memory  []byte // that Bytes and heads are in, after ReadInto
}

// Vector returns, for a snapshot, which events had been appended to this log
// before it: for each log the highest sequence, whether or not all before that
// are kept. It is nil for an event.
func (r *Record) Vector() events.Vector {
	if r.Kind != KindSnapshot {
		return nil
	}
	v := events.Vector{}
	for b := r.heads; len(b) > len(events.LogID{}); {
		id := events.LogID(b)
		seq, n := binary.Uvarint(b[len(id):])
		v[id] = seq
		b = b[len(id)+n:]
	}
	return v
}

// The layout of a record; doc.go draws it.
const (
	headerSize    = 16
	recordVersion = 1
	flagSnapshot  = 1 << 0
	flagEnd       = 1 << 1
	knownFlags    = flagSnapshot | flagEnd
	maxPayload    = headerSize + MaxSnapshot + 64<<20 // a snapshot, its vector and the header
	maxPrefix     = 5                                 // bytes of the length before a payload
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seed is where the checksum of a record starts. It is not the sum of the
// index but the index itself: a CRC register maps different starts to different
// ends, so a record that was moved by fewer than 2^32 places never verifies.
func seed(index uint64) uint32 { return uint32(index) ^ uint32(index>>32) }

func checksum(payload []byte, index uint64) uint32 {
	return crc32.Update(seed(index), castagnoli, payload[4:])
}

// header is what a record says about itself.
type header struct {
	index    uint64
	durable  uint64 // < index
	received int64
	flags    uint8
}

// appendPayload appends the payload of a record whose content is the
// concatenation of two parts.
func (h *header) appendPayload(b []byte, head, body []byte) []byte {
	at := len(b)
	b = slices.Grow(b, headerSize+len(head)+len(body))
	b = append(b, 0, 0, 0, 0, recordVersion, h.flags)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.index-h.durable))
	ms := uint64(h.received)
	b = append(b, byte(ms), byte(ms>>8), byte(ms>>16), byte(ms>>24), byte(ms>>32), byte(ms>>40))
	b = append(append(b, head...), body...)
	putChecksum(b[at:], h.index)
	return b
}

func putChecksum(payload []byte, index uint64) {
	binary.LittleEndian.PutUint32(payload, checksum(payload, index))
}

// appendFrame appends a payload as the engine stores it.
func appendFrame(b, payload []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(payload))), payload...)
}

// frameSize is how many bytes a payload takes in a segment.
func frameSize(payload int) int { return uvarintSize(uint64(payload)) + payload }

func uvarintSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

var (
	errChecksum = errors.New("checksum mismatch")
	errHeader   = errors.New("checksum right, contents wrong")
	errLength   = errors.New("impossible length")
)

// open verifies a payload and fills in what the record says; Bytes and heads
// alias it. The place of the record is left alone.
func (r *Record) open(payload []byte, index uint64) error {
	if binary.LittleEndian.Uint32(payload) != checksum(payload, index) {
		return errChecksum
	}
	if payload[4] != recordVersion || payload[5]&^knownFlags != 0 {
		return fmt.Errorf("record version %d with flags %#x, which this version does not know", payload[4], payload[5])
	}
	distance := uint64(binary.LittleEndian.Uint32(payload[6:]))
	if distance == 0 || distance > index {
		return errHeader
	}
	r.Index, r.durable = index, index-distance
	r.Received = int64(uint64(binary.LittleEndian.Uint32(payload[10:])) | uint64(binary.LittleEndian.Uint16(payload[14:]))<<32)
	r.EndOfBatch = payload[5]&flagEnd != 0
	r.Kind, r.heads, r.Bytes = KindEvent, nil, payload[headerSize:]
	if payload[5]&flagSnapshot != 0 {
		r.Kind = KindSnapshot
		n := vectorSize(r.Bytes)
		if n < 0 {
			return errHeader
		}
		skip := uvarintSize(vectorCount(r.Bytes))
		r.heads, r.Bytes = r.Bytes[skip:n:n], r.Bytes[n:]
	}
	return nil
}

// A snapshot record begins with the heads of the log at that point, which the
// package needs to find events by their name without reading everything:
//
//	count uvarint | count times (LogID 16 bytes, sequence uvarint), sorted

func vectorCount(b []byte) uint64 {
	n, _ := binary.Uvarint(b)
	return n
}

// vectorSize returns how many bytes the vector at the start of b takes, or a
// negative number.
func vectorSize(b []byte) int {
	count, at := binary.Uvarint(b)
	const least = len(events.LogID{}) + 1
	if at <= 0 || at != uvarintSize(count) || count > uint64(len(b)-at)/uint64(least) {
		return -1
	}
	for range count {
		at += len(events.LogID{})
		if at >= len(b) {
			return -1
		}
		seq, n := binary.Uvarint(b[at:])
		if n <= 0 || n != uvarintSize(seq) {
			return -1
		}
		at += n
	}
	return at
}

// appendHeads appends a vector in the form above.
func appendHeads(b []byte, heads map[events.LogID]uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(heads)))
	for _, id := range events.Vector(heads).Logs() {
		b = binary.AppendUvarint(append(b, id[:]...), heads[id])
	}
	return b
}

// eventName returns the name of an event from its bytes, without decoding the
// rest: they always begin with the log and the sequence.
func eventName(b []byte) (log events.LogID, seq uint64, ok bool) {
	const tagLog, tagSeq = 1<<3 | 2, 2 << 3
	if len(b) < 20 || b[0] != tagLog || b[1] != 16 || b[18] != tagSeq {
		return log, 0, false
	}
	seq, n := binary.Uvarint(b[19:])
	return events.LogID(b[2:18]), seq, n > 0 && seq > 0
}
