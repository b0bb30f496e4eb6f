package clusterkit

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// simDisk is a data directory: segments of records in the real format, of
// which a part is durable and the rest is what the machine would lose with its
// power. Every segment begins with a snapshot, as those of package log do.
type simDisk struct {
	log      events.LogID
	segments []*simSegment
	last     uint64 // index of the newest record
	durable  uint64 // index of the newest record known to be durable
	received int64

	held  map[events.LogID][]simHeld // what can be read, by sequence
	heads events.Vector              // of events ever appended here
	acked events.Vector              // what somebody was told to be safe here
	next  simDiskFault               // what the next append meets
}

type simSegment struct {
	first   uint64
	file    []byte
	durable int
	records int
}

type simHeld struct {
	index uint64
	event events.Event
}

// simDiskFault is what goes wrong with an append.
type simDiskFault uint8

const (
	simDiskFine  simDiskFault = iota
	simDiskEIO                // the write fails, nothing of it is there
	simDiskFull               // ENOSPC: a part of it is there
	simDiskFsync              // the sync fails: it may or may not be durable
)

var errSimDisk = errors.New("the simulated disk failed")

func newSimDisk(log events.LogID) *simDisk {
	return &simDisk{log: log, held: make(map[events.LogID][]simHeld), heads: events.Vector{}, acked: events.Vector{}}
}

// write appends a batch, or one snapshot, to the file. It is durable after
// sync.
func (d *simDisk) write(w *simWorld, batch []events.Event, merged []byte, snapshot func() []byte, wall int64) error {
	d.received = max(d.received, wall)
	seg := d.tail()
	if seg == nil || seg.records >= w.profile.segment {
		seg = &simSegment{first: d.last + 1}
		d.segments = append(d.segments, seg)
		d.record(seg, eventlog.Record{Kind: eventlog.KindSnapshot, Bytes: snapshot()}, d.heads)
		seg.records = 0
	}
	before := len(seg.file)
	if merged != nil {
		d.record(seg, eventlog.Record{Kind: eventlog.KindSnapshot, Bytes: merged, EndOfBatch: true}, d.heads)
	}
	for i := range batch {
		d.record(seg, eventlog.Record{Bytes: batch[i].Raw(), EndOfBatch: i == len(batch)-1}, nil)
	}
	switch d.next {
	case simDiskEIO:
		seg.file = seg.file[:before]
		return errSimDisk
	case simDiskFull:
		seg.file = seg.file[:before+w.pick(len(seg.file)-before)]
		return errSimDisk
	}
	return nil
}

func (d *simDisk) tail() *simSegment {
	if len(d.segments) == 0 {
		return nil
	}
	return d.segments[len(d.segments)-1]
}

func (d *simDisk) record(seg *simSegment, r eventlog.Record, vector events.Vector) {
	d.last++
	r.Index, r.Received = d.last, d.received
	seg.file = eventlog.AppendRecord(seg.file, r, d.durable, vector)
	seg.records++
}

// sync makes what was written durable, and readable.
func (d *simDisk) sync(w *simWorld, batch []events.Event) error {
	if d.next == simDiskFsync {
		return errSimDisk
	}
	for _, seg := range d.segments {
		seg.durable = len(seg.file)
	}
	d.durable = d.last
	first := d.last - uint64(len(batch)) + 1
	for i := range batch {
		d.hold(first+uint64(i), batch[i])
		d.acked[batch[i].Log] = max(d.acked[batch[i].Log], batch[i].Seq)
	}
	if keep := w.profile.keep; keep > 0 && len(d.segments) > keep {
		d.retain(keep)
		w.coverage.saw(simRetention)
	}
	return nil
}

func (d *simDisk) hold(index uint64, e events.Event) {
	if held := d.held[e.Log]; len(held) > 0 && held[len(held)-1].event.Seq >= e.Seq {
		return
	}
	d.held[e.Log] = append(d.held[e.Log], simHeld{index, e})
	d.heads[e.Log] = max(d.heads[e.Log], e.Seq)
}

// retain deletes all but the newest segments.
func (d *simDisk) retain(keep int) {
	d.segments = slices.Delete(d.segments, 0, len(d.segments)-keep)
	first := d.segments[0].first
	for log, held := range d.held { // the order does not matter
		if i := slices.IndexFunc(held, func(h simHeld) bool { return h.index >= first }); i > 0 {
			d.held[log] = slices.Clone(held[i:])
		} else if i < 0 {
			delete(d.held, log)
		}
	}
}

