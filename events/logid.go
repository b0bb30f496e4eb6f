package events

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// LogID names one append-only sequence of events. It is made together with a
// data directory: 48 bits of creation time in Unix milliseconds, big endian,
// then 80 random bits, so IDs sort by age. A node whose disk was wiped, or
// whose log forked, gets a new one, and so a sequence number never names two
// events. The zero LogID names no log.
//
// Its text form is that of a ULID (https://github.com/ulid/spec): 26
// characters of Crockford base32.
type LogID [16]byte

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewLogID returns the LogID made at the given time in Unix milliseconds with
// the given random bits. A time before 1970 counts as 0.
func NewLogID(millis int64, random [10]byte) LogID {
	var id LogID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(min(max(millis, 0), 1<<48-1)))
	copy(id[:6], ms[2:])
	copy(id[6:], random[:])
	return id
}

// IsZero reports whether id names no log.
func (id LogID) IsZero() bool { return id == LogID{} }

// Millis returns the creation time in Unix milliseconds.
func (id LogID) Millis() int64 {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return int64(binary.BigEndian.Uint64(ms[:]))
}

// Compare orders log IDs by their bytes, that is, by age.
func (id LogID) Compare(other LogID) int { return bytes.Compare(id[:], other[:]) }

// String returns the ULID form of id, 26 characters.
func (id LogID) String() string { return string(id.appendText(nil)) }

func (id LogID) appendText(b []byte) []byte {
	// 26 characters are 130 bits: the first has three, the 14th one bit of hi.
	hi, lo := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	var text [26]byte
	for i := range 13 {
		text[i] = crockford[hi>>(61-5*i)&31]
	}
	text[13] = crockford[(hi&1)<<4|lo>>60]
	for i := range 12 {
		text[14+i] = crockford[lo>>(55-5*i)&31]
	}
	return append(b, text[:]...)
}

// ParseLogID reads the ULID form, in upper or lower case. The letters I, L, O
// and U, which ULIDs do not have, are refused and not guessed at.
func ParseLogID(text string) (LogID, error) {
	var id LogID
	if len(text) != 26 {
		return id, fmt.Errorf("events: log id %q: want 26 characters, have %d", clip(text), len(text))
	}
	var hi, lo uint64
	for i := range 26 {
		v := crockfordValue(text[i])
		if v < 0 || i == 0 && v > 7 { // 26 characters are 130 bits
			return id, fmt.Errorf("events: log id %q: character %d is not valid", text, i+1)
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	binary.BigEndian.PutUint64(id[:8], hi)
	binary.BigEndian.PutUint64(id[8:], lo)
	return id, nil
}

// crockfordValue returns the value of a character, or a negative number.
func crockfordValue(c byte) int {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return strings.IndexByte(crockford, c)
}

// MarshalText implements [encoding.TextMarshaler].
func (id LogID) MarshalText() ([]byte, error) { return id.appendText(nil), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (id *LogID) UnmarshalText(text []byte) error {
	v, err := ParseLogID(string(text))
	if err == nil {
		*id = v
	}
	return err
}

// clip shortens hostile input for an error message.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
