package log

import (
	"errors"
	"fmt"
)

var (
	// ErrLocked is returned by Open when another Log, in this process or
	// another one, has the directory open.
	ErrLocked = errors.New("log: directory in use")

	// ErrFailed is returned by what writes once a write or a sync has failed,
	// and by the call that failed; that one wraps the cause. What it wrote may
	// or may not be found by the next Open. Reading goes on.
	ErrFailed = errors.New("log: failed, reopen to recover")

	// ErrCompacted is returned by reads of what is no longer kept, or was never
	// kept here because it came inside a snapshot.
	ErrCompacted = errors.New("log: range compacted")

	// ErrClosed is returned by what is called after Close.
	ErrClosed = errors.New("log: closed")

	// ErrTooLarge is returned by Append and AppendSnapshot for what exceeds
	// MaxBatch or MaxSnapshot. Nothing was written.
	ErrTooLarge = errors.New("log: batch too large")
)

// CorruptError says that something durable is damaged: it was changed, cut off
// or lost after it had been written. Nothing was touched; see [Repair].
type CorruptError struct {
	File   string // path of the damaged or missing file
	Offset int64  // of the first byte that is wrong
	Index  uint64 // of the first record that cannot be read; 0 when not known
	Reason string // what is wrong, for people
}

// Error says where the damage is.
func (e *CorruptError) Error() string {
	if e.Index == 0 {
		return fmt.Sprintf("log: %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
	}
	return fmt.Sprintf("log: %s is damaged at byte %d, record %d: %s", e.File, e.Offset, e.Index, e.Reason)
}

// IdentityError says that a directory belongs to somebody else. Nothing was
// changed.
type IdentityError struct {
	Dir   string
	Field string // "node" or "cluster"
	Want  string // what Options says
	Have  string // what the directory says
}

// Error names the field and both values.
func (e *IdentityError) Error() string {
	return fmt.Sprintf("log: %s belongs to %s %q, not to %q", e.Dir, e.Field, e.Have, e.Want)
}
