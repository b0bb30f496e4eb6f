package replay_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestBlamePresent: reading back only as far as needed says what reading
// everything says, at any point and along both axes.
func TestBlamePresent(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 0))
	ctx := context.Background()
	found := 0
	for range 3 {
		for _, dir := range randomPast(t, r, 300) {
			s := open(t, dir)
			entries := all(t, s)
			for range 40 {
				subject := "partition/" + strconv.Itoa(r.IntN(8))
				if r.IntN(4) == 0 {
					subject = "value/k" + strconv.Itoa(r.IntN(3))
				}
				at := replay.Head()
				if r.IntN(3) > 0 {
					at = replay.At(entries[r.IntN(len(entries))].Index)
				}
				axis := replay.Axis(r.IntN(3))
				want, err := s.Blame(ctx, subject, at, axis, true)
				got, err2 := s.BlamePresent(ctx, subject, at, axis, true)
				if err != nil && errors.Is(err, replay.ErrNotFound) && errors.Is(err2, replay.ErrNotFound) {
					continue
				}
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				found++
				want.History = nil
				if d := cmp.Diff(want, got, cmpopts.IgnoreFields(replay.Blame{}, "Names")); d != "" {
					t.Fatalf("%s of %s at %s, axis %q (-want +got)\n%s", subject, dir, at, axis, d)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("%d of the subjects were there", found)
	}
}

// TestBlameHistory: what is chosen of a history is a naive choice of all of it,
// and chooses nothing but what is listed.
func TestBlameHistory(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 6))
	ctx := context.Background()
	listed, left := 0, 0
	for _, dir := range randomPast(t, r, 300) {
		s := open(t, dir)
		names, err := s.Names(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n := &naive{all(t, s), names}
		for range 150 {
			subject := []string{"partition/" + strconv.Itoa(r.IntN(8)), "node/n" + strconv.Itoa(1+r.IntN(3)), "value/k" + strconv.Itoa(r.IntN(3))}[r.IntN(3)]
			q, points := n.randomQuery(r)
			want, err := s.Blame(ctx, subject, replay.Head(), q.Axis, true)
			if errors.Is(err, replay.ErrNotFound) {
				continue
			}
			got, err2 := s.BlameHistory(ctx, subject, replay.Head(), q, true)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			left -= len(want.History)
			want.History = n.tenures(want.History, &q, points)
			listed, left = listed+len(got.History), left+len(want.History)
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(replay.Blame{}, "Names"), cmpopts.IgnoreUnexported(replay.Tenure{})); d != "" {
				t.Fatalf("%s of %s, %+v %q (-want +got)\n%s", subject, dir, q, points, d)
			}
		}
	}
	if listed < 100 || left > -100 {
		t.Errorf("%d tenures were listed and %d left out", listed, -left)
	}
}

// tenures chooses those that began at events in the span of a query.
func (n *naive) tenures(list []replay.Tenure, q *replay.Query, points [4]string) []replay.Tenure {
	chosen := []replay.Tenure{}
	for _, h := range list {
		for i := range n.entries {
			if e := &n.entries[i]; e.Event.ID() == h.Event && n.within(q.Axis, points, e) {
				chosen = append(chosen, h)
			}
		}
	}
	if q.Limit > 0 && len(chosen) > q.Limit {
		chosen = chosen[len(chosen)-q.Limit:]
	}
	if q.Reverse {
		slices.Reverse(chosen)
	}
	return chosen
}

// TestBlameDamage: damage is told where it could matter, by both.
func TestBlameDamage(t *testing.T) {
	path := past(t, func(h *replaytest.History) {
		n1 := h.Node("n1")
		n1.Join("first")
		for i := range 200 {
			n1.Set("k", strconv.Itoa(i))
		}
	})
	files := segments(t, path("n1"))
	for name, want := range map[string][2]int{filepath.Base(files[1]): {1, 0}, filepath.Base(files[len(files)-1]): {1, 1}} {
		file := filepath.Join(path("n1"), "wal", name)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)*3/4] ^= 1
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		s := open(t, path("n1"))
		whole, err := s.Blame(context.Background(), "value/k", replay.Head(), replay.Natural, false)
		present, err2 := s.BlamePresent(context.Background(), "value/k", replay.Head(), replay.Natural, false)
		if err != nil || err2 != nil || len(whole.Damage) != want[0] || len(present.Damage) != want[1] {
			t.Errorf("%s: %v %v: %+v %+v", name, err, err2, whole, present)
		}
		b[len(b)*3/4] ^= 1
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
