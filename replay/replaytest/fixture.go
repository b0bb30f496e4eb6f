package replaytest

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
)

// Step is one event of a recorded history, and the cluster before and after
// it. What it points to is valid until the handler returns.
type Step struct {
	Event   *events.Event
	Name    string // of the event, such as "n2:77"
	What    string // what it says, in words
	Before  *projection.Cluster
	After   *projection.Cluster
	Outcome projection.Outcome
}

// Run feeds a recorded history to handlers of an application, event by event in
// the order of the events' own times: a bundle made by `clusterkit-replay
// bundle`, or anything else that [replay.Open] opens. A handler that fails the
// test is told with the event at which it did.
//
//	func TestIncident(t *testing.T) {
//		replaytest.Run(t, "testdata/incident.bundle", func(t *testing.T, s replaytest.Step) {
//			router.Update(s.After)
//			if router.Owner(17) == "" {
//				t.Error("partition 17 has no owner")
//			}
//		})
//	}
//
// The test fails when the history is damaged or empty: a fixture that proves
// nothing must not pass.
func Run(t *testing.T, name string, handle func(t *testing.T, s Step)) {
	t.Helper()
	source, err := replay.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	names, err := source.Names(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	state := projection.NewState()
	if m, err := source.StateAt(context.Background(), replay.First(), replay.True); err == nil {
		state = m.State
	} else if !errors.Is(err, replay.ErrNotKept) {
		t.Fatal(err)
	}
	n := 0
	for line, err := range source.Log(context.Background(), replay.Query{}) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n++
		s := Step{Event: &line.Event, Name: names.Event(line.Event.ID()), What: names.What(&line.Event), Before: state.Cluster()}
		if s.Outcome = state.Apply(&line.Event); s.Outcome == projection.Gap {
			t.Fatalf("%s: events before %s are missing", name, s.Name)
		}
		s.After = state.Cluster()
		failed := t.Failed()
		handle(t, s)
		if !failed && t.Failed() {
			t.Logf("%s: first failed at %s %s %s; look at it with: clusterkit-replay show %s %s", name, s.Name, s.Event.Type, s.What, s.Name, name)
		}
	}
	if n == 0 {
		t.Fatalf("%s holds no event", name)
	}
}

// Record writes the logs of a history's nodes into one bundle, for [Run].
func (h *History) Record(file string, ids ...string) {
	h.t.Helper()
	var sources []*replay.Source
	for _, id := range ids {
		s, err := replay.Open(context.Background(), h.Node(id).Dir())
		h.must(err)
		defer s.Close()
		sources = append(sources, s)
	}
	f, err := os.Create(file)
	h.must(err)
	_, err = replay.WriteBundle(context.Background(), f, nil, sources...)
	h.must(errors.Join(err, f.Close()))
}
