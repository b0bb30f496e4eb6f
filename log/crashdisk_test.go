package log

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/wal"
)

// recorder is a disk that takes note of every call. What it noted can be played
// up to any call, with what was not synced by then lost, kept or in between:
// see universe.
type recorder struct {
	disk
	root   string
	calls  []call
	fail   int // the call that fails, from 1; 0 for none
	failed int
	half   bool
	kill   int // the call before which the process ends, from 1; with half in the middle of it
}

// call is one thing that was done to the directory. Paths are below the root.
type call struct {
	op   string // mkdir create write truncate sync rename remove syncdir; syncfail and nothing for those that failed
	path string
	to   string // of a rename
	at   int64
	size int64  // of a truncate, which may grow a file
	data []byte // of a write
	node *inode // of a change of a name, filled in by the universe
}

func (c call) String() string {
	switch c.op {
	case "write":
		return fmt.Sprintf("write %s [%d, %d)", c.path, c.at, c.at+int64(len(c.data)))
	case "truncate":
		return fmt.Sprintf("truncate %s to %d", c.path, c.size)
	case "rename":
		return fmt.Sprintf("rename %s to %s", c.path, c.to)
	}
	return c.op + " " + c.path
}

type injected struct{ call string }

func (e injected) Error() string { return "injected: " + e.call }

func newRecorder(root string) *recorder { return &recorder{disk: calmDisk{}, root: root} }

// note records a call and does it, unless it is the one that fails.
func (r *recorder) note(c call, do func() error) error {
	c.path, c.to = r.rel(c.path), r.rel(c.to)
	if len(r.calls)+1 == r.kill {
		die()
	}
	if len(r.calls)+1 == r.fail {
		r.fail = 0
		failed := call{op: "nothing"}
		if c.op == "sync" {
			failed = call{op: "syncfail", path: c.path}
		}
		r.calls = append(r.calls, failed)
		return injected{c.String()}
	}
	if err := do(); err != nil {
		return err
	}
	r.calls = append(r.calls, c)
	return nil
}

func (r *recorder) rel(path string) string {
	if path == "" {
		return ""
	}
	rel, err := filepath.Rel(r.root, path)
	if err != nil {
		panic(err)
	}
	return rel
}

func (r *recorder) mkdir(path string) error {
	return r.note(call{op: "mkdir", path: path}, func() error { return r.disk.mkdir(path) })
}

func (r *recorder) rename(from, to string) error {
	return r.note(call{op: "rename", path: from, to: to}, func() error { return r.disk.rename(from, to) })
}

func (r *recorder) remove(path string) error {
	if ok, _ := exists(path); !ok {
		return r.disk.remove(path) // changes nothing
	}
	return r.note(call{op: "remove", path: path}, func() error { return r.disk.remove(path) })
}

func (r *recorder) syncDir(path string) error {
	return r.note(call{op: "syncdir", path: path}, func() error { return r.disk.syncDir(path) })
}

func (r *recorder) create(path string) (f file, err error) {
	err = r.note(call{op: "create", path: path}, func() error { f, err = r.disk.create(path); return err })
	return &recordedFile{f, r, path}, err
}

func (r *recorder) edit(path string) (file, error) {
	f, err := r.disk.edit(path)
	return &recordedFile{f, r, path}, err
}

func (r *recorder) openWAL(dir string) (engine, error) {
	e, err := r.disk.openWAL(dir)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, strings.Repeat("[0-9]", 20)))
	if err != nil {
		return nil, err
	}
	path := slices.Max(files)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &recordedEngine{e, r, path, info.Size()}, nil
}

type recordedFile struct {
	file
	r    *recorder
	path string
}

func (f *recordedFile) write(b []byte, at int64) error {
	c := call{op: "write", path: f.path, at: at, data: slices.Clone(b)}
	return f.r.note(c, func() error { return f.file.write(b, at) })
}

func (f *recordedFile) truncate(size int64) error {
	return f.r.note(call{op: "truncate", path: f.path, size: size}, func() error { return f.file.truncate(size) })
}

func (f *recordedFile) allocate(size int64) error {
	return f.r.note(call{op: "truncate", path: f.path, size: size}, func() error { return f.file.truncate(size) })
}

