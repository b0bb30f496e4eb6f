package metrics

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace is what every name begins with.
const namespace = "clusterkit"

// modulePath is where build_info finds the version of this library.
const modulePath = "github.com/skshohagmiah/clusterkit"

// Options says whose metrics these are. The zero value works, for one node
// without a name.
type Options struct {
	// Cluster is the constant label "cluster": the name of the cluster.
	Cluster string
	// Node is the constant label "node": the name of this node. Two nodes in
	// one registry need different ones.
	Node string
	// Version of the library, for build_info. Default: what the Go linker
	// recorded, or "unknown".
	Version string
	// GoVersion is the toolchain, for build_info. Default: the running one.
	GoVersion string
	// MaxPeers bounds how many peers have series of their own: those that were
	// met first. Default: 100. Negative: none.
	MaxPeers int
	// State returns what is the case now; see State. It is called once per
	// scrape, from several goroutines at a time, and must not block for long.
	// Default: none, and the metrics that depend on it are absent.
	State func() State
}

// defaultMaxPeers covers the clusters of which one wants to see single peers:
// n nodes have n*(n-1) pairs.
const defaultMaxPeers = 100

// Metrics holds all metrics of one node. It implements prometheus.Collector.
// The zero value is not usable, a nil *Metrics is: it measures nothing.
type Metrics struct {
	sync       syncMetrics
	members    memberMetrics
	partitions counters
	log        *logMetrics
	http       map[string]*endpoint
	peers      *peerTable
	state      stateDescs
	snapshot   func() State

	families   []prometheus.Collector // everything that is pushed
	registered atomic.Int32           // registries of the application it is in
	handler    http.Handler
}

var _ prometheus.Collector = (*Metrics)(nil)

// New returns the metrics of one node, all at zero and in no registry but that
// of its own Handler.
func New(o Options) *Metrics {
	o = o.withDefaults()
	b := &builder{labels: prometheus.Labels{"cluster": o.Cluster, "node": o.Node}}
	m := &Metrics{
		sync:       newSyncMetrics(b),
		members:    newMemberMetrics(b),
		partitions: newMoveCounters(b),
		log:        newLogMetrics(b),
		http:       newEndpoints(b),
		peers:      newPeerTable(b, o.MaxPeers),
		state:      newStateDescs(b),
		snapshot:   o.State,
	}
	b.info("build_info", "Always 1; the labels tell the version of the library and of Go.",
		prometheus.Labels{"version": o.Version, "go_version": o.GoVersion})
	m.families = b.families
	m.handler = newHandler(m)
	return m
}

func (o Options) withDefaults() Options {
	if o.Version == "" {
		o.Version = libraryVersion()
	}
	if o.GoVersion == "" {
		o.GoVersion = runtime.Version()
	}
	switch {
	case o.MaxPeers == 0:
		o.MaxPeers = defaultMaxPeers
	case o.MaxPeers < 0:
		o.MaxPeers = 0
	}
	// A label value that is not UTF-8 would fail every scrape of the process.
	for _, s := range []*string{&o.Cluster, &o.Node, &o.Version, &o.GoVersion} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	return o
}

// libraryVersion is the version under which this module was built into the
// program.
func libraryVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path == modulePath && module.Version != "" {
			return module.Version
		}
	}
	return "unknown"
}

// newHandler puts m into a registry of its own, beside the collectors that
// describe the whole process and therefore must not be there once per node.
func newHandler(m *Metrics) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(m, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		// Half a scrape beats none on the day when something is wrong.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
	})
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	if m == nil {
		return
	}
	for _, f := range m.families {
		f.Describe(ch)
	}
	ch <- m.log.checkpointTime
	m.peers.describe(ch)
	m.state.describe(ch)
}

// Collect implements prometheus.Collector. It calls Options.State once.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	if m == nil {
		return
	}
	for _, f := range m.families {
		f.Collect(ch)
	}
	m.log.collect(ch)
	if m.snapshot == nil {
		m.peers.collect(ch)
		return
	}
	s := m.snapshot()
	m.state.collect(ch, &s)
	m.peers.keep(s.Peers)
	m.peers.collect(ch)
	m.peers.collectLag(ch, s.Peers)
}

// Register adds m to a registry of the application. It fails when another node
// with the same Cluster and Node is there, or other metrics of the same names
// with other labels. A nil registerer is nothing to do.
func (m *Metrics) Register(r prometheus.Registerer) error {
	if m == nil || r == nil {
		return nil
	}
	if err := r.Register(m); err != nil {
		return fmt.Errorf("metrics: register: %w", err)
	}
	m.registered.Add(1)
	return nil
}

// Unregister takes m out of a registry and reports whether it was there. A
// Metrics that was never registered takes nothing out: a registry tells
// collectors apart by their labels only, so it would remove its namesake.
func (m *Metrics) Unregister(r prometheus.Registerer) bool {
	if m == nil || r == nil || m.registered.Load() == 0 || !r.Unregister(m) {
		return false
	}
	m.registered.Add(-1)
	return true
}

// Handler serves GET /metrics: this node's metrics and those of the Go runtime
// and the process, in the text format that the client asks for.
func (m *Metrics) Handler() http.Handler {
	if m == nil {
		return http.NotFoundHandler()
	}
	return m.handler
}
