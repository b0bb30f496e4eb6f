package replay_test

import (
	"context"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestReasonIsSaidOnce: the reason of a rebalancing names the trigger of its first
// change already.
func TestReasonIsSaidOnce(t *testing.T) {
	for reason, want := range map[string]string{
		"balance: n3 joined, and 20 more": "21 moves; balance: n3 joined, and 20 more",
		"n3 joined":                       "21 moves; balance: n3 joined",
	} {
		e := events.Event{Type: events.RebalanceCompleted,
			Body: events.Encode(&events.Rebalance{Moves: 21, Trigger: "balance", Reason: reason})}
		if got := replay.What(&e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestShowSaysWhichLogLacksIt: of several logs each says for itself why it cannot
// show an event.
func TestShowSaysWhichLogLacksIt(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		n2.Sync(n1)
	})
	p, err := replay.Grammar{}.Point("n1:77")
	if err != nil {
		t.Fatal(err)
	}
	_, err = replay.Show(context.Background(), p, open(t, path("n1")), open(t, path("n2")))
	for _, name := range []string{"n1", "n2"} {
		if err == nil || !strings.Contains(err.Error(), path(name)+": n1:77") {
			t.Errorf("%v does not name %s", err, path(name))
		}
	}
}
