package log

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestFlippedFields turns every bit of the length, the checksum and the rest of
// the header of every record, in sealed segments and the open one.
func TestFlippedFields(t *testing.T) {
	h := newHistory(t, 3)
	files := segmentFiles(t, h.closed)
	records, err := readAll(t, h.closed)
	if err != nil {
		t.Fatal(err)
	}
	for i, rec := range records {
		newest := rec.File == files[len(files)-1]
		if newest && i%13 != 0 && i != len(records)-1 || !newest && i%43 != 0 {
			continue
		}
		_, k := prefix(readFile(t, rec.File)[rec.Offset:])
		for at := rec.Offset; at < rec.Offset+int64(k+headerSize); at++ {
			for bit := range 8 {
				spoil(t, rec.File, func(b []byte) { b[at] ^= 1 << bit }, func() {
					var corrupt *CorruptError
					if _, err := Verify(h.closed); !errors.As(err, &corrupt) || corrupt.File != rec.File || corrupt.Index != rec.Index {
						t.Fatalf("record %d, byte %d, bit %d: %v", rec.Index, at-rec.Offset, bit, err)
					}
					if newest && bit == i%8 {
						refuses(t, h.closed)
					}
				})
			}
		}
	}
}

// TestTornSnapshot cuts the record of a snapshot at every byte, as the last
// record of the log and as the first of a segment.
func TestTornSnapshot(t *testing.T) {
	r := newRig(t, scratch(t), calm())
	h := new(history)
	a := newOrigin(1)
	for range 3 {
		h.batches = append(h.batches, a.batch(t, 2, 60))
		r.append(h.batches[len(h.batches)-1]...)
	}
	from := r.writer.size
	if _, err := r.AppendSnapshot(r.state.snapshot()); err != nil {
		t.Fatal(err)
	}
	to := r.writer.size
	dir := copyDir(t, r.dir)
	for cut := from; cut < to; cut++ {
		h.recovers(t, variant(t, dir, lastSegment(t, dir), func(b []byte) []byte { return b[:cut] }), 3)
	}
	r.close()
	refuses(t, variant(t, r.dir, lastSegment(t, r.dir), func(b []byte) []byte { return b[:to-1] }))

	g := newHistory(t, 3)
	file := segmentFiles(t, g.closed)[1]
	records, err := readAll(t, g.closed)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if rec.File != file || rec.Offset > 0 {
			continue
		}
		for cut := range rec.Size {
			spoil(t, file, func(b []byte) { clear(b[cut:rec.Size]) }, func() {
				var corrupt *CorruptError
				if _, err := Verify(g.closed); !errors.As(err, &corrupt) || corrupt.Index != rec.Index {
					t.Fatalf("the snapshot of %s cut at %d: %v", file, cut, err)
				}
			})
		}
	}
}

// TestFailedOpenLeaksNothing opens what cannot be opened.
func TestFailedOpenLeaksNothing(t *testing.T) {
	h := newHistory(t, 2)
	open := func() int {
		entries, err := os.ReadDir("/dev/fd")
		if err != nil {
			return 0
		}
		return len(entries)
	}
	file := lastSegment(t, h.closed)
	spoil(t, file, func(b []byte) { b[len(b)/2] ^= 1 }, func() {
		refuses(t, h.closed)
		before := open()
		for range 50 {
			if _, err := Open(h.closed, calm()); err == nil {
				t.Fatal("it was opened")
			}
			if _, err := Verify(h.closed); err == nil {
				t.Fatal("it was verified")
			}
		}
		if n := open(); n > before+10 {
			t.Errorf("%d files are open, %d were before", n, before)
		}
	})
	h.recovers(t, h.closed, len(h.batches)) // and nothing is locked
}

// slowDisk lets a sync wait while it is slow: it tells that it waits, and for
// how long is up to who hears it.
type slowDisk struct {
	calmDisk
	slow        atomic.Bool
	waits, goOn chan struct{}
}

type slowFile struct {
	file
	d *slowDisk
}

func (d *slowDisk) create(path string) (file, error) {
	f, err := d.calmDisk.create(path)
	return slowFile{f, d}, err
}

func (d *slowDisk) edit(path string) (file, error) {
	f, err := d.calmDisk.edit(path)
	return slowFile{f, d}, err
}

func (f slowFile) sync() error {
	if f.d.slow.CompareAndSwap(true, false) {
		f.d.waits <- struct{}{}
		<-f.d.goOn
	}
	return f.file.sync()
}

