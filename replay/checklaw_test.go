package replay_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestCheckEqualsNaiveScan holds rules of check against a scan of all events, with
// the view of the state after each.
func TestCheckEqualsNaiveScan(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 1))
	broken := make(map[string]int)
	for range 2 {
		for _, dir := range troubledPast(t, r) {
			s := open(t, dir)
			list := all(t, s)
			slices.SortFunc(list, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
			limit := time.Duration(1+r.IntN(20)) * time.Second
			want, worst := scan(t, s, list, limit)
			got, err := s.Check(context.Background(), replay.Query{}, replay.Rules{Unowned: limit})
			if err != nil {
				t.Fatal(err)
			}
			for _, rule := range got.Rules {
				count, ok := want[rule.Rule]
				if ok && rule.Count != count || (rule.Result == replay.Fail) != (rule.Count > 0) {
					t.Errorf("%s: %s is broken %d times, want %d: %+v", s.Name, rule.Rule, rule.Count, count, rule.Examples)
				}
				if rule.Rule == "owned" && worst > 0 && (rule.Worst == nil || rule.Worst.Millis != worst) {
					t.Errorf("%s: the worst is %+v, want %d ms", s.Name, rule.Worst, worst)
				}
				broken[rule.Rule] += rule.Count
			}
		}
	}
	if broken["one-owner"] == 0 || broken["caused"] == 0 || broken["owned"] == 0 {
		t.Error(broken)
	}
}

// scan counts how often three rules are broken, and the worst time without owner.
func scan(t *testing.T, source *replay.Source, list []replay.Entry, limit time.Duration) (count map[string]int, worst int64) {
	t.Helper()
	names, err := source.Names(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	count = map[string]int{"one-owner": 0, "caused": 0, "owned": 0}
	since := make(map[int]int64) // ms
	owned := func(i int, now int64) {
		if from, ok := since[i]; ok && now-from > limit.Milliseconds() {
			count["owned"]++
			worst = max(worst, now-from)
		}
		delete(since, i)
	}
	s := projection.NewState()
	for k := range list {
		e := &list[k].Event
		if e.Type == events.PartitionAssigned {
			p, err := e.Payload()
			if err != nil {
				t.Fatal(err)
			}
			a := p.(*events.Assignment)
			stamp, assigned := s.Stamp(e.Register)
			if assigned && stamp.Version == e.Version && !slices.Equal(heldAt(s, int(a.Partition)), a.Replicas) {
				count["one-owner"]++
			}
			if assigned && e.Cause.IsZero() && e.Actor == names.Owner(e.Log) {
				count["caused"]++
			}
		}
		s.Apply(e)
		c := s.Cluster()
		for i := range c.Config.PartitionCount {
			n := new(projection.Node)
			if held := heldAt(s, i); len(held) > 0 {
				if found, ok := c.Node(held[0]); ok {
					n = found
				}
			}
			if n.Status == projection.StatusAlive || n.Status == projection.StatusSuspected || n.Status == projection.StatusLeaving {
				owned(i, e.Time.Millis())
			} else if _, ok := since[i]; !ok {
				since[i] = e.Time.Millis()
			}
		}
	}
	for i := range s.Cluster().Config.PartitionCount {
		owned(i, list[len(list)-1].Event.Time.Millis())
	}
	return count, worst
}

// troubledPast writes a past in which nodes are suspected, fail and return, and
// partitions are given to them, or to nobody, with and without a cause.
func troubledPast(t *testing.T, r *rand.Rand) (dirs []string) {
	t.Helper()
	dir, ids := t.TempDir(), []string{"n1", "n2", "n3"}
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.Random(t, dir, r, 20)
		for range 120 {
			n, other := h.Node(ids[r.IntN(3)]), ids[r.IntN(3)]
			cause := []events.ID{{}, {Log: n.Log, Seq: 1}}[r.IntN(2)]
			switch r.IntN(8) {
			case 0:
				n.Accuse(events.NodeSuspected, other, cause, "no answer")
			case 1:
				n.Accuse(events.NodeFailed, other, cause, "no answer for long")
			case 2:
				n.Announce([]events.Type{events.NodeRecovered, events.NodeLeaving, events.NodeLeft}[r.IntN(3)], cause, "so it is")
			case 3, 4:
				from := r.IntN(3)
				n.Assign(r.IntN(8), ids[from:from+r.IntN(4-from)], "balance", "by chance", cause)
			case 5, 6:
				n.Sync(h.Node(other))
			default:
				time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
			}
		}
		h.Close()
	})
	for _, id := range ids {
		dirs = append(dirs, filepath.Join(dir, id))
	}
	return dirs
}
