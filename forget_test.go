package clusterkit

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

func (f *forked) delete(r *replica, key string) {
	f.now++
	_, err := r.write(f.now, events.Event{Type: events.ValueDeleted, Register: events.ValueRegister(key),
		Body: events.Encode(&events.Value{Key: key})})
	f.must(err)
	f.settle(r)
}

func has(r *replica, key string) bool {
	_, ok := r.state.Stamp(events.ValueRegister(key))
	return ok
}

const day = 24 * 60 * 60 * 1000

// inStep answers that every member was seen to be equal at a time.
func inStep(at int64) func(string) int64 { return func(string) int64 { return at } }

// deleted is a lab in which a value was deleted and the floor is raised; and
// what the coordinator knew before the value was deleted.
func deleted(t *testing.T) (f *forked, coordinator, before *replica) {
	f = founded(t, 1, 3)
	for range 20 { // until somebody has claimed the role
		f.now += 100
		f.rest(f.replicas...)
	}
	i := slices.IndexFunc(f.replicas, func(r *replica) bool { return r.node == r.state.Cluster().Coordinator })
	if i < 0 {
		t.Fatal("there is no coordinator")
	}
	coordinator = f.replicas[i]
	f.set(coordinator, "k")
	f.rest(f.replicas...)
	other := f.replicas[(i+1)%3]
	before = f.copyOf(other)
	f.delete(other, "k")
	f.rest(f.replicas...)
	f.forget(coordinator, 0, -never, inStep(-never))
	if coordinator.state.Floor(events.KindValue) != 2 {
		t.Fatalf("the floor is %d", coordinator.state.Floor(events.KindValue))
	}
	f.rest(f.replicas...)
	f.forget(coordinator, 1, -never, inStep(-never)) // it has seen the floor now
	return f, coordinator, before
}

func (f *forked) forget(r *replica, now, forkedAt int64, inStep func(string) int64) {
	f.t.Helper()
	f.must(r.forget(now, f.now, day, forkedAt, inStep))
	f.settle(r)
}

// TestForgetOnlyWhenSafe holds each of the conditions to what it is for.
func TestForgetOnlyWhenSafe(t *testing.T) {
	for _, c := range []struct {
		name          string
		now, forkedAt int64
		inStep        func(node string) int64
		held          bool // still
	}{
		{"too young", day, -never, inStep(day / 2), true},
		{"old, and nobody is known to have it", day + 1, -never, inStep(0), true},
		{"old, and one is not known to have it", day + 1, -never, func(node string) int64 { return int64(node[1] - '0') }, true},
		{"a fork came to be known", day + 1, 5, inStep(day / 2), true},
		{"old, and everybody has it", day + 1, -never, inStep(2), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, coordinator, _ := deleted(t)
			f.forget(coordinator, c.now, c.forkedAt, c.inStep)
			if has(coordinator, "k") != c.held {
				t.Errorf("the tombstone is held: %v, want %v", !c.held, c.held)
			}
		})
	}
	t.Run("not the coordinator", func(t *testing.T) {
		f, coordinator, _ := deleted(t)
		for _, r := range f.replicas {
			if r != coordinator {
				f.forget(r, 0, -never, inStep(never))
				f.forget(r, 2*day, -never, inStep(never))
				if !has(r, "k") {
					t.Errorf("%s forgets on its own", r.node)
				}
			}
		}
	})
	t.Run("a coordinator that restarted", func(t *testing.T) {
		f, coordinator, _ := deleted(t)
		coordinator.forgetting = [len(forgettable)]forgetting{}
		f.forget(coordinator, day+1, -never, inStep(never))
		if !has(coordinator, "k") {
			t.Error("it counts uptime that it has not seen")
		}
	})
}

// TestNoResurrection forgets a deleted value. Whoever was away comes back with
// the value, in whatever way: it stays deleted; and what is written afterwards
// is seen by everybody.
func TestNoResurrection(t *testing.T) {
	for _, c := range []struct {
		name string
		back func(f *forked, stale, peer *replica)
	}{
		{"learns, then speaks", func(f *forked, stale, peer *replica) {
			f.bring(peer, stale)
			f.speak(stale, true)
		}},
		{"speaks, and writes the value", func(f *forked, stale, _ *replica) {
			f.speak(stale, false)
			f.set(stale, "k")
		}},
		{"speaks, and deletes it", func(f *forked, stale, _ *replica) {
			f.speak(stale, false)
			f.delete(stale, "k")
		}},
		{"its state is merged", func(f *forked, stale, peer *replica) {
			joined, _ := peer.merge(stale.state)
			peer.adopt(joined, f.now)
			f.settle(peer)
			f.bring(peer, stale)
			f.speak(stale, true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, coordinator, stale := deleted(t)
			f.forget(coordinator, day+1, -never, inStep(2))
			f.rest(f.replicas...)
			all := []*replica{coordinator, stale}
			for _, r := range f.replicas {
				if has(r, "k") {
					t.Fatalf("%s has not forgotten", r.node)
				}
				if r.node != stale.node && r != coordinator {
					all = append(all, r)
				}
			}
			if !has(stale, "k") {
				t.Fatal("the stale copy does not know the value")
			}
			c.back(f, stale, all[2])
			f.rest(all...)
			for _, r := range all {
				if has(r, "k") {
					t.Errorf("%s: the deleted value is back", r.node)
				}
			}
			for i, r := range all {
				key := fmt.Sprint("k", i)
				f.set(r, key)
				f.set(r, "k")
				f.rest(all...)
				for _, o := range all {
					if !has(o, key) || !has(o, "k") {
						t.Errorf("%s does not see what %s wrote after the value was forgotten", o.node, r.node)
					}
				}
			}
		})
	}
}

// TestForgettingRuns lets two nodes forget for real, with a short day.
func TestForgettingRuns(t *testing.T) {
	pair := startPairWith(t, func(o *Options) { o.forgetAfter = 200 * time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, key := range []string{"gone", "stays"} {
		if _, err := pair[0].Set(ctx, key, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	awaitEqual(t, pair, func(*Cluster) bool { return true })
	if _, err := pair[1].Delete(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	forgotten := func() bool {
		for _, ck := range pair {
			n, err := ask(ctx, ck, func(r *replica, _ int64) (uint64, error) { return r.state.Forgotten(), nil })
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				return false
			}
		}
		return true
	}
	for p := pair[0].known(); !forgotten(); p = pair[0].known() {
		select {
		case <-p.changed:
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("nobody forgets")
		}
	}
	awaitEqual(t, pair, func(*Cluster) bool { return true })
	e, err := pair[0].Set(ctx, "gone", []byte("again"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Version < 3 {
		t.Errorf("written again with version %d, below what was forgotten", e.Version)
	}
	awaitEqual(t, pair, func(*Cluster) bool { return true })
	for _, ck := range pair {
		for _, key := range []string{"gone", "stays"} {
			if _, ok := ck.Value(key); !ok {
				t.Errorf("%s does not know %q", ck.NodeID(), key)
			}
		}
		if n := ck.divergences.Load(); n > 0 {
			t.Errorf("%s saw %d divergences", ck.NodeID(), n)
		}
	}
}
