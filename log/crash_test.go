package log

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// story is a history of a log and what was acknowledged when. A milestone is
// reached when the call of the same number was made.
type story struct {
	*recorder
	*rig
	batches     [][]events.Event
	appended    []int // calls made when each batch was acknowledged
	identities  []events.LogID
	identified  []int // calls made when each identity was acknowledged
	checkpoints []string
	checked     []int
	retaining   int // calls made when the first segment might have gone
	a, b        *origin
	told        func() // after each acknowledgement
}

// newStory begins a story in a directory. Call fail, from 1, fails; half of it
// is done if it is a write of a batch and half is set.
func newStory(t testing.TB, dir string, fail int, half bool) *story {
	s := &story{recorder: newRecorder(dir), a: newOrigin(1), b: newOrigin(2), retaining: 1 << 30}
	s.recorder.fail, s.recorder.half = fail, half
	o := options()
	o.disk = s.recorder
	s.rig = &rig{t: t, dir: dir, o: o}
	return s
}

// now is how many calls were made.
func (s *story) now() int { return len(s.calls) }

// tell tells the whole story and stops at the first error.
func (s *story) tell() error {
	return errors.Join(s.chapter(s.begin, s.write(12), s.snapshot, s.checkpoint, s.write(12), s.rotate,
		s.write(8), s.checkpoint, s.end, s.begin, s.write(6), s.retain, s.write(8), s.retain, s.write(4)))
}

func (s *story) chapter(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) begin() error {
	if err := s.open(); err != nil {
		return err
	}
	s.identities = append(s.identities, s.Identity().Log)
	s.identified = append(s.identified, s.now())
	return nil
}

func (s *story) write(n int) func() error {
	return func() error {
		for range n {
			i := len(s.batches)
			batch := append(s.a.batch(s.t, 1+i%3, 40+i*13%200), s.b.event(s.t, 20))
			s.batches = append(s.batches, batch)
			if _, err := s.Append(batch); err != nil {
				if !errors.Is(err, ErrFailed) {
					s.t.Fatalf("Append says %v", err)
				}
				return err
			}
			s.state.apply(batch...)
			s.appended = append(s.appended, s.now())
			if s.told != nil {
				s.told()
			}
		}
		return nil
	}
}

func (s *story) snapshot() error {
	_, err := s.AppendSnapshot(s.state.snapshot())
	return err
}

func (s *story) checkpoint() error {
	text := fmt.Sprintf("checkpoint %d", len(s.checkpoints))
	s.checkpoints = append(s.checkpoints, text)
	err := s.WriteCheckpoint([]byte(text))
	if err == nil {
		s.checked = append(s.checked, s.now())
	}
	return err
}

func (s *story) rotate() error {
	id, err := s.Rotate()
	if err == nil {
		s.identities = append(s.identities, id.Log)
		s.identified = append(s.identified, s.now())
	}
	return err
}

func (s *story) end() error { return s.Close() }

func (s *story) retain() error {
	s.retaining = min(s.retaining, s.now())
	s.Log.o.Retention = Retention{Bytes: 12 << 10}
	return s.Log.retain(time.Now())
}

// grows reports whether a call is one for room ahead, which may be refused.
func (c call) grows() bool { return c.op == "truncate" && c.size%(64<<10) == 0 && c.size > 0 }

func acknowledged(calls []int, now int) int {
	n, _ := slices.BinarySearch(calls, now+1)
	return n
}

// holds checks what a crash after a number of calls left in a directory: that
// it opens, holds all that was acknowledged by then and nothing that was not
// said, and works.
func (s *story) holds(t testing.TB, dir string, now int) {
	t.Helper()
	r := &rig{t: t, dir: dir, o: calm()}
	if err := r.open(); err != nil {
		t.Fatalf("open: %v", err)
	}
	defer r.Close()
	s.holdsEvents(t, r, now)
	if n := acknowledged(s.identified, now); n > 0 {
		id := r.Identity().Log
		if id != s.identities[n-1] && (n == len(s.identities) || id != s.identities[n]) {
			// The one of a Rotate that did not end is not written down here.
			if n < len(s.identified) || s.recorder.failed == 0 {
				t.Fatalf("log id %s after %d identities", id, n)
			}
		}
	}
	least := acknowledged(s.checked, now)
	got, err := ReadCheckpoint(dir)
	if i := slices.Index(s.checkpoints, string(got)); err == nil && i < least-1 || err != nil && (least > 0 || !errors.Is(err, fs.ErrNotExist)) {
		t.Fatalf("checkpoint %q after %d: %v", got, least, err)
	}
	count := r.state.count
	r.append(newOrigin(9).batch(t, 2, 30)...)
	r.close()
	if err := r.open(); err != nil {
		t.Fatalf("open again: %v", err)
	}
	if r.state.count != count+2 {
		t.Fatalf("after an append and a reopen there are %d events, want %d", r.state.count, count+2)
	}
}

