package log

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// Options say whose log it is and how it is kept.
type Options struct {
	// NodeID and Cluster are written to a new directory and must be those of an
	// existing one. Both are required.
	NodeID  string
	Cluster string

	// SegmentSize is how many bytes a segment takes before the next one is
	// begun; 0 means 4 MiB, the least is 4 KiB. A segment whose snapshot is large
	// becomes larger, so that snapshots take at most half of the log.
	SegmentSize int

	// Snapshot returns the state of everything that Append and AppendSnapshot
	// have returned for so far. It is called by Append and AppendSnapshot when a
	// segment begins, on the goroutine of a caller, never two at a time; its
	// result is not kept. When it is nil or returns nothing, segments do not
	// stand by themselves: Load reads from the first one on, and nothing is ever
	// removed.
	Snapshot func() []byte

	// Retention bounds the history; the zero value keeps all of it.
	Retention Retention

	// Logger hears of repairs and failures; nil means slog.Default().
	Logger *slog.Logger

	// Hooks are told what happens, for metrics.
	Hooks Hooks

	disk disk // for tests
}

// Hooks are functions that are called when something happens; each may be nil.
// They must not call the log and should return at once.
type Hooks struct {
	Appended func(records, bytes int, took time.Duration) // a group of batches is durable
	Sealed   func(s Segment)                              // a segment is full
	Removed  func(s Segment, archived bool)               // a segment is no longer kept
	Repaired func(file string, bytes int64)               // Open moved a torn tail to quarantine
	Failed   func(err error)                              // the log is poisoned
	// Syncing is called when records, or a checkpoint, are written and before
	// they are made durable. What it waits for, all wait for: a test can let
	// the disk stall.
	Syncing func()
}

func (h *Hooks) syncing() {
	if h.Syncing != nil {
		h.Syncing()
	}
}

const (
	defaultSegmentSize = 4 << 20
	leastSegmentSize   = 4 << 10
)

func (o Options) withDefaults() (Options, error) {
	var errs []error
	if err := events.CheckNodeID(o.NodeID); err != nil {
		errs = append(errs, fmt.Errorf("NodeID: %w", err))
	}
	if o.Cluster == "" {
		errs = append(errs, errors.New("no Cluster"))
	}
	switch {
	case o.SegmentSize == 0:
		o.SegmentSize = defaultSegmentSize
	case o.SegmentSize < leastSegmentSize || o.SegmentSize > MaxSnapshot:
		errs = append(errs, fmt.Errorf("SegmentSize: %d, want %d to %d", o.SegmentSize, leastSegmentSize, MaxSnapshot))
	}
	if o.Retention.Age < 0 || o.Retention.Bytes < 0 {
		errs = append(errs, errors.New("Retention: is negative"))
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	return o, errors.Join(errs...)
}

// Log is an open log: the one writer of a data directory. All methods are safe
// for concurrent use.
type Log struct {
	dir  string
	o    Options
	lock *os.File

	identity atomic.Pointer[Identity]
	segments atomic.Pointer[[]*segment] // oldest first; a slice in it is never changed
	first    atomic.Uint64              // index of the oldest record that is kept
	last     atomic.Uint64              // index of the newest durable record
	repaired atomic.Int64               // bytes that Open moved to quarantine
	failure  atomic.Pointer[error]
	closing  chan struct{} // closed by Close
	sealed   chan struct{} // tells the retainer that a segment was sealed
	growth   growth
	shelf    shelf
	queue    queue

	checkpoint chan struct{} // holds one token: the right to write a checkpoint

	// The right to write is a token. Who takes it from the channel owns the
	// fields below until it gives it back. It is not a mutex, because it is held
	// while the disk works.
	token  chan struct{}
	writer writer
	closed bool

	// The right to begin and to remove segments is a token as well. Who begins
	// one has the other token already; who removes some takes only this one, so
	// that appends go on meanwhile.
	shape    chan struct{}
	manifest manifest

	wg sync.WaitGroup // the goroutine of Retention
}

// Stats are figures of a log at one instant.
type Stats struct {
	First, Last   uint64 // indexes of the oldest and the newest record; see Log.First
	Segments      int
	Bytes         int64 // of all records
	RepairedBytes int64 // moved to quarantine by Open
}

// Identity returns whose log it is.
func (l *Log) Identity() Identity { return *l.identity.Load() }

// First returns the index of the oldest record that is kept. It is beyond Last
// when there is none.
func (l *Log) First() uint64 { return l.first.Load() }

// Last returns the index of the newest durable record, 0 when there is none.
func (l *Log) Last() uint64 { return l.last.Load() }

// Stats returns the figures of the log.
func (l *Log) Stats() Stats {
	all := *l.segments.Load()
	s := Stats{First: l.First(), Last: l.Last(), Segments: len(all), RepairedBytes: l.repaired.Load()}
	for _, seg := range all {
		s.Bytes += seg.size.Load()
	}
	return s
}

// Err returns nil while the log can be written. After a write or a sync has
// failed it returns an error that wraps ErrFailed and the cause, until Close.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Rotate gives the log a new LogID, for a node whose own log has forked. It is
// durable when Rotate returns; the records stay as they are.
func (l *Log) Rotate() (Identity, error) {
	if err := l.acquire(); err != nil {
		return Identity{}, err
	}
	defer l.release()
	old := l.Identity()
	id := newIdentity(old.NodeID, old.Cluster)
	if err := id.write(l.o.disk, l.dir); err != nil {
		return Identity{}, l.fail(fmt.Errorf("rotate: %w", err))
	}
	l.identity.Store(&id)
	return id, nil
}

// acquire takes the right to write.
func (l *Log) acquire() error {
	<-l.token
	err := l.Err()
	if l.closed {
		err = ErrClosed
	}
	if err != nil {
		l.release()
	}
	return err
}

func (l *Log) release() { l.token <- struct{}{} }

// fail poisons the log and returns the error that says so.
func (l *Log) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	if l.failure.CompareAndSwap(nil, &err) {
		l.o.Logger.Error("the log failed; it takes no more records until it is opened again", "dir", l.dir, "err", cause)
		if l.o.Hooks.Failed != nil {
			l.o.Hooks.Failed(cause)
		}
	}
	return l.Err()
}

