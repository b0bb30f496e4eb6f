package log

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// sync is fdatasync: it skips what readers do not need, such as times, and so
// writes no metadata at all while the file does not grow.
func (f osFile) sync() error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		runtime.KeepAlive(f.File)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}

func (f osFile) allocate(size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	at := info.Size()
	if size <= at {
		return nil
	}
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, at, size-at)
		runtime.KeepAlive(f.File)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		}
	}
}
