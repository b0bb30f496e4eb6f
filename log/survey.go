package log

import (
	"errors"
	"io"
	"os"

	"github.com/skshohagmiah/clusterkit/events"
)

// survey is what a walk over one segment found.
type survey struct {
	base     uint64
	last     uint64        // index of the last record of the last whole batch; base-1 when there is none
	size     int64         // where that record ends
	opening  int64         // size of the first record
	received int64         // of the last record
	start    events.Vector // what was appended before the segment
	heads    map[events.LogID]uint64
	table    *table

	// Everything from unproven on was written by the last sync, or by one that
	// failed; no later record says that it is durable.
	unproven int64

	fileSize int64
	rest     tail // what lies behind size
}

// tail is the end of a segment behind its last whole batch.
type tail struct {
	file string
	off  int64
	data []byte // up to the last byte that is not zero; empty when all are
}

// surveySegment walks over the newest segment of a log, builds its table and
// finds its end. clean is the last index that a clean Close knew to be durable.
// The error is a *CorruptError when what does not verify was durable once, and
// that of a read that failed. Nothing is changed.
func surveySegment(path string, base, clean uint64) (*survey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &survey{base: base, last: base - 1, fileSize: info.Size(), table: newTable(),
		start: events.Vector{}, heads: events.Vector{}}
	w := &walker{src: f, file: path, index: base, limit: info.Size()}
	var before Record
	stop := s.walk(w, &before)
	var corrupt *CorruptError
	switch {
	case errors.As(stop, &corrupt), errors.Is(stop, errShort), errors.Is(stop, errZero), errors.Is(stop, io.EOF):
	default:
		return nil, stop
	}
	rest := make([]byte, s.fileSize-w.off)
	if _, err := f.ReadAt(rest, w.off); err != nil && err != io.EOF {
		return nil, err
	}
	if corrupt, _ := judge(rest, w, &before, clean, stop); corrupt != nil {
		return nil, corrupt
	}
	data := make([]byte, s.fileSize-s.size)
	if _, err := f.ReadAt(data, s.size); err != nil && err != io.EOF {
		return nil, err
	}
	s.rest = tail{file: path, off: s.size, data: trimZeros(data)}
	return s, nil
}

// walk reads all records that verify. What it returns ended the walk; before
// is the last record that was read.
func (s *survey) walk(w *walker, before *Record) error {
	var pending []place // of a batch whose end was not yet seen
	var r Record
	for {
		if err := w.next(&r); err != nil {
			return err
		}
		if r.Index == s.base {
			s.opening = int64(r.Size)
			if r.Kind == KindSnapshot {
				s.start, s.heads = r.Vector(), r.Vector()
			}
		}
		if r.durable > before.durable || r.Index == s.base {
			s.unproven = r.Offset
		}
		pending = append(pending, placeOf(&r))
		*before = r
		before.Bytes, before.heads = nil, nil
		if !r.EndOfBatch {
			continue
		}
		for _, p := range pending {
			s.table.add(p)
			p.raise(s.heads)
		}
		pending = pending[:0]
		s.last, s.size, s.received = r.Index, w.off, r.Received
	}
}

// judge tells a tail that a crash left from damage to something durable. w
// stands where the walk stopped, because of stop; rest is all that lies there.
// It returns what is damaged, or nil; and whether that is proven: else it only
// does not look like a write that was cut off.
func judge(rest []byte, w *walker, before *Record, clean uint64, stop error) (corrupt *CorruptError, proven bool) {
	corrupt = &CorruptError{File: w.file, Offset: w.off, Index: w.index, Reason: "the record is missing"}
	var why *CorruptError
	if errors.As(stop, &why) {
		corrupt.Reason = why.Reason
	}
	last := w.index - 1
	if before.Index != 0 && !before.EndOfBatch {
		last = before.durable // the batch is incomplete, and so not there
	}
	switch {
	case clean > last:
		corrupt.Reason += "; it was there when the log was closed"
		return corrupt, true
	case allZero(rest):
		return nil, false
	}
	most := w.index + uint64(len(rest))/headerSize
	for at := 0; ; {
		f, ok := findRecord(rest, at, w.index, most)
		if !ok {
			break
		}
		if f.durable >= w.index {
			corrupt.Reason += "; a later record proves that it was durable"
			return corrupt, true
		}
		at = f.off + f.size
	}
	if wasWhole(rest, w.off, w.index, before) {
		corrupt.Reason += "; no part of it is missing, so it was changed"
		return corrupt, false
	}
	return nil, false
}

// trimZeros cuts off the zeros at the end of b.
func trimZeros(b []byte) []byte {
	for len(b) >= 4096 && allZero(b[len(b)-4096:]) {
		b = b[:len(b)-4096]
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}
