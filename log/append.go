package log

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/tidwall/wal"
)

// Append writes a batch of sealed events and returns, once all of them are
// durable, the index of the last. A batch is kept whole or not at all. The
// events are not changed and not kept.
//
// Batches that callers append at the same time share one write and one sync.
// With several callers, Options.Snapshot must be able to wait for what those
// whose Append has returned still have to apply; ClusterKit has one.
//
// After an error other than ErrTooLarge nothing more can be appended: nobody
// knows what the disk holds. Open finds out.
func (l *Log) Append(batch []events.Event) (last uint64, err error) {
	r := request{events: batch}
	for i := range batch {
		n := len(batch[i].Raw())
		if n == 0 {
			return 0, fmt.Errorf("log: append: event %d of %d is not sealed", i+1, len(batch))
		}
		r.bytes += frameSize(headerSize + n)
	}
	switch {
	case len(batch) == 0:
		return 0, fmt.Errorf("log: append: the batch is empty")
	case r.bytes > MaxBatch:
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, r.bytes, MaxBatch)
	}
	return l.submit(r)
}

// AppendSnapshot writes a state as a record of its own, for a state that came
// from a peer and was merged, so that it does not follow from the events in
// this log. Load and every fold go on from it. It returns as Append does.
func (l *Log) AppendSnapshot(b []byte) (uint64, error) {
	if len(b) > MaxSnapshot {
		return 0, fmt.Errorf("%w: a snapshot of %d bytes, at most %d", ErrTooLarge, len(b), MaxSnapshot)
	}
	return l.submit(request{snapshot: b, isSnapshot: true, bytes: frameSize(headerSize + len(b))})
}

// request is what one caller wants appended.
type request struct {
	events     []events.Event
	snapshot   []byte
	isSnapshot bool
	bytes      int
	last       uint64 // set when it is durable
}

// group is the requests that share one write and one sync. The first of them
// leads: it does the work for all.
type group struct {
	requests []request
	bytes    int
	done     chan struct{} // closed when err and the requests are final; nil for one alone
	err      error
}

// Bounds of one group; a single request may be larger.
const (
	maxGroupBytes    = 1 << 20
	maxGroupRequests = 4096
	maxSpareBytes    = 64 << 10 // of a group whose buffers are used again
)

// queue gathers requests while the group before them is being written.
type queue struct {
	mu      sync.Mutex // guards the fields below
	open    *group     // takes more requests; its leader waits for the token
	spare   *group     // of a caller that was alone, to be used again
	company bool       // the last group had more than one request
}

// join adds a request to the open group, or leads a new one.
func (q *queue) join(r request) (g *group, place int, leads bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	g = q.open
	if g == nil || g.bytes+r.bytes > maxGroupBytes || len(g.requests) >= maxGroupRequests {
		if g, q.spare = q.spare, nil; g == nil {
			g = new(group)
		}
		q.open, leads = g, true
	} else if g.done == nil {
		g.done = make(chan struct{})
	}
	g.requests = append(g.requests, r)
	g.bytes += r.bytes
	return g, len(g.requests) - 1, leads
}

// gather lets the group grow as long as it does, if there was company before:
// those whom the last sync woke are about to come back. Then it closes it.
func (q *queue) gather(g *group) {
	q.mu.Lock()
	for n := 0; q.company && q.open == g && n < len(g.requests); {
		n = len(g.requests)
		q.mu.Unlock()
		runtime.Gosched()
		q.mu.Lock()
	}
	if q.open == g {
		q.open = nil
	}
	q.company = len(g.requests) > 1
	q.mu.Unlock()
}

