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

// NewTimestamp returns the time of the given Unix milliseconds and counter.
// Milliseconds before 1970 count as 0 and those beyond [MaxTimestamp] as its
// own, so that a clock that was never set makes no time that events refuse.
func NewTimestamp(millis int64, counter uint16) Timestamp {
	millis = min(max(millis, 0), MaxTimestamp.Millis())
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

// AppendText implements [encoding.TextAppender]. The error is always nil.
func (t Timestamp) AppendText(b []byte) ([]byte, error) { return t.appendText(b), nil }

// appendText is written out because every line of a printed log has a time:
// time.Time.AppendFormat takes three times as long.
func (t Timestamp) appendText(b []byte) []byte {
	const day = 24 * 60 * 60 * 1000
	days, ms := t.Millis()/day, t.Millis()%day
	year, month, mday := civil(days)
	if year > 9999 {
		b = strconv.AppendInt(b, year, 10) // beyond MaxTimestamp; only for people
	} else {
		b = append2(append2(b, year/100), year%100)
	}
	b = append2(append(b, '-'), month)
	b = append2(append(b, '-'), mday)
	b = append2(append(b, 'T'), ms/3_600_000)
	b = append2(append(b, ':'), ms/60_000%60)
	b = append2(append(b, ':'), ms/1000%60)
	b = append2(append(b, '.', byte('0'+ms/100%10)), ms%100)
	b = append(b, 'Z')
	if c := t.Counter(); c != 0 {
		b = strconv.AppendUint(append(b, '+'), uint64(c), 10)
	}
	return b
}

// append2 appends two decimal digits.
func append2(b []byte, v int64) []byte { return append(b, byte('0'+v/10), byte('0'+v%10)) }

// civil returns the date of a day counted from 1970-01-01, not before it
// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years that
// begin in March put the leap day last).
func civil(days int64) (year, month, mday int64) {
	days += 719468 // from 0000-03-01
	era, doe := days/146097, days%146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	mday = doy - (153*mp+2)/5 + 1
	if year = era*400 + yoe; mp < 10 {
		return year, mp + 3, mday
	}
	return year + 1, mp - 9, mday
}

// ParseTimestamp reads the form that String writes, and no other spelling of
// it.
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
	if err != nil {
		return 0, fmt.Errorf("events: time %q: want %s, then +counter", clip(text), millisLayout)
	}
	// time.Parse lets "5:" pass for "05:" and "," for "."; a time out of range
	// comes back as another one. Writing it again finds all of them.
	t := NewTimestamp(w.UnixMilli(), uint16(c))
	var again [40]byte
	if string(t.appendText(again[:0])) != text {
		return 0, fmt.Errorf("events: time %q: want %s, then +counter, and not the year %d", clip(text), millisLayout, w.Year())
	}
	return t, nil
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
