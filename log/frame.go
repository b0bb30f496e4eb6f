package log

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
)

// The form of records without files, for simulators and for tools that look at
// bytes: what doc.go draws and nothing else. A Log does not use these two.

// AppendRecord appends to b the bytes that r takes in a segment. Of r it takes
// Index, Kind, Received, Bytes and EndOfBatch; durable is the index that was
// known to be durable before, less than Index; the vector goes with a snapshot
// only. It panics when durable is not less than Index.
func AppendRecord(b []byte, r Record, durable uint64, vector events.Vector) []byte {
	if durable >= r.Index {
		panic("log: a record proves only what comes before it")
	}
	h := header{index: r.Index, durable: durable, received: r.Received}
	var heads []byte
	if r.Kind == KindSnapshot {
		h.flags |= flagSnapshot
		heads = appendHeads(nil, vector)
	}
	if r.EndOfBatch {
		h.flags |= flagEnd
	}
	b = binary.AppendUvarint(b, uint64(headerSize+len(heads)+len(r.Bytes)))
	return h.appendPayload(b, heads, r.Bytes)
}

// Records yields the records with which b begins, the contents of a segment
// whose first record has the index first, each verified. It ends without an
// error where b ends, and otherwise with one that says what stands there
// instead of a record. Bytes of a record alias b.
func Records(b []byte, first uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		w := walker{src: bytes.NewReader(b), index: first, limit: int64(len(b)), buf: b}
		for {
			var r Record
			err := w.next(&r)
			if errors.Is(err, io.EOF) || !yield(r, err) || err != nil {
				return
			}
		}
	}
}
