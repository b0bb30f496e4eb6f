package events

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Decode reads one event. It keeps b, which must not be changed afterwards.
// Every error wraps [ErrMalformed]. It says nothing about the chain; see
// [Event.Links].
func Decode(b []byte) (Event, error) {
	var e Event
	if err := (*Decoder)(nil).decode(&e, b); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return e, nil
}

// Decoder decodes many events and makes the strings that they share only once.
// The zero value is ready to use. Not safe for concurrent use.
type Decoder struct {
	// Owners says that no two of the events write the same register, so that
	// the names of registers are not worth remembering.
	Owners bool

	names  map[string]string // all of them valid text
	recent []string          // some of them, found without a map; nil until there are many
}

// recentNames is how many recent has; a power of two.
const recentNames = 1 << 13

// place returns where in recent a name may be. Names of one kind mostly end in
// numbers: those that are near each other share no place.
func place(b []byte) uint32 {
	n := len(b)
	h := uint32(n) * 2731
	if n >= 4 {
		v := binary.LittleEndian.Uint32(b[n-4:]) & 0x0f0f0f0f
		h += v>>24 + v>>16&15*10 + v>>8&15*100 + v&15*1000
	} else if n > 0 {
		h += uint32(b[n-1])
	}
	return h % recentNames
}

// maxNames bounds the memory of a Decoder that is fed ever new names: about
// 16 MiB when all are as long as they may be.
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

