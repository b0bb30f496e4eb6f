package replay_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// buriedPast is an incident in the end of which n3, which was removed, is
// forgotten, and values are set until the segment begins anew. It returns where
// the data directories are, and the names of the last event before that and of
// the event itself.
func buriedPast(t *testing.T) (path func(string) string, before, after string) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.Incident(t, dir)
		n1 := h.Node("n1")
		time.Sleep(24 * time.Hour)
		last := n1.Set("k", "before")
		e := n1.Bury("n3")
		names := replay.NamesOf(n1.State)
		before, after = names.Event(last.ID()), names.Event(e.ID())
		time.Sleep(time.Hour)
		for range 60 {
			n1.Set("k", "a value of some length, so that the log begins a segment after n3 was forgotten")
		}
		h.SyncAll("n1", "n2")
		h.Close()
	})
	return func(node string) string { return filepath.Join(dir, node) }, before, after
}

// TestGoneInHistory asks for a node that is forgotten, before and after.
func TestGoneInHistory(t *testing.T) {
	ctx := context.Background()
	path, before, after := buriedPast(t)
	for _, node := range []string{"n1", "n2"} {
		s := open(t, path(node))
		states := make(map[string]*projection.State)
		for _, point := range []string{before, after, "head"} {
			p, err := replay.Grammar{}.Point(point)
			if err != nil {
				t.Fatal(err)
			}
			for _, axis := range []replay.Axis{replay.True, replay.Known} {
				m, err := s.StateAt(ctx, p, axis)
				if err != nil {
					t.Fatal(err)
				}
				n, ok := m.State.Cluster().Node("n3")
				if ok != (point == before) || ok && n.Status != projection.StatusRemoved {
					t.Errorf("%s at %s, axis %s: n3 is there: %v, %+v", node, point, axis, ok, n)
				}
				states[point] = m.State
			}
		}
		d := replay.Compare(states[before], states[after])
		i := slices.IndexFunc(d.Nodes, func(c replay.NodeChange) bool { return c.ID == "n3" })
		if i < 0 || d.Nodes[i].Fields[0].From != "removed" || d.Nodes[i].Fields[0].To != "" {
			t.Errorf("%s: diff says %+v", node, d.Nodes)
		}
		if v, err := replay.Verify(ctx, s); err != nil || v.Result != replay.Pass {
			t.Errorf("%s: verify: %+v, %v", node, v, err)
		}
		if c, err := s.Check(ctx, replay.Query{}, replay.Rules{}); err != nil || c.Result != replay.Pass {
			t.Errorf("%s: check: %+v, %v", node, c, err)
		}
		if logs := replay.NamesOf(states["head"]); logs.Log(states["head"].Cluster().Vector.Logs()[2]) != "n3" {
			t.Errorf("%s: the log of n3 has lost its name", node)
		}
	}
	if c := converge(t, path("n1"), path("n2")); c.Verdict != replay.Equal {
		t.Errorf("converge: %+v", c)
	}
}

// TestBlameGone: what a forgotten node was stays to be seen, with who forgot it;
// where the log only begins later, that it is forgotten.
func TestBlameGone(t *testing.T) {
	ctx := context.Background()
	path, before, after := buriedPast(t)
	status := func(b *replay.Blame) (list []string) {
		for _, tenure := range b.History {
			list = append(list, tenure.Value)
		}
		return list
	}
	s := open(t, path("n1"))
	for _, axis := range []replay.Axis{replay.True, replay.Known} {
		b, err := s.Blame(ctx, "node/n3", replay.Head(), axis, true)
		if err != nil {
			t.Fatal(err)
		}
		want := "alive suspected failed alive removed forgotten"
		if got := strings.Join(status(b), " "); got != want {
			t.Errorf("axis %s: n3 was %s, want %s", axis, got, want)
		}
		if last := b.History[len(b.History)-1]; b.Names.Event(last.Event) != after || len(b.Why) != 2 || b.Why[1].Type != events.FloorRaised {
			t.Errorf("forgotten by %s, because of %+v", b.Names.Event(last.Event), b.Why)
		}
		p, err := replay.Grammar{}.Point(before)
		if err != nil {
			t.Fatal(err)
		}
		if b, err = s.Blame(ctx, "node/n3", p, axis, false); err != nil || strings.Join(status(b), " ")+" forgotten" != want {
			t.Errorf("axis %s, before: %v, %v", axis, b, err)
		}
	}
	s = open(t, filepath.Join(path("n1"), "cluster-state.json"))
	b, err := s.Blame(ctx, "node/n3", replay.Head(), replay.Natural, false)
	if err != nil || strings.Join(status(b), " ") != "forgotten" || b.Fields[0].Value != "forgotten" {
		t.Errorf("by the checkpoint: %+v, %v", b, err)
	}
	if _, err := s.Blame(ctx, "node/n4", replay.Head(), replay.Natural, false); !errors.Is(err, replay.ErrNotFound) {
		t.Errorf("of a node that never was: %v", err)
	}
}

// TestRedactGone: a redacted bundle names a node that is forgotten as it names it
// everywhere else, and forgets the same.
func TestRedactGone(t *testing.T) {
	ctx := context.Background()
	path, _, _ := buriedPast(t)
	_, logs := bundleOf(t, []byte("a key of some length"), path("n1"), path("n2"))
	if c, err := replay.Converge(ctx, logs...); err != nil || c.Verdict != replay.Equal {
		t.Errorf("converge: %+v, %v", c, err)
	}
	for _, s := range logs {
		if v, err := replay.Verify(ctx, s); err != nil || v.Result != replay.Pass {
			t.Errorf("verify: %+v, %v", v, err)
		}
		m, err := s.StateAt(ctx, replay.Head(), replay.True)
		if err != nil {
			t.Fatal(err)
		}
		alias := ""
		for _, e := range all(t, s) {
			if strings.Contains(string(e.Event.Raw()), "n3") {
				t.Errorf("%s still says n3", e.Event.ID())
			}
			if kind, id := events.SplitRegister(e.Event.Register); kind == events.KindAdmin {
				alias = id // the only one that was ever removed
			}
		}
		if n := len(m.State.Cluster().Nodes); n != 2 || alias == "" || m.State.GoneVersion(events.NodeRegister(alias)) == 0 {
			t.Errorf("%d nodes are known, and %q is forgotten up to %d", n, alias, m.State.GoneVersion(events.NodeRegister(alias)))
		}
	}
}