func (s *story) holdsEvents(t testing.TB, r *rig, now int) {
	t.Helper()
	records, err := readAll(t, r.dir)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, records)
	got := eventsOf(t, records)
	var all []events.Event
	n := 0 // batches there are
	for _, b := range s.batches {
		all = append(all, b...)
		if len(all) == r.state.count {
			n = len(all)
		}
	}
	if r.state.count != n {
		t.Fatalf("%d events: that is no whole number of batches", r.state.count)
	}
	least := 0
	for _, b := range s.batches[:acknowledged(s.appended, now)] {
		least += len(b)
	}
	if n < least {
		t.Fatalf("%d events, %d were acknowledged", n, least)
	}
	from := n - len(got)
	if from < 0 || from > 0 && now < s.retaining || !sameEvents(all[from:n], got) {
		t.Fatalf("%d events are kept, want the last of %d", len(got), n)
	}
	for i := 1; i < len(got); i++ {
		for j := i - 1; j >= 0; j-- {
			if got[j].Log == got[i].Log {
				if !got[i].Links(got[j].Chain) {
					t.Fatalf("event %d does not link to the one before", i)
				}
				break
			}
		}
	}
	m := newModel()
	m.apply(all[:n]...)
	if !m.heads.Equal(r.state.heads) {
		t.Fatalf("state %v, want %v", r.state.heads, m.heads)
	}
	holdsRanges(t, r, got)
}

// holdsRanges checks that the kept events of each log are found by their names.
func holdsRanges(t testing.TB, r *rig, kept []events.Event) {
	t.Helper()
	logs := make(map[events.LogID][]events.Event)
	for _, e := range kept {
		logs[e.Log] = append(logs[e.Log], e)
	}
	for id, want := range logs {
		got, err := r.Range(id, want[0].Seq, len(want)+1, 1<<30)
		if err != nil || !sameEvents(want, got) {
			t.Fatalf("Range(%s, %d): %d events, want %d (%v)", id, want[0].Seq, len(got), len(want), err)
		}
		if _, err := r.Range(id, want[0].Seq-1, 1, 1<<20); !errors.Is(err, ErrCompacted) {
			t.Fatalf("an event that is not kept: %v", err)
		}
	}
}

