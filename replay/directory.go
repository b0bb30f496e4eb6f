package replay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// directory reads a data directory, or a wal directory.
type directory struct {
	path string
	abs  string
	list []segment

	incomplete *Damage // what the list of segments shows to be wrong, without reading one

	mu   sync.Mutex         // guards idle
	idle []*eventlog.Reader // their listings and buffers are used again
}

// maxIdle bounds the readers that are kept for later.
const maxIdle = 4

// reader returns a reader for one goroutine, which gives it back to release.
func (d *directory) reader() (*eventlog.Reader, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.idle); n > 0 {
		r := d.idle[n-1]
		d.idle = d.idle[:n-1]
		return r, nil
	}
	return eventlog.OpenReader(d.path)
}

// release closes the file that a reader has open and keeps the rest of it.
func (d *directory) release(r *eventlog.Reader) {
	r.Close() // it was only read
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.idle) < maxIdle {
		d.idle = append(d.idle, r)
	}
}

// openDirectory opens the log in path. It fails when there is none.
func openDirectory(path string) (*directory, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	d := &directory{path: path, abs: abs}
	r, err := eventlog.OpenReader(path)
	var corrupt *eventlog.CorruptError
	if errors.As(err, &corrupt) {
		return nil, &Damage{File: d.name(corrupt.File), Offset: corrupt.Offset, Reason: corrupt.Reason}
	}
	if err != nil {
		return nil, err
	}
	defer d.release(r)
	segments, err := r.Listed()
	if errors.As(err, &corrupt) {
		d.incomplete = &Damage{File: d.name(corrupt.File), Offset: corrupt.Offset, From: corrupt.Index, Reason: corrupt.Reason}
	}
	for _, s := range segments {
		d.list = append(d.list, segment{first: s.First, file: d.name(s.File)})
	}
	if len(d.list) == 0 {
		if err := d.noLog(); err != nil {
			return nil, err
		}
		d.list = []segment{{first: 1, file: path}}
	}
	return d, nil
}

// noLog says so when a directory without segments is no log: not even one in which
// nothing was written yet.
func (d *directory) noLog() error {
	is := func(name string) bool {
		_, err := os.Stat(filepath.Join(d.path, name))
		return err == nil
	}
	if is("wal") || filepath.Base(d.abs) == "wal" {
		return nil
	}
	if is("MANIFEST") || is("identity.json") {
		return &Damage{File: filepath.Join(d.path, "wal"), Reason: "the directory is missing"}
	}
	inside, err := filepath.Glob(filepath.Join(d.path, "*", "wal"))
	for i := range inside {
		inside[i] = filepath.Dir(inside[i])
	}
	switch {
	case err != nil || len(inside) == 0:
		return errors.New("there is no log in this directory")
	case len(inside) > 3:
		inside = append(inside[:3], "...")
	}
	return fmt.Errorf("there is no log in this directory, but in %s", strings.Join(inside, ", "))
}

func (d *directory) segments() []segment { return d.list }

func (d *directory) close() error { return nil }

// base reads the snapshot with which segment i begins. When the program that
// wrote the log made none, it folds what comes before.
func (d *directory) base(ctx context.Context, i int) (*projection.State, error) {
	var state *projection.State
	err := d.opening(i, func(b []byte) (err error) {
		if len(b) > 0 {
			state, err = projection.ReadSnapshot(b)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case state != nil:
		return state, nil
	case i == 0:
		return projection.NewState(), nil
	}
	state, err = d.base(ctx, i-1)
	if err != nil {
		return nil, err
	}
	var decoder events.Decoder
	for e, err := range d.entries(ctx, d.list[i-1].first) {
		switch {
		case err != nil:
			return nil, err
		case e.Index >= d.list[i].first:
			return state, nil
		case e.IsEvent():
			if err := e.load(&decoder); err != nil {
				return nil, err
			}
			state.Apply(&e.Event)
		case len(e.Snapshot) > 0:
			other, err := projection.ReadSnapshot(e.Snapshot)
			if err != nil {
				return nil, err
			}
			state.Merge(other)
		}
	}
	return state, nil
}

// opening gives use the bytes of the snapshot with which segment i begins, which
// are valid until it returns. There are none at the end of a log.
func (d *directory) opening(i int, use func(b []byte) error) error {
	r, err := d.reader()
	if err != nil {
		return err
	}
	defer d.release(r)
	if err := r.Seek(d.list[i].first); err != nil {
		return err
	}
	met := false
	err = r.Scan(func(record *eventlog.Record) error {
		met = true
		if record.Kind != eventlog.KindSnapshot {
			return &Damage{File: d.name(record.File), From: record.Index, Until: record.Index, Reason: "no snapshot at the start"}
		}
		if err := use(record.Bytes); err != nil {
			return err
		}
		return errStop
	})
	var corrupt *eventlog.CorruptError
	switch {
	case err == nil && !met:
		return use(nil)
	case errors.As(err, &corrupt):
		return &Damage{File: d.name(corrupt.File), Offset: corrupt.Offset, From: d.list[i].first, Until: d.list[i].first + 1, Reason: corrupt.Reason}
	}
	return unlessStop(err)
}

// marks reads no more than the beginning of that snapshot.
func (d *directory) marks(ctx context.Context, i int) (marks, error) {
	var m marks
	ok := false
	err := d.opening(i, func(b []byte) error {
		m, ok = marksOfSnapshot(b)
		return nil
	})
	if err != nil || ok {
		return m, err
	}
	state, err := d.base(ctx, i)
	if err != nil {
		return nil, err
	}
	return marksOfState(state), nil
}

// newest gives do each record of the newest segment, and reports whether they are
// all there is in it. When it reports false, entries tells what is.
func (d *directory) newest(do func(r *eventlog.Record) bool) bool {
	r, err := d.reader()
	if err != nil {
		return false
	}
	defer d.release(r)
	return r.ScanNewest(do)
}

// entries reads on from a local index. What is damaged is skipped and told.
func (d *directory) entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) { d.scan(ctx, from, nil, yield) }
}

