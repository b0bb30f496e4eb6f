package log

import (
	"bytes"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

func TestRecordsWithoutFiles(t *testing.T) {
	id := events.NewLogID(1, [10]byte{7})
	var b []byte
	b = AppendRecord(b, Record{Index: 9, Kind: KindSnapshot, Received: 5, Bytes: []byte("state")}, 8, events.Vector{id: 3})
	b = AppendRecord(b, Record{Index: 10, Received: 6, Bytes: []byte("event"), EndOfBatch: true}, 8, nil)
	for cut := range len(b) + 1 {
		var have []Record
		var last error
		for r, err := range Records(b[:cut:cut], 9) {
			if last = err; err == nil {
				have = append(have, r)
			}
		}
		if whole := cut == len(b); whole != (len(have) == 2) || (last == nil) != (whole || cut == 0 || cut == have0(have)) {
			t.Fatalf("cut at %d: %d records, then %v", cut, len(have), last)
		}
	}
	for at := range b {
		torn := bytes.Clone(b)
		torn[at] ^= 1
		n := 0
		for _, err := range Records(torn, 9) {
			if err == nil {
				n++
			}
		}
		if n == 2 {
			t.Fatalf("byte %d changed, and both records still verify", at)
		}
	}
	for r, err := range Records(b, 9) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == KindSnapshot && (r.Vector()[id] != 3 || string(r.Bytes) != "state" || r.EndOfBatch) {
			t.Errorf("snapshot %+v", r)
		}
		if r.Kind == KindEvent && (string(r.Bytes) != "event" || r.Received != 6 || !r.EndOfBatch) {
			t.Errorf("event %+v", r)
		}
	}
}

// have0 is where the first record ends, if there is one.
func have0(have []Record) int {
	if len(have) == 0 {
		return -1
	}
	return have[0].Size
}
