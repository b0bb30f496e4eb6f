package clusterkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/internal/memnet"
	"github.com/skshohagmiah/clusterkit/projection"
)

// requirePair fails unless a replica's state is the fold of exactly the events
// that its vector names.
func (l *lab) requirePair(r *replica) {
	l.t.Helper()
	naive := projection.NewState()
	for _, h := range r.state.Heads() {
		for seq := uint64(1); seq <= h.Seq; seq++ {
			e := l.events[events.ID{Log: h.Log, Seq: seq}]
			naive.Apply(&e)
		}
	}
	if naive.Digest() != r.state.Digest() {
		l.t.Fatalf("%s: the state is not what its vector says: %s, want %s", r.node, r.state.Digest(), naive.Digest())
	}
}

// TestVectorAndStateArePair lets states travel as snapshots between ranges of
// events, old snapshots too. After every step each replica's state is the fold
// of what its vector names: a merge never replaces, and never takes one half.
func TestVectorAndStateArePair(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // go test -run 'TestVectorAndStateArePair/SEED$' .
			l := newLab(t, seed, 3)
			l.speak(l.replicas[0])
			var kept [][]byte
			for range 60 {
				l.now += int64(l.random.IntN(50))
				from, to := l.replicas[l.random.IntN(3)], l.replicas[l.random.IntN(3)]
				switch l.random.IntN(4) {
				case 0:
					if from.spoken {
						key := fmt.Sprint("k", l.random.IntN(3))
						_, err := from.write(l.now, events.Event{Type: events.ValueSet, Register: events.ValueRegister(key),
							Body: events.Encode(&events.Value{Key: key})})
						l.must(err)
						l.settle(from)
					}
				case 1:
					l.carry(from, to, false)
				case 2:
					kept = append(kept, from.state.AppendSnapshot(nil))
					other, err := projection.ReadSnapshot(kept[l.random.IntN(len(kept))])
					l.must(err)
					if joined, changed := to.merge(other); changed {
						to.adopt(joined, l.now)
						l.settle(to)
					}
				case 3:
					if !to.spoken && len(to.state.Heads()) > 0 {
						l.speak(to)
					}
				}
				for _, r := range l.replicas {
					l.requirePair(r)
				}
			}
			l.converge()
		})
	}
}

// TestCrashWhileMerging cuts the log at many places of a merged state. What is
// recovered is the state before or after, never half of it.
func TestCrashWhileMerging(t *testing.T) {
	o := Options{NodeID: "n0", HTTPAddr: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "d"), Config: &Config{ClusterName: "one", PartitionCount: 4}}
	ck, err := NewClusterKit(o)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Stop()
	if err := ck.Start(); err != nil {
		t.Fatal(err)
	}
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	segment := func(dir string) string {
		all, err := filepath.Glob(filepath.Join(dir, "wal", "*"))
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	old, before := ck.known().digest, readFile(t, segment(o.DataDir))
	if err := ck.merge(t.Context(), foreignState(t, "k").AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	now, after := ck.known().digest, readFile(t, segment(o.DataDir))
	if old == now {
		t.Fatal("merging changed nothing")
	}
	// The file may be longer than what was written to it.
	from := 0
	for from < len(before) && before[from] == after[from] {
		from++
	}
	to := max(from, len(bytes.TrimRight(after, "\x00")))
	seen := make(map[events.Digest]int)
	for cut := from; cut <= to; cut += max(1, (to-from)/25) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(o.DataDir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(segment(dir), after[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		crashed := o
		crashed.DataDir = dir
		again, err := NewClusterKit(crashed)
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", cut, to, err)
		}
		d := again.known().digest
		if d != old && d != now {
			t.Errorf("cut at %d of %d: digest %s is neither that before nor that after", cut, to, d)
		}
		seen[d]++
		if err := again.Stop(); err != nil {
			t.Error(err)
		}
	}
	if seen[old] == 0 {
		t.Error("no cut lost the merge")
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// text is a log that may be read while it is written.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// TestDivergenceAlarm makes two nodes hold the same events and other states,
// and compares once: that is counted, said in the log, in the metrics and in
// /health, and repaired.
func TestDivergenceAlarm(t *testing.T) {
	synctest.Test(t, testDivergenceAlarm)
}

func testDivergenceAlarm(t *testing.T) {
	var said text
	network := memnet.New()
	pair := startPairWith(t, func(o *Options) {
		host := network.Host(o.NodeID)
		listener, err := host.Listen(80)
		if err != nil {
			t.Fatal(err)
		}
		o.Listener, o.AdvertiseAddr, o.DialContext = listener, o.NodeID+":80", host.DialContext
		o.Logger = slog.New(slog.NewTextHandler(&said, nil))
		o.SyncInterval, o.ProbeInterval = time.Hour, time.Hour
	})
	if _, err := pair[0].Set(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	awaitEqual(t, pair, func(*Cluster) bool { return true })
	time.Sleep(time.Second) // of the bubble: nobody talks any more
	forget(t, pair[1], "k")
	if n := pair[0].divergences.Load() + pair[1].divergences.Load(); n != 0 {
		t.Fatalf("%d alarms before anybody compared", n)
	}
	if err := pair[1].exchange(t.Context(), target{"n0", pair[0].Addr()}, compare); err != nil {
		t.Fatal(err)
	}
	for _, ck := range pair {
		if n := ck.divergences.Load(); n != 1 {
			t.Errorf("%s counts %d divergences after one comparison, want 1", ck.NodeID(), n)
		}
		if body := fetch(t, ck, "/metrics"); !divergences.MatchString(body) {
			t.Errorf("%s: the metrics do not show it", ck.NodeID())
		}
		var health struct{ Reasons []string }
		if err := json.Unmarshal([]byte(fetch(t, ck, "/health")), &health); err != nil ||
			!slices.ContainsFunc(health.Reasons, func(s string) bool { return strings.Contains(s, "another state") }) {
			t.Errorf("%s: /health says %q, %v", ck.NodeID(), health.Reasons, err)
		}
	}
	if n := strings.Count(said.String(), "divergence:"); n != 2 {
		t.Errorf("%d lines in the logs, want one of each node", n)
	}
	if a, b := pair[0].known().digest, pair[1].known().digest; a != b {
		t.Errorf("not repaired: %s, %s", a, b)
	}
}

var divergences = regexp.MustCompile(`(?m)^clusterkit_sync_divergences_total\{.*\} 1$`)

func fetch(t *testing.T, ck *ClusterKit, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	ck.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Body.String()
}
