package log

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Retention bounds the history that is kept. Whole segments go, oldest first.
// The open one and the one before it always stay, and so does everything that
// is needed to know the state at each record that stays. The zero value keeps
// all.
type Retention struct {
	// Age is how old the newest record of a segment may become, by the time it
	// was received here; 0 means any age.
	Age time.Duration

	// Bytes is how large all segments together may become; 0 means any size. It
	// is exceeded by up to two segments.
	Bytes int64

	// Archive is a directory to which segments are moved, compressed with gzip,
	// instead of being deleted. It is made when it is missing, and must be for
	// this log alone. A Reader of the data directory reads it too.
	Archive string
}

func (r *Retention) isSet() bool { return r.Age > 0 || r.Bytes > 0 }

// retainer removes what Retention does not keep. It is the one goroutine of a
// Log, and ends when the log is closed.
func (l *Log) retainer() {
	defer l.wg.Done()
	every := time.Hour
	if age := l.o.Retention.Age; age > 0 {
		every = min(max(age/4, time.Second), every)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := l.retain(time.Now()); err != nil {
			l.o.Logger.Warn("old segments could not be removed; trying again later", "dir", l.dir, "err", err)
		}
		select {
		case <-l.sealed:
		case <-tick.C:
		case <-l.closing:
			return
		}
	}
}

// retain removes the segments that are not to be kept at an instant. The order
// is: copy to the archive, durably; MANIFEST without them, durably; unlink.
func (l *Log) retain(now time.Time) error {
	old, err := l.expired(now)
	if err != nil || len(old) == 0 {
		return err
	}
	archive := l.o.Retention.Archive
	if archive != "" {
		for i, seg := range old {
			if err := l.archiveSegment(seg); err != nil {
				old = old[:i] // what is archived can go
				if i == 0 {
					return err
				}
				l.o.Logger.Warn("a segment could not be archived", "file", seg.path, "err", err)
				break
			}
		}
	}
	if err := l.forget(old); err != nil {
		return err
	}
	for _, seg := range old {
		l.shelf.remove(seg)
		if err := l.unlink(seg); err != nil {
			return err // the next Open removes it
		}
		if l.o.Hooks.Removed != nil {
			l.o.Hooks.Removed(seg.describe(), archive != "")
		}
	}
	return l.o.disk.syncDir(filepath.Join(l.dir, walName))
}

// expired returns the segments that Retention does not keep.
func (l *Log) expired(now time.Time) ([]*segment, error) {
	all := *l.segments.Load()
	bytes := int64(0)
	for _, seg := range all {
		bytes += seg.size.Load()
	}
	r := l.o.Retention
	n := 0
	for ; n+2 < len(all); n++ {
		seg := all[n]
		old := r.Age > 0 && seg.newest.Load() < now.Add(-r.Age).UnixMilli()
		large := r.Bytes > 0 && bytes > r.Bytes
		if !old && !large {
			break
		}
		bytes -= seg.size.Load()
	}
	// What is left must be readable without what goes.
	for ; n > 0; n-- {
		if stands, err := l.stands(all[n]); stands || err != nil {
			return all[:n], err
		}
	}
	return nil, nil
}

// forget takes segments out of MANIFEST, and so out of the log.
func (l *Log) forget(old []*segment) error {
	<-l.shape
	defer func() { l.shape <- struct{}{} }()
	if err := l.Err(); err != nil {
		return err
	}
	m := l.manifest
	m.sealed = append([]sealedEntry(nil), m.sealed[len(old):]...)
	if err := m.write(l.o.disk, l.dir); err != nil {
		// Whichever of the two is on the disk is right, as all files are there.
		return err
	}
	l.manifest = m
	all := append([]*segment(nil), (*l.segments.Load())[len(old):]...)
	l.segments.Store(&all)
	l.first.Store(all[0].base)
	return nil
}

// unlink removes the file of a segment. No segment begins meanwhile: the engine
// does not bear that a file vanishes between its listing the directory and its
// looking at each.
func (l *Log) unlink(seg *segment) error {
	<-l.shape
	defer func() { l.shape <- struct{}{} }()
	return l.o.disk.remove(seg.path)
}

// archiveSegment writes a compressed copy of a segment, durably. The copy was
// verified: the archive is no place for damage.
func (l *Log) archiveSegment(seg *segment) error {
	if err := l.shelf.scan(seg, func(*Record) error { return nil }); err != nil {
		return err
	}
	if err := mkdirs(l.o.disk, l.o.Retention.Archive); err != nil {
		return err
	}
	path := filepath.Join(l.o.Retention.Archive, segmentName(seg.base)+archiveSuffix)
	in, err := os.Open(seg.path)
	if err != nil {
		return err
	}
	defer in.Close()
	if ok, err := exists(path); err != nil {
		return err
	} else if ok { // of a removal that was not finished, or of a log before a repair
		same, err := unpacksTo(path, in)
		if same || err == nil {
			return otherSegment(path, same)
		}
		if _, err := in.Seek(0, io.SeekStart); err != nil { // a copy that is damaged is replaced
			return err
		}
	}
	temporary := path + tempSuffix
	if err := l.o.disk.remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := compress(l.o.disk, temporary, in); err != nil {
		return err
	}
	if err := l.o.disk.rename(temporary, path); err != nil {
		return err
	}
	return l.o.disk.syncDir(l.o.Retention.Archive)
}

func otherSegment(path string, same bool) error {
	if same {
		return nil
	}
	return fmt.Errorf("%s is of another log; the archive must be for this one alone", path)
}

// unpacksTo reports whether a compressed file holds what a reader gives. The
// error is that of the file.
func unpacksTo(path string, want io.Reader) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return false, err
	}
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	same := true
	for {
		n, err := z.Read(a)
		if err != nil && err != io.EOF {
			return false, err
		}
		m, _ := io.ReadFull(want, b[:n])
		same = same && m == n && bytes.Equal(a[:n], b[:n])
		if err == io.EOF {
			more, _ := io.ReadFull(want, b[:1])
			return same && more == 0, nil
		}
	}
}

// compress writes a new compressed file with synced contents.
func compress(d disk, path string, in io.Reader) error {
	f, err := d.create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(&fileWriter{f: f}, 256<<10)
	z := gzip.NewWriter(out)
	if _, err = io.Copy(z, in); err == nil {
		err = z.Close()
	}
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.sync()
	}
	if e := f.close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// fileWriter writes a file from its beginning on.
type fileWriter struct {
	f  file
	at int64
}

func (w *fileWriter) Write(b []byte) (int, error) {
	if err := w.f.write(b, w.at); err != nil {
		return 0, err
	}
	w.at += int64(len(b))
	return len(b), nil
}

// archivePath is how MANIFEST names the archive: relative to the data directory
// when it is in there, so that both can be moved.
func archivePath(dir, archive string) (string, error) {
	if archive == "" {
		return "", nil
	}
	archive, err := filepath.Abs(archive)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, archive); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return rel, nil
	}
	return archive, nil
}
