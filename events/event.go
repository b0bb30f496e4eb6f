package events

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Limits on what an event may hold. They are a function of the bytes alone, so
// every node agrees on them.
const (
	MaxEventSize    = 256 << 10 // bytes of one encoded event
	MaxTypeLength   = 128       // bytes
	MaxRegister     = 160       // bytes: a prefix and a key of at most MaxKeyLength
	MaxActorLength  = 128       // bytes
	MaxNodeIDLength = 64        // bytes
	MaxKeyLength    = 128       // bytes of an application key
	MaxVersion      = 1<<62 - 1 // of a register
)

// ErrMalformed is wrapped by every error that Decode returns.
var ErrMalformed = errors.New("malformed event")

// Event is an immutable fact. Origins make one with [Seal], everybody else with
// [Decode]; both fix its bytes for ever. The exported fields are for reading.
type Event struct {
	Log      LogID     // the origin's log
	Seq      uint64    // 1, 2, 3 ... without a gap in that log
	Time     Timestamp // hybrid logical time at the origin
	Chain    Chain     // links to the event before it in the log
	Type     Type      // what happened
	Register string    // what it writes; empty for a pure fact
	Version  uint64    // the register's version
	Rank     uint8     // breaks ties within a version
	Actor    string    // who asked for it: a node id, "operator:<name>", "app"
	Cause    ID        // the event that made this one necessary, if any
	Body     []byte    // the type's own fields; see Payload

	raw    []byte // the encoded event, chain included
	bodyAt int    // where Body begins in raw
}

// ID returns the name of the event.
func (e *Event) ID() ID { return ID{e.Log, e.Seq} }

// Head returns the head of a log whose newest event is e.
func (e *Event) Head() Head { return Head{e.Log, e.Seq, e.Chain} }

// Stamp returns what decides whether e owns its register.
func (e *Event) Stamp() Stamp {
	return Stamp{e.Version, e.Rank, e.Time, e.Log, e.Seq}
}

// Raw returns the bytes of the event as its origin made them. They must not be
// changed.
func (e *Event) Raw() []byte { return e.raw }

// CloneInto returns a copy of e that shares no bytes with it, using the
// capacity of buf when it suffices. It is how a holder of many events reuses
// the buffers of those it replaces.
func (e *Event) CloneInto(buf []byte) Event {
	c := *e
	if len(e.raw) == 0 { // neither sealed nor decoded: the body is all there is
		if e.Body != nil {
			c.Body = append(buf[:0], e.Body...)
		}
		return c
	}
	c.raw = append(buf[:0], e.raw...)
	if e.Body != nil {
		c.Body = c.raw[c.bodyAt : c.bodyAt+len(e.Body) : c.bodyAt+len(e.Body)]
	}
	return c
}

// CopyInto puts a copy of e, which shares no bytes with it, in place of *dst. It
// uses the buffer of the event there: dst must be the only one who has that.
func (e *Event) CopyInto(dst *Event) {
	raw := append(dst.raw[:0], e.raw...)
	*dst = *e
	dst.raw = raw
	if len(e.raw) == 0 {
		dst.raw, dst.Body = nil, bytes.Clone(e.Body)
	} else if e.Body != nil {
		dst.Body = raw[e.bodyAt : e.bodyAt+len(e.Body) : e.bodyAt+len(e.Body)]
	}
}

// Clone returns a copy of e that shares no bytes with it.
func (e *Event) Clone() Event { return e.CloneInto(nil) }

// check reports what is wrong with the fields of an event.
func (e *Event) check() error {
	if err := checkText("type", []byte(e.Type), 1, MaxTypeLength); err != nil {
		return err
	}
	if err := checkText("register", []byte(e.Register), 0, MaxRegister); err != nil {
		return err
	}
	if err := checkText("actor", []byte(e.Actor), 0, MaxActorLength); err != nil {
		return err
	}
	return e.checkNumbers()
}

// checkNumbers reports what is wrong with the fields that are not text.
func (e *Event) checkNumbers() error {
	switch {
	case e.Log.IsZero():
		return errors.New("no log")
	case e.Seq == 0:
		return errors.New("no sequence")
	case e.Time == 0 || e.Time > MaxTimestamp:
		return errors.New("time out of range")
	case e.Version > MaxVersion:
		return errors.New("version out of range")
	case e.Register == "" && (e.Version != 0 || e.Rank != 0):
		return errors.New("a version without a register")
	case (e.Cause.Seq == 0) != e.Cause.Log.IsZero():
		return errors.New("a cause needs a log and a sequence")
	case e.Cause.Log == e.Log && e.Cause.Seq >= e.Seq:
		return errors.New("a cause that is not before its effect")
	}
	return nil
}

// checkText accepts valid UTF-8 of a bounded length without control
// characters (U+0000 to 1F and 7F to 9F), which would make a log or a terminal
// lie.
func checkText(what string, s []byte, least, most int) error {
	if len(s) < least || len(s) > most {
		return fmt.Errorf("%s of %d bytes, want %d to %d", what, len(s), least, most)
	}
	if isPlain(s) {
		return nil
	}
	if !utf8.Valid(s) {
		return fmt.Errorf("%s is not valid UTF-8", what)
	}
	if bytes.IndexFunc(s, unicode.IsControl) >= 0 {
		return fmt.Errorf("%s has a control character", what)
	}
	return nil
}

// isPlain reports whether s is ASCII without control characters, as nearly all
// text is. It looks at eight bytes at a time.
func isPlain(s []byte) bool {
	const ones = 0x0101010101010101
	for ; len(s) >= 8; s = s[8:] {
		v := binary.LittleEndian.Uint64(s)
		del := v ^ 0x7f*ones
		if (v|(v-' '*ones)|(del-ones)&^del)&(0x80*ones) != 0 { // not ASCII, below a space, or 7F
			return false
		}
	}
	for _, c := range s {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// CheckNodeID reports whether id can name a node: 1 to 64 letters, digits,
// dots, underscores and hyphens.
func CheckNodeID(id string) error {
	if len(id) < 1 || len(id) > MaxNodeIDLength {
		return fmt.Errorf("node id %q: want 1 to %d characters, have %d", clip(id), MaxNodeIDLength, len(id))
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("node id %q: character %d is not a letter, a digit, '.', '_' or '-'", id, i+1)
		}
	}
	return nil
}

// CheckKey reports whether key can name an application value: 1 to 128 bytes
// of UTF-8 without control characters.
func CheckKey(key string) error { return checkText("key", []byte(key), 1, MaxKeyLength) }
