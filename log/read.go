package log

import (
	"errors"
	"fmt"
	"io/fs"
)

// Read returns one record by its index. Its Bytes belong to the caller; its
// File and Offset are not set. It returns ErrCompacted for what is not kept any
// more and an error that wraps fs.ErrNotExist for what is not there yet.
func (l *Log) Read(index uint64) (Record, error) {
	var r Record
	err := l.ReadInto(index, &r)
	return r, err
}

// ReadInto does what Read does and puts the record into r, whose Bytes it
// overwrites if they have room: who reads many records one after the other into
// the same Record does not allocate. Do not give it a Record whose Bytes are in
// use elsewhere, such as one of a Cursor or a Reader. After an error r is as it
// was.
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
			if err := r.keep(payload, index); err != nil {
				return &CorruptError{File: seg.path, Index: index, Reason: "in memory: " + err.Error()}
			}
			return nil
		}
	}
	return l.readSealed(seg, index, r)
}

// keep verifies a payload and copies it to where the bytes of r are.
func (r *Record) keep(payload []byte, index uint64) error {
	var found Record
	if err := found.open(payload, index); err != nil {
		return err
	}
	found.Size = frameSize(len(payload))
	found.Bytes = append(r.Bytes[:0], found.Bytes...)
	found.heads = append(r.heads[:0], found.heads...)
	*r = found
	return nil
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
	buf := l.shelf.buffer(int(to - from))
	defer l.shelf.free(buf)
	if n, err := l.shelf.readAt(seg, *buf, from); n < len(*buf) {
		return damage(&walker{file: seg.path, index: index, off: from}, err)
	}
	// Where the record is, is known from the lengths before it; that it is this
	// record is known from its checksum.
	b := *buf
	for ; ; first++ {
		n, k := prefix(b)
		if k <= 0 || n < headerSize || k+n > len(b) {
			return damage(&walker{file: seg.path, index: index, off: to - int64(len(b))}, errShort)
		}
		if first == at {
			if err := r.keep(b[k:k+n], index); err != nil {
				return &CorruptError{File: seg.path, Offset: to - int64(len(b)), Index: index, Reason: err.Error()}
			}
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
	found.File, found.Offset = "", 0
	found.Bytes = append(r.Bytes[:0], found.Bytes...)
	found.heads = append(r.heads[:0], found.heads...)
	*r = found
	return nil
}
