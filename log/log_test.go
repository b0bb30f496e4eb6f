package log

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/skshohagmiah/clusterkit/events"
)

func TestAppendAndReopen(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	a, b := newOrigin(1), newOrigin(2)
	var all []events.Event
	for i := range 200 {
		batch := a.batch(t, 1+i%5, 40)
		batch = append(batch, b.event(t, i))
		all = append(all, batch...)
		r.append(batch...)
		if i%50 == 49 {
			want := r.state
			r.reopen()
			if d := cmp.Diff(want, r.state, cmp.AllowUnexported(model{})); d != "" {
				t.Fatalf("state after reopen (-want +got):\n%s", d)
			}
		}
	}
	if n := r.Stats().Segments; n < 5 {
		t.Fatalf("%d segments, want more", n)
	}
	records, err := readAll(t, r.dir)
	if err != nil {
		t.Log(segmentFiles(t, r.dir))
		t.Fatal(err)
	}
	if !sameEvents(all, eventsOf(t, records)) {
		t.Fatal("the reader shows other events than were appended")
	}
	checkRecords(t, records)
	if got := records[len(records)-1].Index; got != r.Last() {
		t.Fatalf("the reader ends at %d, the log at %d", got, r.Last())
	}
}

// checkRecords holds records to what is promised of them.
func checkRecords(t testing.TB, records []Record) {
	t.Helper()
	for i := range records {
		r := &records[i]
		if i == 0 || records[i-1].File != r.File {
			if r.Kind != KindSnapshot || r.Offset != 0 {
				t.Fatalf("%s begins with a %s at %d", r.File, r.Kind, r.Offset)
			}
			if i > 0 && !records[i-1].EndOfBatch {
				t.Fatalf("a batch spans the beginning of %s", r.File)
			}
		}
		if i > 0 {
			before := &records[i-1]
			if r.Index != before.Index+1 || r.Received < before.Received || r.durable < before.durable {
				t.Fatalf("record %d after %d: received %d, %d", r.Index, before.Index, r.Received, before.Received)
			}
		}
	}
}

func TestFreshDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	r := newRig(t, dir, options())
	if r.First() != 1 || r.Last() != 0 || r.Identity().NodeID != "n1" || r.Identity().Cluster != "test" || r.Identity().Log.IsZero() {
		t.Fatalf("first %d, last %d, %+v", r.First(), r.Last(), r.Identity())
	}
	id := r.Identity()
	r.reopen()
	if r.Identity() != id {
		t.Fatalf("identity %+v became %+v", id, r.Identity())
	}
	got, err := ReadIdentity(dir)
	if err != nil || got != id {
		t.Fatalf("ReadIdentity: %+v, %v", got, err)
	}
}

func TestRotate(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	r.append(newOrigin(1).batch(t, 3, 10)...)
	old := r.Identity()
	id, err := r.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if id.Log == old.Log || id.NodeID != old.NodeID {
		t.Fatalf("%+v after %+v", id, old)
	}
	r.reopen()
	if r.Identity() != id || r.Last() != 4 {
		t.Fatalf("%+v, last %d", r.Identity(), r.Last())
	}
}

func TestLocked(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	if _, err := Open(r.dir, options()); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second Open: %v", err)
	}
	r.reopen()
}

func TestIdentityOfAnother(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	r.append(newOrigin(1).batch(t, 3, 10)...)
	r.close()
	before := tree(t, r.dir)
	for _, c := range []struct {
		field string
		o     Options
	}{
		{"node", Options{NodeID: "n2", Cluster: "test", Logger: quiet()}},
		{"cluster", Options{NodeID: "n1", Cluster: "other", Logger: quiet()}},
	} {
		_, err := Open(r.dir, c.o)
		var wrong *IdentityError
		if !errors.As(err, &wrong) || wrong.Field != c.field {
			t.Errorf("%s: %v", c.field, err)
		}
	}
	if d := cmp.Diff(before, tree(t, r.dir)); d != "" {
		t.Fatalf("it changed (-want +got):\n%s", d)
	}
}

func TestInvalidOptions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	_, err := Open(dir, Options{NodeID: "no spaces", SegmentSize: 1, Retention: Retention{Age: -1}})
	if err == nil {
		t.Fatal("no error")
	}
	if ok, _ := exists(dir); ok {
		t.Fatal("it made the directory")
	}
}

func TestUnusableDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	writeTo(t, path, nil)
	for _, dir := range []string{path, filepath.Join(path, "below")} {
		var perr *fs.PathError
		if _, err := Open(dir, options()); !errors.As(err, &perr) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestRangeAndLocate(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	origins := []*origin{newOrigin(1), newOrigin(2), newOrigin(3)}
	var all [3][]events.Event
	rnd := chance(t)
	var indexes []map[events.LogID]uint64 // vector at each index
	vector := events.Vector{}
	for range 300 {
		i := rnd.IntN(3)
		batch := origins[i].batch(t, 1+rnd.IntN(4), rnd.IntN(100))
		all[i] = append(all[i], batch...)
		for last := r.append(batch...); uint64(len(indexes)) < last; {
			indexes = append(indexes, nil)
		}
		vector[origins[i].id] = origins[i].seq
		indexes[len(indexes)-1] = vector.Clone()
	}
	check := func() {
		t.Helper()
		for range 500 {
			i := rnd.IntN(3)
			from := 1 + rnd.IntN(len(all[i]))
			most, size := 1+rnd.IntN(300), 1+rnd.IntN(20000)
			got, err := r.Range(origins[i].id, uint64(from), most, size)
			if err != nil {
				t.Fatal(err)
			}
			var want []events.Event
			for _, e := range all[i][from-1:] {
				if len(want) == most || size < len(e.Raw()) {
					break
				}
				size -= len(e.Raw())
				want = append(want, e)
			}
			if !sameEvents(want, got) {
				t.Fatalf("Range(%d, %d): %d events, want %d", i, from, len(got), len(want))
			}
		}
		for i, o := range origins {
			if _, err := r.Range(o.id, uint64(len(all[i])+1), 1, 1000); !errors.Is(err, ErrCompacted) {
				t.Fatalf("beyond the end: %v", err)
			}
		}
		for n, v := range indexes {
			if v == nil {
				continue
			}
			if at := r.Locate(v); at > uint64(n+2) {
				t.Fatalf("Locate of what is known at %d: %d", n+1, at)
			}
		}
	}
	check()
	r.reopen()
	check()
	if at := r.Locate(nil); at != 1 {
		t.Fatalf("Locate(nil) = %d", at)
	}
	all2 := *r.segments.Load()
	if at := r.Locate(vector); at != all2[len(all2)-1].base {
		t.Fatalf("Locate(everything) = %d, want the newest segment", at)
	}
}

func TestReadByIndex(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	o := newOrigin(1)
	for range 100 {
		r.append(o.batch(t, 3, 60)...)
	}
	records, err := readAll(t, r.dir)
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for i := range records {
			got, err := r.Read(records[i].Index)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Bytes) != string(records[i].Bytes) || got.Index != records[i].Index || got.Size != records[i].Size {
				t.Fatalf("record %d is %+v, want %+v", i+1, got, records[i])
			}
		}
	}
	check()
	if _, err := r.Read(0); !errors.Is(err, ErrCompacted) {
		t.Errorf("Read(0): %v", err)
	}
	if _, err := r.Read(r.Last() + 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read beyond the end: %v", err)
	}
	r.reopen()
	check()
}

func TestSnapshotInTheMiddle(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	a, b := newOrigin(1), newOrigin(2)
	r.append(a.batch(t, 3, 10)...)
	// The state of a peer, which knows b up to 50.
	b.batch(t, 50, 1)
	r.state.heads[b.id] = 50
	if _, err := r.AppendSnapshot(r.state.snapshot()); err != nil {
		t.Fatal(err)
	}
	r.append(b.batch(t, 2, 10)...)
	want := r.state
	r.reopen()
	if d := cmp.Diff(want, r.state, cmp.AllowUnexported(model{})); d != "" {
		t.Fatalf("state (-want +got):\n%s", d)
	}
	if _, err := r.Range(b.id, 50, 10, 1000); !errors.Is(err, ErrCompacted) {
		t.Errorf("an event that only a snapshot covers: %v", err)
	}
	if got, err := r.Range(b.id, 51, 10, 1000); err != nil || len(got) != 2 {
		t.Errorf("%d events, %v", len(got), err)
	}
}

// TestLargeSnapshot lets a snapshot be larger than a segment.
func TestLargeSnapshot(t *testing.T) {
	o := options()
	r := &rig{t: t, dir: t.TempDir(), o: o}
	size := 20 << 10
	o.Snapshot = func() []byte { return make([]byte, size) }
	l, err := Open(r.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := newOrigin(1)
	for range 1000 {
		if _, err := l.Append(a.batch(t, 1, 100)); err != nil {
			t.Fatal(err)
		}
	}
	s := l.Stats()
	if s.Segments < 3 || s.Bytes > 3*1000*200 {
		t.Fatalf("%d segments with %d bytes", s.Segments, s.Bytes)
	}
	l.Close()
	if l, err = Open(r.dir, o); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Last() != s.Last {
		t.Fatalf("last %d, want %d", l.Last(), s.Last)
	}
}

func TestBatchLargerThanSegment(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	a := newOrigin(1)
	r.append(a.batch(t, 2, 10)...)
	r.append(a.batch(t, 50, 1000)...)
	r.append(a.batch(t, 2, 10)...)
	want := r.state
	r.reopen()
	if d := cmp.Diff(want, r.state, cmp.AllowUnexported(model{})); d != "" {
		t.Fatalf("state (-want +got):\n%s", d)
	}
	records, err := readAll(t, r.dir)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, records)
}

