package clusterkit

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
)

// TestRetentionWhileRunning lets a node write until its log has lost its
// beginning, with another one away, which then is so far behind that only the
// state can help it.
func TestRetentionWhileRunning(t *testing.T) {
	var given [2]Options
	archive := filepath.Join(t.TempDir(), "archive")
	pair := startPairWith(t, func(o *Options) {
		o.SegmentSize = 4 << 10
		o.Retention = Retention{Bytes: 24 << 10}
		if o.NodeID == "n0" {
			o.Retention.Archive = archive
			given[0] = *o
		} else {
			given[1] = *o
		}
	})
	origin := pair[0].log.Identity().Log
	if err := pair[1].Stop(); err != nil {
		t.Fatal(err)
	}
	behind := pair[1].known().cluster.Vector[origin]
	for i := 0; ; i++ {
		if _, err := pair[0].Set(t.Context(), "k", fmt.Appendf(nil, "%0200d", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := pair[0].log.Range(origin, behind+1, 1, 1<<20); errors.Is(err, eventlog.ErrCompacted) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if i == 5000 {
			t.Fatalf("nothing is removed: %+v", pair[0].log.Stats())
		}
	}
	for _, err := range pair[0].Events(t.Context(), Cursor{}) {
		if !errors.Is(err, ErrCompacted) {
			t.Errorf("who wants all events from the first on is told %v", err)
		}
		break
	}

	given[1].KnownNodes = []string{pair[0].Addr()}
	again, err := NewClusterKit(given[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Stop() })
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	pair[1] = again
	awaitEqual(t, pair, func(c *Cluster) bool { return len(c.Nodes) == 2 && c.Nodes[1].Status == "alive" })
	a, ok := pair[0].Value("k")
	if b, also := again.Value("k"); !ok || !also || string(a.Bytes) != string(b.Bytes) {
		t.Errorf("the value is %q there and %q here", a.Bytes, b.Bytes)
	}
	if _, err := again.log.Range(origin, behind+1, 1, 1<<20); !errors.Is(err, eventlog.ErrCompacted) {
		t.Errorf("the events came all the same: %v", err)
	}
	if _, err := again.Set(t.Context(), "after", []byte("it")); err != nil {
		t.Fatal(err)
	}
	awaitEqual(t, pair, func(*Cluster) bool { return true })
	pair[0].holdsItsArchive(t, origin)
}

// holdsItsArchive stops a node and reads all that it ever wrote.
func (ck *ClusterKit) holdsItsArchive(t *testing.T, origin events.LogID) {
	t.Helper()
	if err := ck.Stop(); err != nil {
		t.Fatal(err)
	}
	before := ck.known().digest
	r, err := eventlog.OpenReader(ck.opt.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next := uint64(1)
	if err := r.Scan(func(rec *eventlog.Record) error {
		if rec.Index != next {
			return fmt.Errorf("record %d, want %d", rec.Index, next)
		}
		next++
		return nil
	}); err != nil || next == 1 {
		t.Errorf("the log and its archive have a gap: %v", err)
	}
	segments, err := r.Segments()
	if err != nil || !segments[0].Archived || segments[0].First != 1 {
		t.Errorf("segments %+v, %v", segments, err)
	}
	again, err := NewClusterKit(ck.opt)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	if again.known().digest != before {
		t.Errorf("digest %s after a restart from what is kept, was %s", again.known().digest, before)
	}
}