// read is what Log.Range does.
func (d *simDisk) read(log events.LogID, from uint64, n, size int) ([]events.Event, error) {
	held := d.held[log]
	i, ok := slices.BinarySearchFunc(held, from, func(h simHeld, seq uint64) int {
		if h.event.Seq < seq {
			return -1
		}
		if h.event.Seq > seq {
			return 1
		}
		return 0
	})
	if !ok {
		return nil, eventlog.ErrCompacted
	}
	var run []events.Event
	for ; i < len(held) && len(run) < n && held[i].event.Seq == from+uint64(len(run)); i++ {
		if size -= len(held[i].event.Raw()); size < 0 {
			break
		}
		run = append(run, held[i].event)
	}
	return run, nil
}

// crash loses what was not synced, or leaves any part of it: a prefix, and
// after it zeros or rubbish.
func (d *simDisk) crash(w *simWorld) {
	for _, seg := range d.segments {
		n := len(seg.file) - seg.durable
		if n == 0 {
			continue
		}
		kept := w.pick(n + 1)
		seg.file = slices.Clone(seg.file[:seg.durable+kept])
		switch w.pick(4) {
		case 0:
			seg.file = append(seg.file, make([]byte, n-kept)...)
			w.coverage.saw(simTorn)
		case 1:
			if kept > 0 {
				seg.file[seg.durable+w.pick(kept)] ^= 1 << w.pick(8)
				w.coverage.saw(simTorn)
			}
		default:
			if kept > 0 && kept < n {
				w.coverage.saw(simTorn)
			}
		}
	}
	d.next = simDiskFine
}

// open repairs the tail and returns the state that the log holds. It reads one
// segment, as Log.Load does.
func (d *simDisk) open(w *simWorld) *projection.State {
	var state *projection.State
	for state == nil && len(d.segments) > 0 {
		if state = d.load(w, d.tail()); state == nil { // it was never finished
			d.segments = d.segments[:len(d.segments)-1]
		}
	}
	if state == nil {
		state, d.last = projection.NewState(), 0
	}
	d.durable = d.last
	for log, held := range d.held { // the order does not matter
		if i := slices.IndexFunc(held, func(h simHeld) bool { return h.index > d.last }); i >= 0 {
			d.held[log] = held[:i:i]
		}
	}
	w.recoversWhatWasAcknowledged(d, state)
	return state
}

// load reads a segment up to its last whole batch and cuts off the rest. It
// returns nil when there is none.
func (d *simDisk) load(w *simWorld, seg *simSegment) *projection.State {
	whole, end, records := 0, 0, 0
	var pending []eventlog.Record
	var state *projection.State
	last := seg.first - 1
	for r, err := range eventlog.Records(seg.file, seg.first) {
		if err != nil {
			break
		}
		end += r.Size
		pending = append(pending, r)
		if !r.EndOfBatch {
			continue
		}
		for i := range pending {
			state = d.take(w, state, &pending[i])
		}
		records += len(pending)
		whole, last, pending = end, r.Index, pending[:0]
	}
	if state == nil {
		return nil
	}
	seg.file = bytes.Clone(seg.file[:whole])
	seg.durable, seg.records = whole, records
	d.last = last
	return state
}

// take takes one record into the state, and an event that had become durable
// unseen into what can be read.
func (d *simDisk) take(w *simWorld, state *projection.State, r *eventlog.Record) *projection.State {
	if r.Kind == eventlog.KindSnapshot {
		s, err := projection.ReadSnapshot(r.Bytes)
		if err != nil {
			w.violated("recovery", "a snapshot that was written cannot be read: %v", err)
		}
		return s
	}
	e, err := events.Decode(r.Bytes)
	if err != nil {
		w.violated("recovery", "an event that was written cannot be read: %v", err)
	}
	if r.Index > d.durable {
		d.hold(r.Index, e)
		w.ledger.saw(w, &e)
	}
	state.Apply(&e)
	return state
}

// clone copies a directory, as cp does while nobody writes.
func (d *simDisk) clone() *simDisk {
	c := *d
	c.segments = nil
	for _, seg := range d.segments {
		copied := *seg
		copied.file = bytes.Clone(seg.file)
		c.segments = append(c.segments, &copied)
	}
	c.held = maps.Clone(d.held)
	for log, held := range c.held {
		c.held[log] = slices.Clip(held)
	}
	c.heads, c.acked = maps.Clone(d.heads), maps.Clone(d.acked)
	return &c
}

// beforeLast returns the state that the log held before its last record, or
// nothing.
func (d *simDisk) beforeLast(w *simWorld) *projection.State {
	older := *d.tail()
	var size int
	for r, err := range eventlog.Records(older.file, older.first) {
		if err == nil && r.Index < d.last {
			size += r.Size
		}
	}
	state := projection.NewState()
	for r, err := range eventlog.Records(older.file[:size], older.first) {
		if err == nil {
			state = d.take(w, state, &r)
		}
	}
	return state
}