// DecodeInto is like Decode, and puts the event in place of *e, which is the
// zero Event after an error. It saves those who look at very many events the
// copying of them.
func (d *Decoder) DecodeInto(e *Event, b []byte) error {
	if err := d.decode(e, b); err != nil {
		*e = Event{}
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

func (d *Decoder) decode(e *Event, b []byte) error {
	*e = Event{}
	if len(b) > MaxEventSize {
		return fmt.Errorf("%d bytes, at most %d", len(b), MaxEventSize)
	}
	n := len(b) - chainSize
	if n < 0 || b[n] != byte(fieldChain<<3)|wireBytes || b[n+1] != byte(len(e.Chain)) {
		return errors.New("no chain at the end")
	}
	e.raw = b
	e.Chain = Chain(b[n+2:])
	if !d.decodeUsual(e, b[:n]) {
		*e = Event{raw: e.raw, Chain: e.Chain}
		if err := d.decodeFields(e, b[:n]); err != nil {
			return err
		}
	}
	if e.Cause.Log.IsZero() {
		if e.Cause.Seq != 0 {
			e.Cause.Log = e.Log
		}
	} else if e.Cause.Log == e.Log {
		return errors.New("cause log without need")
	}
	return e.checkNumbers()
}

// decodeUsual reads the fields in the one order in which this version writes
// them, without a look at each tag's meaning: nearly every event is of this
// kind. It answers false for everything else, be it wrong or only of a later
// version; decodeFields then says which.
func (d *Decoder) decodeUsual(e *Event, b []byte) bool {
	const log, seq, time, typ = byte(fieldLog<<3) | wireBytes, byte(fieldSeq << 3), byte(fieldTime<<3) | wireFixed64, byte(fieldType<<3) | wireBytes
	if len(b) < 20 || b[0] != log || b[1] != byte(len(e.Log)) || b[18] != seq {
		return false
	}
	e.Log = LogID(b[2:18])
	r := usual{b: b, at: 18}
	e.Seq = r.number(seq)
	if len(b) < r.at+9 || b[r.at] != time {
		return false
	}
	e.Time = Timestamp(binary.LittleEndian.Uint64(b[r.at+1:]))
	r.at += 9
	var ok [3]bool
	var s string
	s, ok[0] = d.usualName("type", r.bytes(typ), MaxTypeLength)
	e.Type = Type(s)
	e.Register, ok[1] = d.ofRegisters().usualName("register", r.bytes(byte(fieldRegister<<3)|wireBytes), MaxRegister)
	e.Version = r.number(byte(fieldVersion << 3))
	rank := r.number(byte(fieldRank << 3))
	e.Rank = uint8(rank)
	e.Actor, ok[2] = d.usualName("actor", r.bytes(byte(fieldActor<<3)|wireBytes), MaxActorLength)
	if cause := r.bytes(byte(fieldCauseLog<<3) | wireBytes); cause != nil {
		if setLogID(&e.Cause.Log, cause) != nil {
			return false
		}
	}
	e.Cause.Seq = r.number(byte(fieldCauseSeq << 3))
	if e.Body = r.bytes(byte(fieldBody<<3) | wireBytes); e.Body != nil {
		e.bodyAt = r.at - len(e.Body)
	}
	return !r.bad && r.at == len(b) && ok[0] && ok[1] && ok[2] && e.Type != "" && e.Seq != 0 && rank <= 255
}

// ofRegisters returns the decoder for the names of registers: none, when they
// are not worth remembering.
func (d *Decoder) ofRegisters() *Decoder {
	if d != nil && d.Owners {
		return nil
	}
	return d
}

// usualName is name for a field that may be left out.
func (d *Decoder) usualName(what string, b []byte, most int) (string, bool) {
	if b == nil {
		return "", true
	}
	s, err := d.name(what, b, most)
	return s, err == nil
}

// usual reads fields that come in a known order.
type usual struct {
	b   []byte
	at  int
	bad bool
}

// number reads a number if it comes next, and returns 0 otherwise.
func (r *usual) number(tag byte) uint64 {
	if r.at >= len(r.b) || r.b[r.at] != tag {
		return 0
	}
	v, n := uvarint(r.b[r.at+1:])
	if n <= 0 || v == 0 {
		r.fail()
		return 0
	}
	r.at += 1 + n
	return v
}

// bytes reads a field of bytes if it comes next, and returns nil otherwise.
func (r *usual) bytes(tag byte) []byte {
	if r.at >= len(r.b) || r.b[r.at] != tag {
		return nil
	}
	size, n := uvarint(r.b[r.at+1:])
	if from := r.at + 1 + n; n > 0 && size > 0 && size <= uint64(len(r.b)-from) {
		r.at = from + int(size)
		return r.b[from:r.at:r.at]
	}
	r.fail()
	return nil
}

// fail ends the reading: nothing comes next any more.
func (r *usual) fail() { r.bad, r.at = true, len(r.b) }

// decodeFields reads the fields 1 to 14. All their tags are one byte.
func (d *Decoder) decodeFields(e *Event, b []byte) error {
	var last protowire.Number
	for at := 0; at < len(b); {
		tag, start := b[at], at
		num := protowire.Number(tag >> 3)
		if num <= last || num >= fieldChain {
			return fmt.Errorf("byte %d: field %d out of order", at, num)
		}
		last = num
		var value uint64
		var data []byte
		if value, data, at = readValue(b, at+1, tag&7); at < 0 {
			return fmt.Errorf("byte %d: field %d: not protobuf", start, num)
		}
		if num > fieldBody {
			continue // of a later version; kept, as all the bytes are
		}
		if tag&7 != wireTypes[num] {
			return fmt.Errorf("byte %d: field %d: wire type %d, want %d", start, num, tag&7, wireTypes[num])
		}
		if value == 0 && len(data) == 0 {
			return fmt.Errorf("byte %d: field %d is zero", start, num)
		}
		if err := d.set(e, num, value, data); err != nil {
			return fmt.Errorf("byte %d: field %d: %w", start, num, err)
		}
		if num == fieldBody {
			e.bodyAt = at - len(data)
		}
	}
	if e.Type == "" {
		return errors.New("no type")
	}
	return nil
}

// set stores one field. A wrong length is an error, as are a zero value and a
// wrong wire type before: every event has exactly one encoding.
func (d *Decoder) set(e *Event, num protowire.Number, value uint64, data []byte) (err error) {
	switch num {
	case fieldLog:
		err = setLogID(&e.Log, data)
	case fieldSeq:
		e.Seq = value
	case fieldTime:
		e.Time = Timestamp(value)
	case fieldType:
		var s string
		s, err = d.name("type", data, MaxTypeLength)
		e.Type = Type(s)
	case fieldRegister:
		e.Register, err = d.ofRegisters().name("register", data, MaxRegister)
	case fieldVersion:
		e.Version = value
	case fieldRank:
		if value > 255 {
			return fmt.Errorf("rank %d, at most 255", value)
		}
		e.Rank = uint8(value)
	case fieldActor:
		e.Actor, err = d.name("actor", data, MaxActorLength)
	case fieldCauseLog:
		err = setLogID(&e.Cause.Log, data)
	case fieldCauseSeq:
		e.Cause.Seq = value
	case fieldBody:
		e.Body = data
	}
	return err
}

// wireTypes holds the wire type of each known field.
var wireTypes = [...]uint8{
	fieldLog: wireBytes, fieldSeq: wireVarint, fieldTime: wireFixed64, fieldType: wireBytes,
	fieldRegister: wireBytes, fieldVersion: wireVarint, fieldRank: wireVarint, fieldActor: wireBytes,
	fieldCauseLog: wireBytes, fieldCauseSeq: wireVarint, fieldBody: wireBytes,
}

// setLogID stores a log id, which is never zero: a zero one is left out.
func setLogID(id *LogID, b []byte) error {
	if len(b) != len(id) {
		return fmt.Errorf("log id of %d bytes, want %d", len(b), len(id))
	}
	if *id = LogID(b); id.IsZero() {
		return errors.New("log id is zero")
	}
	return nil
}

// name checks b and returns it as a string, the same one each time. A nil
// decoder remembers nothing.
func (d *Decoder) name(what string, b []byte, most int) (string, error) {
	if d != nil && len(b) <= most {
		if d.recent != nil {
			if s := d.recent[place(b)]; s == string(b) && s != "" {
				return s, nil
			}
		}
		if s, ok := d.names[string(b)]; ok { // does not allocate
			if d.recent != nil {
				d.recent[place(b)] = s
			}
			return s, nil
		}
	}
	if err := checkText(what, b, 1, most); err != nil {
		return "", err
	}
	s := string(b)
	if d == nil {
		return s, nil
	}
	if d.names == nil || len(d.names) >= maxNames {
		d.names = make(map[string]string) // names of long ago make room for those of now
	}
	d.names[s] = s
	if d.recent == nil && len(d.names) > 64 {
		d.recent = make([]string, recentNames)
	}
	return s, nil
}
