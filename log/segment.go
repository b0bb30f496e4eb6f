package log

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync/atomic"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/tidwall/wal"
)

// Segment describes one file of a log.
type Segment struct {
	First    uint64 // index of its first record, which is a snapshot
	File     string // path
	Size     int64  // bytes of records; of an archived segment, of the file
	Archived bool   // compressed and moved away by Retention
}

// segment is one file of an open log, as readers see it.
type segment struct {
	base   uint64
	path   string
	size   atomic.Int64 // bytes of durable records
	last   atomic.Uint64
	newest atomic.Int64 // time of the last record
	sealed atomic.Bool  // size and last do not change any more

	engine engine // of a segment that this Log began or opened for writing

	// What the shelf may take away again, but not from the open segment.
	table atomic.Pointer[table]
	marks atomic.Pointer[[]uint32]
	heads atomic.Pointer[events.Vector] // what was appended before it
	file  atomic.Pointer[os.File]
	used  [shelfKinds]atomic.Bool
}

func (s *segment) describe() Segment {
	return Segment{First: s.base, File: s.path, Size: s.size.Load()}
}

// segmentOf returns which of the segments holds a record, or would.
func segmentOf(all []*segment, index uint64) int {
	return sort.Search(len(all), func(i int) bool { return all[i].base > index }) - 1
}

// writer writes the open segment. It belongs to whoever holds the token of the
// log.
type writer struct {
	seg        *segment // nil when the log has none
	engine     engine   // nil when there is no open segment, or it was closed
	file       file     // our own descriptor: a sync on it sees every error of a write-back; nil likewise
	size       int64    // bytes of records
	opening    int64    // bytes of the first record, the snapshot
	allocated  int64    // size of the file
	noAllocate bool     // the file system cannot
	heads      map[events.LogID]uint64
	received   int64 // of the last record

	batch   wal.Batch
	payload []byte  // of one record, used again
	places  []place // of the records in batch
}

// full reports whether so many bytes more go into the next segment. One that
// has nothing but its snapshot is never full, so that there is progress
// whatever the size of the snapshot; and one that begins with a large snapshot
// takes as much again, so that snapshots are at most half of all.
func (w *writer) full(more int64, segmentSize int) bool {
	limit := w.opening + max(int64(segmentSize)-w.opening, w.opening)
	return w.seg == nil || w.size > w.opening && w.size+more > limit
}

// allocate makes room for so many bytes more in steps, so that most appends do
// not change the size of the file: a sync then has no metadata to write. Where
// that is not possible the file grows with each append instead.
func (w *writer) allocate(more int64) {
	need := w.size + more
	if need <= w.allocated || w.noAllocate {
		return
	}
	const least, most = 64 << 10, 1 << 20
	step := min(max(w.allocated, least), most)
	to := (need + step + least - 1) / least * least
	if w.file.allocate(to) == nil {
		w.allocated = to
	} else {
		w.noAllocate = true // no room or no such call; the write will tell
	}
}

// close gives back the open segment. All of it is durable already; the file
// loses what was allocated and not used. Everything is given back even when
// something fails.
func (w *writer) close() (err error) {
	if w.file != nil && w.allocated > w.size {
		w.allocated = w.size
		err = w.file.truncate(w.size)
	}
	if w.engine != nil {
		if e := w.engine.Close(); err == nil {
			err = e // it syncs the file, size included
		}
	}
	if w.file != nil {
		if e := w.file.close(); err == nil {
			err = e
		}
	}
	w.engine, w.file = nil, nil
	return err
}

// cut seals the open segment, if there is one, and begins the next. The steps
// are in this order:
//
//  1. cut the old file to its records and sync it
//  2. create the new file, sync wal/
//  3. write MANIFEST anew, durably
//  4. only then is anything written to the new file
//
// The engine would cut by itself, in the middle of a batch and without syncing
// the directory; it is never let.
func (l *Log) cut() error {
	<-l.shape
	defer func() { l.shape <- struct{}{} }()
	w, m := &l.writer, l.manifest
	base := l.last.Load() + 1
	if w.seg != nil {
		if err := w.close(); err != nil {
			return fmt.Errorf("seal %s: %w", w.seg.path, err)
		}
		w.seg.newest.Store(w.received)
		w.seg.sealed.Store(true)
		m.sealed = append(m.sealed[:len(m.sealed):len(m.sealed)], sealedEntry{w.seg.base, w.size, w.received})
		if l.o.Hooks.Sealed != nil {
			l.o.Hooks.Sealed(w.seg.describe())
		}
	}
	next := &segment{base: base, path: filepath.Join(l.dir, walName, segmentName(base))}
	f, err := l.o.disk.create(next.path)
	if err != nil {
		return fmt.Errorf("begin a segment: %w", err)
	}
	w.file = f
	if err = l.o.disk.syncDir(filepath.Dir(next.path)); err != nil {
		return fmt.Errorf("begin a segment: %w", err)
	}
	m.open = base
	if err = m.write(l.o.disk, l.dir); err != nil {
		return err
	}
	l.manifest = m
	old := w.seg
	w.size, w.opening, w.allocated = 0, 0, 0
	if err = l.engage(next, newTable(), events.Vector(w.heads).Clone()); err == nil && old != nil {
		l.shelf.put(shelfTables, old)
		l.shelf.put(shelfHeads, old)
		select {
		case l.sealed <- struct{}{}:
		default:
		}
	}
	return err
}

// engage opens the engine on the newest segment and shows it to readers, with
// its table and what was appended before it.
func (l *Log) engage(seg *segment, t *table, heads events.Vector) error {
	w := &l.writer
	engine, err := l.o.disk.openWAL(filepath.Dir(seg.path))
	if err != nil {
		return fmt.Errorf("open the engine: %w", err)
	}
	w.engine, seg.engine = engine, engine
	want := l.last.Load()
	if last, err := engine.LastIndex(); err != nil || last != want {
		return fmt.Errorf("the engine ends at record %d, want %d (%v)", last, want, err)
	}
	seg.heads.Store(&heads)
	seg.table.Store(t)
	w.seg = seg
	all := append([]*segment(nil), *l.segments.Load()...)
	if n := len(all); n > 0 && all[n-1].base == seg.base {
		all = all[:n-1]
	}
	all = append(all, seg)
	l.segments.Store(&all)
	l.first.Store(all[0].base)
	l.growth.happened()
	return nil
}
