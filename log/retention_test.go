package log

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// grow appends until the log has so many segments, and returns the events.
func (r *rig) grow(t testing.TB, o *origin, segments int) []events.Event {
	t.Helper()
	var all []events.Event
	for first := (*r.segments.Load())[:0]; len(first) < segments; first = *r.segments.Load() {
		batch := o.batch(t, 2, 100)
		all = append(all, batch...)
		r.append(batch...)
	}
	return all
}

func TestRetentionByBytes(t *testing.T) {
	o := calm()
	r := newRig(t, scratch(t), o)
	a := newOrigin(1)
	all := r.grow(t, a, 10)
	r.Log.o.Retention.Bytes = 12 << 10
	if err := r.retain(time.Now()); err != nil {
		t.Fatal(err)
	}
	s := r.Stats()
	if s.Bytes > 12<<10+4<<10 || s.Segments < 2 || s.First == 1 {
		t.Fatalf("%+v", s)
	}
	check := func() {
		t.Helper()
		if n := len(segmentFiles(t, r.dir)); n != r.Stats().Segments {
			t.Fatalf("%d files, %d segments", n, r.Stats().Segments)
		}
		if _, err := r.Range(a.id, 1, 1, 1000); !errors.Is(err, ErrCompacted) {
			t.Errorf("Range of what was removed: %v", err)
		}
		if _, err := r.Read(1); !errors.Is(err, ErrCompacted) {
			t.Errorf("Read of what was removed: %v", err)
		}
		if _, err := r.Records(1).Next(t.Context()); !errors.Is(err, ErrCompacted) {
			t.Errorf("a cursor on what was removed: %v", err)
		}
		// Who has seen nothing is told; who has seen what is gone goes on.
		if at := r.Locate(nil); at >= r.First() {
			t.Errorf("Locate(nil) = %d, the first record is %d", at, r.First())
		}
		heads, err := r.shelf.headsOf((*r.segments.Load())[0])
		if err != nil {
			t.Fatal(err)
		}
		if at := r.Locate(heads); at != r.First() {
			t.Errorf("Locate(%v) = %d, want %d", heads, at, r.First())
		}
		from := heads[a.id] + 1
		got, err := r.Range(a.id, from, 10_000, 1<<30)
		if err != nil || !sameEvents(all[from-1:], got) {
			t.Errorf("Range(%d): %d events, %v", from, len(got), err)
		}
	}
	check()
	r.reopen()
	check()
}

func TestRetentionByAge(t *testing.T) {
	r := newRig(t, scratch(t), calm())
	a := newOrigin(1)
	r.grow(t, a, 6)
	r.Log.o.Retention.Age = time.Hour
	if err := r.retain(time.Now()); err != nil || r.First() != 1 {
		t.Fatalf("first %d, %v", r.First(), err)
	}
	if err := r.retain(time.Now().Add(2 * time.Hour)); err != nil || r.Stats().Segments != 2 {
		t.Fatalf("%+v, %v", r.Stats(), err)
	}
	r.reopen()
	if r.Stats().Segments != 2 {
		t.Fatalf("%+v", r.Stats())
	}
}

// TestRetentionInTheBackground appends while segments go, with readers of all
// kinds beside it.
func TestRetentionInTheBackground(t *testing.T) {
	o := calm()
	var removed int
	o.Retention.Bytes = 20 << 10
	o.Hooks.Removed = func(Segment, bool) { removed++ }
	r := newRig(t, scratch(t), o)
	a := newOrigin(1)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { // a cursor that begins again when it is left behind
			c := r.Records(0)
			for next := uint64(0); ; {
				rec, err := c.Next(ctx)
				switch {
				case err == nil && rec.Index < next:
					t.Errorf("record %d after %d", rec.Index, next)
					return
				case err == nil:
					next = rec.Index + 1
				case errors.Is(err, ErrCompacted):
					c = r.Records(0)
				default:
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
			}
		})
		wg.Go(func() {
			for ctx.Err() == nil {
				last := r.Last()
				if last == 0 {
					continue
				}
				for _, index := range []uint64{r.First(), last, (r.First() + last) / 2} {
					if rec, err := r.Read(index); err != nil && !errors.Is(err, ErrCompacted) || err == nil && rec.Index != index {
						t.Errorf("record %d: %v", index, err)
						return
					}
				}
				r.Locate(nil)
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			rd, err := OpenReader(r.dir)
			if err != nil {
				t.Error(err)
				return
			}
			for {
				if _, err := rd.Next(); err == io.EOF || errors.Is(err, ErrCompacted) {
					break
				} else if err != nil {
					t.Error(err)
					return
				}
			}
			rd.Close()
		}
	})
	r.grow(t, a, 3)
	for range 600 {
		r.append(a.batch(t, 2, 100)...)
	}
	cancel()
	wg.Wait()
	r.close()
	if removed == 0 {
		t.Fatal("nothing was removed")
	}
}

