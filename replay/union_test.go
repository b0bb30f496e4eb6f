package replay_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
)

// TestUnion holds the union of several logs against all their events in one
// list, sorted, each once.
func TestUnion(t *testing.T) {
	seed := seedOf(t)
	for round := range uint64(6) {
		dirs := randomPast(t, rand.New(rand.NewPCG(seed, round)), 120)
		var sources []*replay.Source
		holders := make(map[events.ID][]string)
		var want []replay.Entry
		for i, dir := range dirs {
			s := open(t, dir)
			sources = append(sources, s)
			for _, e := range all(t, s) {
				id := e.Event.ID()
				if holders[id] == nil {
					want = append(want, e)
				}
				holders[id] = append(holders[id], []string{"n1", "n2", "n3"}[i])
			}
		}
		slices.SortFunc(want, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
		u, err := replay.Union(context.Background(), sources...)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for l, err := range u.Log(context.Background(), replay.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n == len(want) || l.Event.ID() != want[n].Event.ID() || !slices.Equal(l.Sources, holders[l.Event.ID()]) {
				t.Fatalf("round %d: event %d is %s in %v, want %s in %v", round, n, l.Event.ID(), l.Sources, want[n].Event.ID(), holders[want[n].Event.ID()])
			}
			n++
		}
		if n != len(want) {
			t.Errorf("round %d: %d events, want %d", round, n, len(want))
		}
		m, err := u.StateAt(context.Background(), replay.Head(), replay.Natural)
		if err != nil || m.Events != uint64(len(want)) {
			t.Errorf("round %d: the state stands for %d events, %v, want %d", round, m.Events, err, len(want))
		}
	}
}

// TestUnionOfOne is that one.
func TestUnionOfOne(t *testing.T) {
	s := open(t, randomPast(t, rand.New(rand.NewPCG(1, 1)), 10)[0])
	if u, err := replay.Union(context.Background(), s); err != nil || u != s {
		t.Error(u, err)
	}
	if _, err := replay.Union(context.Background()); err == nil {
		t.Error("a union of nothing")
	}
}
