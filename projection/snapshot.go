package projection

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"google.golang.org/protobuf/encoding/protowire"
)

// A snapshot is a state as bytes, in the protobuf wire format. The order is
// fixed, so equal states have equal snapshots:
//
//	 1 version   varint          1
//	 2 head      bytes 48        for each log, sorted: log 16 | seq 8 | time 8 | chain 16, big endian
//	 3 event     bytes           the owner of each register, sorted by register, as its origin made it
//	14 digest    bytes 40        of the state
//	15 checksum  bytes 16        SHA-256(all before this field)[:16]
const (
	snapshotVersion = 1

	fieldVersion  protowire.Number = 1
	fieldHead     protowire.Number = 2
	fieldEvent    protowire.Number = 3
	fieldDigest   protowire.Number = 14
	fieldChecksum protowire.Number = 15

	headSize     = 48
	checksumSize = 16
)

// ErrSnapshot is wrapped by every error of ReadSnapshot and DecodeCheckpoint.
var ErrSnapshot = errors.New("malformed snapshot")

// AppendSnapshot appends the snapshot of the state. Equal states have equal
// snapshots.
func (s *State) AppendSnapshot(b []byte) []byte {
	start := len(b)
	b = protowire.AppendTag(b, fieldVersion, protowire.VarintType)
	b = protowire.AppendVarint(b, snapshotVersion)
	for _, h := range s.byLog {
		b = protowire.AppendTag(b, fieldHead, protowire.BytesType)
		b = protowire.AppendVarint(b, headSize)
		b = appendHead(b, h)
	}
	for _, r := range s.inOrder() {
		b = protowire.AppendTag(b, fieldEvent, protowire.BytesType)
		b = protowire.AppendBytes(b, r.event.Raw())
	}
	b = protowire.AppendTag(b, fieldDigest, protowire.BytesType)
	b = protowire.AppendVarint(b, events.DigestSize)
	b, _ = s.Digest().AppendBinary(b)
	sum := sha256.Sum256(b[start:])
	b = protowire.AppendTag(b, fieldChecksum, protowire.BytesType)
	return protowire.AppendBytes(b, sum[:checksumSize])
}

// IsSnapshot reports whether b is the snapshot of the state: what AppendSnapshot
// would append, without the memory for it.
func (s *State) IsSnapshot(b []byte) bool {
	rest := b
	var room [2 + headSize]byte
	is := func(part []byte) bool {
		ok := bytes.HasPrefix(rest, part)
		if ok {
			rest = rest[len(part):]
		}
		return ok
	}
	if !is(append(room[:0], byte(fieldVersion<<3), snapshotVersion)) {
		return false
	}
	for _, h := range s.byLog {
		if !is(appendHead(append(room[:0], byte(fieldHead<<3)|2, headSize), h)) {
			return false
		}
	}
	for _, r := range s.inOrder() {
		raw := r.event.Raw()
		if !is(protowire.AppendVarint(append(room[:0], byte(fieldEvent<<3)|2), uint64(len(raw)))) || !is(raw) {
			return false
		}
	}
	digest, _ := s.Digest().AppendBinary(append(room[:0], byte(fieldDigest<<3)|2, events.DigestSize))
	if !is(digest) || len(rest) != 2+checksumSize {
		return false
	}
	sum := sha256.Sum256(b[:len(b)-len(rest)])
	return is(append(append(room[:0], byte(fieldChecksum<<3)|2, checksumSize), sum[:checksumSize]...))
}

