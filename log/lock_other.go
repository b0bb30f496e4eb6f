//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package log

import (
	"fmt"
	"os"
)

// lockFile refuses: without a lock that ends with the process, two of them
// could write one log.
func lockFile(path string) (*os.File, error) {
	return nil, fmt.Errorf("lock %s: %w", path, os.ErrInvalid)
}
