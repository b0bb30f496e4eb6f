package log

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// Reader reads the log in a directory without opening it: it takes no lock and
// writes nothing, and the log may be open for writing, in this process or
// another one. It follows growth, over new segments and beside the removal of
// old ones. Its memory does not depend on the length of the log. It is for one
// goroutine.
//
// What is not whole yet is not there yet: a batch of which a part is missing is
// not shown, see Torn. What a later record proves to have been durable is
// damage when it cannot be read, and so is what was there at a clean close.
type Reader struct {
	listing
	next uint64 // index of the next record; 0 before the first
	at   Segment
	src  source // of at; nil between segments
	last bool   // at is the newest segment: read up to the last whole batch
	w    walker
	err  error // damage, until Skip or Seek
	torn Torn  // behind the last whole batch
	seen int64 // size of the file when torn was looked at
	over bool  // Skip found nothing behind the damage where w is
	rec  Record
}

// Torn says what lies behind the last whole batch of a log: what is being
// written at this moment, or what a crash left.
type Torn struct {
	File   string
	Offset int64
	Bytes  int64 // without the zeros at the end; 0 when there is nothing

	// Damaged is set when it does not look like a write that was cut off, but
	// like a whole one that was changed. If nobody is writing, it was.
	Damaged *CorruptError
}

// OpenReader opens the log in dir, which is a data directory, its wal
// directory, or a directory of archived segments. Of a data directory the
// archived segments are read too.
func OpenReader(dir string) (*Reader, error) {
	r := new(Reader)
	if err := r.listing.open(dir); err != nil {
		return nil, fmt.Errorf("log: read %s: %w", dir, err)
	}
	return r, nil
}

// Close gives back the open file.
func (r *Reader) Close() error {
	if r.src == nil {
		return nil
	}
	err := r.src.Close()
	r.src = nil
	return err
}

// Segments returns the segments there are now, oldest first. Each begins with a
// snapshot of everything before it, at offset 0 of its file; Seek to its First
// to read it.
func (r *Reader) Segments() ([]Segment, error) {
	if err := r.refresh(); err != nil {
		return nil, err
	}
	return append([]Segment(nil), r.segments...), nil
}

// Listed returns the segments that there were when the reader last looked, which
// OpenReader does, and compares them with the list that the log keeps of them,
// and reads none. Its error is a *CorruptError when one is missing, or
// one that was sealed is longer or shorter than it was then. Where there is no
// list, as beside archived segments alone, it has nothing to say.
func (r *Reader) Listed() ([]Segment, error) {
	return append([]Segment(nil), r.segments...), r.compare()
}

// compare compares the segments with the list of them.
func (r *Reader) compare() error {
	if r.m == nil {
		return nil
	}
	for n, e := range r.m.sealed {
		next := r.m.open
		if n+1 < len(r.m.sealed) {
			next = r.m.sealed[n+1].base
		}
		i := r.segmentOf(e.base)
		if i < 0 || r.segments[i].First != e.base {
			return missingRecords(r.wal, e.base, next)
		}
		if s := r.segments[i]; !s.Archived && s.Size != e.size {
			c := resized(s.File, s.Size, e.size).(*CorruptError)
			c.Index = s.First
			return c
		}
	}
	if i := r.segmentOf(r.m.open); r.m.open > 0 && (i < 0 || r.segments[i].First < r.m.open) {
		return &CorruptError{File: filepath.Join(r.wal, segmentName(r.m.open)), Index: r.m.open, Reason: "the newest segment is missing"}
	}
	return nil
}

// Seek makes Next return the record with the given index; 0 means the oldest.
// It returns ErrCompacted when that is not kept. One that is not there yet will
// be waited for. The first record of a segment that was listed before is not
// looked for again: should it have been removed meanwhile, Next says so.
func (r *Reader) Seek(index uint64) error {
	if i := r.segmentOf(index); i < 0 || r.segments[i].First != index {
		if err := r.refresh(); err != nil {
			return err
		}
	}
	if index != 0 && len(r.segments) > 0 && index < r.segments[0].First {
		return fmt.Errorf("%w: record %d, the oldest is %d", ErrCompacted, index, r.segments[0].First)
	}
	r.err, r.next, r.torn = nil, index, Torn{}
	return r.Close()
}

// Next returns the next record. The Record is valid until the next call; its
// Bytes are the caller's for good, but share memory of up to 64 KiB with those
// of their neighbours.
//
// It returns io.EOF when there is nothing more yet: a later call may find what
// was written meanwhile. It returns ErrCompacted when the next record was
// removed, and a *CorruptError, again and again, when it is damaged: Seek or
// Skip lead on.
func (r *Reader) Next() (*Record, error) { return r.read(true) }

// Scan calls do for each record from the next one on, until there is nothing
// more or do returns an error, which Scan returns. It is faster than Next, but
// the Record and its Bytes are valid only until do returns.
func (r *Reader) Scan(do func(*Record) error) error {
	for {
		rec, err := r.read(false)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(rec); err != nil {
			return err
		}
	}
}

