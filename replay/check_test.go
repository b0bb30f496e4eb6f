package replay_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestCheckFindsEach makes for every rule a past in which it is broken, and holds
// that its check fails; and one in which none is.
func TestCheckFindsEach(t *testing.T) {
	for rule, tell := range map[string]func(n1, n2 *replaytest.Node, cause events.ID){
		"": func(*replaytest.Node, *replaytest.Node, events.ID) {},
		"one-owner": func(n1, n2 *replaytest.Node, cause events.ID) {
			n2.Assign(0, []string{"n1", "n2"}, "balance", "here", cause)
			n1.Assign(0, []string{"n2", "n1"}, "balance", "and there, both unheard", cause)
		},
		"epochs": func(n1, n2 *replaytest.Node, cause events.ID) {
			n2.Assign(0, []string{"n1"}, "balance", "unheard", cause)
			time.Sleep(time.Second)
			n1.Assign(0, []string{"n2"}, "balance", "once", cause)
			n1.Assign(0, []string{"n1"}, "balance", "twice", cause)
			n1.Assign(0, []string{"n2"}, "balance", "three times", cause)
			time.Sleep(time.Second)
			n2.Assign(0, []string{"n2"}, "balance", "below that", cause)
		},
		"live-owner": func(n1, _ *replaytest.Node, cause events.ID) {
			n1.Assign(0, []string{"n9"}, "balance", "nobody is n9", cause)
		},
		"owned": func(n1, _ *replaytest.Node, cause events.ID) {
			n1.Assign(0, nil, "balance", "nobody", cause)
			time.Sleep(time.Minute)
		},
		"replicated": func(n1, _ *replaytest.Node, cause events.ID) {
			n1.Assign(0, []string{"n1"}, "balance", "one of two", cause)
			time.Sleep(time.Hour)
		},
		"caused": func(n1, _ *replaytest.Node, _ events.ID) {
			n1.Assign(0, []string{"n2", "n1"}, "balance", "for no reason", events.ID{})
		},
		"flapping": func(n1, _ *replaytest.Node, cause events.ID) {
			for i := range 20 {
				n1.Assign(0, [][]string{{"n1", "n2"}, {"n2", "n1"}}[i%2], "balance", "to and fro", cause)
			}
		},
		"membership": func(n1, n2 *replaytest.Node, cause events.ID) {
			for range 10 {
				n1.Accuse(events.NodeFailed, "n2", cause, "silent")
				n2.Sync(n1)
				n2.Announce(events.NodeRecovered, cause, "I am here")
				n1.Sync(n2)
			}
		},
	} {
		path := past(t, func(h *replaytest.History) {
			n1, n2 := h.Node("n1"), h.Node("n2")
			n1.Join("first")
			claim := n1.Claim("no coordinator")
			n1.Configure(1, 2, claim.ID())
			n2.Sync(n1)
			joined := n2.Join("joins")
			n1.Sync(n2)
			n1.Assign(0, []string{"n1", "n2"}, "bootstrap", "it had no owner", joined.ID())
			n2.Sync(n1)
			tell(n1, n2, joined.ID())
			h.SyncAll("n1", "n2")
			n1.Set("k", "the end")
		})
		c, err := open(t, path("n1")).Check(context.Background(), replay.Query{}, replay.Rules{Unowned: 10 * time.Second, Short: 5 * time.Minute, Moves: 6, Window: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		met := rule == ""
		for _, r := range c.Rules {
			met = met || r.Rule == rule
			if want := r.Rule == rule; want != (r.Result == replay.Fail) && (want || rule == "") { // one mistake may break several
				t.Errorf("%q: %s is %s: %+v", rule, r.Rule, r.Result, r.Examples)
			}
		}
		if want := rule != ""; !met || (c.Result == replay.Fail) != want {
			t.Errorf("%q: %s", rule, c.Result)
		}
	}
}

// TestCheckOfSome: what filters choose of a checkup is what they would choose of
// all that was found, and Limit and Reverse the newest of it.
func TestCheckOfSome(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 5))
	rules := replay.Rules{Moves: 1, Window: time.Hour, Unowned: time.Millisecond, Short: time.Millisecond}
	found := 0
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		n := naiveOf(t, s)
		for range 30 {
			q, _ := n.randomQuery(r)
			whole := replay.Query{Range: q.Range, Since: q.Since, Until: q.Until, Limit: 1 << 30}
			if r.IntN(2) == 0 {
				q.Where, _ = replay.ParseExpression(`actor != "n1" || owner(1) == "n2"`)
				whole.Where, _ = replay.ParseExpression("true")
			}
			if r.IntN(3) == 0 {
				q.Filter.Actors = []string{"n?"}
			}
			all, err := s.Check(context.Background(), whole, rules)
			if err != nil {
				t.Fatal(err)
			}
			some, err := s.Check(context.Background(), q, rules)
			if err != nil || some.Events != all.Events {
				t.Fatal(some, err)
			}
			met := n.conditionOn(t, s, &q)
			for i := range all.Rules {
				if all.Rules[i].Rule == "owned" || all.Rules[i].Rule == "replicated" {
					continue // TestCheckUntilTheEnd
				}
				want := slices.DeleteFunc(slices.Clone(all.Rules[i].Examples), func(v replay.Violation) bool { return !n.asks(&q, met, v) })
				found += len(want)
				if count := len(want); some.Rules[i].Count != count || (some.Rules[i].Result == replay.Fail) != (count > 0) {
					t.Fatalf("%+v: %+v, want %d", q, some.Rules[i], count)
				}
				limit := q.Limit
				if limit == 0 {
					limit = 5
				}
				if limit = min(limit, len(want)); q.Limit > 0 || q.Reverse {
					want = want[len(want)-limit:]
				} else {
					want = want[:limit]
				}
				if q.Reverse {
					slices.Reverse(want)
				}
				if !slices.Equal(some.Rules[i].Examples, want) {
					t.Fatalf("%+v: %+v\nwant %+v", q, some.Rules[i].Examples, want)
				}
			}
		}
	}
	if found < 100 {
		t.Error(found)
	}
}