// scan reads on from a local index to the end, and beyond it as long as idle,
// when there is one, says that it is worth another look.
func (d *directory) scan(ctx context.Context, from uint64, idle func() bool, yield func(*Entry, error) bool) {
	r, err := d.reader()
	if err != nil {
		yield(nil, err)
		return
	}
	defer d.release(r)
	if from <= d.list[0].first {
		from = 0 // the reader then tells what is missing before the first segment
	}
	if err := r.Seek(from); err != nil {
		yield(nil, kept(err))
		return
	}
	s := scanner{directory: d, reader: r, yield: yield, next: from, idle: idle}
	s.run(ctx)
}

// kept makes ErrNotKept of what the log says when something was removed.
func kept(err error) error {
	if errors.Is(err, eventlog.ErrCompacted) {
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	return err
}

// scanner turns records into entries.
type scanner struct {
	*directory
	reader *eventlog.Reader
	yield  func(*Entry, error) bool
	entry  Entry
	idle   func() bool
	next   uint64  // index behind the last record that was read
	damage *Damage // met, and not yet told because its end is not known
	file   string  // as records name it
	shown  string  // as the answer names it
	count  int
}

func (s *scanner) run(ctx context.Context) {
	for {
		err := s.reader.Scan(func(r *eventlog.Record) error {
			if s.count++; s.count%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			return s.record(r)
		})
		var corrupt *eventlog.CorruptError
		switch {
		case err == nil && s.idle != nil:
			if !s.tell(0) || !s.idle() {
				return
			}
		case err == nil:
			s.end()
			return
		case errors.Is(err, errStop):
			return
		case errors.As(err, &corrupt):
			if d := s.damageOf(corrupt); s.damage != nil && s.damage.File == d.File && s.damage.Offset == d.Offset {
				s.end() // nothing follows it
				return
			} else if !s.tell(0) {
				return
			} else {
				s.damage = d
			}
			if err := s.reader.Skip(); err != nil {
				s.end()
				return
			}
		default:
			s.yield(nil, kept(err))
			return
		}
	}
}

// record yields one record.
func (s *scanner) record(r *eventlog.Record) error {
	if !s.tell(r.Index) {
		return errStop
	}
	s.next = r.Index + 1
	e := &s.entry // field by field: it is large, and there are many
	e.Index, e.Received, e.File, e.Offset, e.Size = r.Index, r.Received, s.name(r.File), r.Offset, r.Size
	e.Base, e.Snapshot, e.raw = false, nil, nil
	if e.Event.Seq != 0 {
		e.Event = events.Event{}
	}
	if r.Kind == eventlog.KindSnapshot {
		s.entry.Base = r.Offset == 0
		if s.entry.Snapshot = r.Bytes; r.Bytes == nil {
			s.entry.Snapshot = []byte{}
		}
	} else {
		var ok bool
		if s.entry.glance, ok = glanceAt(r.Bytes); !ok {
			s.damage = &Damage{File: s.entry.File, Offset: r.Offset, Bytes: int64(r.Size), From: r.Index, Reason: "no event"}
			return nil
		}
		s.entry.raw = r.Bytes
	}
	if !s.yield(&s.entry, nil) {
		return errStop
	}
	return nil
}

// tell yields damage that was met, now that it is known where it ends.
func (s *scanner) tell(until uint64) bool {
	d := s.damage
	if d == nil {
		return true
	}
	d.Until, s.damage = until, nil
	return s.yield(nil, d)
}

// end tells what is wrong with the end of the log. A tail that was cut off by
// a crash, or is being written, is not.
func (s *scanner) end() {
	if s.tell(0) {
		if corrupt := s.reader.Torn().Damaged; corrupt != nil {
			s.yield(nil, s.damageOf(corrupt))
		}
	}
}

func (s *scanner) damageOf(corrupt *eventlog.CorruptError) *Damage {
	return &Damage{File: s.name(corrupt.File), Offset: corrupt.Offset, From: max(corrupt.Index, s.next), Reason: corrupt.Reason}
}

// name returns the path of a file as the caller would have written it.
func (s *scanner) name(file string) string {
	if file != s.file {
		s.file, s.shown = file, s.directory.name(file)
	}
	return s.shown
}

func (d *directory) name(file string) string {
	if rest, ok := strings.CutPrefix(file, d.abs+string(filepath.Separator)); ok {
		return filepath.Join(d.path, rest)
	}
	return file
}

// identityOf returns whose log the directory holds, as far as it says so.
func identityOf(path string) (node, cluster string) {
	id, err := eventlog.ReadIdentity(path)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(filepath.Clean(path)) == "wal" {
		id, err = eventlog.ReadIdentity(filepath.Dir(filepath.Clean(path)))
	}
	if err != nil {
		return "", ""
	}
	return id.NodeID, id.Cluster
}
