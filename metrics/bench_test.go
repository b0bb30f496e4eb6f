package metrics_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skshohagmiah/clusterkit/metrics"
)

// observations are the calls that a busy node makes often, one each.
func observations(m *metrics.Metrics) map[string]func() {
	return map[string]func(){
		"SyncClient":         func() { m.SyncClient(metrics.ResultOK, 3*time.Millisecond) },
		"SyncServer/unknown": func() { m.SyncServer("unheard of", 3*time.Millisecond) },
		"SyncSentBytes":      func() { m.SyncSentBytes(1000) },
		"SyncSkippedEvents":  func() { m.SyncSkippedEvents(metrics.SkippedDuplicate, 3) },
		"FullTransfer":       func() { m.FullTransfer(metrics.TransferJoin) },
		"Conflict":           func() { m.Conflict("partition") },
		"Propagated":         func() { m.Propagated(25 * time.Millisecond) },
		"PeerSeen":           func() { m.PeerSeen("n2") },
		"ClockSkew":          func() { m.ClockSkew("n2", time.Millisecond) },
		"MemberTransition":   func() { m.MemberTransition(metrics.MemberAlive, metrics.ReasonJoined) },
		"Probed":             func() { m.Probed(4 * time.Millisecond) },
		"ProbeFailed":        func() { m.ProbeFailed(metrics.ProbeDirect) },
		"PartitionMoved":     func() { m.PartitionMoved(metrics.MoveBalance) },
		"EventAppended":      func() { m.EventAppended("PartitionAssigned") },
		"EventAppended/app":  func() { m.EventAppended("app/order-shipped") },
		"LogAppended":        func() { m.LogAppended(300 * time.Microsecond) },
		"Replayed":           func() { m.Replayed(100, time.Millisecond) },
		"CheckpointWritten":  func() { m.CheckpointWritten(8 * time.Millisecond) },
		"HTTPRequest":        func() { m.HTTPRequest("sync", 200, 3*time.Millisecond) },
		"HTTPRequest/rare":   func() { m.HTTPRequest("teapot", 418, 3*time.Millisecond) },
	}
}

func BenchmarkObserve(b *testing.B) {
	m := metrics.New(options("n1"))
	for name, observe := range observations(m) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				observe()
			}
		})
	}
}

// BenchmarkContended has all cores observe the same thing.
func BenchmarkContended(b *testing.B) {
	m := metrics.New(options("n1"))
	for _, name := range []string{"SyncClient", "HTTPRequest", "EventAppended", "PeerSeen"} {
		observe := observations(m)[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					observe()
				}
			})
		})
	}
}

func BenchmarkScrape(b *testing.B) {
	m := metrics.New(options("n1"))
	populate(m)
	b.ReportAllocs()
	for b.Loop() {
		drain(m)
	}
}

func TestObservationsDoNotAllocate(t *testing.T) {
	for name, observe := range observations(metrics.New(options("n1"))) {
		if n := testing.AllocsPerRun(100, observe); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	for name, observe := range observations(nil) {
		if n := testing.AllocsPerRun(100, observe); n != 0 {
			t.Errorf("%s on nil allocates %v times", name, n)
		}
	}
}

// drain collects everything once.
func drain(m *metrics.Metrics) (n int) {
	ch := make(chan prometheus.Metric, 64)
	go func() { // ends when everything is collected
		m.Collect(ch)
		close(ch)
	}()
	for range ch {
		n++
	}
	return n
}
