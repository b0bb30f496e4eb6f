package projection

import (
	"slices"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"google.golang.org/protobuf/encoding/protowire"
)

// A snapshot whose checksum and digest are right can still say what no state
// says. This test is inside the package to write such ones.
func TestStrictRecords(t *testing.T) {
	log := func(n byte) events.LogID { return events.NewLogID(1_790_000_000_000, [10]byte{n}) }
	const time = events.Timestamp(1_790_000_000_000 << 16)
	head := func(l events.LogID, seq uint64, at events.Timestamp) []byte {
		return appendHead([]byte{byte(fieldHead<<3) | 2, headSize}, &logHead{Head: events.Head{Log: l, Seq: seq}, time: at})
	}
	owner := func(register string, l events.LogID, seq uint64, at events.Timestamp) []byte {
		e, err := events.Seal(events.Event{Log: l, Seq: seq, Time: at, Type: "Later", Register: register}, events.Genesis(l))
		if err != nil {
			t.Fatal(err)
		}
		return protowire.AppendBytes([]byte{byte(fieldEvent<<3) | 2}, e.Raw())
	}
	a, b := head(log(1), 5, time), head(log(2), 5, time)
	x, y := owner("x", log(1), 5, time), owner("y", log(1), 4, time)
	long := slices.Concat([]byte{byte(fieldHead<<3) | 2, headSize | 0x80, 0}, a[2:])
	for _, c := range []struct {
		name    string
		records [][]byte
		want    string // part of the error; "" for none
	}{
		{"nothing", nil, ""},
		{"heads and owners", [][]byte{a, b, x, y}, ""},
		{"logs out of order", [][]byte{b, a}, "logs out of order"},
		{"a log twice", [][]byte{a, a}, "logs out of order"},
		{"no log", [][]byte{head(events.LogID{}, 5, time)}, "logs out of order"},
		{"an empty log", [][]byte{head(log(1), 0, time)}, "out of range"},
		{"a log before all time", [][]byte{head(log(1), 5, 0)}, "out of range"},
		{"a log after all time", [][]byte{head(log(1), 5, events.MaxTimestamp+1)}, "out of range"},
		{"registers out of order", [][]byte{a, y, x}, "out of order"},
		{"a register twice", [][]byte{a, x, x}, "out of order"},
		{"an owner of no register", [][]byte{a, owner("", log(1), 5, time)}, "writes no register"},
		{"an owner of an unknown log", [][]byte{b, x}, "beyond the head"},
		{"an owner that is not held", [][]byte{a, owner("x", log(1), 6, time)}, "beyond the head"},
		{"an owner later than its log", [][]byte{a, owner("x", log(1), 5, time+1)}, "beyond the head"},
		{"a head after an owner", [][]byte{a, x, b}, "in its place"},
		{"a head of another length", [][]byte{{byte(fieldHead<<3) | 2, 1, 0}}, "in its place"},
		{"another field", [][]byte{{4<<3 | 2, 0}}, "in its place"},
		{"a length longer than it need be", [][]byte{long}, "not a record"},
		{"a length that is not there", [][]byte{a[:20]}, "not a record"},
		{"no length", [][]byte{a, {byte(fieldEvent<<3) | 2}}, "not a record"},
		{"an event that is none", [][]byte{a, {byte(fieldEvent<<3) | 2, 1, 0}}, "malformed event"},
	} {
		s, err := readRecords(slices.Concat(c.records...))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if (s == nil) != (err != nil) {
			t.Errorf("%s: state %v and error %v", c.name, s, err)
		}
	}
}
