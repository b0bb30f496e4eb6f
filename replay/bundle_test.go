package replay_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// bundleOf puts data directories into a bundle and opens its logs.
func bundleOf(t *testing.T, key []byte, dirs ...string) (string, []*replay.Source) {
	t.Helper()
	var sources []*replay.Source
	for _, dir := range dirs {
		sources = append(sources, open(t, dir))
	}
	var b bytes.Buffer
	if _, err := replay.WriteBundle(context.Background(), &b, key, sources...); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.bundle")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := replay.OpenAll(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range all {
			s.Close()
		}
	})
	return file, all
}

// records returns all records of a log, as text.
func records(t *testing.T, s *replay.Source) []string {
	t.Helper()
	var b bytes.Buffer
	if damage, err := replay.Export(context.Background(), s, &b); err != nil || len(damage) > 0 {
		t.Fatal(damage, err)
	}
	return strings.SplitAfter(b.String(), "\n")
}

// TestBundleHoldsAll finds in a bundle, and again in what is imported from its
// export, every record as it was: bytes, index, time of receipt.
func TestBundleHoldsAll(t *testing.T) {
	seed := seedOf(t)
	for round := range uint64(4) {
		dirs := randomPast(t, rand.New(rand.NewPCG(seed, round)), 150)
		_, logs := bundleOf(t, nil, dirs...)
		for i, dir := range dirs {
			want := records(t, open(t, dir))
			if got := records(t, logs[i]); strings.Join(got, "") != strings.Join(want, "") {
				t.Fatalf("round %d: %s is not what it was", round, dir)
			}
			var again bytes.Buffer
			if err := replay.Import(context.Background(), "export", strings.NewReader(strings.Join(want, "")), &again); err != nil {
				t.Fatal(err)
			}
			all, err := replay.OpenReader(context.Background(), &again, "import")
			if err != nil {
				t.Fatal(err)
			}
			if got := records(t, all[0]); strings.Join(got, "") != strings.Join(want, "") {
				t.Fatalf("round %d: the import of %s is not what was exported", round, dir)
			}
			if v, err := replay.Verify(context.Background(), all[0]); err != nil || v.Result != replay.Pass {
				t.Errorf("round %d: verify: %+v, %v", round, v, err)
			}
			all[0].Close()
		}
	}
}

