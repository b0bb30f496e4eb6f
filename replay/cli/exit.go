package cli

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/skshohagmiah/clusterkit/replay"
)

// The exit codes. Damage is never 0, and what was not compared is never equal.
const (
	exitYes         = 0   // done; the answer is yes, equal, clean
	exitNo          = 1   // done; the answer is no, different, not found
	exitUsage       = 2   // the command makes no sense
	exitUnreadable  = 3   // a log cannot be read, an output cannot be written
	exitDamaged     = 4   // a log is damaged; what is intact was printed
	exitUnknown     = 5   // there is not enough evidence
	exitInterrupted = 130 // by a signal
)

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// exitCode returns the code for an error that ended a command. A line that is
// no event is damage too.
func exitCode(err error) int {
	var usage *usageError
	var point *replay.PointError
	var damage *replay.Damage
	var expression *replay.ExpressionError
	var change *replay.ChangeError
	var line *replay.LineError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return exitYes // whoever read the output has had enough
	case errors.As(err, &usage), errors.As(err, &point), errors.As(err, &expression), errors.As(err, &change):
		return exitUsage
	case errors.As(err, &damage), errors.As(err, &line):
		return exitDamaged
	case errors.Is(err, replay.ErrNotFound):
		return exitNo
	case errors.Is(err, replay.ErrNotKept), errors.Is(err, replay.ErrBeyond), errors.Is(err, replay.ErrEmpty), errors.Is(err, replay.ErrRedaction):
		return exitUnknown
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitUnreadable
}
