package timeline_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/replay/replaytest"
	"github.com/skshohagmiah/clusterkit/replay/timeline"
)

var histories = flag.String("histories", "", "where TestBrowserHistories leaves its histories; a temporary directory by default")

// TestBrowserHistories makes the histories that browser/check.sh looks at, and
// holds that they can be drawn.
func TestBrowserHistories(t *testing.T) {
	dir, events := *histories, 110_000
	if dir == "" {
		dir, events = t.TempDir(), 2_000
	}
	for _, name := range []string{"incident", "evil", "large"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		replaytest.Incident(t, filepath.Join(dir, "incident")).Close()
		evilHistory(t, filepath.Join(dir, "evil"))
	})
	replaytest.Large(t, events, 1024, time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC), filepath.Join(dir, "large", "n1"))
	for _, name := range []string{"incident", "evil", "large"} {
		if tl := build(t, timeline.Options{}, filepath.Join(dir, name, "n1")); tl.Intervals() == 0 {
			t.Errorf("%s: nothing to see", name)
		}
	}
}
