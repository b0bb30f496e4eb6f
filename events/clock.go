package events

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Timestamp is a hybrid logical time: 48 bits of Unix milliseconds, then a
// 16-bit counter. It orders events; it is never a duration, and an event is
// never dropped because of it. Its text form is RFC 3339 in UTC with
// milliseconds, then "+counter" when the counter is not zero:
// "2026-11-22T14:03:05.120Z+3".
type Timestamp uint64

// MaxTimestamp is the largest time an event may carry; what lies beyond is
// malformed (about the year 6429).
const MaxTimestamp = Timestamp(1<<63 - 1)

// MaxSkew is how far, in milliseconds, the clock of another node can drag this
// node's clock ahead of its wall time.
const MaxSkew = 10_000

// NewTimestamp returns the time of the given Unix milliseconds and counter.
func NewTimestamp(millis int64, counter uint16) Timestamp {
	return Timestamp(uint64(millis)<<16 | uint64(counter))
}

// Millis returns the Unix milliseconds of t.
func (t Timestamp) Millis() int64 { return int64(t >> 16) }

// Counter returns the logical part of t.
func (t Timestamp) Counter() uint16 { return uint16(t) }

// Time returns the millisecond part of t in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(t.Millis()).UTC() }

const millisLayout = "2006-01-02T15:04:05.000Z"

// String returns the text form of t.
func (t Timestamp) String() string { return string(t.appendText(nil)) }

func (t Timestamp) appendText(b []byte) []byte {
	b = t.Time().AppendFormat(b, millisLayout)
	if c := t.Counter(); c != 0 {
		b = strconv.AppendUint(append(b, '+'), uint64(c), 10)
	}
	return b
}

// ParseTimestamp reads the form that String writes.
func ParseTimestamp(text string) (Timestamp, error) {
	wall, counter, has := strings.Cut(text, "Z+")
	var c uint64
	if has {
		wall += "Z"
		var err error
		if c, err = strconv.ParseUint(counter, 10, 16); err != nil {
			return 0, fmt.Errorf("events: time %q: the counter is a number up to 65535", clip(text))
		}
	}
	w, err := time.Parse(millisLayout, wall)
	if err != nil || w.UnixMilli() < 0 {
		return 0, fmt.Errorf("events: time %q: want %s, then +counter", clip(text), millisLayout)
	}
	return NewTimestamp(w.UnixMilli(), uint16(c)), nil
}

// MarshalText implements [encoding.TextMarshaler].
func (t Timestamp) MarshalText() ([]byte, error) { return t.appendText(nil), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Timestamp) UnmarshalText(text []byte) error {
	v, err := ParseTimestamp(string(text))
	if err == nil {
		*t = v
	}
	return err
}

// Clock is a hybrid logical clock. It reads no wall clock itself: the caller
// passes the wall time in Unix milliseconds. The zero value is ready to use.
// Not safe for concurrent use.
type Clock struct{ last Timestamp }

// Last returns the newest time the clock has given or seen.
func (c *Clock) Last() Timestamp { return c.last }

// Tick returns the time of a new local event: later than every time given or
// seen before, and not before wall. A counter that overflows carries into the
// milliseconds.
func (c *Clock) Tick(wall int64) Timestamp {
	c.last = max(c.last+1, NewTimestamp(wall, 0))
	return c.last
}

// Observe takes note of the time of an event from elsewhere. A time more than
// MaxSkew ahead of wall moves the clock only that far, so that one bad clock
// cannot drag the others.
func (c *Clock) Observe(t Timestamp, wall int64) {
	c.last = max(c.last, min(t, NewTimestamp(wall+MaxSkew, 0)))
}

// Restore sets the clock to at least t, the newest time of this node's own
// events, after a restart.
func (c *Clock) Restore(t Timestamp) { c.last = max(c.last, t) }