// submit makes a request durable, alone or with others.
func (l *Log) submit(r request) (uint64, error) {
	g, place, leads := l.queue.join(r)
	if !leads {
		<-g.done
		return g.requests[place].last, g.err
	}
	<-l.token
	l.queue.gather(g)
	g.err = l.commit(g)
	l.release()
	last, err := g.requests[0].last, g.err
	if g.done != nil {
		close(g.done)
		return last, err
	}
	clear(g.requests)
	*g = group{requests: g.requests[:0]}
	l.queue.mu.Lock()
	l.queue.spare = g
	l.queue.mu.Unlock()
	return last, err
}

// commit writes a group with one write and one sync. It holds the token.
func (l *Log) commit(g *group) error {
	switch {
	case l.closed:
		return ErrClosed
	case l.Err() != nil:
		return l.Err()
	}
	began := time.Now()
	w := &l.writer
	if w.full(int64(g.bytes), l.o.SegmentSize) {
		if err := l.cut(); err != nil {
			return l.fail(err)
		}
	}
	c, err := l.compose(g, began.UnixMilli())
	if err != nil {
		return l.fail(err)
	}
	w.allocate(c.at - w.size)
	if err := w.engine.WriteBatch(&w.batch); err != nil {
		return l.fail(fmt.Errorf("write %s: %w", w.seg.path, err))
	}
	l.o.Hooks.syncing()
	if err := w.file.sync(); err != nil {
		return l.fail(err)
	}
	durable := l.last.Load()
	l.appended(c)
	if l.o.Hooks.Appended != nil {
		l.o.Hooks.Appended(int(c.index-durable), g.bytes, time.Since(began))
	}
	if c.at-w.size > maxSpareBytes {
		w.payload, w.batch = nil, wal.Batch{} // a rare giant does not stay in memory
	}
	w.size = c.at
	return nil
}

// compose puts the records of a group into the batch of the engine, and before
// them the snapshot of a segment that begins.
func (l *Log) compose(g *group, now int64) (composer, error) {
	w := &l.writer
	w.received = max(w.received, now)
	durable := l.last.Load()
	c := composer{w: w, header: header{index: durable, durable: durable, received: w.received}, at: w.size}
	w.batch.Clear()
	w.places = w.places[:0]
	if w.size == 0 {
		var state []byte
		if l.o.Snapshot != nil {
			state = l.o.Snapshot()
		}
		if len(state) > MaxSnapshot {
			return c, fmt.Errorf("%w: Options.Snapshot gave %d bytes, at most %d", ErrTooLarge, len(state), MaxSnapshot)
		}
		c.snapshot(state, false)
		w.opening = c.at
	}
	for i := range g.requests {
		c.request(&g.requests[i])
	}
	return c, nil
}

// composer writes records into the batch of the engine.
type composer struct {
	w *writer
	header
	at int64 // offset of the next record
}

func (c *composer) request(r *request) {
	if r.isSnapshot {
		c.snapshot(r.snapshot, true)
	}
	for i := range r.events {
		e := &r.events[i]
		p := place{log: e.Log, seq: e.Seq}
		c.record(0, nil, e.Raw(), p, i == len(r.events)-1)
		p.raise(c.w.heads)
	}
	r.last = c.index
}

func (c *composer) snapshot(state []byte, end bool) {
	c.record(flagSnapshot, appendHeads(nil, c.w.heads), state, place{}, end)
}

func (c *composer) record(flags uint8, head, body []byte, p place, end bool) {
	c.index++
	if c.flags = flags; end {
		c.flags |= flagEnd
	}
	c.w.payload = c.appendPayload(c.w.payload[:0], head, body)
	c.w.batch.Write(c.index, c.w.payload)
	p.off = c.at
	c.w.places = append(c.w.places, p)
	c.at += int64(frameSize(len(c.w.payload)))
}

// appended shows a durable group to readers.
func (l *Log) appended(c composer) {
	w := &l.writer
	w.seg.table.Load().add(w.places...)
	w.seg.newest.Store(w.received)
	w.seg.last.Store(c.index)
	w.seg.size.Store(c.at)
	l.last.Store(c.index)
	l.growth.happened()
}
