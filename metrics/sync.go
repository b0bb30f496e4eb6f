package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The roles of a node in an exchange: it asked, or it was asked.
const (
	roleClient = "client"
	roleServer = "server"
)

// The results of a sync request. Any other counts as ResultError.
const (
	ResultOK             = "ok"
	ResultTimeout        = "timeout"         // no answer in time
	ResultRefused        = "refused"         // nobody listens, or a 503: too busy, stopping
	ResultUnauthorized   = "unauthorized"    // the signature or certificate is not accepted
	ResultWrongCluster   = "wrong_cluster"   // 409: another cluster
	ResultWrongNode      = "wrong_node"      // 421: another node has this address
	ResultConfigMismatch = "config_mismatch" // 409: the settings differ
	ResultTooLarge       = "too_large"       // beyond a limit
	ResultBadRequest     = "bad_request"     // not understood
	ResultCompacted      = "compacted"       // the events are no longer kept
	ResultError          = "error"           // anything else
)

var results = []string{ResultOK, ResultTimeout, ResultRefused, ResultUnauthorized, ResultWrongCluster,
	ResultWrongNode, ResultConfigMismatch, ResultTooLarge, ResultBadRequest, ResultCompacted}

// Why a received event was not applied. Any other reason counts as "other".
const (
	SkippedDuplicate = "duplicate" // held already
	SkippedGap       = "gap"       // events before it are missing
	SkippedBroken    = "broken"    // its chain does not link to what is held
	SkippedForked    = "forked"    // of a log that has forked
	SkippedInvalid   = "invalid"   // its bytes are not an event
)

var skippedReasons = []string{SkippedDuplicate, SkippedGap, SkippedBroken, SkippedForked, SkippedInvalid}

// Why a whole state was sent or merged instead of ranges of events. Any other
// reason counts as "other".
const (
	TransferJoin      = "join"      // a node that knows nothing yet
	TransferGap       = "gap"       // ranges did not close a gap
	TransferCompacted = "compacted" // the events are no longer kept
	TransferDiverged  = "diverged"  // equal vectors, different states
	TransferForked    = "forked"    // a log that has forked has no ranges
	TransferRemoved   = "removed"   // a removed node asks whether it was
)

var transferReasons = []string{TransferJoin, TransferGap, TransferCompacted, TransferDiverged, TransferForked, TransferRemoved}

// registerKinds are what stands before the first slash of a register.
var registerKinds = []string{"node", "accusation", "admin", "partition", "coordinator", "config", "value", "log"}

// other is the label value of what belongs to no named one.
const other = "other"

