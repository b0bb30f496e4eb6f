package replay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

func point(t *testing.T, text string) replay.Point {
	t.Helper()
	p, err := replay.Grammar{}.Point(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// followed returns what a following yields.
func followed(t *testing.T, name string, f *replay.Following) (ids []events.ID) {
	t.Helper()
	for l, err := range replay.Follow(t.Context(), name, f) {
		if err != nil {
			t.Fatalf("until %s: %v", f.Until, err)
		}
		ids = append(ids, l.Event.ID())
	}
	return ids
}

// TestFollowUntilEqualsNaivePrefix follows random logs, and bundles of them, to places
// of each kind, and goes on from there: first come exactly the events up to that place,
// then exactly the others.
func TestFollowUntilEqualsNaivePrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 21))
	for _, dir := range randomPast(t, r, 200) {
		n := naiveOf(t, open(t, dir))
		bundle, _ := bundleOf(t, nil, dir)
		var ids []events.ID
		for i := range n.entries {
			ids = append(ids, n.entries[i].Event.ID())
		}
		for i := range n.entries {
			if kind := r.IntN(16); kind < 6 {
				text, end := n.place(kind, i, r)
				name := []string{dir, bundle}[(i+kind)%2]
				f := &replay.Following{After: events.Vector{}, Until: point(t, text), CaughtUp: func() bool { return false }}
				if got := followed(t, name, f); !slices.Equal(got, ids[:end]) {
					t.Fatalf("%s until %s: %d events, want %d", name, text, len(got), end)
				}
				f.Until = replay.Point{}
				if got := followed(t, name, f); !slices.Equal(got, ids[end:]) {
					t.Fatalf("%s after %s: %d events, want %d", name, text, len(got), len(ids)-end)
				}
				f.Until = point(t, text) // it is there already
				if got := followed(t, name, f); len(got) > 0 {
					t.Fatalf("%s is after %s and yields %d events", name, text, len(got))
				}
			}
		}
	}
}

// place names the place behind event i in one of the ways there are, and says how
// many events are before it.
func (n *naive) place(kind, i int, r *rand.Rand) (text string, end int) {
	e := &n.entries[i]
	switch kind {
	case 0:
		return "@" + strconv.FormatUint(e.Index, 10), i + 1
	case 1:
		return n.names.Event(e.Event.ID()), i + 1
	case 2:
		return "head~" + strconv.Itoa(len(n.entries)-1-i), i + 1
	case 3: // all that was received until then
		for end < len(n.entries) && n.entries[end].Received <= e.Received {
			end++
		}
		return time.UnixMilli(e.Received).UTC().Format("2006-01-02T15:04:05.000Z"), end
	case 4: // the vector of some earlier place, of some logs: the last of its events
		v := events.Vector{}
		for j := range n.entries[:i+1] {
			if r.IntN(2) == 0 {
				v[n.entries[j].Event.Log], end = n.entries[j].Event.Seq, j+1
			}
		}
		if len(v) > 0 {
			return n.names.Vector(v) + ",", end
		}
	}
	return "first", 0
}

// TestFollowUntilWaits follows a log that has not reached the point yet: it waits, and
// ends right there while the log goes on.
func TestFollowUntilWaits(t *testing.T) {
	for text, want := range map[string]struct { // k1, k2 ... are set a second each, from second 0 and n1:3 on
		last uint64
		ends time.Duration
	}{
		"n1:9": {9, 6 * time.Second}, "@12": {11, 8 * time.Second}, "n1:3": {3, 0}, "n1:6,": {6, 3 * time.Second},
		"2000-01-01T00:00:05Z": {8, 6 * time.Second}, "2000-01-01T00:00:05.500Z": {8, 6 * time.Second},
	} {
		t.Run(text, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				h := replaytest.New(t, dir)
				n := h.Node("n1")
				n.Join("first")
				done := make(chan bool)
				go func() { // ends when the log has what it writes
					defer close(done)
					for i := range 20 {
						n.Set(fmt.Sprint("k", i+1), "v")
						time.Sleep(time.Second)
					}
				}()
				begun := time.Now()
				f := &replay.Following{After: events.Vector{}, Until: point(t, text)}
				got := followed(t, n.Dir(), f)
				if uint64(len(got)) != want.last || f.After[n.Log] != want.last {
					t.Errorf("%d events to %s, want %d", len(got), f.After, want.last)
				}
				if took := time.Since(begun); took < want.ends || took > want.ends+time.Second/2 {
					t.Errorf("it ended after %s, want %s", took, want.ends)
				}
				<-done
				h.Close()
			})
		})
	}
}

