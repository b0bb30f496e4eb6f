package log

import (
	"io"
	"path/filepath"
)

// ScanNewest calls do for each record of the newest segment, as Scan does, but
// reads it once only: do gets records before it is known that their batch is
// whole. So what do has made of them counts only when ScanNewest reports that the
// segment is sound: all of it verifies and ends in a whole batch, with nothing
// behind it, and it is still the newest. It reports false, and not what is wrong,
// for all else: a writer in the middle of a write, a torn tail, damage, a read that
// failed, do returning false, which ends it. Scan tells these apart.
//
// A record is valid until do returns, but the Bytes of the first one, a snapshot,
// are the caller's for good.
//
// Which segment is the newest was found when the reader last looked. Afterwards the
// reader is at its beginning.
func (r *Reader) ScanNewest(do func(*Record) bool) (sound bool) {
	n := len(r.segments)
	if n == 0 || r.m != nil && r.m.open > r.segments[n-1].First {
		return false
	}
	at := r.segments[n-1]
	if r.Seek(at.First) != nil {
		return false
	}
	src, err := openSource(at)
	if err != nil {
		return false
	}
	defer src.Close()
	size, err := src.size()
	if err != nil {
		return false
	}
	r.w = walker{src: src, file: at.File, index: at.First, limit: size, block: chunkSize, store: r.w.store}
	defer func() { r.w = walker{} }()
	for err == nil {
		if err = r.w.next(&r.rec); err == nil && !do(&r.rec) {
			return false
		}
		if r.rec.Index == at.First {
			r.w.store = nil // it is the caller's
		}
	}
	switch {
	case err != io.EOF && err != errZero, !r.w.zeros():
		return false
	case r.w.index == at.First, !r.rec.EndOfBatch, r.clean >= r.w.index:
		return false
	}
	newer, err := exists(filepath.Join(r.wal, segmentName(r.w.index)))
	return !newer && err == nil
}

// zeros reports whether nothing but zeros is left, and leaves the place of the
// walker alone.
func (w *walker) zeros() bool {
	rest := *w
	for {
		if !allZero(rest.buf) {
			return false
		}
		rest.off += int64(len(rest.buf))
		rest.buf = nil
		if err := rest.fill(1); err != nil {
			return err == io.EOF
		}
	}
}
