package replay_test

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestStats holds the figures of stats, of one log and of several, of all and of a
// range, against a look at each event.
func TestStats(t *testing.T) {
	seed := seedOf(t)
	for round := range uint64(2) {
		r := rand.New(rand.NewPCG(seed, round))
		var sources []*replay.Source
		var lists [][]replay.Entry
		for _, dir := range skewedPast(t, r, 200) {
			s := open(t, dir)
			sources, lists = append(sources, s), append(lists, all(t, s))
		}
		for i, s := range sources {
			names, err := s.Names(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			n := &naive{lists[i], names}
			for range 4 {
				checkStats(t, r, s, n, []string{"n1", "n2", "n3"}[i])
			}
		}
		u, err := replay.Union(context.Background(), sources...)
		if err != nil {
			t.Fatal(err)
		}
		names, err := u.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		checkStats(t, r, u, &naive{unionOf(lists), names}, "")
	}
}

// skewedPast writes a past in which each node's clock is off by up to two seconds
// and a node hears of others at once or much later, and returns its directories.
func skewedPast(t *testing.T, r *rand.Rand, steps int) (dirs []string) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.Random(t, dir, r, 100)
		ids := []string{"n1", "n2", "n3"}
		skew := []int64{r.Int64N(4000) - 2000, r.Int64N(4000) - 2000, r.Int64N(4000) - 2000}
		for range steps {
			i := r.IntN(len(ids))
			switch n := h.Node(ids[i]); r.IntN(4) {
			case 0:
				n.Sync(h.Node(ids[r.IntN(len(ids))]))
			case 1:
				time.Sleep(time.Duration(r.IntN(500)*r.IntN(4)) * time.Millisecond)
			default:
				emitSkewed(t, r, n, skew[i])
			}
		}
		h.Close()
	})
	return []string{filepath.Join(dir, "n1"), filepath.Join(dir, "n2"), filepath.Join(dir, "n3")}
}

// emitSkewed lets a node assign a partition while its clock is off by some ms.
func emitSkewed(t *testing.T, r *rand.Rand, n *replaytest.Node, skew int64) {
	t.Helper()
	head := n.State.Head(n.Log)
	a := events.Assignment{Partition: uint32(r.IntN(20)), Trigger: []string{"balance", "failure", "join"}[r.IntN(3)]}
	for _, list := range []*[]string{&a.Replicas, &a.Previous} {
		ids := []string{"n1", "n2", "n3"}
		r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		*list = ids[:r.IntN(3)]
	}
	register := events.PartitionRegister(int(a.Partition))
	stamp, _ := n.State.Stamp(register)
	e, err := events.Seal(events.Event{Log: n.Log, Seq: head.Seq + 1, Type: events.PartitionAssigned, Register: register,
		Version: stamp.Version + 1, Actor: []string{n.ID, "operator"}[r.IntN(2)], Body: events.Encode(&a),
		Time: max(n.State.Time(n.Log)+1, events.NewTimestamp(time.Now().UnixMilli()+skew, 0))}, head.Chain)
	if err != nil {
		t.Fatal(err)
	}
	n.Take(e)
}

// unionOf returns the events of several logs, each once, as the last of them to
// receive it did.
func unionOf(lists [][]replay.Entry) []replay.Entry {
	all := make(map[events.ID]replay.Entry)
	for _, list := range lists {
		for _, e := range list {
			e.Received = max(e.Received, all[e.Event.ID()].Received)
			all[e.Event.ID()] = e
		}
	}
	var merged []replay.Entry
	for _, e := range all {
		merged = append(merged, e)
	}
	return merged
}

// TestStatsOfTheNewest: with a limit the newest events are counted, and no others.
func TestStatsOfTheNewest(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 9))
	s := open(t, randomPast(t, r, 200)[0])
	q := replay.Query{Limit: 17, Filter: replay.Filter{Types: []string{"Partition*", "app/*"}}}
	want := make(map[string]uint64)
	for l, err := range s.Log(context.Background(), q) {
		if err != nil {
			t.Fatal(err)
		}
		want[string(l.Event.Type)]++
	}
	got, err := s.Stats(context.Background(), q, "type")
	if err != nil || got.Events != 17 || len(got.Groups) != len(want) {
		t.Fatal(got, err)
	}
	for _, g := range got.Groups {
		if g.Count != want[g.Key] {
			t.Errorf("%s: %d, want %d", g.Key, g.Count, want[g.Key])
		}
	}
}

