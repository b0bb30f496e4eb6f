package replay_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestOrderOfManyEvents: more events than are sorted at once come in the order of
// their times, or in reverse, each as it was written, however they arrived.
func TestOrderOfManyEvents(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 0))
	dir, other := filepath.Join(t.TempDir(), "n1"), filepath.Join(t.TempDir(), "n2")
	replaytest.Large(t, 9_000, 64, time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC), dir, other)
	large := open(t, dir)
	list := all(t, large)
	inOrder(t, "a little late", large, list)
	both, err := replay.Union(context.Background(), open(t, dir), open(t, other))
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, "a union", both, list)

	byTime := func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) }
	slices.SortFunc(list, byTime)
	inOrder(t, "as they were written", lines(t, list), list)

	slices.SortStableFunc(list, func(a, b replay.Entry) int { return a.Event.Log.Compare(b.Event.Log) })
	inOrder(t, "log by log", lines(t, list), list)

	late, rest := list[:3_300], list[3_300:]
	slices.SortFunc(late, byTime)
	slices.SortFunc(rest, byTime)
	list = slices.Concat(rest[:4_000], late, rest[4_000:])
	inOrder(t, "some logs at once, after long", lines(t, list), list)

	file := filepath.Join(dir, "wal", "00000000000000000001")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2+r.IntN(len(b)/4)] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := open(t, dir)
	if list = readable(t, broken); len(list) > 8_999 {
		t.Fatal(len(list), "can be read")
	}
	inOrder(t, "damaged", broken, list)
}

// inOrder holds what a log shows along the axis true against the same events, sorted.
func inOrder(t *testing.T, name string, s *replay.Source, list []replay.Entry) {
	t.Helper()
	want := slices.Clone(list)
	slices.SortFunc(want, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
	shows(t, name, s, replay.Query{Axis: replay.True}, want)
	slices.Reverse(want)
	shows(t, name+", in reverse", s, replay.Query{Axis: replay.True, Reverse: true}, want)
}

// shows holds what a log shows against the events that it must show.
func shows(t *testing.T, name string, s *replay.Source, q replay.Query, want []replay.Entry) {
	t.Helper()
	n := 0
	for l, err := range s.Log(context.Background(), q) {
		if damage := new(replay.Damage); errors.As(err, &damage) {
			continue
		} else if err != nil {
			t.Fatal(name, err)
		}
		if n == len(want) || !bytes.Equal(l.Event.Raw(), want[n].Event.Raw()) || l.Event.ID() != want[n].Event.ID() {
			t.Fatalf("%s: event %d of %d is %s at %s", name, n+1, len(want), l.Event.ID(), l.Event.Time)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%s: %d events, want %d", name, n, len(want))
	}
}

// lines returns a log of these events in this order.
func lines(t *testing.T, list []replay.Entry) *replay.Source {
	t.Helper()
	var b []byte
	for i := range list {
		b, _ = list[i].Event.AppendJSON(b)
		b = append(b, '\n')
	}
	all, err := replay.OpenReader(context.Background(), bytes.NewReader(b), "lines")
	if err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
	t.Cleanup(func() { all[0].Close() })
	return all[0]
}

// readable returns the events of a damaged log that can be read.
func readable(t *testing.T, s *replay.Source) (list []replay.Entry) {
	t.Helper()
	for e, err := range s.Entries(context.Background(), 0) {
		if err == nil && e.IsEvent() {
			kept := *e
			kept.Event = e.Event.Clone()
			list = append(list, kept)
		}
	}
	return list
}
