package metrics

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// eventTypes are the types that this version knows. Those of applications
// count as "app", unknown ones as "other".
var eventTypes = []string{
	"ClusterConfigured", "LogStarted", "LogForked",
	"NodeJoined", "NodeUpdated", "NodeLeaving", "NodeLeft", "NodeRecovered",
	"NodeSuspected", "NodeFailed", "NodeRemoved", "NodeDrained", "NodeUndrained",
	"BrakeHeld", "BrakeLifted",
	"CoordinatorClaimed", "PartitionAssigned", "RebalanceStarted", "RebalanceCompleted",
	"ValueSet", "ValueDeleted",
}

// The types of applications begin with appPrefix and share one label value.
const (
	appPrefix = "app/"
	app       = "app"
)

// Upper bounds of buckets, in seconds. An append is one write and one fsync:
// 50 us on a drive with a battery, a second on a disk in trouble. A replay is
// one segment, or a long history read for a question about the past.
var (
	appendBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}

	replayBuckets = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

	checkpointBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

type logMetrics struct {
	appended       counters
	app            prometheus.Counter
	appendDuration prometheus.Histogram
	repaired       prometheus.Counter

	replayed           prometheus.Counter
	replayDuration     prometheus.Histogram
	checkpointDuration prometheus.Histogram
	checkpointTime     *prometheus.Desc
	checkpointed       atomic.Int64 // Unix time in nanoseconds; 0: not by this process
}

func newLogMetrics(b *builder) *logMetrics {
	m := &logMetrics{
		appended: b.counters("log_appended_events_total",
			"Events made durable in the log, of every origin, by type.", "type", append(eventTypes, app), other),
		appendDuration: b.histogram("log_append_duration_seconds",
			"Time to write and fsync one batch of events.", appendBuckets),
		repaired: b.counter("log_repaired_bytes_total",
			"Bytes of a torn tail that were cut off, and kept in quarantine, when the log was opened."),
		replayed: b.counter("replayed_events_total", "Events folded from the log, at the start or for a question about the past."),
		replayDuration: b.histogram("replay_duration_seconds",
			"Time of one replay of the log.", replayBuckets),
		checkpointDuration: b.histogram("checkpoint_duration_seconds",
			"Time to encode, write and fsync one checkpoint.", checkpointBuckets),
		checkpointTime: b.desc("checkpoint_last_success_timestamp_seconds",
			"When this process last wrote a checkpoint, in seconds since 1970; absent before it did."),
	}
	m.app = m.appended.of(app)
	delete(m.appended.byValue, app) // an event of the type "app" is not an application's
	return m
}

// EventAppended counts an event that is durable in the log, by its type as in
// package events.
func (m *Metrics) EventAppended(eventType string) {
	switch {
	case m == nil:
	case strings.HasPrefix(eventType, appPrefix):
		m.log.app.Inc()
	default:
		m.log.appended.of(eventType).Inc()
	}
}

// LogAppended records the write and fsync of one batch.
func (m *Metrics) LogAppended(d time.Duration) {
	if m != nil {
		observe(m.log.appendDuration, d)
	}
}

// LogRepaired adds the bytes of a torn tail that was cut off.
func (m *Metrics) LogRepaired(bytes int64) {
	if m != nil {
		add(m.log.repaired, bytes)
	}
}

// Replayed records one replay of the log and the number of its events.
func (m *Metrics) Replayed(events int, d time.Duration) {
	if m != nil {
		add(m.log.replayed, events)
		observe(m.log.replayDuration, d)
	}
}

// CheckpointWritten records a checkpoint that has just become durable.
func (m *Metrics) CheckpointWritten(d time.Duration) {
	if m != nil {
		observe(m.log.checkpointDuration, d)
		m.log.checkpointed.Store(time.Now().UnixNano())
	}
}

// collect emits the time of the checkpoint. There is none before there was a
// checkpoint: a zero would read as 1970 and look half a century overdue.
func (m *logMetrics) collect(ch chan<- prometheus.Metric) {
	if at := m.checkpointed.Load(); at != 0 {
		ch <- gauge(m.checkpointTime, float64(at)/1e9)
	}
}
