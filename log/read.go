package log

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Read returns one record by its index. Its Bytes belong to the caller; its
// File and Offset are not set. It returns ErrCompacted for what is not kept any
// more and an error that wraps fs.ErrNotExist for what is not there yet.
func (l *Log) Read(index uint64) (Record, error) {
	r, _ := l.shelf.records.Get().(*Record)
	if r == nil {
		r = new(Record)
	}
	defer l.shelf.records.Put(r)
	if err := l.ReadInto(index, r); err != nil {
		return Record{}, err
	}
	own := *r
	own.memory, own.heads = nil, slices.Clone(r.heads)
	own.Bytes = append(make([]byte, 0, len(r.Bytes)), r.Bytes...)
	return own, nil
}

// ReadInto does what Read does, and its Bytes are valid until the next ReadInto
// of the same Record: who reads many records, one after the other, does not
// allocate. A copy of r shares its Bytes. After an error r is of no use but for
// the next call.
func (l *Log) ReadInto(index uint64, r *Record) error {
	for tries := 0; ; tries++ {
		err := l.read(index, r)
		if errors.Is(err, fs.ErrNotExist) && index <= l.Last() && tries < 100 {
			continue // the segment was removed while we were looking
		}
		return err
	}
}

func (l *Log) read(index uint64, r *Record) error {
	if index > l.Last() {
		return fmt.Errorf("log: record %d: %w", index, fs.ErrNotExist)
	}
	all := *l.segments.Load()
	i := segmentOf(all, index)
	if i < 0 {
		return fmt.Errorf("%w: record %d", ErrCompacted, index)
	}
	seg := all[i]
	if seg.engine != nil && !seg.sealed.Load() {
		// The open segment is in the memory of the engine. When it is sealed at
		// this moment the engine refuses, and the file has it.
		if payload, err := seg.engine.Read(index); err == nil {
			own := r.room(len(payload))
			copy(own, payload)
			if err := r.open(own, index); err != nil {
				return &CorruptError{File: seg.path, Index: index, Reason: "in memory: " + err.Error()}
			}
			r.Size = frameSize(len(payload))
			return nil
		}
	}
	return l.readSealed(seg, index, r)
}

// room returns memory of a size that belongs to r.
func (r *Record) room(size int) []byte {
	if cap(r.memory) < size {
		r.memory = make([]byte, max(size, 1<<10))
	}
	return r.memory[:size]
}

// readSealed reads a record from the file of a segment. The file of the open
// segment does as well; its table changes meanwhile, and has locks.
func (l *Log) readSealed(seg *segment, index uint64, r *Record) error {
	at := int(index - seg.base)
	first, from, to := 0, int64(0), seg.size.Load()
	if seg.sealed.Load() {
		marks, err := l.shelf.marksOf(seg)
		if err != nil {
			return err
		}
		i := min(at/markEvery, len(marks)-1)
		first, from = i*markEvery, int64(marks[i])
		if i+1 < len(marks) {
			to = int64(marks[i+1])
		}
	} else if t := seg.table.Load(); t != nil {
		first, from = t.mark(at)
	}
	const most = 16 << 10
	if to-from > most {
		return l.walkTo(seg, first, from, index, r)
	}
	b := r.room(int(to - from))
	if n, err := l.shelf.readAt(seg, b, from); n < len(b) {
		return damage(&walker{file: seg.path, index: index, off: from}, err)
	}
	// Where the record is, is known from the lengths before it; that it is this
	// record is known from its checksum.
	for ; ; first++ {
		n, k := prefix(b)
		if k <= 0 || n < headerSize || k+n > len(b) {
			return damage(&walker{file: seg.path, index: index, off: to - int64(len(b))}, errShort)
		}
		if first == at {
			if err := r.open(b[k:k+n:k+n], index); err != nil {
				return &CorruptError{File: seg.path, Offset: to - int64(len(b)), Index: index, Reason: err.Error()}
			}
			r.Size = k + n
			return nil
		}
		b = b[k+n:]
	}
}

// walkTo reads a record by walking over those before it, from a known place on.
func (l *Log) walkTo(seg *segment, first int, from int64, index uint64, r *Record) error {
	w := l.shelf.borrow(seg)
	defer l.shelf.giveBack(w)
	w.block = 16 << 10
	w.seek(seg.base+uint64(first), from)
	var found Record
	for found.Index != index {
		if err := w.next(&found); err != nil {
			return damage(w, err)
		}
	}
	own := r.room(len(found.heads) + len(found.Bytes))
	at := copy(own, found.heads)
	copy(own[at:], found.Bytes)
	found.File, found.Offset, found.memory = "", 0, r.memory
	found.heads, found.Bytes = own[:at:at], own[at:]
	*r = found
	return nil
}
