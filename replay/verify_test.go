package replay_test

import (
	"context"
	"errors"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestVerifyFindsWrongView: no log can make a view wrong while the state is right,
// so the test spoils it. The check of the view alone fails, and says where.
func TestVerifyFindsWrongView(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		h.SegmentSize = 1 << 20
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		claim := n1.Claim("no coordinator")
		n1.Configure(2, 2, claim.ID())
		n2.Sync(n1)
		n2.Join("joins")
		n1.Sync(n2)
		n1.Assign(1, []string{"n1", "n2"}, "bootstrap", "it had no owner", events.ID{})
	})
	for where, spoil := range map[string]func(*projection.Cluster){
		"": func(*projection.Cluster) {},
		`node/n2: zone is "elsewhere" in the view and "z2"`: func(c *projection.Cluster) { c.Nodes[1].Zone = "elsewhere" },
		`partition/1: owners is "n2`:                        func(c *projection.Cluster) { c.PartitionMap.Partitions[1].Primary = "n2" },
		`coordinator is "n2" in the view and "n1"`:          func(c *projection.Cluster) { c.Coordinator = "n2" },
		"the views differ":                                  func(c *projection.Cluster) { c.Nodes[0].JoinedAt++ },
	} {
		s := open(t, path("n1"))
		replay.WarpView(s, spoil)
		v, err := replay.Verify(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range v.Checks {
			if wrong := where != "" && c.Name == "view"; wrong != (c.Result == replay.Fail) {
				t.Errorf("%q: %+v", where, c)
			} else if wrong && (len(c.Findings) != 1 || !strings.HasPrefix(c.Findings[0].Text, where)) {
				t.Errorf("%q: %+v", where, c)
			}
		}
		if (v.Result == replay.Fail) != (where != "") {
			t.Errorf("%q: %s", where, v.Result)
		}
	}
}

// TestVerifyMissesTheEnd: a log that ends before its checkpoint has lost its end, even
// where nothing else remembers it, as after a kill.
func TestVerifyMissesTheEnd(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1 := h.Node("n1")
		n1.Join("first")
		for range 5 {
			n1.Set("k", "v")
		}
	})
	dir := path("n1")
	check := func(want replay.Result) {
		t.Helper()
		v, err := replay.Verify(context.Background(), open(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(v.Checks, func(c replay.Check) bool { return c.Name == "checkpoint" })
		if v.Result != want || v.Checks[i].Result != want {
			t.Errorf("%s, %+v, want %s", v.Result, v.Checks[i], want)
		}
	}
	check(replay.Pass)
	list := all(t, open(t, dir))
	last := list[len(list)-1]
	if err := errors.Join(os.Remove(filepath.Join(dir, "CLEAN")), os.Truncate(last.File, last.Offset)); err != nil {
		t.Fatal(err)
	}
	check(replay.Fail)
}

// TestSharesOfSegments: every segment is verified by one worker, however fast each of
// them is, and few begin anew.
func TestSharesOfSegments(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 0))
	for range 300 {
		segments, workers := 1+r.IntN(200), 1+r.IntN(4)
		workers = min(workers, segments)
		slow := r.IntN(workers) // is seldom next
		taken, begun := replay.ShareSegments(segments, workers, func() int {
			if w := r.IntN(workers); w != slow || r.IntN(9) == 0 {
				return w
			}
			return r.IntN(workers)
		})
		for i, by := range taken {
			if len(by) != 1 {
				t.Fatalf("segment %d of %d is taken by %v of %d", i, segments, by, workers)
			}
		}
		if most := workers * (2 + bits.Len(uint(segments))); begun > most {
			t.Errorf("%d segments, %d workers: %d times anew, at most %d", segments, workers, begun, most)
		}
	}
}