// Torn returns what was found behind the last whole batch when Next or Scan
// came to the end.
func (r *Reader) Torn() Torn { return r.torn }

func (r *Reader) read(keep bool) (*Record, error) {
	if r.w.keep != keep {
		r.w.keep, r.w.buf = keep, nil
	}
	for r.err == nil {
		if r.src == nil {
			if err := r.enter(); err != nil {
				return nil, err
			}
			continue
		}
		if r.w.off < r.w.limit {
			err := r.w.next(&r.rec)
			switch {
			case err != nil:
				r.err = r.doubt(err)
			case r.rec.Index >= r.next:
				r.next = r.rec.Index + 1
				return &r.rec, nil
			}
			continue
		}
		if err := r.advance(); err != nil {
			return nil, err
		}
	}
	return nil, r.err
}

// enter begins to read the segment of the next record.
func (r *Reader) enter() error {
	for tries := range 100 {
		if tries > 0 || !r.knows(r.next) {
			if err := r.refresh(); err != nil {
				return err
			}
		}
		if r.next == 0 && r.missing(0) {
			return r.err
		}
		if len(r.segments) == 0 {
			return io.EOF
		}
		if r.next == 0 {
			r.next = r.segments[0].First
		}
		i := r.segmentOf(r.next)
		if i < 0 {
			return fmt.Errorf("%w: record %d, the oldest is %d", ErrCompacted, r.next, r.segments[0].First)
		}
		src, err := openSource(r.segments[i])
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed or archived since it was listed
		}
		var corrupt *CorruptError
		if errors.As(err, &corrupt) { // an archive that cannot be unpacked
			r.err = err
			return err
		}
		if err != nil {
			return fmt.Errorf("log: read: %w", err)
		}
		r.src, r.at, r.over = src, r.segments[i], false
		r.last = i == len(r.segments)-1 && (r.m == nil || r.m.open <= r.at.First)
		r.w = walker{src: src, file: r.at.File, index: r.at.First, keep: r.w.keep, store: r.w.store}
		if !r.last {
			r.w.limit, err = src.size()
		}
		return err
	}
	return fmt.Errorf("log: read: %s comes and goes", r.wal)
}

// knows reports whether a segment that begins with a record was listed, and one
// after it. Then both are as they will be until they are removed: listing them
// again for every segment would take longer than reading a long log.
func (r *Reader) knows(index uint64) bool {
	i := r.segmentOf(index)
	return i >= 0 && i+1 < len(r.segments) && r.segments[i].First == index
}

// advance finds more to read behind what is known to be whole: in the same
// segment, or in the next.
func (r *Reader) advance() error {
	if !r.last {
		return r.leave()
	}
	if err := r.lookAhead(); err != nil || r.w.off < r.w.limit {
		return err
	}
	if r.w.index == r.at.First {
		return r.waitForFirst()
	}
	if ok, err := exists(filepath.Join(r.wal, segmentName(r.w.index))); err != nil {
		return err
	} else if !ok && (r.m == nil || r.m.open <= r.at.First) {
		return io.EOF
	}
	// There is a newer one, or must be: this one is complete, and was perhaps
	// not yet when we looked.
	if err := r.refresh(); err != nil {
		return err
	}
	r.last, r.torn = false, Torn{}
	size, err := r.src.size()
	r.w.limit = size
	return err
}

