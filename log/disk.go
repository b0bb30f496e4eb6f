package log

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tidwall/wal"
)

// disk is everything that changes a data directory. It is an interface because
// the tests record what is done through it, let any step of it fail, and stop
// the process in the middle of it. Reading needs no such thing.
type disk interface {
	mkdir(path string) error
	create(path string) (file, error) // which must not exist
	edit(path string) (file, error)   // which must exist
	rename(from, to string) error
	remove(path string) error
	syncDir(path string) error // makes the names in it durable
	openWAL(dir string) (engine, error)
}

// file is one open for writing.
type file interface {
	write(b []byte, at int64) error
	truncate(size int64) error
	allocate(size int64) error // grows the file to size; what is new reads as zero
	sync() error               // makes the contents and the size durable
	close() error
}

// engine is the part of tidwall/wal that this package uses. One engine writes
// one segment; see Log.cut.
type engine interface {
	WriteBatch(b *wal.Batch) error
	Read(index uint64) ([]byte, error)
	LastIndex() (uint64, error)
	Close() error
}

// osDisk is the disk of the operating system.
type osDisk struct{}

func (osDisk) mkdir(path string) error      { return os.Mkdir(path, 0o750) }
func (osDisk) rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) remove(path string) error     { return os.Remove(path) }

func (osDisk) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) edit(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) openWAL(dir string) (engine, error) {
	// An engine never cuts a segment by itself: this package does, by opening
	// another engine on a new file. So the size it is given has no end.
	return wal.Open(dir, &wal.Options{
		NoSync: true, NoCopy: true, AllowEmpty: true,
		SegmentSize: int(^uint(0) >> 1), SegmentCacheSize: 1,
		DirPerms: 0o750, FilePerms: 0o640,
	})
}

type osFile struct{ *os.File }

func (f osFile) write(b []byte, at int64) error { _, err := f.WriteAt(b, at); return err }
func (f osFile) truncate(size int64) error      { return f.Truncate(size) }
func (f osFile) close() error                   { return f.Close() }

// mkdirs makes a directory and what is missing above it, each durable in its
// parent.
func mkdirs(d disk, path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: path, Err: errors.New("is not a directory")}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := mkdirs(d, parent); err != nil {
			return err
		}
	}
	if err := d.mkdir(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncDir(parent)
}

// writeFile replaces a file at once: whoever reads it finds the old bytes or
// the new ones. It is durable after the next syncDir of its directory.
func writeFile(d disk, path string, b []byte) error {
	temporary := path + tempSuffix
	if err := d.remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := createFile(d, temporary, b); err != nil {
		return err
	}
	return d.rename(temporary, path)
}

// createFile makes a new file with synced contents.
func createFile(d disk, path string, b []byte) error {
	f, err := d.create(path)
	if err != nil {
		return err
	}
	if err = f.write(b, 0); err == nil {
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

// The names in a data directory. Those in wal/ are the engine's: the index of
// the first record as 20 digits.
const (
	lockName       = "LOCK"
	identityName   = "identity.json"
	manifestName   = "MANIFEST"
	cleanName      = "CLEAN"
	checkpointName = "cluster-state.json"
	walName        = "wal"
	quarantineName = "quarantine"
	tempSuffix     = ".tmp"
)

func segmentName(base uint64) string { return fmt.Sprintf("%020d", base) }
