package replay

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
)

// A sweep reads several segments at the same time and yields what it chooses
// from them in local order. The workers run ahead of the reader by a bounded
// number of events, whatever the size of the segments:
//
//	segment 4   worker ---chunks---> |
//	segment 5   worker ---chunks---> |---> entries, in order
//	segment 6      (waits for a worker)
const (
	chunkEntries = 256 // entries that travel together
	chunksAhead  = 10  // chunks that a worker may be ahead
)

// swept is an entry without pointers, so that the many in flight are nothing to
// the garbage collector.
type swept struct {
	index    uint64
	received int64
	offset   int64
	size     int
	holders  uint64
	key      Key
	at, end  int // of its bytes in the chunk
}

func (i *swept) of(e *Entry) {
	i.index, i.received, i.offset, i.size, i.holders, i.key = e.Index, e.Received, e.Offset, e.Size, e.holders, e.key()
}

// restore makes an entry of it again, not loaded. Its glance has no type and
// no register: they were looked at already.
func (i *swept) restore(e *Entry, file string, bytes []byte) {
	e.Index, e.Received, e.Offset, e.Size, e.File, e.holders = i.index, i.received, i.offset, i.size, file, i.holders
	e.Base, e.Snapshot, e.raw = false, nil, bytes[i.at:i.end:i.end]
	e.log, e.seq, e.time, e.typ, e.register = i.key.Log, i.key.Seq, i.key.Time, nil, nil
	if e.Event.Seq != 0 {
		e.Event = events.Event{}
	}
}

// chunk is entries of one file that travel together, and their bytes.
type chunk struct {
	items []swept
	bytes []byte
	file  string
	err   error // met after them
}

// add copies an entry into the chunk.
func (c *chunk) add(e *Entry, bytes bool) {
	c.items = append(c.items, swept{})
	i := &c.items[len(c.items)-1]
	i.of(e)
	c.file = e.File
	if bytes {
		i.at = len(c.bytes)
		c.bytes = append(c.bytes, e.raw...)
		i.end = len(c.bytes)
	}
}

func (c *chunk) clear() { c.items, c.bytes, c.err = c.items[:0], c.bytes[:0], nil }

// selector says what to do with an event: true keeps it. It runs in several
// goroutines, each with a decoder of its own.
type selector func(e *Entry, d *events.Decoder) (bool, error)

// sweep yields the entries of the segments from to to-1 that choose keeps, not
// loaded, and the damage that was met. Without bytes they cannot be loaded
// either. Its goroutines end with the sequence.
func (s *Source) sweep(ctx context.Context, from, to int, bytes bool, choose selector) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if from >= to {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		b := broom{source: s, segments: s.feed.segments(), choose: choose, bytes: bytes,
			free: make(chan *chunk, 2*chunksAhead)}
		workers := min(runtime.GOMAXPROCS(0), to-from, 4)
		lanes := make([]chan *chunk, workers)
		start := func(i int) { // worker of segment i; ends with the segment or ctx
			lane := make(chan *chunk, chunksAhead)
			lanes[(i-from)%workers] = lane
			wg.Go(func() { b.segment(ctx, i, lane) })
		}
		for i := from; i < min(from+workers, to); i++ {
			start(i)
		}
		for i := from; i < to; i++ {
			if !b.deliver(ctx, lanes[(i-from)%workers], yield) {
				return
			}
			if i+workers < to {
				start(i + workers)
			}
		}
	}
}

type broom struct {
	source   *Source
	segments []segment
	choose   selector
	bytes    bool
	free     chan *chunk
	entry    Entry
}

// deliver yields the chunks of one segment. It returns false when nobody wants
// more, or there is no more.
func (b *broom) deliver(ctx context.Context, lane <-chan *chunk, yield func(*Entry, error) bool) bool {
	for c := range lane {
		for i := range c.items {
			c.items[i].restore(&b.entry, c.file, c.bytes)
			if !yield(&b.entry, nil) {
				return false
			}
		}
		if c.err != nil {
			var damage *Damage
			if !yield(nil, c.err) || !errors.As(c.err, &damage) {
				return false
			}
		}
		select {
		case b.free <- c:
		default:
		}
	}
	if err := ctx.Err(); err != nil {
		yield(nil, err)
		return false
	}
	return true
}

// segment reads one segment into chunks.
func (b *broom) segment(ctx context.Context, i int, lane chan<- *chunk) {
	defer close(lane)
	limit := ^uint64(0)
	if i+1 < len(b.segments) {
		limit = b.segments[i+1].first
	}
	var decoder events.Decoder
	c := b.chunk()
	send := func(err error) bool {
		if c.err = err; len(c.items) == 0 && err == nil {
			return true
		}
		select {
		case lane <- c:
		case <-ctx.Done():
			return false
		}
		c = b.chunk()
		return true
	}
	for e, err := range b.source.feed.entries(ctx, b.segments[i].first) {
		if err == nil && e.Index >= limit || err != nil && beginsAt(err, limit) {
			break
		}
		keep := false
		if err == nil && e.IsEvent() {
			keep, err = b.choose(e, &decoder)
		}
		if keep {
			c.add(e, b.bytes)
		}
		if (err != nil || len(c.items) == chunkEntries) && !send(err) {
			return
		}
		if err == nil && e.Index == limit-1 {
			break // without a look at the next segment
		}
	}
	send(nil)
}

// beginsAt reports whether an error is damage from a local index on.
func beginsAt(err error, index uint64) bool {
	var damage *Damage
	return errors.As(err, &damage) && damage.From >= index
}

func (b *broom) chunk() *chunk {
	select {
	case c := <-b.free:
		c.clear()
		return c
	default:
		return &chunk{items: make([]swept, 0, chunkEntries)}
	}
}