// TestReadsDoNotWaitForASync reads while the disk keeps an append waiting: all
// that was durable before, and nothing of what is not yet.
func TestReadsDoNotWaitForASync(t *testing.T) {
	d := &slowDisk{waits: make(chan struct{}), goOn: make(chan struct{})}
	o := options()
	o.disk = d
	r := newRig(t, scratch(t), o)
	a := newOrigin(1)
	r.append(a.batch(t, 3, 100)...)
	last := r.Last()
	d.slow.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := r.Append(a.batch(t, 2, 100)); err != nil {
			t.Error(err)
		}
	})
	<-d.waits
	for index := uint64(1); index <= last; index++ {
		if rec, err := r.Read(index); err != nil || rec.Index != index {
			t.Errorf("record %d: %v", index, err)
		}
	}
	if r.Last() != last || r.Stats().Last != last {
		t.Errorf("last %d, want %d", r.Last(), last)
	}
	if _, err := r.Read(last + 1); err == nil {
		t.Error("a record that is not durable can be read")
	}
	if got, err := r.Range(a.id, 1, 10, 1<<20); err != nil || len(got) != 3 {
		t.Errorf("%d events, %v", len(got), err)
	}
	if _, err := r.Range(a.id, 4, 1, 1<<20); err == nil {
		t.Error("an event that is not durable can be read")
	}
	close(d.goOn)
	wg.Wait()
	if r.Last() != last+2 {
		t.Errorf("last %d, want %d", r.Last(), last+2)
	}
}

// TestReaderWritesNothing reads and verifies directories in every condition.
func TestReaderWritesNothing(t *testing.T) {
	h := newHistory(t, 3)
	stray := filepath.Join(walName, segmentName(1)+".START")
	for name, change := range map[string]func(dir string){
		"crashed":      func(string) {},
		"torn":         func(dir string) { b := readFile(t, lastSegment(t, dir)); writeTo(t, lastSegment(t, dir), b[:h.size-3]) },
		"START":        func(dir string) { writeTo(t, filepath.Join(dir, stray), []byte("x")) },
		"temporary":    func(dir string) { writeTo(t, filepath.Join(dir, manifestName+tempSuffix), nil) },
		"no directory": func(dir string) { os.RemoveAll(filepath.Join(dir, walName)) },
	} {
		dir := copyDir(t, h.crashed)
		change(dir)
		before := tree(t, dir)
		readAll(t, dir)
		Verify(dir)
		ReadIdentity(dir)
		if after := tree(t, dir); len(after) != len(before) {
			t.Errorf("%s: there are %d files, there were %d", name, len(after), len(before))
		} else {
			for path, b := range before {
				if after[path] != b {
					t.Errorf("%s: %s was changed", name, path)
				}
			}
		}
	}
}

// TestOpenReadsOneSegment has nothing but zeros where all sealed segments but
// the last were: Open and Load do not look there, whoever reads it does.
func TestOpenReadsOneSegment(t *testing.T) {
	r := newRig(t, scratch(t), calm())
	a := newOrigin(1)
	r.grow(t, a, 12)
	count := r.state.count
	r.close()
	files := segmentFiles(t, r.dir)
	for _, file := range files[:len(files)-1] {
		b := readFile(t, file)
		clear(b)
		writeTo(t, file, b)
	}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if r.state.count != count {
		t.Errorf("%d events in the state, want %d", r.state.count, count)
	}
	r.append(a.batch(t, 2, 10)...)
	if _, err := r.Read(1); err == nil {
		t.Error("zeros were read")
	}
	if _, err := Verify(r.dir); err == nil {
		t.Error("zeros were verified")
	}
	r.reopen()
}

