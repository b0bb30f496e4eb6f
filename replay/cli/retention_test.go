package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// TestHistoryNotKept asks for what retention has removed: that is not enough
// evidence, and no damage. With an archive nothing is gone.
func TestHistoryNotKept(t *testing.T) {
	for _, archived := range []bool{false, true} {
		oneNode(t, 300)
		commands := []string{"state n1 --at @20 -o json", "log n1 @2..@30 -o jsonl", "blame value/k n1 --at @40", "show @20 n1", "state n1 --at 1999-12-31T23:59:59Z --axis known -o json"}
		before := make(map[string]string)
		for _, command := range commands {
			code, out, errs := run(strings.Fields(command)...)
			if code != 0 {
				t.Fatalf("%s exits %d: %s", command, code, errs)
			}
			before[command] = out
		}
		files := len(segmentsOf(t, "n1"))
		removeOld(t, "n1", archived)
		if n := len(segmentsOf(t, "n1")); n >= files || n != 2 {
			t.Fatalf("%d segments, there were %d", n, files)
		}
		for _, command := range commands {
			code, out, errs := run(strings.Fields(command)...)
			out = strings.NewReplacer("n1/archive/", "n1/wal/", ".gz", "").Replace(out) // show names the file
			switch {
			case archived && (code != 0 || out != before[command]):
				t.Errorf("with an archive %s exits %d: %s\n%s\nwas\n%s", command, code, errs, out, before[command])
			case !archived && code != 5:
				t.Errorf("%s exits %d, want 5: %s\n%s", command, code, errs, out)
			}
		}
		if code, out, errs := run("verify", "n1"); code != 0 {
			t.Errorf("verify exits %d: %s%s", code, out, errs)
		}
		for command, looked := range map[string]bool{"log n1": true, "log n1 -o jsonl": true, "stats n1": true, "check n1": true,
			"bisect n1 --where value(\"k\")==\"x\"": false, "log n1 --type Nothing": false, "log n1 --since 1999-12-31": true, "stats n1 --since 1999-12-31": true, "log n1 --since 1999-12-31 --type Nothing": false, "blame value/k n1 --history": true} {
			code, _, errs := run(strings.Fields(command)...)
			want := 0
			switch {
			case strings.HasPrefix(command, "bisect") && archived:
				want = 1 // it never was
			case !looked && !archived:
				want = 5 // it may have been
			}
			if code != want || strings.Contains(errs, "came before and cannot be shown") == archived {
				t.Errorf("archived %v: %s exits %d, want %d: %s", archived, command, code, want, errs)
			}
		}
		for _, command := range []string{"log", "log -o jsonl", "stats", "check"} {
			args := append(strings.Fields(command), "n1/cluster-state.json")
			if code, _, _ := run(args...); code != 5 {
				t.Errorf("%s of a checkpoint exits %d, want 5", command, code)
			}
		}
		if code, _, errs := run("state", "n1"); code != 0 {
			t.Errorf("state exits %d: %s", code, errs)
		}
	}
}

// removeOld opens a log as a node does that keeps as little as it can.
func removeOld(t *testing.T, dir string, archived bool) {
	t.Helper()
	r := eventlog.Retention{Bytes: 1}
	if archived {
		r.Archive = filepath.Join(dir, "archive")
	}
	bases, err := filepath.Glob(filepath.Join(dir, "wal", "*"))
	if err != nil {
		t.Fatal(err)
	}
	removed := make(chan bool, len(bases))
	l, err := eventlog.Open(dir, eventlog.Options{NodeID: "n1", Cluster: "test", SegmentSize: 4096, Retention: r,
		Snapshot: func() []byte { return projection.NewState().AppendSnapshot(nil) },
		Hooks:    eventlog.Hooks{Removed: func(_ eventlog.Segment, archived bool) { removed <- archived }}})
	if err != nil {
		t.Fatal(err)
	}
	for range len(bases) - 2 {
		if <-removed != archived {
			t.Error("a segment went elsewhere")
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
