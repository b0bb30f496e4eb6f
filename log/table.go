package log

import (
	"slices"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
)

// table says where the records of one segment are and which event is which. It
// takes 4 bytes for each event and 4 for each markEvery records. Only those of
// the open segment and of a few others are in memory; see shelf.
//
// The one writer adds to the table of the open segment while others read it; a
// sealed one does not change.
type table struct {
	mu    sync.RWMutex // guards the fields below
	marks []uint32     // offsets of the records 0, markEvery, 2*markEvery ... of the segment
	count int          // of records
	logs  map[events.LogID][]run
}

// run is a stretch of one log without a gap in its sequence. A log has more
// than one in a segment only when a snapshot made it jump.
type run struct {
	first uint64   // sequence
	at    []uint32 // which record of the segment each event is, from 0
}

const markEvery = 4

func newTable() *table { return &table{logs: make(map[events.LogID][]run)} }

// place is what a table needs to know of a record.
type place struct {
	off int64
	log events.LogID
	seq uint64 // 0 when it is not an event
}

func placeOf(r *Record) place {
	p := place{off: r.Offset}
	if r.Kind == KindEvent {
		p.log, p.seq, _ = eventName(r.Bytes)
	}
	return p
}

// raise takes note of the event in a vector.
func (p *place) raise(heads map[events.LogID]uint64) {
	if p.seq > heads[p.log] {
		heads[p.log] = p.seq
	}
}

// add takes note of the next records.
func (t *table) add(places ...place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range places {
		t.addLocked(p)
	}
}

func (t *table) addLocked(p place) {
	if t.count%markEvery == 0 {
		t.marks = append(t.marks, uint32(p.off))
	}
	at := uint32(t.count)
	t.count++
	if p.seq == 0 {
		return
	}
	runs := t.logs[p.log]
	if n := len(runs); n > 0 && p.seq == runs[n-1].first+uint64(len(runs[n-1].at)) {
		runs[n-1].at = append(runs[n-1].at, at)
		return
	}
	t.logs[p.log] = append(runs, run{p.seq, []uint32{at}})
}

// mark returns a record at or a little before the given one, and its offset.
func (t *table) mark(at int) (record int, off int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := min(at/markEvery, len(t.marks)-1)
	if i < 0 {
		return 0, 0
	}
	return i * markEvery, int64(t.marks[i])
}

// find returns which records hold the events of a log from seq on, up to most
// of them and without a gap; none when seq is not here.
func (t *table) find(id events.LogID, seq uint64, most int) []uint32 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range slices.Backward(t.logs[id]) {
		if seq >= r.first && seq-r.first < uint64(len(r.at)) {
			at := r.at[seq-r.first:]
			return slices.Clone(at[:min(len(at), most)])
		}
	}
	return nil
}

// has reports whether the event is in the segment.
func (t *table) has(id events.LogID, seq uint64) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.logs[id] {
		if seq >= r.first && seq-r.first < uint64(len(r.at)) {
			return true
		}
	}
	return false
}
