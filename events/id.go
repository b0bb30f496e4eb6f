package events

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// ID names one event: the log it was written to and its sequence in that log,
// from 1. The zero ID names no event. Its text form is "<log>:<seq>".
type ID struct {
	Log LogID
	Seq uint64
}

// IsZero reports whether id names no event.
func (id ID) IsZero() bool { return id.Seq == 0 }

// Compare orders IDs by log, then by sequence.
func (id ID) Compare(other ID) int {
	return cmp.Or(id.Log.Compare(other.Log), cmp.Compare(id.Seq, other.Seq))
}

// String returns "<log>:<seq>", or "" for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return string(id.appendText(nil))
}

func (id ID) appendText(b []byte) []byte {
	b = append(id.Log.appendText(b), ':')
	return strconv.AppendUint(b, id.Seq, 10)
}

// ParseID reads the form that String writes; empty text is not one.
func ParseID(text string) (ID, error) {
	log, seq, ok := strings.Cut(text, ":")
	if !ok {
		return ID{}, fmt.Errorf("events: id %q: want <log>:<seq>", clip(text))
	}
	l, err := ParseLogID(log)
	if err != nil {
		return ID{}, err
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil || seq[0] == '0' {
		return ID{}, fmt.Errorf("events: id %q: the sequence is a number from 1", clip(text))
	}
	return ID{l, n}, nil
}

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. Empty text is the zero
// ID.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	v, err := ParseID(string(text))
	if err == nil {
		*id = v
	}
	return err
}
