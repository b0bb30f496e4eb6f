package log

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// listing is which segments a directory has, in wal/ and in the archive.
type listing struct {
	dir      string // the data directory; empty when only segments are known
	wal      string
	segments []Segment // oldest first
	m        *manifest // nil when there is none
	clean    uint64

	// A lenient listing does without what it cannot read and takes note of it.
	lenient bool
	passed  []*CorruptError
}

// open finds out what kind of directory it is.
func (s *listing) open(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	s.dir, s.wal = dir, filepath.Join(dir, walName)
	ok, err := exists(s.wal)
	if err == nil && !ok {
		s.dir, s.wal = "", dir
		if filepath.Base(dir) == walName {
			s.dir = filepath.Dir(dir)
		}
	}
	if err == nil {
		err = s.refresh()
	}
	return err
}

// refresh looks at the directory again. The manifest is read before the files
// are listed: a file of it that is then not there was removed meanwhile, which
// the next manifest says, or is missing.
func (s *listing) refresh() error {
	for range 3 {
		var err error
		if s.dir != "" {
			s.clean = readClean(s.dir, slog.New(slog.DiscardHandler))
			if s.m, err = readManifest(s.dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !s.pass(err) {
				return err
			}
		}
		if s.segments, err = s.list(); err != nil {
			return err
		}
		if s.m == nil || s.complete() {
			return nil
		}
	}
	return nil
}

// pass reports whether a listing does without what an error is about.
func (s *listing) pass(err error) bool {
	var corrupt *CorruptError
	if !s.lenient || !errors.As(err, &corrupt) {
		return false
	}
	if !slices.ContainsFunc(s.passed, func(c *CorruptError) bool { return c.File == corrupt.File }) {
		s.passed = append(s.passed, corrupt)
	}
	return true
}

// complete reports whether all segments of the manifest are there.
func (s *listing) complete() bool {
	for _, e := range s.m.sealed {
		if i := s.segmentOf(e.base); i < 0 || s.segments[i].First != e.base {
			return false
		}
	}
	i := s.segmentOf(s.m.open)
	return s.m.open == 0 || i >= 0 && s.segments[i].First == s.m.open
}

// segmentOf returns which segment holds a record, or would.
func (s *listing) segmentOf(index uint64) int {
	return sort.Search(len(s.segments), func(i int) bool { return s.segments[i].First > index }) - 1
}

func (s *listing) list() ([]Segment, error) {
	bases, err := listWAL(s.wal, s.pass)
	if err != nil {
		return nil, err
	}
	var all []Segment
	for base, size := range bases {
		if s.m != nil && base < s.m.first() {
			continue // its removal is under way
		}
		all = append(all, Segment{First: base, File: filepath.Join(s.wal, segmentName(base)), Size: size})
	}
	archive := s.wal
	if s.m != nil {
		if archive = s.m.archive; archive != "" && !filepath.IsAbs(archive) {
			archive = filepath.Join(s.dir, archive)
		}
	}
	if archive != "" {
		entries, err := os.ReadDir(archive)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			name, ok := strings.CutSuffix(e.Name(), archiveSuffix)
			base, err := strconv.ParseUint(name, 10, 64)
			if _, have := bases[base]; !ok || err != nil || len(name) != 20 || have && (s.m == nil || base >= s.m.first()) {
				continue
			}
			if s.m != nil && base >= s.m.first() && !s.m.lists(base) {
				continue // of another log
			}
			if info, err := e.Info(); err == nil {
				all = append(all, Segment{First: base, File: filepath.Join(archive, e.Name()), Size: info.Size(), Archived: true})
			}
		}
	}
	slices.SortFunc(all, func(a, b Segment) int { return cmp.Compare(a.First, b.First) })
	return all, nil
}

const archiveSuffix = ".gz"

// source is the contents of a segment.
type source interface {
	io.ReaderAt
	io.Closer
	size() (int64, error)
}

func openSource(s Segment) (source, error) {
	f, err := os.Open(s.File)
	if err != nil || !s.Archived {
		return fileSource{f}, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		var b []byte
		if b, err = io.ReadAll(z); err == nil {
			return memorySource{bytes.NewReader(b)}, nil
		}
	}
	return nil, &CorruptError{File: s.File, Index: s.First, Reason: err.Error()}
}

type fileSource struct{ *os.File }

func (f fileSource) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

type memorySource struct{ *bytes.Reader }

func (m memorySource) size() (int64, error) { return m.Size(), nil }
func (m memorySource) Close() error         { return nil }
