package clusterkit

import (
	"errors"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// removed is a lab in which one of four was removed and the floor of nodes is
// raised; and the one that was removed.
func removed(t *testing.T) (f *forked, coordinator, victim *replica, all []*replica) {
	f = founded(t, 1, 4)
	for range 20 { // until somebody has claimed the role
		f.now += 100
		f.rest(f.replicas...)
	}
	for _, r := range f.replicas {
		switch {
		case r.node == r.state.Cluster().Coordinator:
			coordinator = r
			all = append(all, r)
		case victim == nil:
			victim = r
		default:
			all = append(all, r)
		}
	}
	if coordinator == nil {
		t.Fatal("there is no coordinator")
	}
	f.set(victim, "k")
	f.rest(f.replicas...)
	n, _ := coordinator.state.Cluster().Node(victim.node)
	f.must(coordinator.accuse(f.now, events.NodeFailed, events.RankFailed, n.ID, n.Incarnation, "test"))
	_, err := coordinator.remove(f.now, n, "operator:x", events.ID{}, "test")
	f.must(err)
	f.settle(coordinator)
	f.rest(all...)
	f.forget(coordinator, 0, -never, inStep(-never))
	f.rest(all...)
	for _, r := range all {
		f.forget(r, 1, -never, inStep(-never)) // all have seen the floor now
	}
	return f, coordinator, victim, all
}

func buried(r, victim *replica) bool {
	_, node := r.state.Stamp(events.NodeRegister(victim.node))
	_, accusation := r.state.Stamp(events.AccusationRegister(victim.node))
	_, order := r.state.Stamp(events.AdminRegister(victim.node))
	_, log := r.state.Stamp(events.LogRegister(victim.log))
	return !node && !accusation && !order && !log && r.state.Closed(victim.log)
}

// TestForgetNode: a removed node is forgotten when that is safe, and not before.
func TestForgetNode(t *testing.T) {
	for _, c := range []struct {
		name          string
		now, forkedAt int64
		inStep        func(node string) int64
		held          bool
	}{
		{"too young", day, -never, inStep(day / 2), true},
		{"old, and nobody is known to know", day + 1, -never, inStep(0), true},
		{"a fork came to be known", day + 1, 5, inStep(day / 2), true},
		{"old, and everybody knows", day + 1, -never, inStep(2), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, coordinator, victim, all := removed(t)
			f.forget(coordinator, c.now, c.forkedAt, c.inStep)
			f.rest(all...)
			for _, r := range all {
				if buried(r, victim) == c.held {
					t.Errorf("%s has forgotten: %v, want %v", r.node, !c.held, c.held)
				}
			}
		})
	}
}

// TestGoneStaysGone: a node that is forgotten cannot speak in its old log, and
// with a new one it is a new node whose incarnation is above the old ones.
func TestGoneStaysGone(t *testing.T) {
	f, coordinator, victim, all := removed(t)
	f.forget(coordinator, day+1, -never, inStep(2))
	f.rest(all...)
	if !selfRemoved(coordinator.state.Cluster(), victim.node, victim.log) {
		t.Error("its old log is not refused")
	}
	if has(coordinator, "k") != true {
		t.Error("what it wrote before is lost")
	}
	old := f.copyOf(victim)
	for _, r := range all {
		f.bring(r, old)
	}
	if err := old.beginLog(true, f.fresh); !errors.Is(err, ErrRemoved) {
		t.Errorf("its old directory begins to speak: %v", err)
	}
	before, n := coordinator.state.Digest(), len(f.held[coordinator])
	f.bring(old, coordinator)
	if coordinator.state.Digest() != before || len(f.held[coordinator]) != n {
		t.Error("what it brings changes something")
	}
	fresh := f.wiped(victim)
	joined, _ := fresh.merge(coordinator.state)
	fresh.adopt(joined, f.now)
	f.speak(fresh, true)
	all = append(all, fresh)
	f.rest(all...)
	for _, r := range all {
		if n, ok := r.state.Cluster().Node(victim.node); !ok || n.Status != projection.StatusAlive || n.Log != fresh.log || n.Incarnation <= removalLeap {
			t.Errorf("%s sees the one that returned as %+v", r.node, n)
		}
	}
	// And it may be removed again.
	again, _ := coordinator.state.Cluster().Node(victim.node)
	_, err := coordinator.remove(f.now, again, "operator:x", events.ID{}, "test")
	f.must(err)
	f.settle(coordinator)
	if n, _ := coordinator.state.Cluster().Node(victim.node); n == nil || n.Status != projection.StatusRemoved {
		t.Errorf("removed again it is %+v", n)
	}
}

// TestUninformedSpeaksAgain: who spoke with an incarnation that is forgotten,
// because it knew of nobody, finds that it is unknown and speaks again.
func TestUninformedSpeaksAgain(t *testing.T) {
	f, coordinator, victim, all := removed(t)
	f.forget(coordinator, day+1, -never, inStep(2))
	f.rest(all...)
	fresh := f.wiped(victim)
	f.speak(fresh, false)
	joined, _ := fresh.merge(coordinator.state)
	fresh.adopt(joined, f.now)
	f.settle(fresh)
	f.rest(append(all, fresh)...)
	if n, ok := coordinator.state.Cluster().Node(victim.node); !ok || n.Status != projection.StatusAlive {
		t.Errorf("it is seen as %+v, want alive", n)
	}
}

