package replay

import (
	"context"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Entry is one record of a log: an event, or a snapshot of the state.
type Entry struct {
	Index    uint64       // local, from 1; 0 when the source has no order of its own
	Received int64        // when it was appended here, in Unix milliseconds; 0 when not known
	Event    events.Event // the zero Event for a snapshot
	Snapshot []byte       // nil for an event
	Base     bool         // a snapshot that begins a segment: nothing new, only where to start
	File     string
	Offset   int64
	Size     int
}

// IsEvent reports whether the record is an event.
func (e *Entry) IsEvent() bool { return e.Snapshot == nil }

// segment is a part of a log that can be read by itself: it begins with the
// state of everything before it.
type segment struct {
	first uint64 // local index of its first record
	file  string
}

// feed is what a LOG looks like from the inside, whatever it is outside. Not
// safe for concurrent use, except that entries may run in several goroutines
// over different segments.
type feed interface {
	// segments lists the segments in order. There is at least one.
	segments() []segment
	// base returns the state before the events of segment i. The caller owns it.
	base(ctx context.Context, i int) (*projection.State, error)
	// entries yields the records from a local index on, in local order, until
	// the end of what is there now. An entry is valid until the next one. A
	// *Damage does not end the sequence; every other error does.
	entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error]
	close() error
}

// segmentOf returns the segment that holds a local index, or the first one.
func segmentOf(segments []segment, index uint64) int {
	i := 0
	for i+1 < len(segments) && segments[i+1].first <= index {
		i++
	}
	return i
}
