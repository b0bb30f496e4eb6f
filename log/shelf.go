package log

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
)

// shelf bounds what is kept in memory about segments that are not written any
// more. What is put away is found again by reading the segment once.
type shelf struct {
	mu      sync.Mutex // guards the fields below
	rings   [shelfKinds]ring
	walkers []*walker // with a buffer, to be used again

	records sync.Pool // of *Record, whose memory is used again
}

// The kinds of things on a shelf.
const (
	shelfTables = iota // 4 bytes an event
	shelfMarks         // 4 bytes per markEvery records
	shelfHeads         // the vector at the start of a segment
	shelfFiles         // open descriptors
	shelfKinds
)

// shelfRoom is how many segments may have each.
var shelfRoom = [shelfKinds]int{shelfTables: 8, shelfMarks: 256, shelfHeads: 128, shelfFiles: 64}

// ring holds the segments that have one kind of thing. Who was not used since
// the hand came by last has to go (the clock algorithm).
type ring struct {
	segments []*segment
	hand     int
}

// put takes note that a segment has something, and takes the same away from
// another one if there is no room.
func (s *shelf) put(kind int, seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.used[kind].Store(true)
	r := &s.rings[kind]
	for _, have := range r.segments {
		if have == seg {
			return
		}
	}
	if len(r.segments) < shelfRoom[kind] {
		r.segments = append(r.segments, seg)
		return
	}
	for r.segments[r.hand].used[kind].Swap(false) {
		r.hand = (r.hand + 1) % len(r.segments)
	}
	r.segments[r.hand].drop(kind)
	r.segments[r.hand] = seg
	r.hand = (r.hand + 1) % len(r.segments)
}

// drop gives back what a segment has. Whoever is using it goes on; a file that
// is closed under a reader makes it open the file again.
func (s *segment) drop(kind int) {
	switch kind {
	case shelfTables:
		s.table.Store(nil)
	case shelfMarks:
		s.marks.Store(nil)
	case shelfHeads:
		s.heads.Store(nil)
	case shelfFiles:
		if f := s.file.Swap(nil); f != nil {
			f.Close()
		}
	}
}

// remove forgets a segment that is no longer kept.
//
//lint:ignore U1000 retention removes segments
func (s *shelf) remove(seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind := range s.rings {
		r := &s.rings[kind]
		for i, have := range r.segments {
			if have == seg {
				r.segments = append(r.segments[:i], r.segments[i+1:]...)
				r.hand = 0
				seg.drop(kind)
				break
			}
		}
	}
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.rings[shelfFiles].segments {
		seg.drop(shelfFiles)
	}
	s.rings[shelfFiles] = ring{}
}

// openFile returns the open file of a segment.
func (s *shelf) openFile(seg *segment) (*os.File, error) {
	if f := seg.file.Load(); f != nil {
		if !seg.used[shelfFiles].Load() {
			seg.used[shelfFiles].Store(true)
		}
		return f, nil
	}
	f, err := os.Open(seg.path)
	if err != nil {
		return nil, err
	}
	if !seg.file.CompareAndSwap(nil, f) {
		f.Close() // somebody else was faster
		return s.openFile(seg)
	}
	s.put(shelfFiles, seg)
	return f, nil
}

// readAt reads from a segment whose file may be put away at any time.
func (s *shelf) readAt(seg *segment, b []byte, off int64) (int, error) {
	for {
		f, err := s.openFile(seg)
		if err != nil {
			return 0, err
		}
		n, err := f.ReadAt(b, off)
		if !errors.Is(err, os.ErrClosed) {
			return n, err
		}
		seg.file.CompareAndSwap(f, nil)
	}
}

// shelfReader reads one segment through a shelf.
type shelfReader struct {
	shelf *shelf
	seg   *segment
}

func (r shelfReader) ReadAt(b []byte, off int64) (int, error) { return r.shelf.readAt(r.seg, b, off) }

// borrow returns a walker over the durable records of a segment. It is at the
// beginning.
func (s *shelf) borrow(seg *segment) *walker {
	s.mu.Lock()
	var w *walker
	if n := len(s.walkers); n > 0 {
		w, s.walkers = s.walkers[n-1], s.walkers[:n-1]
	}
	s.mu.Unlock()
	if w == nil {
		w = new(walker)
	}
	*w = walker{src: shelfReader{s, seg}, file: seg.path, index: seg.base, limit: seg.size.Load(), store: w.store}
	return w
}

// giveBack ends a borrow.
func (s *shelf) giveBack(w *walker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.walkers) < 4 && len(w.store) <= maxGroupBytes {
		s.walkers = append(s.walkers, &walker{store: w.store})
	}
}

// tableOf returns the table of a segment.
func (s *shelf) tableOf(seg *segment) (*table, error) {
	if t := seg.table.Load(); t != nil {
		if seg.sealed.Load() && !seg.used[shelfTables].Load() {
			seg.used[shelfTables].Store(true)
		}
		return t, nil
	}
	t := newTable()
	err := s.scan(seg, func(r *Record) error { t.add(placeOf(r)); return nil })
	if err != nil {
		return nil, err
	}
	if seg.table.CompareAndSwap(nil, t) {
		s.put(shelfTables, seg)
	}
	return t, nil
}

// marksOf returns the offsets of every markEvery-th record of a sealed segment.
func (s *shelf) marksOf(seg *segment) ([]uint32, error) {
	if m := seg.marks.Load(); m != nil {
		if !seg.used[shelfMarks].Load() {
			seg.used[shelfMarks].Store(true)
		}
		return *m, nil
	}
	var marks []uint32
	if t := seg.table.Load(); t != nil {
		marks = t.marks // the segment is sealed: it does not change
	} else if err := s.scan(seg, func(r *Record) error {
		if (r.Index-seg.base)%markEvery == 0 {
			marks = append(marks, uint32(r.Offset))
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if seg.marks.CompareAndSwap(nil, &marks) {
		s.put(shelfMarks, seg)
	}
	return marks, nil
}

// headsOf returns what was appended before a segment.
func (s *shelf) headsOf(seg *segment) (events.Vector, error) {
	if v := seg.heads.Load(); v != nil {
		if seg.sealed.Load() && !seg.used[shelfHeads].Load() {
			seg.used[shelfHeads].Store(true)
		}
		return *v, nil
	}
	w := s.borrow(seg)
	defer s.giveBack(w)
	var r Record
	if err := w.next(&r); err != nil {
		return nil, damage(w, err)
	}
	v := r.Vector()
	if v == nil {
		return nil, &CorruptError{File: seg.path, Index: seg.base, Reason: "the segment does not begin with a snapshot"}
	}
	if seg.heads.CompareAndSwap(nil, &v) {
		s.put(shelfHeads, seg)
	}
	return v, nil
}

// scan reads all records of a segment; they are valid until the next.
func (s *shelf) scan(seg *segment, do func(*Record) error) error {
	w := s.borrow(seg)
	defer s.giveBack(w)
	var r Record
	for {
		err := w.next(&r)
		if err == io.EOF && w.index == seg.last.Load()+1 {
			return nil
		}
		if err != nil {
			return damage(w, err)
		}
		if err := do(&r); err != nil {
			return err
		}
	}
}

// damage turns the end of a walk over records that are known to be there into
// the error that it is.
func damage(w *walker, err error) error {
	if err == io.EOF || err == errZero || err == errShort {
		return &CorruptError{File: w.file, Offset: w.off, Index: w.index, Reason: "the record is missing"}
	}
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		return err
	}
	return fmt.Errorf("log: read: %w", err)
}