// TestObservedUptimeSurvives: a coordinator that restarts, or another one that
// takes over, does not begin the day again, and writes down little.
func TestObservedUptimeSurvives(t *testing.T) {
	f, coordinator, victim, _ := removed(t)
	floors, began := 0, int64(1)
	for now := int64(1); !buried(coordinator, victim); now += day / 96 {
		if now > 2*day {
			t.Fatal("never forgotten")
		}
		if now-began > day/4+day/48 { // longer than a quarter, and then a new process
			began = now
			coordinator.forgetting = [len(forgettable)]forgetting{}
		}
		before := len(f.held[coordinator])
		f.forget(coordinator, now, -never, inStep(never))
		floors += len(f.held[coordinator]) - before
		if now < day && buried(coordinator, victim) {
			t.Fatal("forgotten too early")
		}
	}
	if floors > 4 {
		t.Errorf("%d events for one floor", floors)
	}
}

// TestObservedByAll: who takes over as coordinator has known the floor as long
// as the one before, and goes on at once.
func TestObservedByAll(t *testing.T) {
	f, coordinator, victim, all := removed(t)
	other := all[0]
	if other == coordinator {
		other = all[1]
	}
	_, err := other.emit(f.now, events.Event{Type: events.CoordinatorClaimed, Register: events.CoordinatorRegister, Version: 99,
		Body: events.Encode(&events.CoordinatorClaim{Node: other.node})})
	f.must(err)
	f.settle(other)
	f.forget(other, day+1, -never, inStep(2))
	if !buried(other, victim) {
		t.Error("who takes over begins the day again")
	}
}

// TestFailedHoldsUpUntilRemoved: a failed member holds up forgetting, and no
// longer once it is removed.
func TestFailedHoldsUpUntilRemoved(t *testing.T) {
	f, coordinator, victim, all := removed(t)
	dead := all[len(all)-1]
	if dead == coordinator {
		dead = all[0]
	}
	steps := func(node string) int64 {
		if node == dead.node {
			return 0
		}
		return 4*day - 1
	}
	n, _ := coordinator.state.Cluster().Node(dead.node)
	f.must(coordinator.accuse(f.now, events.NodeFailed, events.RankFailed, n.ID, n.Incarnation, "test"))
	f.settle(coordinator)
	f.forget(coordinator, 3*day, -never, steps)
	if buried(coordinator, victim) {
		t.Fatal("forgotten though one that has failed may not know")
	}
	n, _ = coordinator.state.Cluster().Node(dead.node)
	_, err := coordinator.remove(f.now, n, "", events.ID{}, "failed for long")
	f.must(err)
	f.settle(coordinator)
	f.forget(coordinator, 3*day+1, -never, steps)
	if !buried(coordinator, victim) {
		t.Error("not forgotten after the failed one was removed")
	}
	if buried(coordinator, dead) {
		t.Error("the one that was just removed is forgotten too")
	}
}

// TestLateNews: an old log of a node that is forgotten, and an accusation of it
// that somebody brings late, are forgotten too, and hold up nothing else for
// longer. A log of somebody who was never known does, until he is removed.
func TestLateNews(t *testing.T) {
	for _, c := range []struct {
		name             string
		unknown, removed bool
	}{{name: "of a node that is forgotten"}, {name: "of a stranger", unknown: true}, {name: "of a stranger that was removed", unknown: true, removed: true}} {
		t.Run(c.name, func(t *testing.T) {
			f, coordinator, victim, _ := removed(t)
			f.forget(coordinator, day+1, -never, inStep(2))
			owner := victim.node
			if c.unknown {
				owner = "stranger"
			}
			late := f.wiped(victim)
			_, err := late.emit(f.now, events.Event{Type: events.LogStarted, Register: events.LogRegister(late.log), Version: 1,
				Body: events.Encode(&events.LogOwner{Node: owner})})
			f.must(err)
			incarnation := coordinator.version(events.NodeRegister(owner)) + 1
			_, err = late.emit(f.now, events.Event{Type: events.NodeFailed, Rank: events.RankFailed, Register: events.AccusationRegister("other"),
				Version: incarnation, Body: events.Encode(&events.Accusation{Node: "other", Incarnation: incarnation})})
			f.must(err)
			f.settle(late)
			f.bring(late, coordinator)
			if c.removed {
				_, err = coordinator.remove(f.now, &Node{ID: owner}, "operator:x", events.ID{}, "test")
				f.must(err)
				f.settle(coordinator)
			}
			f.set(coordinator, "gone")
			f.delete(coordinator, "gone")
			for now := int64(day + 2); now < 6*day; now += day / 5 {
				f.forget(coordinator, now, -never, inStep(never))
			}
			_, log := coordinator.state.Stamp(events.LogRegister(late.log))
			_, accusation := coordinator.state.Stamp(events.AccusationRegister("other"))
			if held := log && accusation && has(coordinator, "gone"); held != (c.unknown && !c.removed) || log != held || accusation != held {
				t.Errorf("the log is held: %v, the accusation: %v, the deleted value: %v; want %v", log, accusation, has(coordinator, "gone"), c.unknown && !c.removed)
			}
		})
	}
}
