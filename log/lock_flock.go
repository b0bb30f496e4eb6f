//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package log

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock of a directory for the life of the returned file. It
// is the kernel that holds it, so it goes with the process, however that ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrLocked
	}
	return nil, &os.PathError{Op: "flock", Path: path, Err: err}
}