// TestFollowUntilTimeOfQuietLog: nothing comes after a time, so the clock tells that
// it is over; what was being written just then is still shown.
func TestFollowUntilTimeOfQuietLog(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n := h.Node("n1")
		n.Join("first")
		begun := time.Now()
		f := &replay.Following{After: events.Vector{}, Until: replay.Instant(begun.Add(time.Minute))}
		if got := followed(t, n.Dir(), f); len(got) != 2 {
			t.Errorf("%d events, want 2", len(got))
		}
		if took := time.Since(begun); took < time.Minute || took > time.Minute+2*time.Second {
			t.Errorf("it ended after %s", took)
		}
		h.Close()
	})
}

// TestFollowUntilWithDamage: the event to which one follows is damaged, or it came as a
// part of a state. The log reaches it all the same.
func TestFollowUntilWithDamage(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n := h.Node("n1")
		n.Join("first")
		for range 200 {
			n.Set("k", "v")
		}
		n2 := h.Node("n2")
		n2.Join("second")
		n2.TakeState(n)
		n2.Set("k", "w")
	})
	list := all(t, open(t, path("n1")))
	i := slices.IndexFunc(list[50:], func(e replay.Entry) bool { return e.File != list[50].File }) + 49 // the last of its segment
	lost := &list[i]
	b, err := os.ReadFile(lost.File)
	if err != nil {
		t.Fatal(err)
	}
	b[lost.Offset+40] ^= 1
	if err := os.WriteFile(lost.File, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{lost.Event.ID().String(), "@" + strconv.FormatUint(lost.Index, 10)} {
		f := &replay.Following{After: events.Vector{}, Until: point(t, text), CaughtUp: func() bool { t.Error("it went to the end"); return false }}
		told := 0
		for _, err := range replay.Follow(t.Context(), path("n1"), f) {
			if damage := (*replay.Damage)(nil); errors.As(err, &damage) {
				told++
			}
		}
		if told != 1 {
			t.Errorf("%s: damage is told %d times", text, told)
		}
	}
	f := &replay.Following{After: events.Vector{}, Until: point(t, "n1:50"), CaughtUp: func() bool { t.Error("it went to the end"); return false }}
	unseen := (*replay.Unseen)(nil)
	for _, err := range replay.Follow(t.Context(), path("n2"), f) {
		errors.As(err, &unseen)
	}
	if unseen == nil || unseen.To < 50 {
		t.Errorf("n1:50 came in form of a state, which was not told: %v", unseen)
	}
}

// TestFollowUntilNowhere: what will never come is said at once.
func TestFollowUntilNowhere(t *testing.T) {
	dir := incident(t)[0]
	bundle, _ := bundleOf(t, nil, dir)
	for _, c := range []struct {
		name, until string
		want        error
	}{
		{dir, "n9:1", nil}, {bundle, "n9:1", nil}, {bundle, "n1:999", replay.ErrBeyond}, {bundle, "@999", replay.ErrBeyond}, {bundle, "n1:9,n2:999", replay.ErrBeyond},
	} {
		var failed error
		for _, err := range replay.Follow(t.Context(), c.name, &replay.Following{After: events.Vector{}, Until: point(t, c.until)}) {
			failed = err
		}
		var wrong *replay.PointError
		if c.want != nil && !errors.Is(failed, c.want) || c.want == nil && !errors.As(failed, &wrong) {
			t.Errorf("%s until %s: %v", c.name, c.until, failed)
		}
	}
}

