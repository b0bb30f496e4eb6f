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
	names  map[string]string // all of them valid text
	recent []string          // some of them, found without a map; nil until there are many
}

// recentNames is how many recent has; a power of two.
const recentNames = 1 << 13

// place returns where in recent a name may be: what tells names apart is
// mostly at their end.
func place(b []byte) uint32 {
	h := uint32(len(b)) * 0x9e3779b1
	if n := len(b); n >= 4 {
		h ^= binary.LittleEndian.Uint32(b[n-4:])
	} else if n > 0 {
		h ^= uint32(b[n-1])
	}
	h *= 0x85ebca6b
	return h >> (32 - 13)
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

func (d *Decoder) decode(e *Event, b []byte) error {
	if len(b) > MaxEventSize {
		return fmt.Errorf("%d bytes, at most %d", len(b), MaxEventSize)
	}
	n := len(b) - chainSize
	if n < 0 || b[n] != byte(fieldChain<<3)|wireBytes || b[n+1] != byte(len(e.Chain)) {
		return errors.New("no chain at the end")
	}
	e.raw = b
	e.Chain = Chain(b[n+2:])
	if err := d.decodeFields(e, b[:n]); err != nil {
		return err
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
		e.Register, err = d.name("register", data, MaxRegister)
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