func appendHead(b []byte, h *logHead) []byte {
	b = append(b, h.Log[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(h.time))
	return append(b, h.Chain[:]...)
}

// ReadSnapshot reads what AppendSnapshot wrote, and nothing else: it refuses
// every other order, every number out of range, every bit that was changed,
// and a digest that this code does not compute. It takes memory in proportion
// to len(b), about five times as much at worst, whatever b says; the caller
// bounds len(b). It keeps nothing of b.
func ReadSnapshot(b []byte) (*State, error) {
	s, err := readSnapshot(b)
	if err != nil {
		return nil, fmt.Errorf("projection: %w: %w", ErrSnapshot, err)
	}
	return s, nil
}

func readSnapshot(b []byte) (*State, error) {
	end := len(b) - 2 - checksumSize
	if end < 2 {
		return nil, fmt.Errorf("%d bytes are too few", len(b))
	}
	sum := sha256.Sum256(b[:end])
	if want := protowire.AppendBytes([]byte{byte(fieldChecksum<<3) | 2}, sum[:checksumSize]); !bytes.Equal(b[end:], want) {
		return nil, errors.New("the checksum does not match")
	}
	records, digest, err := openSnapshot(b)
	if err != nil {
		return nil, err
	}
	s, err := readRecords(bytes.Clone(records))
	if err != nil {
		return nil, err
	}
	if s.pending > 0 {
		s.settle() // which changes nothing, or the digest
	}
	if have := s.Digest(); have != digest {
		return nil, fmt.Errorf("digest %s, and what was read has %s", digest, have)
	}
	return s, nil
}

// LogHead is the newest event that a state holds of a log, and the largest time
// in that log.
type LogHead struct {
	events.Head
	Time events.Timestamp
}

// Assemble makes the state that has the given heads, and the given events as
// the owners of their registers, in any order: for those who translate a state
// piece by piece. It refuses what no state can be, as ReadSnapshot does.
func Assemble(heads []LogHead, owners []events.Event) (*State, error) {
	heads, owners = slices.Clone(heads), slices.Clone(owners)
	slices.SortFunc(heads, func(a, b LogHead) int { return a.Log.Compare(b.Log) })
	slices.SortFunc(owners, func(a, b events.Event) int { return strings.Compare(a.Register, b.Register) })
	var b []byte
	for _, h := range heads {
		b = protowire.AppendVarint(protowire.AppendTag(b, fieldHead, protowire.BytesType), headSize)
		b = appendHead(b, &logHead{Head: h.Head, time: h.Time})
	}
	for i := range owners {
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldEvent, protowire.BytesType), owners[i].Raw())
	}
	s, err := readRecords(b)
	if err != nil {
		return nil, fmt.Errorf("projection: assemble: %w", err)
	}
	return s, nil
}

// readRecords reads the heads and the events. The state takes b over.
func readRecords(b []byte) (*State, error) {
	heads, owners, err := countRecords(b)
	if err != nil {
		return nil, err
	}
	s := newState(owners, heads)
	logs, cells := make([]logHead, heads), make([]register, owners)
	decoder := events.Decoder{Owners: true}
	for n := 0; len(b) > 0; n++ {
		size, k := protowire.ConsumeVarint(b[1:]) // countRecords checked both
		value := b[1+k : 1+k+int(size) : 1+k+int(size)]
		b = b[1+k+int(size):]
		if n < heads {
			logs[n] = readHead(value)
			err = s.takeHead(&logs[n])
		} else {
			err = s.readOwner(&decoder, value, &cells[n-heads])
		}
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", n, err)
		}
	}
	return s, nil
}

// countRecords checks that b is a sequence of heads, then of events.
func countRecords(b []byte) (heads, owners int, err error) {
	for at := 0; at < len(b); {
		size, k := protowire.ConsumeVarint(b[at+1:])
		if k <= 0 || k != protowire.SizeVarint(size) || size > uint64(len(b)-at-1-k) {
			return 0, 0, fmt.Errorf("byte %d: not a record", at)
		}
		switch {
		case b[at] == byte(fieldHead<<3)|2 && size == headSize && owners == 0:
			heads++
		case b[at] == byte(fieldEvent<<3)|2:
			owners++
		default:
			return 0, 0, fmt.Errorf("byte %d: not a head or an event in its place", at)
		}
		at += 1 + k + int(size)
	}
	return heads, owners, nil
}

func readHead(b []byte) logHead {
	return logHead{Head: events.Head{Log: events.LogID(b[:16]), Seq: binary.BigEndian.Uint64(b[16:]), Chain: events.Chain(b[32:])},
		time: events.Timestamp(binary.BigEndian.Uint64(b[24:]))}
}

func (s *State) takeHead(h *logHead) error {
	switch n := len(s.byLog); {
	case n > 0 && s.byLog[n-1].Log.Compare(h.Log) >= 0, h.Log.IsZero():
		return errors.New("logs out of order")
	case h.Seq == 0, h.time == 0, h.time > events.MaxTimestamp:
		return errors.New("a head with a sequence or time out of range")
	}
	s.logs[h.Log] = h
	s.byLog = append(s.byLog, h)
	s.move(h)
	return nil
}

func (s *State) readOwner(decoder *events.Decoder, b []byte, r *register) error {
	e, err := decoder.Decode(b)
	if err != nil {
		return err
	}
	head := s.logs[e.Log]
	switch n := len(s.order); {
	case e.Register == "":
		return fmt.Errorf("event %s writes no register", e.ID())
	case n > 0 && s.order[n-1].name() >= e.Register:
		return fmt.Errorf("register %q out of order", e.Register)
	case head == nil || head.Seq < e.Seq || head.time < e.Time:
		return fmt.Errorf("event %s is beyond the head of its log", e.ID())
	}
	r.event = e
	s.adopt(e.Register, r)
	s.sorted = true
	s.changed(r)
	if r.kind == kindCollected {
		c, err := readCollection(&e)
		if err != nil {
			return fmt.Errorf("event %s: %w", e.ID(), err)
		}
		s.learn(c)
	}
	return nil
}