func (f *recordedFile) sync() error {
	return f.r.note(call{op: "sync", path: f.path}, func() error { return f.file.sync() })
}

// die ends the process at once, as kill -9 does.
func die() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		self.Kill()
	}
	select {}
}

// recordedEngine finds out what the engine wrote.
type recordedEngine struct {
	engine
	r    *recorder
	path string
	size int64
}

func (e *recordedEngine) WriteBatch(b *wal.Batch) error {
	next := len(e.r.calls) + 1
	if e.r.half && next == e.r.kill {
		e.halfBatch(b)
		die()
	}
	if e.r.half && next == e.r.fail {
		return e.halfBatch(b)
	}
	c := call{op: "write", path: e.path, at: e.size}
	before, err := e.LastIndex()
	if err != nil {
		return err
	}
	if next == e.r.fail || next == e.r.kill {
		if err := e.r.note(c, func() error { return nil }); err != nil {
			return err
		}
		e.r.calls = e.r.calls[:len(e.r.calls)-1]
	}
	if err := e.engine.WriteBatch(b); err != nil {
		return err
	}
	last, err := e.LastIndex()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(e.path)
	if err != nil {
		return err
	}
	to := e.size
	for range last - before {
		n, k := prefix(data[to:])
		to += int64(k + n)
	}
	c.path, c.data = e.r.rel(e.path), data[e.size:to]
	e.r.calls = append(e.r.calls, c)
	e.size = to
	return nil
}

