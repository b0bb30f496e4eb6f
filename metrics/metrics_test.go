package metrics_test

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/skshohagmiah/clusterkit/metrics"
)

var update = flag.Bool("update", false, "write the golden files")

// specified is the exact list of the design, name{labels}.
const specified = `
sync_requests_total{role,result} sync_duration_seconds{role} sync_sent_bytes_total sync_received_bytes_total
sync_sent_events_total sync_received_events_total sync_applied_events_total sync_skipped_events_total{reason}
sync_full_transfers_total{reason} sync_conflicts_total{register} sync_divergences_total
sync_propagation_delay_seconds sync_peer_lag_events{peer} sync_peer_last_success_timestamp_seconds{peer}
clock_skew_seconds{peer} members{state} member_transitions_total{to,reason} probe_duration_seconds
probe_failures_total{kind} isolated partitions{state} partitions_owned{role} partition_moves_total{reason}
log_last_index log_size_bytes log_segments log_appended_events_total{type} log_append_duration_seconds
log_repaired_bytes_total replayed_events_total replay_duration_seconds checkpoint_duration_seconds
checkpoint_last_success_timestamp_seconds http_requests_total{handler,code} http_request_duration_seconds{handler}
build_info{version,go_version}
`

// added are the metrics beyond that list, each with its reason in the help.
const added = `sync_propagation_negative_delays_total degraded members_degraded`

// busy is the state of a node in the middle of things.
func busy() metrics.State {
	return metrics.State{
		Members:         metrics.Members{Alive: 3, Suspected: 1, Failed: 1, Leaving: 1, Left: 2, Removed: 4},
		Partitions:      metrics.Partitions{Assigned: 10, Underreplicated: 4, Unassigned: 2},
		Owned:           metrics.Owned{Primary: 5, Replica: 9},
		Log:             metrics.Log{LastIndex: 1234, Bytes: 5 << 20, Segments: 2},
		Isolated:        true,
		Degraded:        true,
		DegradedMembers: 2,
		Peers:           []metrics.Peer{{ID: "n2", Lag: 7}, {ID: "n3"}, {ID: "n4", Lag: -1}},
	}
}

func options(node string) metrics.Options {
	return metrics.Options{Cluster: "test", Node: node, Version: "v1.2.3", GoVersion: "go1.25", State: busy}
}

// populate makes every kind of observation at least once.
func populate(m *metrics.Metrics) {
	m.SyncClient(metrics.ResultOK, 3*time.Millisecond)
	m.SyncClient(metrics.ResultTimeout, 10*time.Second)
	m.SyncServer(metrics.ResultOK, 2*time.Millisecond)
	m.SyncServer("unheard of", 0)
	m.SyncSentBytes(1000)
	m.SyncReceivedBytes(2000)
	m.SyncSentEvents(10)
	m.SyncReceivedEvents(20)
	m.SyncAppliedEvents(15)
	m.SyncSkippedEvents(metrics.SkippedDuplicate, 4)
	m.SyncSkippedEvents("unheard of", 1)
	m.FullTransfer(metrics.TransferCompacted)
	m.Conflict("partition")
	m.Divergence()
	m.Propagated(25 * time.Millisecond)
	m.Propagated(-time.Second)
	m.PeerSeen("n2")
	m.PeerSeen("n3")
	m.ClockSkew("n2", -1500*time.Millisecond)
	m.MemberTransition(metrics.MemberAlive, metrics.ReasonJoined)
	m.MemberTransition(metrics.MemberFailed, "unheard of")
	m.MemberTransition("unheard of", metrics.ReasonJoined)
	m.Probed(4 * time.Millisecond)
	m.ProbeFailed(metrics.ProbeDirect)
	m.PartitionMoved(metrics.MoveFailure)
	m.EventAppended("NodeJoined")
	m.EventAppended("app/order-shipped")
	m.EventAppended("FromTheFuture")
	m.LogAppended(300 * time.Microsecond)
	m.LogRepaired(17)
	m.Replayed(100, 6*time.Millisecond)
	m.CheckpointWritten(8 * time.Millisecond)
	m.HTTPRequest("sync", http.StatusOK, 3*time.Millisecond)
	m.HTTPRequest("join", http.StatusConflict, time.Millisecond)
	m.HTTPRequest("teapot", http.StatusTeapot, time.Millisecond)
}

// gather scrapes m through a fresh registry that checks every series against
// its description.
func gather(t *testing.T, m prometheus.Collector) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(m); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func series(families []*dto.MetricFamily) (n int) {
	for _, f := range families {
		n += len(f.GetMetric())
	}
	return n
}

// text is what a client sees.
func text(t *testing.T, m prometheus.Collector) []byte {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	return scrape(t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

func scrape(t *testing.T, h http.Handler) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics answers %d: %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// compareGolden holds got against a file, or writes it with -update.
func compareGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what is made now; read the difference, then use -update (-want +got):\n%s", file, diff)
	}
}

// variableLabels are the label names of a family without the constant ones.
func variableLabels(t *testing.T, f *dto.MetricFamily) []string {
	t.Helper()
	var first []string
	for i, metric := range f.GetMetric() {
		var names []string
		for _, l := range metric.GetLabel() {
			if n := l.GetName(); n != "cluster" && n != "node" {
				names = append(names, n)
			}
		}
		if len(metric.GetLabel()) != len(names)+2 {
			t.Errorf("%s lacks a constant label: %v", f.GetName(), metric.GetLabel())
		}
		if i > 0 && !slices.Equal(first, names) {
			t.Errorf("%s has series with the labels %v and %v", f.GetName(), first, names)
		}
		first = names
	}
	return first
}