func TestArchive(t *testing.T) {
	for _, inside := range []bool{true, false} {
		o := calm()
		r := newRig(t, scratch(t), o)
		archive := filepath.Join(r.dir, "archive")
		if !inside {
			archive = filepath.Join(scratch(t), "far", "away")
		}
		r.close()
		r.o.Retention.Archive = archive
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		a := newOrigin(1)
		all := r.grow(t, a, 8)
		r.Log.o.Retention.Bytes = 10 << 10
		if err := r.retain(time.Now()); err != nil {
			t.Fatal(err)
		}
		all = append(all, r.grow(t, a, 5)...)
		check := func(dir string, want []events.Event) {
			t.Helper()
			records, err := readAll(t, dir)
			if err != nil {
				t.Fatal(err)
			}
			checkRecords(t, records)
			if got := eventsOf(t, records); !sameEvents(want, got) {
				t.Fatalf("%s: %d events, want %d", dir, len(got), len(want))
			}
		}
		check(r.dir, all)
		if ok, _ := exists(segmentFiles(t, r.dir)[0]); !ok || r.First() == 1 {
			t.Fatalf("first %d", r.First())
		}
		r.reopen()
		check(r.dir, all)
		rest, err := r.Range(a.id, r.state.heads[a.id], 1, 1000)
		if err != nil || len(rest) != 1 {
			t.Fatal(err)
		}
		// The archive alone is the beginning.
		records, err := readAll(t, archive)
		if err != nil || len(records) == 0 || records[len(records)-1].Index != r.First()-1 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		// A segment that is missing in there is missed.
		files, _ := filepath.Glob(filepath.Join(archive, "*.gz"))
		os.Remove(files[1])
		var corrupt *CorruptError
		if _, err := readAll(t, r.dir); !errors.As(err, &corrupt) {
			t.Fatalf("without %s: %v", files[1], err)
		}
	}
}

// TestRetentionKeepsWhatNothingStandsFor keeps segments without snapshots.
func TestRetentionKeepsWhatNothingStandsFor(t *testing.T) {
	o := calm()
	l, err := Open(scratch(t), o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := newOrigin(1)
	for range 100 {
		if _, err := l.Append(a.batch(t, 2, 100)); err != nil {
			t.Fatal(err)
		}
	}
	l.o.Retention.Bytes = 1
	if err := l.retain(time.Now()); err != nil || l.First() != 1 {
		t.Fatalf("first %d, %v", l.First(), err)
	}
}

// TestArchiveHasTheName finds a file where a segment is to go: a copy of it that
// was made before a crash, a damaged one, and one of another log.
func TestArchiveHasTheName(t *testing.T) {
	r := newRig(t, scratch(t), calm())
	r.grow(t, newOrigin(1), 5)
	r.close()
	r.o.Retention.Archive = filepath.Join(r.dir, "archive")
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	segs := *r.segments.Load()
	path := filepath.Join(r.o.Retention.Archive, segmentName(1)+archiveSuffix)
	if err := r.archiveSegment(segs[0]); err != nil {
		t.Fatal(err)
	}
	good := readFile(t, path)
	for name, content := range map[string][]byte{"the same": good, "cut off": good[:len(good)/2], "garbage": []byte("no gzip")} {
		writeTo(t, path, content)
		if err := r.archiveSegment(segs[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f, err := os.Open(segs[0].path); err != nil {
			t.Error(err)
		} else if same, err := unpacksTo(path, f); !same || err != nil {
			t.Errorf("%s: it is not a copy now: %v", name, err)
		}
	}
	if err := r.archiveSegment(segs[1]); err != nil {
		t.Fatal(err)
	}
	other := readFile(t, filepath.Join(r.o.Retention.Archive, segmentName(segs[1].base)+archiveSuffix))
	writeTo(t, path, other)
	r.Log.o.Retention.Bytes = 1
	if err := r.retain(time.Now()); err == nil || r.First() != 1 || string(readFile(t, path)) != string(other) {
		t.Errorf("a segment of another log: %v, first %d", err, r.First())
	}
}
