package metrics_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/skshohagmiah/clusterkit/metrics"
)

// hostile are label values that an adversary would choose.
func hostile(rng *rand.Rand) string {
	fixed := []string{"", "app", "app/", "app/x", "other", "NodeJoined ", "\xff\xfe", "a\nb", `"}`, "\x00",
		strings.Repeat("x", 1<<16), "ok\x00", "Ω"}
	if rng.IntN(2) == 0 {
		return fixed[rng.IntN(len(fixed))]
	}
	return fmt.Sprintf("%x", rng.Uint64())
}

// offend calls every method that takes a label with hostile values.
func offend(m *metrics.Metrics, rng *rand.Rand) {
	s := hostile(rng)
	m.SyncClient(s, time.Millisecond)
	m.SyncServer(s, time.Millisecond)
	m.SyncSkippedEvents(s, 1)
	m.FullTransfer(s)
	m.Conflict(s)
	m.PeerSeen(s)
	m.ClockSkew(s, time.Second)
	m.MemberTransition(s, hostile(rng))
	m.MemberTransition(metrics.MemberAlive, s)
	m.ProbeFailed(s)
	m.PartitionMoved(s)
	m.EventAppended(s)
	m.HTTPRequest(s, int(rng.Int32())-1<<30, time.Millisecond)
	m.HTTPRequest("sync", rng.IntN(1200)-100, time.Millisecond)
}

var seedFlag = flag.Uint64("seed", 1, "seed of the property test; 0 takes a new one each time")

func TestHostileLabelsAreBounded(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64() | 1
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	const most = 10
	m := metrics.New(metrics.Options{Cluster: "c\xff", Node: "n\xff", Version: "\xff", MaxPeers: most, State: func() metrics.State {
		s := busy()
		for range 1000 {
			s.Peers = append(s.Peers, metrics.Peer{ID: hostile(rng), Lag: rng.IntN(100)})
		}
		return s
	}})
	before := series(gather(t, m))
	for range 3 {
		for range 4000 {
			offend(m, rng)
		}
		// Of the codes every known one may have appeared, for "sync" and for
		// "other", and every class.
		if after, bound := series(gather(t, m)), before+2*most+2*(25+6); after > bound {
			t.Errorf("%d series, want at most %d (seed %d)", after, bound, seed)
		}
	}
	for name, n := range map[string]int{"clusterkit_sync_peer_lag_events": most, "clusterkit_log_appended_events_total": 23,
		"clusterkit_sync_requests_total": 22, "clusterkit_member_transitions_total": 17} {
		if got := len(family(gather(t, m), name).GetMetric()); got > n {
			t.Errorf("%s has %d series, want at most %d (seed %d)", name, got, n, seed)
		}
	}
}

func TestEventTypes(t *testing.T) {
	m := metrics.New(metrics.Options{})
	for _, eventType := range []string{"app/x", "app/y", "app/", "app", "", "NodeJoined", "nodejoined", "ValueSet"} {
		m.EventAppended(eventType)
	}
	got := values(gather(t, m), "clusterkit_log_appended_events_total", "type")
	for label, want := range map[string]float64{"app": 3, "other": 3, "NodeJoined": 1, "ValueSet": 1, "ValueDeleted": 0} {
		if n, ok := got[label]; !ok || n != want {
			t.Errorf("type %q counts %v, want %v", label, n, want)
		}
	}
}

func TestStatusCodes(t *testing.T) {
	m := metrics.New(metrics.Options{})
	for _, code := range []int{200, 200, 421, 418, 299, 102, 302, 599, 0, -200, 999, 600} {
		m.HTTPRequest("probe", code, time.Millisecond)
	}
	families := gather(t, m)
	got := make(map[string]float64)
	for _, s := range family(families, "clusterkit_http_requests_total").GetMetric() {
		if label(s, "handler") == "probe" {
			got[label(s, "code")] = s.GetCounter().GetValue()
		}
	}
	for code, want := range map[string]float64{"200": 2, "421": 1, "4xx": 1, "2xx": 1, "1xx": 1, "3xx": 1, "5xx": 1, "other": 4} {
		if got[code] != want {
			t.Errorf("code %s counts %v, want %v", code, got[code], want)
		}
	}
	if len(got) != 8 {
		t.Errorf("%d codes: %v", len(got), got)
	}
}

