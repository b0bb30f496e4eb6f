package log

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// Open opens the log in a data directory, which it makes when there is none. It
// takes the lock, checks whose log it is, repairs a tail that a crash left
// torn, and is then ready for Append. It reads one segment, however many there
// are.
//
// It fails, with nothing changed, with ErrLocked when the directory is in use,
// with an *IdentityError when it belongs to another node or cluster, and with
// a *CorruptError when something that was durable is damaged or missing.
func Open(dir string, o Options) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("log: options: %w", err)
	}
	if dir, err = filepath.Abs(dir); err == nil {
		var l *Log
		if l, err = open(dir, o); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("open %s: %w", dir, err)
}

func open(dir string, o Options) (*Log, error) {
	// Whose directory it is comes first, so that a wrong one is not even locked.
	if id, err := ReadIdentity(dir); err == nil {
		if err := id.check(dir, &o); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := mkdirs(o.disk, dir); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	l := &Log{dir: dir, o: o, lock: lock, closing: make(chan struct{}), sealed: make(chan struct{}, 1),
		token: make(chan struct{}, 1), shape: make(chan struct{}, 1), checkpoint: make(chan struct{}, 1)}
	l.segments.Store(new([]*segment))
	l.writer.heads = make(map[events.LogID]uint64)
	l.first.Store(1)
	r := recovery{l: l, d: o.disk, dir: dir, wal: filepath.Join(dir, walName)}
	if err := r.run(); err != nil {
		lock.Close()
		return nil, err
	}
	l.token <- struct{}{}
	l.shape <- struct{}{}
	l.checkpoint <- struct{}{}
	if o.Retention.isSet() {
		l.wg.Add(1)
		go l.retainer() // ends when l.closing is closed
	}
	return l, nil
}

// recovery brings a directory into the state that a clean Close leaves, and a
// Log with it. Everything that can be found out is found out before anything
// is changed.
type recovery struct {
	l        *Log
	d        disk
	dir, wal string

	fresh   bool // there was no identity
	m       *manifest
	rewrite bool // the manifest on disk is not m
	bases   map[uint64]int64
	newest  *survey // nil when the log has no record
	adopted []*survey
	dropped []*survey // begun and without a whole batch
}

func (r *recovery) run() error {
	if err := r.inspect(); err != nil {
		return err
	}
	if err := r.repair(); err != nil {
		return err
	}
	return r.start()
}

// inspect finds out what there is. It changes nothing.
func (r *recovery) inspect() error {
	var err error
	if r.bases, err = listWAL(r.wal, nil); err != nil {
		return err
	}
	if err = r.readIdentity(); err != nil {
		return err
	}
	if r.m, err = readManifest(r.dir); errors.Is(err, fs.ErrNotExist) {
		if len(r.bases) > 0 {
			return &CorruptError{File: filepath.Join(r.dir, manifestName), Reason: "missing, but there are segments"}
		}
		r.m, r.rewrite = new(manifest), true
	} else if err != nil {
		return err
	}
	if o := &r.l.o; o.Retention.Archive != "" {
		archive, err := archivePath(r.dir, o.Retention.Archive)
		if err != nil {
			return err
		}
		if r.m.archive != archive {
			r.m.archive, r.rewrite = archive, true
		}
	}
	if err := r.checkFiles(); err != nil {
		return err
	}
	return r.survey()
}

func (r *recovery) readIdentity() error {
	id, err := ReadIdentity(r.dir)
	switch {
	case err == nil:
		if err := id.check(r.dir, &r.l.o); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case len(r.bases) > 0:
		return &CorruptError{File: filepath.Join(r.dir, identityName), Reason: "missing, but there are segments"}
	default:
		r.fresh = true
		id = newIdentity(r.l.o.NodeID, r.l.o.Cluster)
	}
	r.l.identity.Store(&id)
	return nil
}

// checkFiles compares the files with the manifest.
func (r *recovery) checkFiles() error {
	m := r.m
	for _, s := range m.sealed {
		path := filepath.Join(r.wal, segmentName(s.base))
		size, ok := r.bases[s.base]
		if !ok {
			return &CorruptError{File: path, Index: s.base, Reason: "the segment is missing"}
		}
		if size != s.size {
			return resized(path, size, s.size)
		}
	}
	if _, ok := r.bases[m.open]; m.open != 0 && !ok {
		return &CorruptError{File: filepath.Join(r.wal, segmentName(m.open)), Index: m.open, Reason: "the newest segment is missing"}
	}
	for base := range r.bases {
		if !m.lists(base) && base < m.open && base > m.first() {
			return &CorruptError{File: filepath.Join(r.wal, segmentName(base)), Index: base, Reason: "MANIFEST does not list this segment"}
		}
	}
	return nil
}

// survey walks over the newest segment, and over newer ones that the manifest
// does not know yet.
func (r *recovery) survey() error {
	clean := readClean(r.dir, r.l.o.Logger)
	if r.m.open != 0 {
		s, err := surveySegment(filepath.Join(r.wal, segmentName(r.m.open)), r.m.open, clean)
		if err != nil {
			return err
		}
		r.newest = s
	}
	for {
		base, ok := r.after()
		if !ok {
			break
		}
		path := filepath.Join(r.wal, segmentName(base))
		s, err := surveySegment(path, base, clean)
		if err != nil {
			return err
		}
		want := uint64(1)
		if r.newest != nil {
			want = r.newest.last + 1
		}
		if base != want || s.last < base && len(s.rest.data) > 0 {
			return &CorruptError{File: path, Index: base, Reason: fmt.Sprintf("MANIFEST does not list this segment, and the log goes on at record %d", want)}
		}
		if s.last < base { // a crash in the middle of a cut
			r.dropped = append(r.dropped, s)
			delete(r.bases, base)
			continue
		}
		if r.newest != nil { // a copy that was made while the log was being written
			r.adopted = append(r.adopted, r.newest)
			r.m.sealed = append(r.m.sealed, sealedEntry{r.newest.base, r.newest.size, r.newest.received})
		}
		r.newest, r.m.open, r.rewrite = s, base, true
	}
	return r.retreat(clean)
}

// after returns the oldest segment newer than all the manifest lists.
func (r *recovery) after() (least uint64, ok bool) {
	for base := range r.bases {
		if base > r.m.open && (!ok || base < least) {
			least, ok = base, true
		}
	}
	return least, ok
}

// retreat goes back to the segment before when the newest has no whole batch:
// the crash came between its beginning and the end of its first write.
func (r *recovery) retreat(clean uint64) error {
	if r.newest == nil || r.newest.last >= r.newest.base {
		return nil
	}
	r.dropped = append(r.dropped, r.newest)
	r.newest, r.m.open, r.rewrite = nil, 0, true
	n := len(r.m.sealed)
	if n == 0 {
		return nil
	}
	before := r.m.sealed[n-1]
	next := r.dropped[len(r.dropped)-1].base
	s, err := surveySegment(filepath.Join(r.wal, segmentName(before.base)), before.base, max(clean, next-1))
	if err != nil {
		return err
	}
	r.newest, r.m.open, r.m.sealed = s, before.base, r.m.sealed[:n-1]
	return nil
}

// repair makes the directory say what inspect found.
func (r *recovery) repair() error {
	if err := r.removeLeftovers(); err != nil {
		return err
	}
	if r.fresh {
		b, err := seal(identityFile{identityFormat, r.l.Identity()})
		if err != nil {
			return err
		}
		if err := writeFile(r.d, filepath.Join(r.dir, identityName), b); err != nil {
			return err
		}
	}
	if err := mkdirs(r.d, r.wal); err != nil {
		return err
	}
	for _, s := range append(r.dropped, r.adopted...) {
		if err := r.mend(s); err != nil {
			return err
		}
	}
	if r.newest != nil {
		if err := r.mend(r.newest); err != nil {
			return err
		}
	}
	if r.rewrite {
		if err := writeFile(r.d, filepath.Join(r.dir, manifestName), r.m.encode()); err != nil {
			return err
		}
	}
	// Names that the process before us made may not be durable yet.
	if err := r.d.syncDir(r.dir); err != nil {
		return err
	}
	for _, s := range r.dropped {
		if err := r.d.remove(s.rest.file); err != nil {
			return err
		}
	}
	for base := range r.bases {
		if base < r.m.first() { // its removal was under way
			if err := r.d.remove(filepath.Join(r.wal, segmentName(base))); err != nil {
				return err
			}
		}
	}
	return r.d.syncDir(r.wal)
}

// removeLeftovers removes what a crash left half made, and CLEAN.
func (r *recovery) removeLeftovers() error {
	names := []string{cleanName}
	for _, name := range []string{identityName, manifestName, cleanName, checkpointName} {
		names = append(names, name+tempSuffix)
	}
	for _, name := range names {
		if err := r.d.remove(filepath.Join(r.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// mend cuts a segment to its whole batches. What is cut off and is not zero is
// copied to quarantine/ first. Then it writes again what no later record
// proves durable: after a sync that failed, the memory of the kernel may hold
// what the disk does not.
func (r *recovery) mend(s *survey) error {
	if n := len(s.rest.data); n > 0 {
		if err := r.quarantine(&s.rest); err != nil {
			return err
		}
		r.l.repaired.Add(int64(n))
		r.l.o.Logger.Warn("cut off a torn tail that was never acknowledged",
			"file", s.rest.file, "offset", s.rest.off, "bytes", n)
		if r.l.o.Hooks.Repaired != nil {
			r.l.o.Hooks.Repaired(s.rest.file, int64(n))
		}
	}
	if s.last < s.base {
		s.size, s.unproven = 0, 0
	}
	again := make([]byte, s.size-s.unproven)
	if err := readAt(s.rest.file, again, s.unproven); err != nil {
		return err
	}
	f, err := r.d.edit(s.rest.file)
	if err != nil {
		return err
	}
	// Even when the size is right: it may be so in memory only.
	err = f.truncate(s.size)
	if err == nil && len(again) > 0 {
		err = f.write(again, s.unproven)
	}
	if err == nil {
		err = f.sync()
	}
	if e := f.close(); err == nil {
		err = e
	}
	return err
}

func readAt(path string, b []byte, off int64) error {
	if len(b) == 0 {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(b, off)
	return err
}

// quarantine keeps a durable copy of a torn tail.
func (r *recovery) quarantine(t *tail) error {
	dir := filepath.Join(r.dir, quarantineName)
	if err := mkdirs(r.d, dir); err != nil {
		return err
	}
	name := fmt.Sprintf("%s@%d.torn", filepath.Base(t.file), t.off)
	for i := 2; ; i++ {
		have, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err == nil && string(have) == string(t.data) { // of a repair that did not end
			return r.d.syncDir(dir)
		}
		name = fmt.Sprintf("%s@%d.%d.torn", filepath.Base(t.file), t.off, i)
	}
	if err := createFile(r.d, filepath.Join(dir, name), t.data); err != nil {
		return err
	}
	return r.d.syncDir(dir)
}

// start makes the Log ready for reading and writing.
func (r *recovery) start() error {
	l := r.l
	l.manifest = *r.m
	var all []*segment
	for i, e := range r.m.sealed {
		next := r.m.open
		if i+1 < len(r.m.sealed) {
			next = r.m.sealed[i+1].base
		}
		all = append(all, sealedSegment(r.wal, e, next-1))
	}
	l.segments.Store(&all)
	if r.newest == nil {
		return nil
	}
	s := r.newest
	seg := &segment{base: s.base, path: filepath.Join(r.wal, segmentName(s.base))}
	seg.size.Store(s.size)
	seg.last.Store(s.last)
	seg.newest.Store(s.received)
	l.last.Store(s.last)
	w := &l.writer
	w.heads, w.received, w.size, w.allocated, w.opening = s.heads, s.received, s.size, s.size, s.opening
	f, err := r.d.edit(seg.path)
	if err != nil {
		return err
	}
	w.file = f
	if err := l.engage(seg, s.table, s.start); err != nil {
		w.close()
		return err
	}
	return nil
}

func sealedSegment(wal string, e sealedEntry, last uint64) *segment {
	s := &segment{base: e.base, path: filepath.Join(wal, segmentName(e.base))}
	s.size.Store(e.size)
	s.last.Store(last)
	s.newest.Store(e.newest)
	s.sealed.Store(true)
	return s
}

// listWAL returns the segments in a wal directory with their sizes. Whatever
// else lies there and is no danger is left alone; what is one is an error, if
// pass, which may be nil, does not let it pass.
func listWAL(dir string, pass func(error) bool) (map[uint64]int64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	bases := make(map[uint64]int64)
	for _, e := range entries {
		name := e.Name()
		if len(name) < 20 || e.IsDir() {
			continue
		}
		base, err := strconv.ParseUint(name[:20], 10, 64)
		if err != nil || base == 0 {
			continue
		}
		switch {
		case strings.HasSuffix(name, ".START"), strings.HasSuffix(name, ".END"):
			// The engine would remove segments because of it.
			err := &CorruptError{File: filepath.Join(dir, name), Reason: "a truncation that this package never does; move the file away"}
			if pass == nil || !pass(err) {
				return nil, err
			}
			continue
		case len(name) != 20:
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed at this moment
		}
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			err := &CorruptError{File: filepath.Join(dir, name), Index: base, Reason: "not a regular file"}
			if pass == nil || !pass(err) {
				return nil, err
			}
			continue
		}
		bases[base] = info.Size()
	}
	return bases, nil
}