// TestIndexIsBounded reads a log by index and by name, and counts what stays in
// memory of it.
func TestIndexIsBounded(t *testing.T) {
	old := shelfRoom
	defer func() { shelfRoom = old }()
	shelfRoom = [shelfKinds]int{shelfTables: 2, shelfMarks: 4, shelfHeads: 5, shelfFiles: 3}
	r := newRig(t, scratch(t), calm())
	a, b := newOrigin(1), newOrigin(2)
	for r.Stats().Segments < 20 {
		r.append(append(a.batch(t, 2, 100), b.event(t, 50))...)
	}
	for round := range 2 {
		for index := uint64(1); index <= r.Last(); index++ {
			if _, err := r.Read(index); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range []*origin{a, b} {
			for seq := uint64(1); seq <= o.seq; seq += 7 {
				if got, err := r.Range(o.id, seq, 3, 1<<20); err != nil || len(got) == 0 || got[0].Seq != seq {
					t.Fatalf("%s:%d: %d events, %v", o.id, seq, len(got), err)
				}
			}
		}
		var have [shelfKinds]int
		for _, seg := range *r.segments.Load() {
			for kind, there := range [shelfKinds]bool{seg.table.Load() != nil, seg.marks.Load() != nil, seg.heads.Load() != nil, seg.file.Load() != nil} {
				if there {
					have[kind]++
				}
			}
		}
		for kind, n := range have {
			if n > shelfRoom[kind]+1 { // the open segment has its own
				t.Errorf("%d of kind %d are in memory, there is room for %d", n, kind, shelfRoom[kind])
			}
		}
		if round == 0 {
			r.reopen()
		}
	}
}

// TestConcurrentReads reads in every way at the same time, with room for hardly
// anything, beside an appender. The race detector looks on.
func TestConcurrentReads(t *testing.T) {
	old := shelfRoom
	defer func() { shelfRoom = old }()
	shelfRoom = [shelfKinds]int{shelfTables: 1, shelfMarks: 1, shelfHeads: 1, shelfFiles: 1}
	r := newRig(t, scratch(t), calm())
	a := newOrigin(1)
	r.grow(t, a, 8)
	last, seq, id := r.Last(), a.seq, a.id
	var wg sync.WaitGroup
	for n := range 4 {
		rnd := chance(t)
		wg.Go(func() {
			for range 300 {
				index := 1 + (rnd.Uint64N(last)+uint64(n))%last
				if rec, err := r.Read(index); err != nil || rec.Index != index {
					t.Errorf("record %d: %v", index, err)
					return
				}
				from := 1 + rnd.Uint64N(seq)
				if got, err := r.Range(id, from, 5, 1<<20); err != nil || got[0].Seq != from {
					t.Errorf("event %d: %d events, %v", from, len(got), err)
					return
				}
				r.Stats()
				r.Locate(nil)
			}
		})
		wg.Go(func() {
			c := r.Records(0)
			defer c.Close()
			for index := uint64(1); index <= last; index++ {
				if rec, err := c.Next(t.Context()); err != nil || rec.Index != index {
					t.Errorf("cursor at %d: %v", index, err)
					return
				}
			}
		})
	}
	for range 100 {
		r.append(a.batch(t, 2, 100)...)
	}
	wg.Wait()
}

// TestPowerLossRules holds the calls of a story, and those of the repair of a
// torn tail, to the rules of the package doc.
func TestPowerLossRules(t *testing.T) {
	s := newStory(t, scratch(t), 0, false)
	if err := s.tell(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if n := holdsRules(t, s.calls); n < len(s.batches) {
		t.Errorf("%d writes to segments for %d batches", n, len(s.batches))
	}

	h := newHistory(t, 2)
	dir := variant(t, h.crashed, lastSegment(t, h.crashed), func(b []byte) []byte { return b[:h.size-3] })
	again := newStory(t, dir, 0, false)
	if err := again.chapter(again.begin, again.write(3), again.end); err != nil {
		t.Fatal(err)
	}
	if n := holdsRules(t, again.calls); n < 3 {
		t.Errorf("%d writes to segments", n)
	}
	if !slices.ContainsFunc(again.calls, func(c call) bool { return filepath.Dir(c.path) == quarantineName }) {
		t.Error("no tail was repaired")
	}
}

// holdsRules returns how many writes to segments there are.
func holdsRules(t *testing.T, calls []call) (writes int) {
	t.Helper()
	unsynced := make(map[string]string) // directory: what changed in it
	dirty := make(map[string]bool)      // files with contents that are not durable
	for i, c := range calls {
		dir := filepath.Dir(c.path)
		if dir == walName && (c.op == "write" || c.op == "truncate") {
			name, ok := unsynced[quarantineName]
			for path := range dirty {
				ok = ok || filepath.Dir(path) == quarantineName
			}
			if ok {
				t.Errorf("call %d: %s before the copy %s is durable", i+1, c, name)
			}
		}
		switch c.op {
		case "create", "mkdir":
			unsynced[dir] = c.path
		case "rename":
			if dirty[c.path] {
				t.Errorf("call %d: %s before its contents are durable", i+1, c)
			}
			unsynced[dir] = c.to
		case "remove":
			if name, ok := unsynced["."]; ok && dir == walName {
				t.Errorf("call %d: %s before %s is durable", i+1, c, name)
			}
		case "syncdir":
			delete(unsynced, c.path)
		case "sync":
			delete(dirty, c.path)
		case "truncate":
			dirty[c.path] = true
		case "write":
			dirty[c.path] = true
			if dir != walName {
				continue
			}
			writes++
			for _, name := range unsynced {
				t.Errorf("call %d: %s before the name %s is durable", i+1, c, name)
			}
		}
	}
	return writes
}

// TestFaultTable holds the tables of DESIGN.md to the tests there are.
func TestFaultTable(t *testing.T) {
	text := string(readFile(t, "DESIGN.md"))
	have := make(map[string]bool)
	name := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, dir := range []string{".", "..", "../replay", "../replay/cli"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, m := range name.FindAllStringSubmatch(string(readFile(t, file)), -1) {
				have[m[1]] = true
			}
		}
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(text, -1)
	if len(named) < 40 {
		t.Errorf("it names %d tests", len(named))
	}
	for _, n := range named {
		if !have[n] {
			t.Errorf("DESIGN.md names %s, which does not exist", n)
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| B") && !strings.Contains(line, "Test") {
			t.Errorf("no test is named: %s", line)
		}
	}
}