// TestImportRefuses what is no log.
func TestImportRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no event":    `{"index":1,"received":"2000-01-01T00:00:00.000Z"}`,
		"not JSON":    `{"id":"`,
		"unknown":     `{"index":1,"colour":"red","id":"x"}`,
		"error":       `{"error":{"code":"internal","message":"out of paper"}}`,
		"out of turn": `{"index":2,"snapshot":""}` + "\n" + `{"index":2,"snapshot":""}`,
		"version":     `{"clusterkit":"log","v":2}`,
	} {
		err := replay.Import(context.Background(), "x", strings.NewReader(text), new(bytes.Buffer))
		var line *replay.LineError
		if !errors.As(err, &line) || line.Line != 1+strings.Count(text, "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// incident writes the made-up past and returns its data directories.
func incident(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { replaytest.Incident(t, dir).Close() })
	return []string{filepath.Join(dir, "n1"), filepath.Join(dir, "n2"), filepath.Join(dir, "n3")}
}

// TestRedaction finds none of the names in a redacted bundle, and everything
// else: chains that link, nodes that agree, the same moves at the same times.
func TestRedaction(t *testing.T) {
	key := []byte("sixteen bytes and more")
	dirs := incident(t)
	file, logs := bundleOf(t, key, dirs...)
	for i, s := range logs {
		v, err := replay.Verify(context.Background(), s)
		if err != nil || v.Result != replay.Pass {
			t.Fatalf("verify: %+v, %v", v, err)
		}
		text := strings.Join(records(t, s), "")
		for _, name := range []string{`"n1"`, `"n2"`, `"n3"`, "n3 ", "10.0.0", `"z1"`, "ada", "greeting", "aGVsbG8", "order", "sold", `"test"`} {
			if strings.Contains(text, name) {
				t.Errorf("%s is still there", name)
			}
		}
		before, after := all(t, open(t, dirs[i])), all(t, s)
		if len(before) != len(after) {
			t.Fatalf("%d events, want %d", len(after), len(before))
		}
		for j := range before {
			b, a := &before[j], &after[j]
			if b.Event.ID() != a.Event.ID() || b.Event.Time != a.Event.Time || b.Index != a.Index || b.Received != a.Received ||
				b.Event.Version != a.Event.Version || b.Event.Cause != a.Event.Cause {
				t.Errorf("event %s became %s", b.Event.ID(), a.Event.ID())
			}
		}
	}
	c, err := replay.Converge(context.Background(), logs...)
	if err != nil || c.Verdict != replay.Equal {
		t.Errorf("converge: %+v, %v", c, err)
	}
	first, _ := os.ReadFile(file)
	file, _ = bundleOf(t, key, dirs...)
	if second, _ := os.ReadFile(file); !bytes.Equal(first, second) {
		t.Error("the same key makes another bundle")
	}
	file, _ = bundleOf(t, []byte("another key, of as many bytes"), dirs...)
	if third, _ := os.ReadFile(file); bytes.Equal(first, third) {
		t.Error("another key makes the same bundle")
	}
}

// TestRedactionKeepsVerdicts compares random histories before and after: who
// agrees still does, who is behind or forked still is.
func TestRedactionKeepsVerdicts(t *testing.T) {
	seed := seedOf(t)
	for round := range uint64(4) {
		dirs := randomPast(t, rand.New(rand.NewPCG(seed, 100+round)), 100)
		verdict(t, dirs...)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		n2.Sync(n1)
		n2.Join("second")
		twin := h.Twin(n1, "n3")
		n1.Set("k", "one")
		twin.Set("k", "other")
		h.Close()
	})
	if got := verdict(t, filepath.Join(dir, "n1"), filepath.Join(dir, "n3")); got != replay.Forked {
		t.Errorf("verdict %s, want forked", got)
	}
}

func verdict(t *testing.T, dirs ...string) replay.Verdict {
	t.Helper()
	var sources []*replay.Source
	for _, dir := range dirs {
		sources = append(sources, open(t, dir))
	}
	want, err := replay.Converge(context.Background(), sources...)
	if err != nil {
		t.Fatal(err)
	}
	_, logs := bundleOf(t, []byte("a key of some length"), dirs...)
	got, err := replay.Converge(context.Background(), logs...)
	if err != nil || got.Verdict != want.Verdict {
		t.Errorf("verdict %v, %v; of the original %v", got.Verdict, err, want.Verdict)
	}
	for i := range got.Sides {
		if got.Sides[i].Events != want.Sides[i].Events {
			t.Errorf("%d events, want %d", got.Sides[i].Events, want.Sides[i].Events)
		}
	}
	return got.Verdict
}

// TestRedactionOfStates redacts logs of which one holds a state in place of
// the events that another one holds.
func TestRedactionOfStates(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n1, n2 := h.Node("n1"), h.Node("n2")
		n1.Join("first")
		for len(n1.Events()) < 40 {
			n1.Set("k", "v")
		}
		n2.TakeState(n1)
		n2.Join("second")
		n1.Set("k", "w")
		n1.Sync(n2)
		n2.Take(n1.Events()[40])
		h.Close()
	})
	dirs := []string{filepath.Join(dir, "n2"), filepath.Join(dir, "n1")}
	if got := verdict(t, dirs...); got != replay.Equal {
		t.Errorf("verdict %s, want equal", got)
	}
	_, logs := bundleOf(t, []byte("a key of some length"), dirs...)
	for _, s := range logs {
		if v, err := replay.Verify(context.Background(), s); err != nil || v.Result != replay.Pass {
			t.Errorf("verify: %+v, %v", v, err)
		}
	}
}
