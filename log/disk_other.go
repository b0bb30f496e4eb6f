//go:build !linux

package log

import "errors"

func (f osFile) sync() error { return f.Sync() }

// allocate is not there: a segment grows with every append, as any file does.
func (f osFile) allocate(int64) error { return errors.ErrUnsupported }