// waitForFirst says that there is nothing in a segment yet; or leaves it when
// the one who began it crashed, and Open has removed it.
func (r *Reader) waitForFirst() error {
	have, err := os.Stat(r.at.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f, ok := r.src.(fileSource); ok {
		mine, e := f.Stat()
		if e != nil {
			return e
		}
		if err != nil || !os.SameFile(mine, have) {
			return r.Close()
		}
	}
	return io.EOF
}

// leave goes to the next segment.
func (r *Reader) leave() error {
	if r.w.index > r.at.First && r.knows(r.w.index) {
		r.next = max(r.next, r.w.index)
		return r.Close()
	}
	if err := r.refresh(); err != nil {
		return err
	}
	if len(r.segments) > 0 && r.w.index < r.segments[0].First && (r.m == nil || r.w.index < r.m.first()) {
		return fmt.Errorf("%w: record %d, the oldest is %d", ErrCompacted, r.w.index, r.segments[0].First)
	}
	if r.w.index == r.at.First {
		r.err = damage(&r.w, io.EOF)
		return r.err
	}
	if r.missing(r.w.index) {
		return r.err
	}
	r.next = max(r.next, r.w.index)
	return r.Close()
}

// missing reports whether the segment that must begin with a record is not
// there, and fails if so.
func (r *Reader) missing(index uint64) bool {
	want := index
	if index == 0 && r.m != nil {
		want = r.m.first()
	}
	if want == 0 {
		return false
	}
	i := sort.Search(len(r.segments), func(i int) bool { return r.segments[i].First >= want })
	switch {
	case i < len(r.segments) && (r.segments[i].First == want || index == 0 && r.segments[0].First < want):
		return false
	case i < len(r.segments):
		r.err = missingRecords(r.wal, want, r.segments[i].First)
	default:
		r.err = &CorruptError{File: filepath.Join(r.wal, segmentName(want)), Index: want, Reason: "the newest segment is missing"}
	}
	return true
}

// lookAhead finds the last whole batch in the newest segment.
func (r *Reader) lookAhead() error {
	size, err := r.src.size()
	if err != nil {
		return err
	}
	var first [1]byte
	if n, _ := r.src.ReadAt(first[:], r.w.off); r.seen == size && r.torn.Offset == r.w.off && r.torn.File == r.at.File &&
		r.torn.Bytes == 0 && (n == 0 || first[0] == 0) {
		return nil // nothing has come since we looked
	}
	a, before, whole, stop := r.walkAhead(size)
	if whole > r.w.off {
		r.w.limit, r.over = whole, false
		return nil
	}
	rest := make([]byte, max(0, size-a.off))
	if n, err := r.src.ReadAt(rest, a.off); err == io.EOF {
		rest = rest[:n]
	} else if err != nil {
		return err
	}
	r.seen = size
	r.torn = Torn{File: r.at.File, Offset: r.w.off, Bytes: a.off - r.w.off + int64(len(trimZeros(rest)))}
	if r.over {
		return nil
	}
	corrupt, proven := judge(rest, &a, &before, r.clean, stop)
	if corrupt == nil {
		return nil
	}
	// A writer may have been in the middle of it when we read the beginning.
	if again, _, whole, _ := r.walkAhead(size); again.off > a.off || whole > r.w.off {
		r.seen = -1
		r.w.limit = whole
		return nil
	}
	if proven && a.off > r.w.off {
		r.w.limit = a.off // the beginning of the batch is there
		return nil
	}
	if proven {
		r.err = corrupt
		return corrupt
	}
	r.torn.Damaged = corrupt
	return nil
}

// walkAhead walks from where the reader is to the last record that verifies,
// and returns the end of the last whole batch.
func (r *Reader) walkAhead(size int64) (a walker, before Record, whole int64, stop error) {
	a = walker{src: r.src, file: r.at.File, index: r.w.index, off: r.w.off, limit: size}
	if !r.w.keep { // then nobody has the memory, and nothing that was read is left
		a.store, r.w.buf = r.w.store, nil
	}
	whole = a.off
	for rec := (Record{}); ; {
		if stop = a.next(&rec); stop != nil {
			if !r.w.keep {
				r.w.store = a.store
			}
			return a, before, whole, stop
		}
		before = rec
		before.Bytes, before.heads = nil, nil
		if rec.EndOfBatch {
			whole = a.off
		}
	}
}

// doubt answers an error in the middle of what should be whole. It returns nil
// when there is nothing wrong after all.
func (r *Reader) doubt(err error) error {
	at := r.w.off
	if r.w.buf != nil { // what was read before may be older than what is there now
		r.w.buf = nil
		if e := r.w.next(&r.rec); e == nil {
			r.w.seek(r.rec.Index, at)
			r.w.buf = nil
			return nil
		}
	}
	if err == errZero {
		// Room that was allocated and never used, if nothing is missing.
		i := r.segmentOf(r.at.First) + 1
		if i < len(r.segments) && r.segments[i].First == r.w.index {
			r.w.limit = r.w.off
			return nil
		}
	}
	return damage(&r.w, err)
}

// Skip goes on behind damage: to the next record that verifies, in the same
// segment or a later one. Its Index tells how many are lost. Each Skip comes
// nearer to the end; when nothing follows, Next says io.EOF from then on.
func (r *Reader) Skip() error {
	if r.err == nil || r.err == io.EOF {
		return nil
	}
	r.err = nil
	if r.src == nil { // the first segment is missing, or one cannot be unpacked
		return r.skipTo(r.segmentOf(r.next) + 1)
	}
	size, err := r.src.size()
	if err != nil {
		return err
	}
	after := r.segmentOf(r.at.First) + 1
	most := r.w.index + uint64(max(0, size-r.w.off))/headerSize
	if after < len(r.segments) {
		most = r.segments[after].First - 1
	}
	rest := make([]byte, max(0, size-r.w.off))
	if n, err := r.src.ReadAt(rest, r.w.off); err == io.EOF {
		rest = rest[:n]
	} else if err != nil {
		return err
	}
	if f, ok := findRecord(rest, 0, r.w.index, most); ok {
		r.w.seek(f.Index, r.w.off+int64(f.off))
		r.next = f.Index
		if r.last {
			r.w.limit = r.w.off
		}
		return nil
	}
	if r.last && after == len(r.segments) {
		r.over = true // there may be more one day
		return nil
	}
	return r.skipTo(after)
}

// skipTo goes on with a segment of the listing.
func (r *Reader) skipTo(i int) error {
	if i == len(r.segments) { // the newest ones are missing
		r.err = io.EOF
		return nil
	}
	r.next = r.segments[i].First
	return r.Close()
}