func checkStats(t *testing.T, r *rand.Rand, s *replay.Source, n *naive, node string) {
	t.Helper()
	from, to := int64(0), int64(math.MaxInt64)
	var chosen replay.Range
	if r.IntN(2) == 0 {
		from, to = n.entries[r.IntN(len(n.entries))].Event.Time.Millis(), n.entries[r.IntN(len(n.entries))].Event.Time.Millis()
		chosen = replay.Range{From: replay.Instant(time.UnixMilli(from)), To: replay.Instant(time.UnixMilli(to))}
	}
	var list []replay.Entry
	for i := range n.entries {
		if at := n.entries[i].Event.Time.Millis(); from < at && at <= to {
			list = append(list, n.entries[i])
		}
	}
	slices.SortFunc(list, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
	by := replay.Groupings[r.IntN(len(replay.Groupings))]
	got, err := s.Stats(context.Background(), replay.Query{Range: chosen}, by)
	if err != nil {
		t.Fatalf("%d..%d: %v", from, to, err)
	}
	checkTotals(t, got, list)
	checkGroups(t, got, list, n.names)
	checkDelays(t, got, list, n.names, node)
	if t.Failed() {
		t.Fatalf("%q: after %d to %d by %s", node, from, to, by)
	}
}

func checkTotals(t *testing.T, got *replay.Stats, list []replay.Entry) {
	t.Helper()
	want := &replay.Stats{Events: uint64(len(list))}
	seconds := make(map[int64]uint64)
	for i := range list {
		e := &list[i].Event
		want.Bytes += int64(len(e.Raw()))
		seconds[e.Time.Millis()/1000]++
		if i == 0 {
			want.First = e.Time
		} else if before := list[i-1].Event.Time; e.Time.Millis()-before.Millis() > want.Gap.Millis {
			want.Gap = replay.Gap{From: before, Millis: e.Time.Millis() - before.Millis()}
		}
		want.Last = e.Time
	}
	for _, k := range seconds {
		want.Busiest.Events = max(want.Busiest.Events, k)
	}
	if span := want.Last.Millis() - want.First.Millis(); span > 0 {
		want.Rate = float64(len(list)) * 1000 / float64(span)
	}
	if got.Events != want.Events || got.Bytes != want.Bytes || got.First != want.First || got.Last != want.Last || got.Gap != want.Gap {
		t.Errorf("got %d events, %d bytes, %s to %s, gap %+v\nwant %+v", got.Events, got.Bytes, got.First, got.Last, got.Gap, want)
	}
	if got.Busiest.Events != want.Busiest.Events || seconds[got.Busiest.At.Millis()/1000] != got.Busiest.Events {
		t.Errorf("busiest second %+v, want %d events", got.Busiest, want.Busiest.Events)
	}
	if d := got.Rate - want.Rate; d > want.Rate/1e9 || -d > want.Rate/1e9 {
		t.Errorf("%g events a second, want %g", got.Rate, want.Rate)
	}
}

func checkGroups(t *testing.T, got *replay.Stats, list []replay.Entry, names *replay.Names) {
	t.Helper()
	groups, moves, churn := map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
	for i := range list {
		e := &list[i].Event
		a := new(events.Assignment)
		if p, err := e.Payload(); err == nil && e.Type == events.PartitionAssigned {
			a = p.(*events.Assignment)
			for _, node := range a.Replicas {
				moves[a.Trigger] += map[bool]uint64{true: 0, false: 1}[slices.Contains(a.Previous, node)]
			}
			moves[a.Trigger] += 0
			churn[strconv.Itoa(int(a.Partition))]++
		}
		kind, key := events.SplitRegister(e.Register)
		node, partition := "-", "-"
		switch kind {
		case events.KindNode, events.KindAccusation:
			node = key
		case events.KindPartition:
			partition = key
		}
		groups[map[string]string{"type": string(e.Type), "origin": names.Log(e.Log), "actor": e.Actor, "node": node,
			"partition": partition, "trigger": cmp.Or(a.Trigger, "-"), "hour": e.Time.Time().UTC().Format("2006-01-02T15Z"),
			"minute": e.Time.Time().UTC().Format("2006-01-02T15:04Z")}[got.By]]++
	}
	top := got.Churn
	for i, g := range top {
		if i > 0 && top[i-1].Count < g.Count || churn[g.Key] != g.Count {
			t.Errorf("churn %+v, want %v", top, churn)
		}
		delete(churn, g.Key)
	}
	for key, k := range churn { // those that are not listed
		if len(top) < 10 || k > top[9].Count {
			t.Errorf("churn %+v lacks %s: %d", top, key, k)
		}
	}
	for _, c := range []struct {
		what string
		got  []replay.Group
		want map[string]uint64
	}{{"groups", got.Groups, groups}, {"moves", got.Moves, moves}} {
		same := len(c.got) == len(c.want)
		for _, g := range c.got {
			k, ok := c.want[g.Key]
			same = same && ok && k == g.Count
		}
		if !same {
			t.Errorf("%s %+v, want %v", c.what, c.got, c.want)
		}
	}
}

// checkDelays sorts the delays of each origin and takes the nearest rank. The
// percentile of stats is not below it, and at most an eighth above it.
func checkDelays(t *testing.T, got *replay.Stats, list []replay.Entry, names *replay.Names, node string) {
	t.Helper()
	byOrigin := make(map[string][]int64)
	for i := range list {
		if log := list[i].Event.Log; node == "" || names.Owner(log) != node {
			byOrigin[names.Log(log)] = append(byOrigin[names.Log(log)], list[i].Received-list[i].Event.Time.Millis())
		}
	}
	if len(got.Delays) != len(byOrigin) {
		t.Errorf("delays %+v, want %v", got.Delays, byOrigin)
	}
	for _, d := range got.Delays {
		ms := byOrigin[d.Origin]
		if len(ms) == 0 {
			t.Errorf("%+v: no event of that origin", d)
			continue
		}
		slices.Sort(ms)
		rank := func(percent int) float64 { return float64(max(ms[(len(ms)*percent+99)/100-1], 0)) }
		for _, p := range [][2]float64{{d.P50, rank(50)}, {d.P99, rank(99)}} {
			if p[0] < p[1] || p[0] > p[1]*9/8 {
				t.Errorf("%+v: %g is not %g to %g, of %v", d, p[0], p[1], p[1]*9/8, ms)
			}
		}
		if d.Events != uint64(len(ms)) || d.Max != max(ms[len(ms)-1], 0) || d.Ahead != max(-ms[0], 0) {
			t.Errorf("%+v: want %d events, at most %d ms and %d ahead", d, len(ms), ms[len(ms)-1], -ms[0])
		}
	}
}
