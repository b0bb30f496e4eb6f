package timeline_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
	"github.com/skshohagmiah/clusterkit/replay/timeline"
)

// TestPictureSaysWhatItLeavesOut draws more nodes and partitions than there is
// room for, of a log with a damaged record, and one that has room.
func TestPictureSaysWhatItLeavesOut(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n := h.Node("n1")
		n.Join("first node")
		n.Claim("alone")
		n.Configure(300, 1, events.ID{})
		for p := range 300 {
			n.Assign(p, []string{"n1"}, "bootstrap", "never had an owner", events.ID{})
		}
		for i := range 70 {
			other := h.Node(fmt.Sprint("m", i))
			other.Join("one of many")
			n.Sync(other)
		}
		h.Close()
	})
	log := filepath.Join(dir, "n1")
	files, err := filepath.Glob(filepath.Join(log, "wal", "0*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(files[1], b, 0o644); err != nil {
		t.Fatal(err)
	}
	text := picture(t, log)
	for _, want := range []string{"64 of 71 nodes", "256 of 300 partitions", "Damaged: ", "is missing"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture does not say %q", want)
		}
	}
	incident(t)
	if text := picture(t, "n1"); strings.Contains(text, "nodes are shown") || strings.Contains(text, "Damaged") {
		t.Error("a picture with room for everything says that it has not")
	}
	if text := picture(t, "n1", "n2"); !strings.Contains(text, "what each log knew is not shown") {
		t.Error("the picture of two logs does not say that it shows one view")
	}
}

func picture(t *testing.T, logs ...string) string {
	t.Helper()
	var b bytes.Buffer
	if err := build(t, timeline.Options{}, logs...).WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
