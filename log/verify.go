package log

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// Verified says how much Verify has read.
type Verified struct {
	Segments int    `json:"segments"`
	Records  uint64 `json:"records"`
	Bytes    int64  `json:"bytes"` // of records, not compressed
}

// Verify reads a whole log and checks every record, without opening it; dir is
// what OpenReader takes. It reads several segments at a time, with as many
// goroutines as there are processors, and returns when they have ended. Its
// error is the first damage, a *CorruptError, if there is any.
//
// Somebody may be writing the log meanwhile, so that a tail which is not whole
// is no damage: a Reader's Torn tells of it. Verify says nothing about what the
// events mean: see projection and replay.
func Verify(dir string) (Verified, error) {
	var s listing
	if err := s.open(dir); err != nil {
		return Verified{}, fmt.Errorf("log: verify %s: %w", dir, err)
	}
	v := verifier{listing: &s, errs: make([]error, len(s.segments))}
	v.do()
	total := Verified{Segments: len(s.segments), Records: v.total.Records, Bytes: v.total.Bytes}
	for _, err := range v.errs {
		if err != nil {
			return total, err
		}
	}
	return total, v.gaps()
}

type verifier struct {
	*listing
	errs []error // by segment

	mu    sync.Mutex // guards the fields below
	next  int        // segment
	total Verified
}

func (v *verifier) do() {
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(v.segments)) {
		wg.Go(func() { // ends when there is no segment left
			for {
				v.mu.Lock()
				i := v.next
				v.next++
				v.mu.Unlock()
				if i >= len(v.segments) {
					return
				}
				records, bytes, err := v.segment(i)
				v.errs[i] = err
				v.mu.Lock()
				v.total.Records += records
				v.total.Bytes += bytes
				v.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// segment reads one segment.
func (v *verifier) segment(i int) (records uint64, bytes int64, err error) {
	seg := v.segments[i]
	if i == len(v.segments)-1 {
		return v.newest(seg)
	}
	src, err := openSource(seg)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil // removed since it was listed
	}
	if err != nil {
		return 0, 0, err
	}
	defer src.Close()
	size, err := src.size()
	if err != nil {
		return 0, 0, err
	}
	if want, ok := v.sealedSize(seg); ok && want != size {
		return 0, 0, resized(seg.File, size, want)
	}
	w := walker{src: src, file: seg.File, index: seg.First, limit: size}
	var rec Record
	for err == nil {
		err = w.next(&rec)
	}
	records, bytes = w.index-seg.First, w.off
	next := v.segments[i+1].First
	switch {
	case w.index == next && (err == io.EOF || err == errZero):
		return records, bytes, nil
	case err == io.EOF && w.index < next && w.index > seg.First:
		return records, bytes, missingRecords(v.wal, w.index, next)
	}
	return records, bytes, damage(&w, err)
}

// sealedSize returns how large a segment was when it was sealed.
func (v *verifier) sealedSize(seg Segment) (size int64, ok bool) {
	if v.m == nil {
		return 0, false
	}
	i, ok := slices.BinarySearchFunc(v.m.sealed, seg.First, func(s sealedEntry, base uint64) int { return cmp.Compare(s.base, base) })
	if !ok {
		return 0, false
	}
	return v.m.sealed[i].size, true
}

// resized says that a sealed segment is longer or shorter than it was.
func resized(file string, size, want int64) error {
	return &CorruptError{File: file, Offset: min(size, want),
		Reason: fmt.Sprintf("it has %d bytes, and had %d when it was sealed", size, want)}
}

// newest reads the newest segment as a Reader does: somebody may be writing it.
func (v *verifier) newest(seg Segment) (records uint64, bytes int64, err error) {
	r := &Reader{listing: *v.listing}
	defer r.Close()
	if err := r.Seek(seg.First); err != nil {
		return 0, 0, err
	}
	err = r.Scan(func(rec *Record) error {
		records++
		bytes += int64(rec.Size)
		return nil
	})
	return records, bytes, err
}

// gaps reports segments of the manifest that are missing at the beginning or
// the end; one in the middle is found by who reads the one before.
func (v *verifier) gaps() error {
	if v.m == nil || v.m.open == 0 {
		return nil
	}
	if len(v.segments) == 0 {
		return missingRecords(v.wal, v.m.first(), v.m.open+1)
	}
	if i := v.segmentOf(v.m.first()); i < 0 {
		return missingRecords(v.wal, v.m.first(), v.segments[0].First)
	}
	if i := v.segmentOf(v.m.open); v.segments[i].First < v.m.open {
		return &CorruptError{File: filepath.Join(v.wal, segmentName(v.m.open)), Index: v.m.open, Reason: "the newest segment is missing"}
	}
	return nil
}

// missingRecords says that the records [from, to) are in no segment.
func missingRecords(wal string, from, to uint64) error {
	return &CorruptError{File: filepath.Join(wal, segmentName(from)), Index: from,
		Reason: fmt.Sprintf("records %d to %d are missing", from, to-1)}
}
