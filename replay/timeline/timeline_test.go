package timeline_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
	"github.com/skshohagmiah/clusterkit/replay/timeline"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	seed   = flag.Uint64("seed", 1, "of the random histories; 0 is a new one")
)

// build opens logs and draws them.
func build(t testing.TB, o timeline.Options, logs ...string) *timeline.Timeline {
	t.Helper()
	tl, err := tryBuild(t, o, logs...)
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func tryBuild(t testing.TB, o timeline.Options, logs ...string) (*timeline.Timeline, error) {
	t.Helper()
	var sources []*replay.Source
	for _, log := range logs {
		s, err := replay.Open(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sources = append(sources, s)
	}
	return timeline.Build(t.Context(), o, sources...)
}

// incident writes the made-up past into the working directory, which is one of
// its own for the rest of the test.
func incident(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { replaytest.Incident(t, dir).Close() })
	t.Chdir(dir)
}

// TestSigns holds that filters and a condition choose the signs of events as log
// chooses events, and that the lanes and curves stay those of all of them.
func TestSigns(t *testing.T) {
	incident(t)
	for _, q := range []replay.Query{
		{},
		{Filter: replay.Filter{Types: []string{"Node*"}}},
		{Where: expression(t, `len(alive()) < 3 || status("n3") == "failed"`)},
		{Filter: replay.Filter{Types: []string{"Value*", "Node*"}}, Where: expression(t, `status("n3") == "failed"`)},
	} {
		for _, logs := range [][]string{{"n1"}, {"n1", "n2", "n3"}} {
			tl := build(t, timeline.Options{Filter: q.Filter, Where: q.Where}, logs...)
			signs := make(map[string]int)
			for m := range tl.Markers() {
				signs[m.Type+m.Event]++
			}
			var page bytes.Buffer
			if err := tl.WriteHTML(&page); err != nil {
				t.Fatal(err)
			}
			if told, want := strings.Contains(page.String(), `"filtered":true`), !q.Filter.IsZero() || q.Where != nil; told != want {
				t.Errorf("%v: the page says that there are filters: %v", q, told)
			}
			n := 0
			s, err := replay.Open(t.Context(), logs[0])
			if err != nil {
				t.Fatal(err)
			}
			for l, err := range s.Log(t.Context(), q) {
				if err != nil {
					t.Fatal(err)
				}
				if l.Event.Type != events.PartitionAssigned {
					if n++; signs[string(l.Event.Type)+l.Names.Event(l.Event.ID())] != 1 {
						t.Errorf("%v: %s has no sign", q, l.Names.Event(l.Event.ID()))
					}
				}
			}
			if err := s.Close(); n == 0 || err != nil || len(logs) == 1 && len(signs) != n {
				t.Errorf("%v: %d signs of %d events; %v", q, len(signs), n, err)
			}
			if all := build(t, timeline.Options{}, logs...); all.Intervals() != tl.Intervals() || all.Events != tl.Events {
				t.Errorf("%v: other lanes", q)
			}
		}
	}
}

func expression(t *testing.T, text string) *replay.Expression {
	t.Helper()
	x, err := replay.ParseExpression(text)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestGolden(t *testing.T) {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	incident(t)
	one, three := build(t, timeline.Options{}, "n1"), build(t, timeline.Options{}, "n1", "n2", "n3")
	some := build(t, timeline.Options{Axis: replay.Known, Filter: replay.Filter{Partitions: []replay.Interval{{First: 1, Last: 2}}, Nodes: []string{"n3"}}}, "n2")
	for name, write := range map[string]func(io.Writer) error{
		"one.svg": one.WriteSVG, "one.trace.json": one.WriteTrace, "one.json": one.WriteJSON,
		"three.svg": three.WriteSVG, "three.json": three.WriteJSON, "some.json": some.WriteJSON,
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join(dir, name), got.Bytes())
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", filepath.Base(file), diff)
	}
}

// TestAgreesWithStates compares a timeline of random histories with the states
// that a fold up to each moment gives.
func TestAgreesWithStates(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	for round := range uint64(4) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			h := replaytest.Random(t, dir, rand.New(rand.NewPCG(s, round)), 150)
			if round%2 == 1 { // a node that was away for too long
				h.Node("n9").TakeState(h.Node("n1"))
				h.Node("n9").Join("begins late")
			}
			if round%2 == 0 {
				h.SyncAll("n1", "n2", "n3")
			}
			h.Close()
		})
		logs := []string{filepath.Join(dir, "n1"), filepath.Join(dir, "n2"), filepath.Join(dir, "n3")}
		agree(t, build(t, timeline.Options{}, logs[0]), 0, logs[0], replay.True)
		agree(t, build(t, timeline.Options{Axis: replay.Known}, logs[1]), 0, logs[1], replay.Known)
		all := build(t, timeline.Options{}, logs...)
		if round%2 == 0 {
			agree(t, all, 0, logs[0], replay.True) // all hold the same in the end
		}
		for i, log := range logs {
			agree(t, all, i+1, log, replay.Known)
		}
		if round%2 == 1 {
			agree(t, build(t, timeline.Options{}, filepath.Join(dir, "n9")), 0, filepath.Join(dir, "n9"), replay.Natural)
		}
		if t.Failed() {
			t.Fatalf("go test ./replay/timeline -run AgreesWithStates -seed %d fails in round %d", s, round)
		}
	}
}