// conditionOn returns the events of which the condition of a query holds.
func (n *naive) conditionOn(t *testing.T, s *replay.Source, q *replay.Query) map[events.ID]bool {
	met := make(map[events.ID]bool)
	for l, err := range s.Log(context.Background(), replay.Query{Range: q.Range, Since: q.Since, Until: q.Until, Axis: replay.True, Where: q.Where}) {
		if err != nil {
			t.Fatal(err)
		}
		met[l.Event.ID()] = true
	}
	return met
}

// asks reports whether a query asks for a violation.
func (n *naive) asks(q *replay.Query, met map[events.ID]bool, v replay.Violation) bool {
	e := &n.entries[slices.IndexFunc(n.entries, func(e replay.Entry) bool { return e.Event.ID() == v.Event })].Event
	f := q.Filter
	if f.Partitions != nil && !slices.Contains([]string{"partition/1", "partition/2", "partition/3"}, v.Subject) {
		return false
	}
	if f.Nodes != nil && v.Subject != "node/n2" && !(&replay.Filter{Nodes: f.Nodes}).Match(e, n.names) {
		return false
	}
	return (&replay.Filter{Types: f.Types, Actors: f.Actors}).Match(e, n.names) && met[v.Event]
}

// TestCheckUntilTheEnd: what no event ended has no event to be chosen by.
func TestCheckUntilTheEnd(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1 := h.Node("n1")
		n1.Join("first")
		claim := n1.Claim("no coordinator")
		n1.Configure(2, 1, claim.ID())
		n1.Assign(0, []string{"n1"}, "bootstrap", "it had no owner", claim.ID())
		time.Sleep(time.Minute)
		n1.Set("k", "the end")
	})
	for count, f := range []replay.Filter{{Partitions: []replay.Interval{{First: 0, Last: 0}}}, {Partitions: []replay.Interval{{First: 1, Last: 1}}}} {
		c, err := open(t, path("n1")).Check(context.Background(), replay.Query{Filter: f}, replay.Rules{})
		if err != nil || c.Rules[3].Rule != "owned" || c.Rules[3].Count != count {
			t.Errorf("%+v: %+v %v", f, c.Rules[3], err)
		}
		f.Types = []string{"*"}
		if c, err = open(t, path("n1")).Check(context.Background(), replay.Query{Filter: f}, replay.Rules{}); err != nil || c.Rules[3].Count != 0 {
			t.Errorf("%+v: %+v %v", f, c.Rules[3], err)
		}
	}
}

// TestVerifyFindsEach: logs whose bytes are sound and whose events contradict each
// other.
func TestVerifyFindsEach(t *testing.T) {
	for check, tell := range map[string]func(list []events.Event) []events.Event{
		"": func(list []events.Event) []events.Event { return list },
		"names": func(list []events.Event) []events.Event {
			return append(list[:2:2], resealed(t, list[1], list[0].Chain, 0))
		},
		"sequences": func(list []events.Event) []events.Event { return append(list[:1:1], list[2:]...) },
		"clocks": func(list []events.Event) []events.Event {
			return append(list[:1:1], resealed(t, list[1], list[0].Chain, list[0].Time-1))
		},
	} {
		path := past(t, func(h *replaytest.History) {
			n1, n2 := h.Node("n1"), h.Node("n2")
			n1.Join("first")
			n1.Set("k", "v")
			n1.Set("k", "w")
			for _, e := range tell(n1.Events()) {
				n2.Take(e)
			}
		})
		v, err := replay.Verify(context.Background(), open(t, path("n2")))
		if err != nil || (v.Result == replay.Fail) != (check != "") {
			t.Errorf("%q: %+v %v", check, v, err)
			continue
		}
		for _, c := range v.Checks {
			if c.Name == check && c.Result != replay.Fail {
				t.Errorf("%q: %+v", check, c)
			}
		}
	}
}

// resealed returns another event of the same name, with another time unless that
// is zero.
func resealed(t *testing.T, e events.Event, before events.Chain, at events.Timestamp) events.Event {
	t.Helper()
	if e.Actor = "somebody else"; at != 0 {
		e.Time = at
	}
	sealed, err := events.Seal(e, before)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}