func TestPeersGo(t *testing.T) {
	var listed []metrics.Peer
	m := metrics.New(metrics.Options{State: func() metrics.State { return metrics.State{Peers: listed} }})
	perPeer := func() map[string]int {
		n := make(map[string]int)
		for _, f := range gather(t, m) {
			for _, s := range f.GetMetric() {
				if id := label(s, "peer"); id != "" {
					n[id]++
				}
			}
		}
		return n
	}
	expect := func(when string, want map[string]int) {
		t.Helper()
		if got := perPeer(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: series per peer %v, want %v", when, got, want)
		}
	}
	note := func(id string) { m.PeerSeen(id); m.ClockSkew(id, time.Second) }

	listed = []metrics.Peer{{ID: "a", Lag: 1}, {ID: "b", Lag: -1}, {ID: "a", Lag: 2}}
	expect("listed only", map[string]int{"a": 1})
	note("a")
	note("b")
	expect("all noted", map[string]int{"a": 3, "b": 2})
	listed = listed[1:2]
	m.ForgetPeer("a")
	expect("a forgotten", map[string]int{"b": 2})
	note("a")
	expect("a late answer of a", map[string]int{"b": 2})
	m.ForgetPeer("b")
	expect("b forgotten, still listed, lag not known", map[string]int{})
	listed = nil
	expect("nobody", map[string]int{})
}

func TestForgetPeerWithoutState(t *testing.T) {
	m := metrics.New(metrics.Options{MaxPeers: 2})
	for _, id := range []string{"a", "b", "c"} {
		m.PeerSeen(id)
	}
	seen := func() map[string]float64 {
		return values(gather(t, m), "clusterkit_sync_peer_last_success_timestamp_seconds", "peer")
	}
	if got := seen(); len(got) != 2 || got["a"] == 0 || got["b"] == 0 {
		t.Errorf("peers %v, want the first two", got)
	}
	m.ForgetPeer("a")
	m.ForgetPeer("never met")
	if got := seen(); len(got) != 1 || got["b"] == 0 {
		t.Errorf("peers %v, want b", got)
	}
	m.PeerSeen("c")
	if got := seen(); len(got) != 2 || got["c"] == 0 {
		t.Errorf("peers %v, want b and c: a place is free again", got)
	}

	none := metrics.New(metrics.Options{MaxPeers: -1})
	none.PeerSeen("a")
	if family(gather(t, none), "clusterkit_sync_peer_last_success_timestamp_seconds") != nil {
		t.Error("a peer has a series although none was wanted")
	}
}

// TestConcurrentUse is for the race detector; what it checks itself is that
// nothing is lost.
func TestConcurrentUse(t *testing.T) {
	m := metrics.New(metrics.Options{State: busy, MaxPeers: 3})
	const workers, rounds = 8, 200
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { // ends after its rounds
			for n := range rounds {
				populate(m)
				switch {
				case n%50 == i:
					gather(t, m)
				case n%7 == 0:
					m.ForgetPeer("n2")
				}
			}
		})
	}
	wg.Wait()
	got := values(gather(t, m), "clusterkit_sync_requests_total", "role")
	if got["client"] != 2*workers*rounds || got["server"] != 2*workers*rounds {
		t.Errorf("sync requests %v, want %d for each role", got, 2*workers*rounds)
	}
}

func family(families []*dto.MetricFamily, name string) *dto.MetricFamily {
	for _, f := range families {
		if f.GetName() == name {
			return f
		}
	}
	return nil
}

func label(s *dto.Metric, name string) string {
	for _, l := range s.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// values sums a counter or gauge by one label.
func values(families []*dto.MetricFamily, name, by string) map[string]float64 {
	sums := make(map[string]float64)
	for _, s := range family(families, name).GetMetric() {
		sums[label(s, by)] += s.GetCounter().GetValue() + s.GetGauge().GetValue()
	}
	return sums
}
