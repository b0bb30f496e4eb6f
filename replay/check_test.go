package replay_test

import (
	"context"
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
		c, err := open(t, path("n1")).Check(context.Background(), replay.Range{}, replay.Rules{Unowned: 10 * time.Second, Short: 5 * time.Minute, Moves: 6, Window: 10 * time.Minute})
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