// TestPowerLoss pulls the plug after every call of a story, with everything
// that may have become of what was not synced.
func TestPowerLoss(t *testing.T) {
	s := newStory(t, scratch(t), 0, false)
	if err := s.tell(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.pullThePlug(t, chance(t))
}

func (s *story) pullThePlug(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	t.Logf("%d calls, %d batches", len(s.calls), len(s.batches))
	u := newUniverse()
	for now := 0; ; now++ {
		for _, f := range fates {
			dir := u.materialize(t, f, rnd)
			s.at(t, f.name, now, func() { s.holds(t, dir, now) })
			os.RemoveAll(dir)
		}
		if now == len(s.calls) {
			return
		}
		u.do(s.calls[now])
	}
}

// at says where a story was when a check failed.
func (s *story) at(t *testing.T, fate string, now int, check func()) {
	t.Helper()
	ok := false
	defer func() {
		if !ok {
			last := "nothing"
			if now > 0 {
				last = s.calls[now-1].String()
			}
			t.Logf("power lost after call %d of %d (%s), %s", now, len(s.calls), last, fate)
		}
	}()
	check()
	ok = true
}

// TestPowerLossInRecovery pulls the plug while Open repairs what another power
// loss left.
func TestPowerLossInRecovery(t *testing.T) {
	rnd := chance(t)
	first := newStory(t, scratch(t), 0, false)
	if err := first.chapter(first.begin, first.write(14)); err != nil {
		t.Fatal(err)
	}
	first.Close()
	u := newUniverse()
	for now, c := range first.calls {
		u.do(c)
		if c.op != "write" || len(c.data) < 400 {
			continue
		}
		for _, f := range fates[4:] {
			dir := u.materialize(t, f, rnd)
			second := &story{recorder: newRecorder(dir), batches: first.batches, retaining: 1 << 30}
			image := tree(t, dir)
			o := options()
			o.disk = second.recorder
			second.rig = &rig{t: t, dir: dir, o: o}
			if err := second.open(); err != nil {
				t.Fatal(err)
			}
			second.Log.Close()
			second.recoverAgain(t, rnd, image, first, now+1)
			os.RemoveAll(dir)
		}
	}
}

// recoverAgain plays the calls of a recovery on the image that it began with.
func (s *story) recoverAgain(t *testing.T, rnd *rand.Rand, image map[string]string, first *story, now int) {
	t.Helper()
	u := newUniverse()
	for path, b := range image {
		name := s.rel(path)
		u.names[name] = &inode{synced: []byte(b)}
		u.durable[name] = u.names[name]
	}
	u.dirs["wal"] = true
	for i := 0; ; i++ {
		f := fates[rnd.IntN(len(fates))]
		dir := u.materialize(t, f, rnd)
		s.at(t, f.name, i, func() {
			r := &rig{t: t, dir: dir, o: calm()}
			if err := r.open(); err != nil {
				t.Fatalf("open: %v", err)
			}
			first.holdsEvents(t, r, now)
			r.Close()
		})
		os.RemoveAll(dir)
		if i == len(s.calls) {
			return
		}
		u.do(s.calls[i])
	}
}

// TestEveryCallFails lets each call of a story fail once. What was acknowledged
// is there afterwards, even when the power goes as well.
func TestEveryCallFails(t *testing.T) {
	rnd := chance(t)
	whole := newStory(t, scratch(t), 0, false)
	if err := whole.tell(); err != nil {
		t.Fatal(err)
	}
	calls := len(whole.calls)
	whole.Close()
	for fail := 1; fail <= calls; fail++ {
		for _, half := range []bool{false, true} {
			if half && whole.calls[fail-1].op != "write" {
				continue
			}
			dir := scratch(t)
			s := newStory(t, dir, fail, half)
			err := s.tell()
			var in injected
			if !errors.As(err, &in) && !whole.calls[fail-1].grows() {
				t.Fatalf("call %d (%s) failed and the story says %v", fail, whole.calls[fail-1], err)
			}
			s.failed = fail
			now := len(s.calls)
			if s.Log != nil {
				s.afterFailure(t, err)
			}
			s.at(t, "kept", now, func() { s.holds(t, copyDir(t, dir), now) })
			u := newUniverse()
			for _, c := range s.calls[:now] {
				u.do(c)
			}
			for _, f := range fates[:2] {
				lost := u.materialize(t, f, rnd)
				s.at(t, f.name, now, func() { s.holds(t, lost, now) })
				os.RemoveAll(lost)
			}
			os.RemoveAll(dir)
		}
	}
}

// TestSyncFailsAndThePowerGoes lets each sync of a segment fail. After that the
// kernel shows what was written, takes it for clean, and never writes it again
// (fsyncgate). What the next Open finds there and goes on from must be durable
// all the same.
func TestSyncFailsAndThePowerGoes(t *testing.T) {
	rnd := chance(t)
	whole := newStory(t, scratch(t), 0, false)
	if err := whole.chapter(whole.begin, whole.write(16)); err != nil {
		t.Fatal(err)
	}
	calls := whole.calls
	whole.Close()
	for i, c := range calls {
		if c.op != "sync" || filepath.Dir(c.path) != walName {
			continue
		}
		s := newStory(t, scratch(t), i+1, false)
		if err := s.chapter(s.begin, s.write(16)); !errors.Is(err, ErrFailed) {
			t.Fatalf("%s failed and the story says %v", c, err)
		}
		s.Log.Close()
		before := len(s.calls)
		// What was not acknowledged may be there; the story goes on from it.
		if err := s.begin(); err != nil {
			t.Fatal(err)
		}
		if n := len(s.batches); s.state.heads[s.a.id] < s.a.seq {
			last := s.batches[n-1]
			s.batches = s.batches[:n-1]
			s.a, s.b = originAt(s.a.id, s.batches), originAt(s.b.id, s.batches)
			if s.state.heads[last[0].Log] >= last[0].Seq {
				t.Fatal("half a batch")
			}
		} else if n > len(s.appended) {
			s.appended = append(s.appended, s.now())
		}
		if err := s.write(3)(); err != nil {
			t.Fatal(err)
		}
		s.Log.Close()
		u := newUniverse()
		for now := 0; now <= len(s.calls); now++ {
			if now >= before {
				for _, f := range fates[:2] {
					dir := u.materialize(t, f, rnd)
					s.at(t, f.name, now, func() { s.holds(t, dir, now) })
					os.RemoveAll(dir)
				}
			}
			if now < len(s.calls) {
				u.do(s.calls[now])
			}
		}
		os.RemoveAll(s.dir)
	}
}

// originAt returns an origin that goes on after some batches.
func originAt(id events.LogID, batches [][]events.Event) *origin {
	o := &origin{id: id, chain: events.Genesis(id)}
	for _, b := range batches {
		for _, e := range b {
			if e.Log == id {
				o.seq, o.chain = e.Seq, e.Chain
			}
		}
	}
	return o
}

// afterFailure checks a log in which a call failed: what it read before it
// still reads, it takes nothing more, and it lets go of its lock.
func (s *story) afterFailure(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrFailed) {
		if _, again := s.Append(s.a.batch(t, 1, 10)); !errors.Is(again, ErrFailed) {
			t.Fatalf("after a failure Append says %v", again)
		}
		if s.Err() == nil {
			t.Fatal("Err is nil")
		}
		last := s.Last()
		if n := len(s.appended); n > 0 {
			batch := s.batches[n-1]
			e := batch[len(batch)-1]
			got, err := s.Range(e.Log, e.Seq, 1, 1<<20)
			if err != nil || len(got) != 1 || !bytes.Equal(got[0].Raw(), e.Raw()) {
				t.Fatalf("the last acknowledged event reads as %d events, %v", len(got), err)
			}
			if r, err := s.Read(last); err != nil || r.Index != last {
				t.Fatalf("record %d: %v", last, err)
			}
		}
	}
	s.Log.Close()
	l, err := Open(s.dir, calm())
	if err != nil {
		t.Fatalf("open after a failure: %v", err)
	}
	l.Close()
}