// Close gives the directory back. A log that has not failed is marked as
// cleanly closed, so that the next Open knows where it must end. Readers and
// cursors that wait get ErrClosed. A second Close does nothing.
func (l *Log) Close() error {
	<-l.token
	if l.closed {
		l.release()
		return nil
	}
	l.closed = true
	close(l.closing)
	l.release()
	l.wg.Wait()
	<-l.checkpoint // a checkpoint that was under way
	l.checkpoint <- struct{}{}
	<-l.token // nobody takes it for writing any more
	defer l.release()
	failed := l.Err() != nil
	if failed {
		l.writer.allocated = 0 // leave the file as it is, for Open to look at
	}
	err := l.writer.close()
	if err == nil && !failed {
		err = cleanMark{Last: l.last.Load()}.write(l.o.disk, l.dir)
	}
	l.shelf.close()
	if e := l.lock.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("log: close %s: %w", l.dir, err)
	}
	return nil
}

// WriteCheckpoint replaces cluster-state.json, at once and durably.
func (l *Log) WriteCheckpoint(b []byte) error {
	<-l.checkpoint
	defer func() { l.checkpoint <- struct{}{} }()
	select {
	case <-l.closing:
		return ErrClosed
	default:
	}
	l.o.Hooks.syncing()
	err := writeFile(l.o.disk, filepath.Join(l.dir, checkpointName), b)
	if err == nil {
		err = l.o.disk.syncDir(l.dir)
	}
	if err != nil {
		return fmt.Errorf("log: checkpoint: %w", err)
	}
	return nil
}

// ReadCheckpoint returns the newest checkpoint of a data directory, as it was
// given to WriteCheckpoint. It wraps fs.ErrNotExist when there is none.
func ReadCheckpoint(dir string) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, checkpointName))
}

// growth lets readers wait for the log to grow.
type growth struct {
	waiting atomic.Bool
	mu      sync.Mutex // guards changed
	changed chan struct{}
}

// next returns a channel that is closed at the next growth.
func (g *growth) next() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changed == nil {
		g.changed = make(chan struct{})
		g.waiting.Store(true)
	}
	return g.changed
}

// happened wakes all who wait.
func (g *growth) happened() {
	if !g.waiting.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting.Store(false)
	close(g.changed)
	g.changed = nil
}
