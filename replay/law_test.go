package replay_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

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

// naive answers a query by looking at every event.
type naive struct {
	entries []replay.Entry
	names   *replay.Names
}

// place says whether an event is before or at a point: what a point means,
// written down a second time.
func (n *naive) covers(point string, axis replay.Axis, e *replay.Entry) bool {
	i := slices.IndexFunc(n.entries, func(o replay.Entry) bool {
		return n.names.Event(o.Event.ID()) == point || "@"+strconv.FormatUint(o.Index, 10) == point
	})
	if i < 0 {
		at, err := replay.Grammar{}.Point(point)
		if err != nil {
			panic(err)
		}
		when, ok := at.Time()
		if !ok {
			panic(point)
		}
		if axis == replay.Known {
			return e.Received <= when.UnixMilli()
		}
		return e.Event.Time.Millis() <= when.UnixMilli()
	}
	known := axis == replay.Known || axis == replay.Natural && point[0] == '@'
	if known {
		return e.Index <= n.entries[i].Index
	}
	return replay.KeyOf(&e.Event).Compare(replay.KeyOf(&n.entries[i].Event)) <= 0
}

// randomPoint names a place in the history.
func (n *naive) randomPoint(r *rand.Rand) string {
	e := &n.entries[r.IntN(len(n.entries))]
	switch r.IntN(3) {
	case 0:
		return "@" + strconv.FormatUint(e.Index, 10)
	case 1:
		return n.names.Event(e.Event.ID())
	}
	return e.Event.Time.Time().Add(time.Duration(r.IntN(3)-1) * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

func TestLogEqualsNaiveFilter(t *testing.T) {
	seed := seedOf(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		names, err := s.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		n := &naive{all(t, s), names}
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

// randomQuery makes a query, and returns its points by their names.
func (n *naive) randomQuery(r *rand.Rand) (q replay.Query, points [4]string) {
	q = replay.Query{Axis: replay.Axis(r.IntN(3)), Reverse: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		q.Limit = 1 + r.IntN(20)
	}
	if r.IntN(3) == 0 {
		q.Filter.Types = []string{[]string{"Partition*", "app/ping", "Node*"}[r.IntN(3)]}
	}
	if r.IntN(3) == 0 {
		q.Filter.Partitions = []replay.Interval{{First: 1, Last: 3}}
	}
	if r.IntN(3) == 0 {
		q.Filter.Nodes = []string{"n2"}
	}
	for i, p := range []*replay.Point{&q.Range.From, &q.Range.To, &q.Since, &q.Until} {
		if r.IntN(3) == 0 {
			points[i] = n.randomPoint(r)
			*p, _ = replay.Grammar{}.Point(points[i])
		}
	}
	return q, points
}

// naiveCondition is a condition, and what it means.
type naiveCondition struct {
	text  string
	holds func(e *events.Event, c *projection.Cluster) bool
}

var naiveConditions = []naiveCondition{
	{`status("n2") == "suspected"`, func(e *events.Event, c *projection.Cluster) bool {
		n, ok := c.Node("n2")
		return ok && n.Status == projection.StatusSuspected
	}},
	{`owner(1) == "n2" || version > 5`, func(e *events.Event, c *projection.Cluster) bool {
		return len(c.PartitionMap.Partitions) > 1 && c.PartitionMap.Partitions[1].Primary == "n2" || e.Version > 5
	}},
	{`len(alive()) < 2 and actor != "app"`, func(e *events.Event, c *projection.Cluster) bool {
		alive := 0
		for i := range c.Nodes {
			if s := c.Nodes[i].Status; s == projection.StatusAlive || s == projection.StatusSuspected {
				alive++
			}
		}
		return alive < 2 && e.Actor != "app"
	}},
}

// statesBefore calls do with each event and the view of all that came before it
// along an axis, up to the ends of what is asked for.
func (n *naive) statesBefore(axis replay.Axis, points [4]string, do func(e *replay.Entry, before, after *projection.Cluster)) {
	list := slices.DeleteFunc(slices.Clone(n.entries), func(e replay.Entry) bool {
		return points[1] != "" && !n.covers(points[1], axis, &e) || points[3] != "" && !n.covers(points[3], axis, &e)
	})
	if axis != replay.Known {
		slices.SortFunc(list, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
	}
	s := projection.NewState()
	before := s.Cluster()
	for i := range list {
		s.Apply(&list[i].Event)
		after := s.Cluster()
		do(&list[i], before, after)
		before = after
	}
}

func (n *naive) answer(q *replay.Query, points [4]string, condition naiveCondition) []string {
	met := make(map[events.ID]bool)
	if condition.holds != nil {
		n.statesBefore(q.Axis, points, func(e *replay.Entry, before, _ *projection.Cluster) {
			met[e.Event.ID()] = condition.holds(&e.Event, before)
		})
	}
	var chosen []replay.Entry
	for i := range n.entries {
		e := &n.entries[i]
		if n.within(q.Axis, points, e) && q.Filter.Match(&e.Event, n.names) && (condition.holds == nil || met[e.Event.ID()]) {
			chosen = append(chosen, *e)
		}
	}
	if q.Axis != replay.Known {
		slices.SortFunc(chosen, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
	}
	if q.Limit > 0 && len(chosen) > q.Limit {
		chosen = chosen[len(chosen)-q.Limit:]
	}
	if q.Reverse {
		slices.Reverse(chosen)
	}
	var ids []string
	for i := range chosen {
		ids = append(ids, n.names.Event(chosen[i].Event.ID()))
	}
	return ids
}

// within reports whether an event lies in a range.
func (n *naive) within(axis replay.Axis, points [4]string, e *replay.Entry) bool {
	in := func(k int) bool { return n.covers(points[k], axis, e) }
	since := points[2] == "" || in(2) && n.isAt(points[2], axis, e) || !in(2)
	return (points[0] == "" || !in(0)) && (points[1] == "" || in(1)) && since && (points[3] == "" || in(3))
}

// TestBisectEqualsNaiveFold: every flip, and no other, is an event after which the
// condition is another than before.
func TestBisectEqualsNaiveFold(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 4))
	flips := 0
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		names, err := s.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		n := &naive{all(t, s), names}
		for range 60 {
			q, points := n.randomQuery(r)
			c := naiveConditions[r.IntN(len(naiveConditions))]
			q.Where, _ = replay.ParseExpression(c.text)
			want := n.flips(&q, points, c)
			got, err := s.Bisect(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			listed := make([]string, 0, len(got.Flips))
			for _, f := range got.Flips {
				listed = append(listed, fmt.Sprint(names.Event(f.Event), f.Holds))
			}
			if flips += len(listed); !slices.Equal(listed, want.listed) || got.More != want.more || got.Before != want.before || got.After != want.after || got.Events != want.events {
				t.Fatalf("%+v %q %s:\n got %+v\nwant %+v", q, points, c.text, got, want)
			}
		}
	}
	if flips < 300 {
		t.Error(flips)
	}
}

// naiveFlips is what a bisection should find.
type naiveFlips struct {
	listed        []string
	more          int
	before, after bool
	events        uint64
}

func (n *naive) flips(q *replay.Query, points [4]string, c naiveCondition) (f naiveFlips) {
	f.listed = []string{}
	last, begun := false, false
	n.statesBefore(q.Axis, points, func(e *replay.Entry, before, after *projection.Cluster) {
		within := n.within(q.Axis, points, e)
		if !begun && within {
			begun, last = true, c.holds(&e.Event, before)
			f.before = last
		}
		was := last
		last = c.holds(&e.Event, after)
		if within {
			f.events, f.after = f.events+1, last
			if begun && last != was && q.Filter.Match(&e.Event, n.names) {
				f.listed = append(f.listed, fmt.Sprint(n.names.Event(e.Event.ID()), last))
			}
		}
	})
	if q.Limit > 0 && len(f.listed) > q.Limit {
		f.more = len(f.listed) - q.Limit
		f.listed = f.listed[f.more:]
	}
	if q.Reverse {
		slices.Reverse(f.listed)
	}
	return f
}

// TestDiffEqualsNaiveComparison: a diff lists every register that differs between
// two states, and what is asked of some nodes or partitions is the part about them.
func TestDiffEqualsNaiveComparison(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 7))
	differ := 0
	var states []*projection.State
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		names, err := s.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		n := &naive{all(t, s), names}
		for range 12 {
			state := projection.NewState()
			for i := range n.entries[:r.IntN(len(n.entries)+1)] {
				state.Apply(&n.entries[i].Event)
			}
			states = append(states, state)
		}
	}
	for range 300 {
		a, b := states[r.IntN(len(states))], states[r.IntN(len(states))]
		d := replay.Compare(a, b)
		want := differing(a, b)
		differ += len(want)
		got := make(map[string]bool)
		for _, c := range d.Nodes {
			got[events.NodeRegister(c.ID)] = true
		}
		moves := 0
		for _, c := range d.Partitions {
			got[events.PartitionRegister(c.ID)] = true
			from, to := heldAt(a, c.ID), heldAt(b, c.ID)
			if !slices.Equal(c.From, from) || !slices.Equal(c.To, to) {
				t.Fatalf("%+v, want %v -> %v", c, from, to)
			}
			for _, id := range to {
				if !slices.Contains(from, id) {
					moves++
				}
			}
		}
		for _, c := range d.Registers {
			got[c.Register] = true
		}
		for _, c := range d.Cluster {
			got[map[string]string{"coordinator": "coordinator", "term": "coordinator"}[c.Field]] = true
			got[events.ConfigRegister] = got[events.ConfigRegister] || c.Field != "coordinator" && c.Field != "term"
		}
		for register := range want {
			kind, id := events.SplitRegister(register)
			if kind == events.KindAccusation || kind == events.KindAdmin { // which say something of the node
				got[register] = got[register] || got[events.NodeRegister(id)]
			}
			if !got[register] {
				t.Fatalf("%s differs and is not in %+v", register, d)
			}
		}
		if d.Same != (len(want) == 0) || d.Moves != moves {
			t.Fatalf("same %v with %v; %d moves, want %d", d.Same, want, d.Moves, moves)
		}
		holdsPart(t, d)
	}
	if differ < 1000 {
		t.Error(differ)
	}
}

// differing returns the registers whose owners two states do not share.
func differing(a, b *projection.State) map[string]bool {
	list := make(map[string]bool)
	for _, pair := range [][2]*projection.State{{a, b}, {b, a}} {
		for register, e := range pair[0].Registers("") {
			if other, ok := pair[1].Register(register); !ok || other.ID() != e.ID() {
				list[register] = true
			}
		}
	}
	return list
}

// heldAt returns who holds a partition, as its assignment says.
func heldAt(s *projection.State, partition int) []string {
	e, ok := s.Register(events.PartitionRegister(partition))
	if !ok {
		return []string{}
	}
	p, err := e.Payload()
	if err != nil {
		panic(err)
	}
	return slices.Clone(p.(*events.Assignment).Replicas)
}

// holdsPart holds Of against its words.
func holdsPart(t *testing.T, d *replay.Diff) {
	t.Helper()
	if d.Of(nil, nil) != d {
		t.Fatal("nothing is asked for, and something is left out")
	}
	n2, few := d.Of([]string{"n2"}, nil), d.Of(nil, []replay.Interval{{First: 1, Last: 2}, {First: 5, Last: 5}})
	for _, c := range d.Nodes {
		if got := slices.ContainsFunc(n2.Nodes, func(o replay.NodeChange) bool { return o.ID == c.ID }); got != (c.ID == "n2") {
			t.Fatalf("%+v of %+v", n2, d)
		}
	}
	for _, c := range d.Partitions {
		is := func(o replay.PartitionChange) bool { return o.ID == c.ID }
		if got := slices.ContainsFunc(n2.Partitions, is); got != slices.Contains(slices.Concat(c.From, c.To), "n2") {
			t.Fatalf("%+v of %+v", n2, d)
		}
		if got := slices.ContainsFunc(few.Partitions, is); got != slices.Contains([]int{1, 2, 5}, c.ID) {
			t.Fatalf("%+v of %+v", few, d)
		}
	}
	if len(few.Nodes) > 0 || few.Same != (len(few.Partitions) == 0) || n2.Same != (len(n2.Nodes)+len(n2.Partitions) == 0) {
		t.Fatalf("%+v and %+v of %+v", n2, few, d)
	}
}

// TestFollowEqualsNaiveFilter: a condition is asked of every event that follows,
// and the state before it, from wherever one goes on.
func TestFollowEqualsNaiveFilter(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 6))
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		names, err := s.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		n := &naive{all(t, s), names}
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
				if !f.After.Covers(e.Event.ID()) && q.Filter.Match(&e.Event, names) && c.holds(&e.Event, before) {
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

// isAt reports whether an event is what a point names, or of its millisecond.
func (n *naive) isAt(point string, axis replay.Axis, e *replay.Entry) bool {
	if n.names.Event(e.Event.ID()) == point || "@"+strconv.FormatUint(e.Index, 10) == point {
		return true
	}
	p, _ := replay.Grammar{}.Point(point)
	when, ok := p.Time()
	if axis == replay.Known {
		return ok && e.Received == when.UnixMilli()
	}
	return ok && e.Event.Time.Millis() == when.UnixMilli()
}

func TestStateEqualsNaiveFold(t *testing.T) {
	seed := seedOf(t)
	r := rand.New(rand.NewPCG(seed, 2))
	for _, dir := range randomPast(t, r, 250) {
		s := open(t, dir)
		names, err := s.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		n := &naive{all(t, s), names}
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