// halfBatch writes a part and fails, as a disk does that is full. What the
// engine would write is found by letting it write to another place.
func (e *recordedEngine) halfBatch(b *wal.Batch) error {
	e.r.fail = 0
	before, err := os.ReadFile(e.path)
	if err != nil {
		return err
	}
	if err := e.engine.WriteBatch(b); err != nil {
		return err
	}
	after, err := os.ReadFile(e.path)
	if err != nil {
		return err
	}
	// All of it was written; take the second half back.
	end := int64(len(trimZeros(after)))
	half := e.size + (end-e.size)/2
	f, err := os.OpenFile(e.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	clean := make([]byte, int64(len(after))-half)
	if _, err := f.WriteAt(clean, half); err != nil {
		return err
	}
	if err := f.Truncate(max(int64(len(before)), half)); err != nil {
		return err
	}
	e.r.calls = append(e.r.calls, call{op: "write", path: e.r.rel(e.path), at: e.size, data: after[e.size:half]})
	return injected{"half of a batch"}
}

func (e *recordedEngine) Close() error {
	if len(e.r.calls)+1 == e.r.fail {
		e.engine.Close() // gives back its descriptor all the same
	}
	return e.r.note(call{op: "sync", path: e.path}, func() error { return e.engine.Close() })
}

// universe is what a disk may hold while calls are made: what is certain and
// what is not. It knows only what POSIX promises: contents are durable after a
// sync of the file, names after a sync of the directory.
type universe struct {
	names   map[string]*inode // as a process sees them
	durable map[string]*inode
	pending map[string][]call // by directory: changes of names not yet durable
	dirs    map[string]bool
}

type inode struct {
	synced  []byte
	ghosts  []call // what a sync that failed left in memory, and no sync will write
	pending []call
}

func newUniverse() *universe {
	return &universe{names: map[string]*inode{}, durable: map[string]*inode{}, pending: map[string][]call{}, dirs: map[string]bool{".": true}}
}

// do makes one call.
func (u *universe) do(c call) {
	dir := filepath.Dir(c.path)
	switch c.op {
	case "mkdir":
		u.dirs[c.path] = true // a directory that is not durable is an empty one
	case "create":
		c.node = new(inode)
		u.names[c.path] = c.node
		u.note(dir, c)
	case "write", "truncate":
		u.names[c.path].pending = append(u.names[c.path].pending, c)
	case "sync":
		n := u.names[c.path]
		for _, p := range n.pending {
			n.synced = p.apply(n.synced)
		}
		n.pending = nil
	case "syncfail":
		n := u.names[c.path]
		n.ghosts, n.pending = append(n.ghosts, n.pending...), nil
	case "rename":
		c.node = u.names[c.path]
		u.names[c.to] = c.node
		delete(u.names, c.path)
		u.note(dir, c)
	case "remove":
		delete(u.names, c.path)
		u.note(dir, c)
	case "syncdir":
		for name := range u.durable {
			if filepath.Dir(name) == filepath.Clean(c.path) {
				delete(u.durable, name)
			}
		}
		for name, n := range u.names {
			if filepath.Dir(name) == filepath.Clean(c.path) {
				u.durable[name] = n
			}
		}
		delete(u.pending, filepath.Clean(c.path))
	}
}

func (u *universe) note(dir string, c call) { u.pending[dir] = append(u.pending[dir], c) }

func (n *inode) all() []byte {
	b := slices.Clone(n.synced)
	for _, c := range n.ghosts {
		b = c.apply(b)
	}
	for _, c := range n.pending {
		b = c.apply(b)
	}
	return b
}

func (c *call) apply(b []byte) []byte {
	if c.op == "truncate" {
		return resize(b, c.size)
	}
	end := c.at + int64(len(c.data))
	b = resize(b, max(int64(len(b)), end))
	copy(b[c.at:], c.data)
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

// fate says what becomes of what is not certain when the power goes.
type fate struct {
	name     string
	contents func(*inode, *rand.Rand) []byte
	names    func(*rand.Rand) bool // whether a change of a name happened
}

var fates = []fate{
	{"all lost", func(n *inode, _ *rand.Rand) []byte { return n.synced }, never},
	{"all kept", func(n *inode, _ *rand.Rand) []byte { return n.all() }, always},
	{"contents lost, names kept", func(n *inode, _ *rand.Rand) []byte { return n.synced }, always},
	{"contents kept, names lost", func(n *inode, _ *rand.Rand) []byte { return n.all() }, never},
	{"sectors at random", (*inode).sectors, sometimes},
	{"torn", (*inode).torn, always},
	{"torn, names at random", (*inode).torn, sometimes},
}

func never(*rand.Rand) bool       { return false }
func always(*rand.Rand) bool      { return true }
func sometimes(r *rand.Rand) bool { return r.IntN(2) == 0 }

// sectors keeps each sector that was written, and each change of the size, or
// not.
func (n *inode) sectors(r *rand.Rand) []byte {
	b := slices.Clone(n.synced)
	for _, c := range n.pending {
		if c.op == "truncate" {
			if sometimes(r) {
				b = c.apply(b)
			}
			continue
		}
		for at := c.at; at < c.at+int64(len(c.data)); {
			end := min((at/sectorSize+1)*sectorSize, c.at+int64(len(c.data)))
			if part := (call{op: "write", at: at, data: c.data[at-c.at : end-c.at]}); sometimes(r) {
				b = part.apply(b)
			}
			at = end
		}
	}
	return b
}

// torn keeps the pending changes up to somewhere in one of them.
func (n *inode) torn(r *rand.Rand) []byte {
	b := slices.Clone(n.synced)
	if len(n.pending) == 0 {
		return b
	}
	stop := r.IntN(len(n.pending))
	for i, c := range n.pending[:stop+1] {
		if i == stop && c.op == "write" {
			n := r.IntN(len(c.data) + 1)
			for oneBit(c.data[n:]) {
				n-- // the one picture with two meanings: TestLastByte
			}
			c.data = c.data[:n]
		}
		b = c.apply(b)
	}
	return b
}

// materialize writes what a crash leaves into a new directory.
func (u *universe) materialize(t testing.TB, f fate, rnd *rand.Rand) string {
	t.Helper()
	names := maps.Clone(u.durable)
	for _, dir := range slices.Sorted(maps.Keys(u.pending)) {
		for _, c := range u.pending[dir] {
			if !f.names(rnd) {
				continue
			}
			switch c.op {
			case "create":
				names[c.path] = c.node
			case "rename":
				delete(names, c.path)
				names[c.to] = c.node
			case "remove":
				delete(names, c.path)
			}
		}
	}
	root := scratch(t)
	for _, dir := range slices.Sorted(maps.Keys(u.dirs)) {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		writeTo(t, filepath.Join(root, name), f.contents(names[name], rnd))
	}
	return root
}