// agree compares a view with the states of a log; along the axis Natural only
// with the last one.
func agree(t *testing.T, tl *timeline.Timeline, view int, log string, axis replay.Axis) {
	t.Helper()
	source, err := replay.Open(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	v := tl.Views[view]
	times := []int64{tl.From, (tl.From + tl.Until) / 2, tl.Until}
	if axis == replay.Natural {
		times, axis = times[2:], replay.Known
	}
	for i := range v.Partitions {
		for o := range tl.Ownerships(&v.Partitions[i]) {
			if len(times) > 3 || len(times) == 3 && i < 3 {
				times = append(times, o.From, o.Until-1)
			}
		}
	}
	slices.Sort(times)
	for _, at := range slices.Compact(times) {
		if at >= tl.From {
			compareAt(t, tl, v, source, time.UnixMilli(at), axis)
		}
	}
}

func compareAt(t *testing.T, tl *timeline.Timeline, v *timeline.View, source *replay.Source, at time.Time, axis replay.Axis) {
	t.Helper()
	m, err := source.StateAt(t.Context(), replay.Instant(at), axis)
	if err != nil {
		t.Fatal(err)
	}
	cluster := m.State.Cluster()
	unowned := 0
	for i := range v.Partitions {
		var got []string
		for o := range tl.Ownerships(&v.Partitions[i]) {
			if o.From <= at.UnixMilli() {
				got = o.Owners
			}
		}
		var want []string
		if p := cluster.Partition(v.Partitions[i].ID); p != nil && p.Primary != "" {
			want = append([]string{p.Primary}, p.Replicas...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %s: partition %d has %v, want %v", at, axis, i, got, want)
		}
		if n, ok := cluster.Node(append(want, "")[0]); !ok || n.Status == projection.StatusFailed || n.Status == projection.StatusLeft || n.Status == projection.StatusRemoved {
			unowned++
		}
	}
	last := 0
	for p := range tl.Points(&v.Unowned) {
		if p.From <= at.UnixMilli() {
			last = p.End
		}
	}
	if last != unowned && len(cluster.PartitionMap.Partitions) == len(v.Partitions) {
		t.Errorf("%s %s: %d partitions unowned, want %d", at, axis, last, unowned)
	}
	for i := range v.Nodes {
		got := projection.Status("")
		for c := range tl.Conditions(&v.Nodes[i]) {
			if c.From <= at.UnixMilli() {
				got = c.Status
			}
		}
		want := projection.Status("")
		if n, ok := cluster.Node(v.Nodes[i].ID); ok {
			want = n.Status
		}
		if got != want {
			t.Errorf("%s %s: %s is %q, want %q", at, axis, v.Nodes[i].ID, got, want)
		}
	}
}

// TestRange draws parts of a history: what was so before is known, and a quiet
// time is drawn too.
func TestRange(t *testing.T) {
	incident(t)
	grammar := replay.Grammar{}
	for _, text := range []string{"2000-01-01T00:01:18Z..", "2000-01-01T00:30:00Z..2000-01-01T00:40:00Z", "first..n1:17", "n1:12..n1:20"} {
		r, err := grammar.Range(text)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		source, err := replay.Open(t.Context(), "n1")
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range source.Log(t.Context(), replay.Query{Range: r}) {
			if want++; err != nil {
				t.Fatal(err)
			}
		}
		tl := build(t, timeline.Options{Range: r}, "n1")
		owned := 0
		for range tl.Ownerships(&tl.Views[0].Partitions[2]) {
			owned++
		}
		if tl.Events != want || owned == 0 {
			t.Errorf("%s: %d events, want %d; partition 2 had %d owners", text, tl.Events, want, owned)
		}
		if at, ok := r.From.Time(); ok && tl.From != at.UnixMilli() {
			t.Errorf("%s begins at %d, want %d", text, tl.From, at.UnixMilli())
		}
	}
	r, err := grammar.Range("..1999-01-01")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryBuild(t, timeline.Options{Range: r}, "n1"); !errors.Is(err, replay.ErrEmpty) {
		t.Errorf("before the beginning: %v, want ErrEmpty", err)
	}
}

// TestKnowledge holds that a late event counts as missing meanwhile, and that
// markers say who learnt of it when.
func TestKnowledge(t *testing.T) {
	incident(t)
	tl := build(t, timeline.Options{}, "n1", "n3")
	if got := tl.Behind[1].Max(); got == 0 {
		t.Error("n3, which was down, lacked nothing")
	}
	late := false
	for m := range tl.Markers() {
		late = late || m.Type == "NodeFailed" && m.Learnt[1]-m.Time > 60_000
	}
	if !late {
		t.Error("n3 learnt at once that it had failed, though it was down")
	}
}
