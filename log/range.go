package log

import (
	"errors"
	"fmt"
	"io/fs"
	"sort"

	"github.com/skshohagmiah/clusterkit/events"
)

// Range returns the events of one origin's log from a sequence on, contiguous,
// at most maxEvents of them and maxBytes of their bytes. It returns none, and
// no error, when the first is larger than maxBytes. It sees durable events
// only, may run beside Append, and its result belongs to the caller.
//
// It returns ErrCompacted when the first is not kept here: because it was
// removed, because the node learnt of it from a snapshot, or because nobody has
// written it yet. So ask for what the state covers. The search reads neither
// history nor segments beyond the few it touches.
func (l *Log) Range(log events.LogID, from uint64, maxEvents, maxBytes int) ([]events.Event, error) {
	var out []events.Event
	for tries := 0; ; tries++ {
		err := l.collect(&out, log, from, maxEvents, maxBytes)
		if errors.Is(err, fs.ErrNotExist) && tries < 100 {
			continue // a segment was removed while we were looking
		}
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// collect appends the events to out.
func (l *Log) collect(out *[]events.Event, log events.LogID, from uint64, maxEvents, maxBytes int) error {
	*out = nil
	size := 0
	for next := from; len(*out) < maxEvents; {
		seg, err := l.holder(log, next)
		if err != nil {
			return err
		}
		if seg == nil {
			if next == from {
				return fmt.Errorf("%w: event %s", ErrCompacted, events.ID{Log: log, Seq: from})
			}
			return nil
		}
		t, err := l.shelf.tableOf(seg)
		if err != nil {
			return err
		}
		n := len(*out)
		whole, err := l.take(out, seg, t, t.find(log, next, maxEvents-n), maxBytes, &size)
		if err != nil || !whole {
			return err
		}
		next += uint64(len(*out) - n)
	}
	return nil
}

// holder returns the segment that holds an event, nil when none does.
func (l *Log) holder(log events.LogID, seq uint64) (*segment, error) {
	all := *l.segments.Load()
	if len(all) == 0 || seq == 0 {
		return nil, nil
	}
	// Most are asked for soon after they were written.
	seg := all[len(all)-1]
	if t := seg.table.Load(); t != nil && t.has(log, seq) {
		return seg, nil
	}
	// It is in the last segment before which it had not been appended.
	var failed error
	i := sort.Search(len(all), func(i int) bool {
		heads, err := l.shelf.headsOf(all[i])
		if err != nil {
			failed = err
		}
		return heads[log] >= seq
	}) - 1
	if failed != nil {
		return nil, failed
	}
	if i < 0 {
		return nil, nil
	}
	t, err := l.shelf.tableOf(all[i])
	if err != nil || !t.has(log, seq) {
		return nil, err
	}
	return all[i], nil
}

// take reads the given records of a segment and appends the events in them. It
// reports whether all of them fitted into maxBytes.
func (l *Log) take(out *[]events.Event, seg *segment, t *table, at []uint32, maxBytes int, size *int) (bool, error) {
	w := l.shelf.borrow(seg)
	defer l.shelf.giveBack(w)
	var r Record
	for _, i := range at {
		index := seg.base + uint64(i)
		if mark, off := t.mark(int(i)); w.index < seg.base+uint64(mark) {
			w.seek(seg.base+uint64(mark), off)
		}
		for r.Index != index {
			if err := w.next(&r); err != nil {
				return false, damage(w, err)
			}
		}
		if *size += len(r.Bytes); *size > maxBytes {
			return false, nil
		}
		e, err := events.Decode(append([]byte(nil), r.Bytes...))
		if err != nil {
			return false, &CorruptError{File: seg.path, Offset: r.Offset, Index: index, Reason: err.Error()}
		}
		*out = append(*out, e)
	}
	return true, nil
}

// Locate returns the index of a record such that all records before it are
// covered by a vector: where to begin to read what somebody who has seen that
// much has not. It is not exact, it may be up to a segment early. When events
// that are not covered have been removed, it returns an index before First, so
// that Records gives ErrCompacted.
func (l *Log) Locate(after events.Vector) uint64 {
	all := *l.segments.Load()
	if len(all) == 0 {
		return l.first.Load()
	}
	// The segments whose start is covered come first.
	i := sort.Search(len(all), func(i int) bool {
		heads, err := l.shelf.headsOf(all[i])
		return err != nil || !after.Dominates(heads)
	}) - 1
	if i < 0 {
		if heads, err := l.shelf.headsOf(all[0]); err != nil {
			return all[0].base // reading will say what is wrong
		} else if len(heads) == 0 {
			return all[0].base
		}
		return all[0].base - 1
	}
	return all[i].base
}
