package replay

import (
	"context"
	"encoding/binary"
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

	raw     []byte // the event as it was read; Event is made of it when it is needed
	holders uint64 // of a union: which of its sources hold it, a bit each
	glance
}

// IsEvent reports whether the record is an event.
func (e *Entry) IsEvent() bool { return e.Snapshot == nil }

// load decodes the event. It returns a *Damage when that cannot be done.
func (e *Entry) load(d *events.Decoder) error {
	if err := d.DecodeInto(&e.Event, e.raw); err != nil {
		return &Damage{File: e.File, Offset: e.Offset, Bytes: int64(e.Size), From: e.Index, Until: e.Index + 1, Reason: err.Error()}
	}
	return nil
}

// keep returns a copy that lives longer than the next entry, using buf for the
// bytes of the event when they fit.
func (e *Entry) keep(buf []byte) Entry {
	kept := *e
	kept.raw = append(buf[:0], e.raw...)
	kept.glance, _ = glanceAt(kept.raw)
	if e.Event.Seq != 0 {
		kept.Event = e.Event.CloneInto(nil)
	}
	return kept
}

// glance is what can be told from the bytes of an event without decoding it,
// because they always begin with it.
type glance struct {
	log      events.LogID
	seq      uint64
	time     events.Timestamp
	typ      []byte
	register []byte
}

func (g *glance) key() Key { return Key{g.time, g.log, g.seq} }

func (g *glance) id() events.ID { return events.ID{Log: g.log, Seq: g.seq} }

// glanceAt reads the first fields of an encoded event: log, seq, time, type
// and, if there is one, register. It answers false for what is no event, and
// does not tell apart all that is one.
func glanceAt(b []byte) (g glance, ok bool) {
	const tagLog, tagSeq, tagTime, tagType, tagRegister = 1<<3 | 2, 2 << 3, 3<<3 | 1, 4<<3 | 2, 5<<3 | 2
	if len(b) < 20 || b[0] != tagLog || b[1] != 16 || b[18] != tagSeq {
		return g, false
	}
	g.log = events.LogID(b[2:18])
	var n int
	if g.seq, n = binary.Uvarint(b[19:]); n <= 0 {
		return g, false
	}
	if b = b[19+n:]; len(b) < 10 || b[0] != tagTime {
		return g, false
	}
	g.time = events.Timestamp(binary.LittleEndian.Uint64(b[1:]))
	if g.typ, b = field(b[9:], tagType); g.typ == nil {
		return g, false
	}
	g.register, _ = field(b, tagRegister)
	return g, true
}

// field returns the bytes of the first field of b, if it has the tag, and what
// follows.
func field(b []byte, tag byte) (value, rest []byte) {
	if len(b) < 2 || b[0] != tag {
		return nil, b
	}
	size, n := binary.Uvarint(b[1:])
	if n <= 0 || size > uint64(len(b)-1-n) {
		return nil, b
	}
	return b[1+n : 1+n+int(size)], b[1+n+int(size):]
}

// segment is a part of a log that can be read by itself: it begins with the
// state of everything before it.
type segment struct {
	first uint64 // local index of its first record
	file  string
}

// feed is what a LOG looks like from the inside, whatever it is outside. Not
// safe for concurrent use, except that base and entries may run in several
// goroutines.
type feed interface {
	// segments lists the segments in order. There is at least one.
	segments() []segment
	// base returns the state before the events of segment i. The caller owns it.
	base(ctx context.Context, i int) (*projection.State, error)
	// marks returns the marks of that state, for less than the state costs.
	marks(ctx context.Context, i int) (marks, error)
	// entries yields the records from a local index on, in local order, until
	// the end of what is there now, with their events not yet loaded. An entry
	// is valid until the next one. A *Damage does not end the sequence; every
	// other error does.
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