func TestEverySpecifiedMetricAndNoOther(t *testing.T) {
	m := metrics.New(options("n1"))
	populate(m)
	want := make(map[string][]string)
	for _, spec := range strings.Fields(specified + added) {
		name, labels, _ := strings.Cut(strings.TrimSuffix(spec, "}"), "{")
		want["clusterkit_"+name] = strings.FieldsFunc(labels, func(r rune) bool { return r == ',' })
		slices.Sort(want["clusterkit_"+name])
	}
	got := make(map[string][]string)
	for _, f := range gather(t, m) {
		got[f.GetName()] = append([]string{}, variableLabels(t, f)...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names and labels (-want +got):\n%s", diff)
	}
}

func TestLint(t *testing.T) {
	m := metrics.New(options("n1"))
	populate(m)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestGoldenScrape is in a bubble for the sake of its clock.
func TestGoldenScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := metrics.New(options("n1"))
		fresh := text(t, m)
		populate(m)
		compareGolden(t, filepath.Join("testdata", "fresh.prom"), fresh)
		compareGolden(t, filepath.Join("testdata", "scrape.prom"), text(t, m))
	})
}

// TestTable holds the table of README.md to what a scrape returns.
func TestTable(t *testing.T) {
	m := metrics.New(options("n1"))
	populate(m)
	var b strings.Builder
	b.WriteString("| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n")
	for _, f := range gather(t, m) {
		labels := strings.Join(variableLabels(t, f), ", ")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), labels, f.GetHelp())
	}
	const file, begin, end = "README.md", "<!-- table: written by go test -update -->\n", "<!-- end of table -->\n"
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(readme), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	compareGolden(t, file, []byte(head+begin+b.String()+end+tail))
}

func TestTwoNodesInOneRegistry(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	one, two, twin := metrics.New(options("n1")), metrics.New(options("n2")), metrics.New(options("n1"))
	for _, m := range []*metrics.Metrics{one, two} {
		if err := m.Register(registry); err != nil {
			t.Fatal(err)
		}
		populate(m)
	}
	both, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := series(both), 2*series(gather(t, one)); got != want {
		t.Errorf("two nodes have %d series, want %d", got, want)
	}

	var already prometheus.AlreadyRegisteredError
	if err := twin.Register(registry); !errors.As(err, &already) {
		t.Errorf("register a node of the same name: %v, want AlreadyRegisteredError", err)
	}
	if twin.Unregister(registry) {
		t.Error("a node that was not registered took its namesake out")
	}
	if !one.Unregister(registry) || one.Unregister(registry) {
		t.Error("unregister: want true once")
	}
	if err := twin.Register(registry); err != nil {
		t.Errorf("register after the namesake is gone: %v", err)
	}
	if n, err := testutil.GatherAndCount(registry, "clusterkit_isolated"); n != 2 || err != nil {
		t.Errorf("%d nodes in the registry, %v", n, err)
	}
}

func TestNilAndNothing(t *testing.T) {
	var m *metrics.Metrics
	populate(m)
	m.ForgetPeer("n2")
	registry := prometheus.NewPedanticRegistry()
	if err := m.Register(registry); err != nil || m.Unregister(registry) {
		t.Errorf("register nil: %v", err)
	}
	if n := testutil.CollectAndCount(m); n != 0 {
		t.Errorf("nil has %d series", n)
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("the handler of nil answers %d", w.Code)
	}
	some := metrics.New(metrics.Options{})
	if err := some.Register(nil); err != nil || some.Unregister(nil) {
		t.Errorf("register with nil: %v", err)
	}
	if n := series(gather(t, some)); n == 0 {
		t.Error("the zero options give no series")
	}
}

func TestHandler(t *testing.T) {
	m := metrics.New(options("n1"))
	populate(m)
	got := string(scrape(t, m.Handler()))
	for _, name := range []string{"clusterkit_members", "clusterkit_build_info", "go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(got, "\n# TYPE "+name+" ") {
			t.Errorf("GET /metrics lacks %s", name)
		}
	}
	global, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range global {
		if strings.HasPrefix(f.GetName(), "clusterkit_") {
			t.Errorf("%s is in the global registry", f.GetName())
		}
	}
}

// TestNoAmountGoesBackwards feeds what only wrong arithmetic or a clock that
// was set back could produce.
func TestNoAmountGoesBackwards(t *testing.T) {
	m := metrics.New(options("n1"))
	m.SyncSentBytes(-1)
	m.SyncSkippedEvents(metrics.SkippedGap, -1)
	m.LogRepaired(-1)
	m.Replayed(-1, -time.Second)
	m.SyncClient(metrics.ResultOK, -time.Second)
	m.Propagated(-time.Hour)
	m.Propagated(0)
	for _, f := range gather(t, m) {
		for _, s := range f.GetMetric() {
			if s.GetCounter().GetValue() < 0 || s.GetHistogram().GetSampleSum() < 0 {
				t.Errorf("%s fell below zero: %v", f.GetName(), s)
			}
		}
	}
	const want = `
# HELP clusterkit_sync_propagation_negative_delays_total Propagation delays below zero, from an origin whose clock is ahead; observed as 0.
# TYPE clusterkit_sync_propagation_negative_delays_total counter
clusterkit_sync_propagation_negative_delays_total{cluster="test",node="n1"} 1
`
	if err := testutil.CollectAndCompare(m, strings.NewReader(want), "clusterkit_sync_propagation_negative_delays_total"); err != nil {
		t.Error(err)
	}
}
