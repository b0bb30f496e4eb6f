package replay_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestFollow follows a log while it is written, over many segments. It stops
// after a random number of events, again and again, and goes on from its
// cursor, on the log of another node, too: every event comes once, in the order
// of its log.
func TestFollow(t *testing.T) {
	seed := seedOf(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 0))
		h := replaytest.New(t, dir)
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		n2.Sync(n1)
		n2.Join("second")
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		seen := make(map[events.ID]int)
		last := events.Vector{}
		after := events.Vector{}
		var wg sync.WaitGroup
		wg.Go(func() { // ends when everything was seen
			r := rand.New(rand.NewPCG(seed, 1))
			for len(seen) < 203 && ctx.Err() == nil {
				f := &replay.Following{After: after.Clone()}
				stop := 1 + r.IntN(40)
				for l, err := range replay.Follow(ctx, filepath.Join(dir, []string{"n1", "n2"}[r.IntN(2)]), f) {
					if err != nil {
						t.Error(err)
						break
					}
					id := l.Event.ID()
					if seen[id]++; last[id.Log]+1 != id.Seq {
						t.Errorf("%s after %d", id, last[id.Log])
					}
					last[id.Log] = id.Seq
					if stop--; stop == 0 || len(seen) == 203 {
						break
					}
				}
				after = f.After
			}
		})
		for range 200 {
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
			n1.Set("k", "v")
			n2.Sync(n1)
		}
		wg.Wait()
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		if len(seen) != 203 {
			t.Errorf("%d events, want 203", len(seen))
		}
		h.Close()
	})
}

// TestFollowFromNow begins at the end, passes over what the filter refuses and
// says when it has caught up.
func TestFollowFromNow(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n := h.Node("n1")
		n.Join("first")
		caughtUp := 0
		f := &replay.Following{Filter: replay.Filter{Types: []string{"Value*"}}}
		f.CaughtUp = func() bool {
			switch caughtUp++; caughtUp {
			case 1:
				n.Announce(events.NodeUpdated, events.ID{}, "to be passed over")
				n.Set("k", "v")
			case 3:
				return false
			}
			return true
		}
		got := 0
		for l, err := range replay.Follow(context.Background(), n.Dir(), f) {
			if got++; err != nil || l.Event.Type != events.ValueSet {
				t.Error(l, err)
			}
		}
		if got != 1 || !f.After.Equal(n.State.Vector()) {
			t.Errorf("%d events, at %s, want 1 at %s", got, f.After, n.State.Vector())
		}
		h.Close()
	})
}

// TestFollowSeesReceivedState: what came as a state counts for the next event that a
// condition is asked of, whatever that is about.
func TestFollowSeesReceivedState(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n2 := suspectedByState(h)
		n2.Set("k", "w")
		f := &replay.Following{After: events.Vector{}, CaughtUp: func() bool { return false }}
		f.Where, _ = replay.ParseExpression(`status("n2") == "suspected"`)
		var got []events.ID
		for l, err := range replay.Follow(context.Background(), n2.Dir(), f) {
			if unseen := (*replay.Unseen)(nil); err != nil && !errors.As(err, &unseen) {
				t.Fatal(err)
			} else if err == nil {
				got = append(got, l.Event.ID())
			}
		}
		if want := (events.ID{Log: n2.Log, Seq: n2.State.Head(n2.Log).Seq}); len(got) != 1 || got[0] != want {
			t.Errorf("%v, want %v alone", got, want)
		}
		h.Close()
	})
}

// TestFollowTellsOfDamageBefore: a condition is asked of a state that lacks what was
// damaged before one began to follow; that is said, and once.
func TestFollowTellsOfDamageBefore(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n := h.Node("n1")
		n.Join("first")
		for range 200 {
			n.Set("k", "v")
		}
	})
	list := all(t, open(t, path("n1")))
	last := segments(t, path("n1"))
	file := last[len(last)-1]
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"", "true"} {
		f := &replay.Following{After: events.Vector{list[0].Event.Log: uint64(len(list))}, CaughtUp: func() bool { return false }}
		if where != "" {
			f.Where, _ = replay.ParseExpression(where)
		}
		told := 0
		for _, err := range replay.Follow(context.Background(), path("n1"), f) {
			if damage := (*replay.Damage)(nil); errors.As(err, &damage) {
				told++
			}
		}
		if told != 1 {
			t.Errorf("with condition %q damage is told %d times", where, told)
		}
	}
}

// TestFollowTellsWhatItCannotShow: events that came as a state, and a log that
// does not reach back to the cursor.
func TestFollowTellsWhatItCannotShow(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		n2.Join("second")
		n2.TakeState(n1)
		n2.Set("k", "v")
		var unseen *replay.Unseen
		shown, told := 0, 0
		f := &replay.Following{After: make(map[events.LogID]uint64), CaughtUp: func() bool { return false }}
		for _, err := range replay.Follow(context.Background(), n2.Dir(), f) {
			if errors.As(err, &unseen) {
				told++
			} else if shown++; err != nil {
				t.Error(err)
			}
		}
		if told != 1 || unseen.From != 1 || unseen.To != 2 || shown != 3 {
			t.Errorf("%d events, %d gaps, %v", shown, told, unseen)
		}
		h.Close()
	})
	_, logs := bundleOf(t, nil, filepath.Join(dir, "n2"))
	f := &replay.Following{}
	for _, err := range replay.Follow(context.Background(), logs[0].Name, f) {
		t.Error("a bundle grew", err)
	}
}

// TestFollowEqualsNaiveFilter: a condition is asked of every event that follows,
// and the state before it, from wherever one goes on.
func TestFollowEqualsNaiveFilter(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 6))
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		n := naiveOf(t, s)
		for range 30 {
			q, _ := n.randomQuery(r)
			c := naiveConditions[r.IntN(len(naiveConditions))]
			f := &replay.Following{After: events.Vector{}, Filter: q.Filter, CaughtUp: func() bool { return false }}
			f.Where, _ = replay.ParseExpression(c.text)
			for i := range n.entries[:r.IntN(len(n.entries)+1)] {
				f.After[n.entries[i].Event.Log] = n.entries[i].Event.Seq
			}
			var want, got []events.ID
			n.statesBefore(replay.Known, [4]string{}, func(e *replay.Entry, before, _ *projection.Cluster) {
				if !f.After.Covers(e.Event.ID()) && q.Filter.Match(&e.Event, n.names) && c.holds(&e.Event, before) {
					want = append(want, e.Event.ID())
				}
			})
			for l, err := range replay.Follow(context.Background(), dir, f) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, l.Event.ID())
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%+v %s: %v, want %v", q.Filter, c.text, got, want)
			}
		}
	}
}
