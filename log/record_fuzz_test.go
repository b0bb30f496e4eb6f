package log

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzRecord writes a record and reads it back, then lets one byte of it be
// another: it must be found out, or be the same byte.
func FuzzRecord(f *testing.F) {
	f.Add(uint64(1), uint64(0), int64(1_700_000_000_000), true, []byte("an event"), uint16(5), byte(1))
	f.Add(uint64(1<<40), uint64(1<<40-7), int64(0), false, []byte{}, uint16(0), byte(0x80))
	f.Fuzz(func(t *testing.T, index, distance uint64, received int64, end bool, body []byte, at uint16, flip byte) {
		index = max(index, 1)
		distance = min(max(distance, 1), index, 1<<32-1)
		h := header{index: index, durable: index - distance, received: received & (1<<48 - 1)}
		if end {
			h.flags = flagEnd
		}
		payload := h.appendPayload(nil, nil, body)
		var r Record
		if err := r.open(payload, index); err != nil {
			t.Fatal(err)
		}
		if r.Index != index || r.durable != h.durable || r.Received != h.received || r.EndOfBatch != end || !bytes.Equal(r.Bytes, body) {
			t.Fatalf("wrote %+v and %q, read %+v", h, body, r)
		}
		if r.open(payload, index+1) == nil {
			t.Error("a record verifies at another place")
		}
		payload[int(at)%len(payload)] ^= flip
		if err := r.open(payload, index); (err == nil) != (flip == 0) {
			t.Errorf("byte %d changed by %#x: %v", int(at)%len(payload), flip, err)
		}
	})
}

// FuzzWalker reads any bytes as a segment: it ends with an error or the end,
// never with a panic, and every record that it gives verifies.
func FuzzWalker(f *testing.F) {
	one := header{index: 1, flags: flagEnd}
	payload := one.appendPayload(nil, nil, []byte("body"))
	segment := append([]byte{byte(len(payload))}, payload...)
	f.Add(segment)
	f.Add(append(segment, 0, 0, 0))
	f.Add(segment[:len(segment)-1])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		w := walker{src: memorySource{bytes.NewReader(b)}, file: "fuzz", index: 1, limit: int64(len(b))}
		for n := 0; ; n++ {
			var r Record
			err := w.next(&r)
			if err != nil {
				var corrupt *CorruptError
				if !errors.Is(err, io.EOF) && !errors.Is(err, errZero) && !errors.Is(err, errShort) && !errors.As(err, &corrupt) {
					t.Fatalf("an error of no kind: %v", err)
				}
				return
			}
			if n >= len(b) || r.Index != uint64(n+1) || r.Offset+int64(r.Size) > int64(len(b)) {
				t.Fatalf("record %d of %d bytes: %+v", n, len(b), r)
			}
		}
	})
}