// TestFollowUntilOfLiveNode: a live node does not say when it learnt of what.
func TestFollowUntilOfLiveNode(t *testing.T) {
	list := all(t, open(t, incident(t)[0]))
	vector := events.Vector{}
	for i := range list {
		vector[list[i].Event.Log] = list[i].Event.Seq
	}
	asked := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cluster", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"name":"test","vector":{"%s":%d}}`, list[0].Event.Log, vector[list[0].Event.Log])
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		after, _ := events.ParseVector(r.URL.Query().Get("after"))
		if r.URL.Query().Get("type") == "" {
			asked++
		}
		for i := range list[:min(len(list), 5*max(asked, 1))] { // it learns five at a time
			if e := &list[i].Event; !after.Covers(e.ID()) {
				line, _ := e.AppendJSON(nil)
				fmt.Fprintf(w, "%s\n", line)
			}
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	id := list[17].Event.ID()
	for text, want := range map[string]int{id.String(): 18, id.String() + ",": 18, "first": 0, "head": 34} {
		asked = 0
		f := &replay.Following{After: events.Vector{}, Until: point(t, text), Poll: time.Millisecond}
		got := followed(t, s.URL, f)
		if text == "head" { // of the log that its answer names
			want = slices.IndexFunc(list, func(e replay.Entry) bool {
				return e.Event.ID() == events.ID{Log: list[0].Event.Log, Seq: vector[list[0].Event.Log]}
			}) + 1
		}
		if len(got) != want {
			t.Errorf("until %s: %d events, want %d", text, len(got), want)
		}
	}
	asked = 0
	f := &replay.Following{After: events.Vector{}, Until: replay.Instant(time.Now().Add(50 * time.Millisecond)), Poll: time.Millisecond}
	if got := followed(t, s.URL, f); len(got) == 0 || !f.After.Covers(got[len(got)-1]) {
		t.Errorf("%d events until a time to come", len(got))
	}
	for text, want := range map[string]string{"@3": "local index", "2000-01-01": "to come", "n9:3": "n9"} {
		var failed error
		for _, err := range replay.Follow(context.Background(), s.URL, &replay.Following{Until: point(t, text)}) {
			failed = err
		}
		var wrong *replay.PointError
		if !errors.As(failed, &wrong) || !strings.Contains(failed.Error(), want) {
			t.Errorf("until %s: %v", text, failed)
		}
	}
}

// TestFollowUntilOfSeveralLogs: a bundle of several is sorted by the events' own times,
// and the places in it are those of that order.
func TestFollowUntilOfSeveralLogs(t *testing.T) {
	dirs := incident(t)
	file, _ := bundleOf(t, nil, dirs...)
	s := open(t, file)
	list := all(t, s)
	names, err := s.Names(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []events.ID
	for i := range list {
		ids = append(ids, list[i].Event.ID())
	}
	for i := range list {
		end := i + 1
		for end < len(list) && list[end].Event.Time.Millis() == list[i].Event.Time.Millis() {
			end++
		}
		for text, end := range map[string]int{
			names.Event(ids[i]): i + 1, names.Event(ids[i]) + ",": i + 1, list[i].Event.Time.Time().UTC().Format("2006-01-02T15:04:05.000Z"): end, "head": len(ids),
		} {
			f := &replay.Following{After: events.Vector{}, Until: point(t, text)}
			if got := followed(t, file, f); !slices.Equal(got, ids[:end]) {
				t.Fatalf("until %s: %d events, want %d", text, len(got), end)
			}
			f.Until = replay.Point{}
			if got := followed(t, file, f); !slices.Equal(got, ids[end:]) {
				t.Fatalf("after %s: %d events, want %d", text, len(got), len(ids)-end)
			}
		}
	}
}