// Upper bounds of buckets, in seconds. A request between nodes is one round
// trip and an fsync: 1 ms to the client's time limit. An event travels for a
// debounce and some hops, or until the next comparison finds what was lost.
var (
	syncBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

	propagationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

type syncMetrics struct {
	client, server syncRole

	sentBytes, receivedBytes   prometheus.Counter
	sentEvents, receivedEvents prometheus.Counter
	appliedEvents              prometheus.Counter
	skipped                    counters
	transfers                  counters
	conflicts                  counters
	divergences                prometheus.Counter
	propagation                prometheus.Histogram
	negative                   prometheus.Counter
}

type syncRole struct {
	requests counters
	duration prometheus.Observer
}

func newSyncMetrics(b *builder) syncMetrics {
	requests := b.counterVec("sync_requests_total",
		"Sync requests, made (client) or answered (server), by result.", "role", "result")
	duration := b.histogramVec("sync_duration_seconds",
		"Time of a sync request, from sending to answer (client) or from receipt to answer (server).", syncBuckets, "role")
	role := func(role string) syncRole {
		return syncRole{newCounters(requests, results, ResultError, role), duration.WithLabelValues(role)}
	}
	return syncMetrics{
		client:         role(roleClient),
		server:         role(roleServer),
		sentBytes:      b.counter("sync_sent_bytes_total", "Bytes of sync bodies sent, in requests and answers."),
		receivedBytes:  b.counter("sync_received_bytes_total", "Bytes of sync bodies received, in requests and answers."),
		sentEvents:     b.counter("sync_sent_events_total", "Events sent to peers."),
		receivedEvents: b.counter("sync_received_events_total", "Events received from peers, new or not."),
		appliedEvents:  b.counter("sync_applied_events_total", "Events received from peers that were new and are durable here."),
		skipped: b.counters("sync_skipped_events_total",
			"Events received from peers that were not applied, by reason.", "reason", skippedReasons, other),
		transfers: b.counters("sync_full_transfers_total",
			"Whole states sent or merged instead of events, by reason.", "reason", transferReasons, other),
		conflicts: b.counters("sync_conflicts_total",
			"Concurrent writes to one register, of which one lost, by kind of register.", "register", registerKinds, other),
		divergences: b.counter("sync_divergences_total",
			"Times that a peer held the same events and another state. Must stay 0; repaired by merging."),
		propagation: b.histogram("sync_propagation_delay_seconds",
			"Time from the origin's clock when it wrote an event until it was applied here. Includes clock skew.", propagationBuckets),
		negative: b.counter("sync_propagation_negative_delays_total",
			"Propagation delays below zero, from an origin whose clock is ahead; observed as 0."),
	}
}

// SyncClient records a sync request that this node made, with one of the
// Result constants.
func (m *Metrics) SyncClient(result string, d time.Duration) {
	if m != nil {
		m.sync.client.record(result, d)
	}
}

// SyncServer records a sync request that this node answered, with one of the
// Result constants.
func (m *Metrics) SyncServer(result string, d time.Duration) {
	if m != nil {
		m.sync.server.record(result, d)
	}
}

func (r *syncRole) record(result string, d time.Duration) {
	r.requests.of(result).Inc()
	observe(r.duration, d)
}

// SyncSentBytes adds the size of a request or answer that was sent.
func (m *Metrics) SyncSentBytes(n int) {
	if m != nil {
		add(m.sync.sentBytes, n)
	}
}

// SyncReceivedBytes adds the size of a request or answer that was received.
func (m *Metrics) SyncReceivedBytes(n int) {
	if m != nil {
		add(m.sync.receivedBytes, n)
	}
}

// SyncSentEvents adds events that were sent to a peer.
func (m *Metrics) SyncSentEvents(n int) {
	if m != nil {
		add(m.sync.sentEvents, n)
	}
}

// SyncReceivedEvents adds events that came from a peer, new or not.
func (m *Metrics) SyncReceivedEvents(n int) {
	if m != nil {
		add(m.sync.receivedEvents, n)
	}
}

// SyncAppliedEvents adds events from peers that were new and are durable.
func (m *Metrics) SyncAppliedEvents(n int) {
	if m != nil {
		add(m.sync.appliedEvents, n)
	}
}

// SyncSkippedEvents adds events from peers that were not applied, for one of
// the Skipped reasons.
func (m *Metrics) SyncSkippedEvents(reason string, n int) {
	if m != nil {
		add(m.sync.skipped.of(reason), n)
	}
}

// FullTransfer counts a whole state that was sent or merged, for one of the
// Transfer reasons.
func (m *Metrics) FullTransfer(reason string) {
	if m != nil {
		m.sync.transfers.of(reason).Inc()
	}
}

// Conflict counts two concurrent writes to one register, by its kind: "node",
// "partition", "value" ... as in package events.
func (m *Metrics) Conflict(kind string) {
	if m != nil {
		m.sync.conflicts.of(kind).Inc()
	}
}

// Divergence counts a peer that held the same events and another state.
func (m *Metrics) Divergence() {
	if m != nil {
		m.sync.divergences.Inc()
	}
}

// Propagated records how old an event of another node was, by its origin's
// clock, when it was applied here. Below zero it is recorded as zero and
// counted, since then the clocks are wrong and not the delay.
func (m *Metrics) Propagated(delay time.Duration) {
	if m == nil {
		return
	}
	if delay < 0 {
		m.sync.negative.Inc()
	}
	observe(m.sync.propagation, delay)
}