func TestRefusedBatches(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	if _, err := r.Append(nil); err == nil {
		t.Error("an empty batch")
	}
	if _, err := r.Append([]events.Event{{Type: "app/x"}}); err == nil {
		t.Error("an event that is not sealed")
	}
	e := newOrigin(1).event(t, 200<<10)
	big := make([]events.Event, MaxBatch/(200<<10)+1)
	for i := range big {
		big[i] = e
	}
	if _, err := r.Append(big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a batch that is too large: %v", err)
	}
	if err := r.Err(); err != nil || r.Last() != 0 {
		t.Fatalf("last %d, %v", r.Last(), err)
	}
}

func TestConcurrentAppends(t *testing.T) {
	o := options()
	dir := t.TempDir()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const callers, each = 16, 40
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			a := newOrigin(byte(c + 1))
			for range each {
				batch := a.batch(t, 2, 30)
				last, err := l.Append(batch)
				if err != nil {
					t.Error(err)
					return
				}
				r, err := l.Read(last)
				if err != nil || string(r.Bytes) != string(batch[1].Raw()) || !r.EndOfBatch {
					t.Errorf("record %d is not what was appended there: %v", last, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for c := range callers {
		got, err := l.Range(newOrigin(byte(c+1)).id, 1, 1000, 1<<20)
		if err != nil || len(got) != 2*each {
			t.Fatalf("origin %d: %d events, %v", c+1, len(got), err)
		}
	}
	// Without snapshots the log is read from its beginning.
	n := 0
	if err := l.Load(nil, func(*Record) error { n++; return nil }); err != nil || n != callers*each*2 {
		t.Fatalf("Load gave %d events, %v", n, err)
	}
}

func TestCursorFollows(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	a := newOrigin(1)
	const n = 300
	var want []events.Event
	for range n {
		want = append(want, a.event(t, 50))
	}
	done := make(chan []events.Event)
	go func() {
		var got []events.Event
		c := r.Records(0)
		defer c.Close()
		for len(got) < n {
			rec, err := c.Next(t.Context())
			if err != nil {
				t.Error(err)
				break
			}
			if rec.Kind == KindEvent {
				e, _ := events.Decode(rec.Bytes)
				got = append(got, e)
			}
		}
		done <- got
	}()
	for i := 0; i < n; i += 3 {
		r.append(want[i : i+3]...)
	}
	if !sameEvents(want, <-done) {
		t.Fatal("the cursor shows other events")
	}
	c := r.Records(r.Last() + 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	errs := make(chan error)
	go func() {
		_, err := c.Next(t.Context())
		errs <- err
	}()
	r.close()
	if err := <-errs; !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := r.Append(a.batch(t, 1, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCheckpoint(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	if _, err := ReadCheckpoint(r.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before the first: %v", err)
	}
	for i := range 3 {
		want := fmt.Sprintf(`{"n":%d}`, i)
		if err := r.WriteCheckpoint([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadCheckpoint(r.dir); err != nil || string(got) != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	r.close()
	if err := r.WriteCheckpoint(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseMarksTheEnd(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	r.append(newOrigin(1).batch(t, 3, 10)...)
	path := filepath.Join(r.dir, cleanName)
	if ok, _ := exists(path); ok {
		t.Fatal("CLEAN while the log is open")
	}
	r.close()
	if ok, _ := exists(path); !ok {
		t.Fatal("no CLEAN")
	}
	info, err := os.Stat(lastSegment(t, r.dir))
	if err != nil || info.Size() != r.Stats().Bytes {
		t.Fatalf("the segment has %d bytes, want %d (%v)", info.Size(), r.Stats().Bytes, err)
	}
}

// TestManyLogs opens as many as a test of a whole cluster does.
func TestManyLogs(t *testing.T) {
	var logs []*rig
	for range 50 {
		r := newRig(t, t.TempDir(), Options{NodeID: "n1", Cluster: "test", Logger: quiet()})
		r.append(newOrigin(1).batch(t, 3, 100)...)
		logs = append(logs, r)
	}
	for _, r := range logs {
		info, err := os.Stat(lastSegment(t, r.dir))
		if err != nil || info.Size() > 128<<10 {
			t.Fatalf("%d bytes allocated, %v", info.Size(), err)
		}
		r.close()
	}
}

func TestReceivedIsMonotone(t *testing.T) {
	r := newRig(t, t.TempDir(), options())
	before := time.Now().UnixMilli()
	r.append(newOrigin(1).batch(t, 1, 10)...)
	rec, err := r.Read(2)
	if err != nil || rec.Received < before || rec.Received > time.Now().UnixMilli() {
		t.Fatalf("received %d, %v", rec.Received, err)
	}
	r.writer.received += 1_000_000 // the clock of an hour ago was ahead
	r.append(newOrigin(2).batch(t, 1, 10)...)
	r.reopen()
	r.append(newOrigin(3).batch(t, 1, 10)...)
	later, err := r.Read(4)
	if err != nil || later.Received < rec.Received+1_000_000 {
		t.Fatalf("received %d after %d, %v", later.Received, rec.Received, err)
	}
}
