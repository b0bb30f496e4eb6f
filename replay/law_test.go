package replay_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the property tests; 0 takes a new one each time")

// seedOf returns the seed of a random test. A failing test says how to run it
// again.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64() | 1
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: go test ./replay -run '^%s$' -seed %d", t.Name(), seed)
		}
	})
	return seed
}

// randomPast writes a random past and returns the data directories.
func randomPast(t *testing.T, r *rand.Rand, steps int) []string {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { replaytest.Random(t, dir, r, steps).Close() })
	return []string{filepath.Join(dir, "n1"), filepath.Join(dir, "n2"), filepath.Join(dir, "n3")}
}

func open(t *testing.T, name string) *replay.Source {
	t.Helper()
	s, err := replay.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// all returns the events of a log in local order.
func all(t *testing.T, s *replay.Source) []replay.Entry {
	t.Helper()
	var list []replay.Entry
	for e, err := range s.Entries(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.IsEvent() {
			kept := *e
			kept.Event = e.Event.Clone()
			list = append(list, kept)
		}
	}
	return list
}

func TestLogEqualsNaiveFilter(t *testing.T) {
	seed := seedOf(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		n := naiveOf(t, s)
		for range 100 {
			checkQuery(t, r, s, n)
		}
	}
}

func checkQuery(t *testing.T, r *rand.Rand, s *replay.Source, n *naive) {
	t.Helper()
	q, points := n.randomQuery(r)
	q.Changes = r.IntN(4) == 0
	holds := naiveCondition{}
	if r.IntN(3) == 0 {
		holds = naiveConditions[r.IntN(len(naiveConditions))]
		q.Where, _ = replay.ParseExpression(holds.text)
	}
	want := n.answer(&q, points, holds)
	var got []string
	for l, err := range s.Log(context.Background(), q) {
		if err != nil {
			t.Fatalf("%+v %q: %v", q, points, err)
		}
		got = append(got, l.Names.Event(l.Event.ID()))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%+v %q %s:\n got %q\nwant %q", q, points, holds.text, got, want)
	}
}

func TestStateEqualsNaiveFold(t *testing.T) {
	seed := seedOf(t)
	r := rand.New(rand.NewPCG(seed, 2))
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		n := naiveOf(t, s)
		for range 60 {
			point, axis := n.randomPoint(r), replay.Axis(r.IntN(3))
			want := projection.NewState()
			for i := range n.entries {
				if n.covers(point, axis, &n.entries[i]) {
					want.Apply(&n.entries[i].Event)
				}
			}
			p, _ := replay.Grammar{}.Point(point)
			m, err := s.StateAt(context.Background(), p, axis)
			if err != nil {
				t.Fatalf("%s %s: %v", point, axis, err)
			}
			if m.Digest != want.Digest() {
				t.Fatalf("%s %s: %s\nwant %s", point, axis, m.State.Vector(), want.Vector())
			}
		}
	}
}

// TestVectorIsPortable: the same vector names the same state on all nodes.
func TestVectorIsPortable(t *testing.T) {
	seed := seedOf(t)
	r := rand.New(rand.NewPCG(seed, 3))
	dirs := randomPast(t, r, 300)
	a, b := open(t, dirs[0]), open(t, dirs[1])
	names, err := a.Names(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	common := lesser(all(t, a), all(t, b))
	for range 20 {
		v := events.Vector{}
		for log, seq := range common {
			v[log] = 1 + r.Uint64N(seq)
		}
		p, err := replay.Grammar{}.Point(names.Vector(v))
		if err != nil {
			t.Fatal(err)
		}
		ma, errA := a.StateAt(context.Background(), p, replay.Natural)
		mb, errB := b.StateAt(context.Background(), p, replay.Natural)
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if ma.Digest != mb.Digest || !ma.State.Vector().Equal(v) {
			t.Fatalf("%s: %s and %s", p, ma.State.Vector(), mb.State.Vector())
		}
	}
}

// lesser returns what two lists of events both hold.
func lesser(lists ...[]replay.Entry) events.Vector {
	var common events.Vector
	for _, list := range lists {
		v := events.Vector{}
		for i := range list {
			v[list[i].Event.Log] = list[i].Event.Seq
		}
		if common == nil {
			common = v
			continue
		}
		for log := range common {
			common[log] = min(common[log], v[log])
			if common[log] == 0 {
				delete(common, log)
			}
		}
	}
	return common
}

func ExampleStateAt() {
	// The data directory of a node, running or not.
	state, err := replay.StateAt(context.Background(), "testdata/none", "2026-11-22T14:03:00Z")
	if err != nil {
		fmt.Println("no such log")
		return
	}
	fmt.Println(state.Cluster().Partition(17).Primary)
	// Output: no such log
}
