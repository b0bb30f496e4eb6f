package swim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

// bed drives one detector, of node "me", by hand. Members whose name is in
// down do not answer; all others do, 1 ms later.
type bed struct {
	t       *testing.T
	d       *swim.Detector
	now     int64
	members []swim.Member
	down    map[string]bool
	mute    bool // report nothing
	rtt     int64
	out     []done
	reports []dueReport
}

type dueReport struct {
	at int64
	r  swim.Report
}

type done struct {
	at     int64
	action swim.Action
}

func newBed(t *testing.T, o swim.Options, names ...string) *bed {
	o.Self = "me"
	b := &bed{t: t, d: swim.New(o), down: map[string]bool{}, rtt: 1}
	for _, name := range names {
		b.members = append(b.members, swim.Member{ID: name, Addr: name + ":1", Incarnation: 1, Status: swim.Alive})
	}
	b.members = append(b.members, swim.Member{ID: "me", Addr: "me:1", Incarnation: 1, Status: swim.Alive})
	slices.SortFunc(b.members, func(a, b swim.Member) int { return strings.Compare(a.ID, b.ID) })
	b.d.Update(0, b.members)
	return b
}

func numbered(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("n%02d", i))
	}
	return names
}

// set changes what the view says of a member.
func (b *bed) set(name string, incarnation uint64, status swim.Status) {
	for i := range b.members {
		if b.members[i].ID == name {
			b.members[i].Incarnation, b.members[i].Status = incarnation, status
		}
	}
	b.d.Update(b.now, b.members)
}

// run ticks until a time, answers the probes and returns what was asked for.
// Silent members are reported when the timeout is over.
func (b *bed) run(until int64) []done {
	from := len(b.out)
	handle := func(actions []swim.Action) {
		for _, a := range actions {
			b.out = append(b.out, done{b.now, a})
			switch a := a.(type) {
			case swim.Probe:
				if b.down[a.Target] {
					b.reports = append(b.reports, dueReport{b.now + a.Timeout, swim.Report{ID: a.ID, Outcome: swim.Missed}})
				} else {
					b.reports = append(b.reports, dueReport{b.now + 1, swim.Report{ID: a.ID, Outcome: swim.Acked, RTT: b.rtt}})
				}
			case swim.Indirect:
				for _, via := range a.Via {
					r := dueReport{b.now + 1, swim.Report{ID: a.ID, Outcome: swim.Acked}}
					if b.down[a.Target] {
						r = dueReport{b.now + a.Reach, swim.Report{ID: a.ID, Outcome: swim.Nacked}}
					}
					if b.down[via.ID] {
						r = dueReport{b.now + a.Timeout, swim.Report{ID: a.ID, Outcome: swim.Missed}}
					}
					b.reports = append(b.reports, r)
				}
			}
		}
	}
	for range 100_000 {
		next := b.d.Next()
		i := -1
		for j := range b.reports {
			if i < 0 || b.reports[j].at < b.reports[i].at {
				i = j
			}
		}
		switch {
		case i >= 0 && !b.mute && b.reports[i].at <= min(next, until):
			b.now = max(b.now, b.reports[i].at)
			r := b.reports[i].r
			b.reports = slices.Delete(b.reports, i, i+1)
			handle(b.d.Result(b.now, r))
		case next <= until:
			b.now = max(b.now, next)
			handle(b.d.Tick(b.now))
		default:
			b.now = max(b.now, until)
			return b.out[from:]
		}
	}
	b.t.Fatalf("at %d: Next is %d and Tick makes no progress", b.now, b.d.Next())
	return nil
}

// of returns the actions of one type, with their times.
func of[A swim.Action](list []done) (found []A, at []int64) {
	for _, d := range list {
		if a, ok := d.action.(A); ok {
			found, at = append(found, a), append(at, d.at)
		}
	}
	return found, at
}

func only[A swim.Action](t *testing.T, list []done) (A, int64) {
	t.Helper()
	found, at := of[A](list)
	if len(found) != 1 {
		t.Fatalf("%d of %T, want 1: %v", len(found), *new(A), list)
	}
	return found[0], at[0]
}

func none[A swim.Action](t *testing.T, list []done) {
	t.Helper()
	if found, at := of[A](list); len(found) != 0 {
		t.Errorf("%v at %v, want none", found, at)
	}
}

// step returns the first action of one type while ticking by hand.
func step[A swim.Action](b *bed) A {
	for range 1000 {
		b.now = max(b.now, b.d.Next())
		for _, a := range b.d.Tick(b.now) {
			if a, ok := a.(A); ok {
				return a
			}
		}
	}
	b.t.Fatalf("no %T", *new(A))
	return *new(A)
}

// probed returns when a member was probed first.
func probed(list []done, target string) int64 {
	for _, d := range list {
		if p, ok := d.action.(swim.Probe); ok && p.Target == target {
			return d.at
		}
	}
	return swim.Never
}

// runUntilSuspect stops right after the next Suspect.
func (b *bed) runUntilSuspect() {
	b.t.Helper()
	for range 1_000_000 {
		if found, _ := of[swim.Suspect](b.run(b.now + 1)); len(found) > 0 {
			return
		}
	}
	b.t.Fatal("no Suspect")
}
