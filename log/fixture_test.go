package log

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the property tests; 0 takes a new one each time")

// chance is the source of everything random in a test. When the test fails it
// tells how to see the failure again.
func chance(t testing.TB) *rand.Rand {
	t.Helper()
	n := *seedFlag
	if n == 0 {
		n = rand.Uint64() | 1
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: go test ./log -run '^%s$' -seed %d", t.Name(), n)
		}
	})
	return rand.New(rand.NewPCG(n, 1))
}

// origin makes the events of one log.
type origin struct {
	id    events.LogID
	seq   uint64
	chain events.Chain
}

func newOrigin(n byte) *origin {
	id := events.NewLogID(1_700_000_000_000, [10]byte{9: n})
	return &origin{id: id, chain: events.Genesis(id)}
}

// event returns the next event, with a body of so many bytes.
func (o *origin) event(t testing.TB, size int) events.Event {
	t.Helper()
	o.seq++
	body := bytes.Repeat([]byte{byte('a' + o.seq%26)}, size)
	if size >= 8 {
		binary.BigEndian.PutUint64(body, o.seq)
	}
	e, err := events.Seal(events.Event{Log: o.id, Seq: o.seq, Time: events.NewTimestamp(1_700_000_000_000+int64(o.seq), 0),
		Type: "app/test", Actor: "app", Body: body}, o.chain)
	if err != nil {
		t.Fatal(err)
	}
	o.chain = e.Chain
	return e
}

func (o *origin) batch(t testing.TB, n, size int) []events.Event {
	t.Helper()
	var b []events.Event
	for range n {
		b = append(b, o.event(t, size))
	}
	return b
}

// model is the state of a test: which events were applied. Its snapshot lists
// them, so that a wrong snapshot is a wrong state.
type model struct {
	heads events.Vector
	count int
}

func newModel() *model { return &model{heads: events.Vector{}} }

func (m *model) apply(batch ...events.Event) {
	for i := range batch {
		m.heads[batch[i].Log] = max(m.heads[batch[i].Log], batch[i].Seq)
		m.count++
	}
}

func (m *model) snapshot() []byte { return fmt.Appendf(nil, "%d [%s]", m.count, m.heads) }

func readModel(t testing.TB, b []byte) *model {
	t.Helper()
	m := newModel()
	count, text, ok := strings.Cut(strings.TrimSuffix(string(b), "]"), " [")
	n, err := strconv.Atoi(count)
	if !ok || err != nil {
		t.Fatalf("snapshot %q", b)
	}
	m.count = n
	v, err := events.ParseVector(text)
	if err != nil {
		t.Fatal(err)
	}
	m.heads = v
	return m
}

// rig is a log with the model of a state beside it.
type rig struct {
	t   testing.TB
	dir string
	o   Options
	*Log
	state *model
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func options() Options {
	return Options{NodeID: "n1", Cluster: "test", SegmentSize: 4 << 10, Logger: quiet()}
}

func newRig(t testing.TB, dir string, o Options) *rig {
	t.Helper()
	r := &rig{t: t, dir: dir, o: o}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	return r
}

// open opens the log and folds its state.
func (r *rig) open() error {
	r.t.Helper()
	r.state = newModel()
	o := r.o
	o.Snapshot = func() []byte { return r.state.snapshot() }
	l, err := Open(r.dir, o)
	if err != nil {
		return err
	}
	r.Log = l
	r.t.Cleanup(func() { l.Close() })
	r.state = r.fold()
	return nil
}

// fold loads the state.
func (r *rig) fold() *model {
	r.t.Helper()
	m := newModel()
	err := r.Load(func(b []byte) error {
		m = readModel(r.t, b)
		return nil
	}, func(rec *Record) error {
		e, err := events.Decode(rec.Bytes)
		m.apply(e)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// append appends and applies.
func (r *rig) append(batch ...events.Event) uint64 {
	r.t.Helper()
	last, err := r.Append(batch)
	if err != nil {
		r.t.Fatal(err)
	}
	r.state.apply(batch...)
	return last
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// reopen closes and opens again.
func (r *rig) reopen() {
	r.t.Helper()
	r.close()
	if err := r.open(); err != nil {
		r.t.Fatal(err)
	}
}

// readAll returns what a Reader of a directory shows.
func readAll(t testing.TB, dir string) ([]Record, error) {
	t.Helper()
	rd, err := OpenReader(dir)
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	var all []Record
	for {
		r, err := rd.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, *r)
	}
}

// eventsOf decodes the events among records.
func eventsOf(t testing.TB, records []Record) []events.Event {
	t.Helper()
	var all []events.Event
	for i := range records {
		if records[i].Kind != KindEvent {
			continue
		}
		e, err := events.Decode(records[i].Bytes)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func sameEvents(a, b []events.Event) bool {
	return slices.EqualFunc(a, b, func(a, b events.Event) bool { return bytes.Equal(a.Raw(), b.Raw()) })
}

// scratch returns a new directory for what need not survive a power cut: in
// memory, where there is such a file system.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "log-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// copyDir copies a data directory.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := scratch(t)
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// segmentFiles returns the segments of a directory, oldest first.
func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, walName, "[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func lastSegment(t testing.TB, dir string) string {
	t.Helper()
	files := segmentFiles(t, dir)
	return files[len(files)-1]
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeTo(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
}

// tree returns all files of a directory with their contents.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[path] = string(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
