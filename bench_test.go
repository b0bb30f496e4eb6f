package clusterkit_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"net"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// BenchmarkStart measures from the first Start until n nodes in one process,
// over loopback HTTP and with real logs, agree on everything and every
// partition has all its copies.
//
//	go test -run '^$' -bench 'Start|Propagation|Idle' -benchtime 5x .
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{3, 10, 30} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				nodes := make([]*clusterkit.ClusterKit, n)
				listeners := make([]net.Listener, n)
				for i := range nodes {
					o := options(b, i)
					o.Listener, _ = net.Listen("tcp", "127.0.0.1:0")
					listeners[i], o.HTTPAddr = o.Listener, ""
					if i > 0 {
						o.KnownNodes = []string{listeners[0].Addr().String()}
					}
					var err error
					if nodes[i], err = clusterkit.NewClusterKit(o); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				began := time.Now()
				for _, ck := range nodes {
					if err := ck.Start(); err != nil {
						b.Fatal(err)
					}
				}
				awaitAgreement(b, "start", nodes, full(n, 16, 3))
				took = append(took, time.Since(began))
				b.StopTimer()
				stopAll(b, nodes)
				b.StartTimer()
			}
			report(b, took)
		})
	}
}

// BenchmarkPropagation measures from a command on one node until all n have
// its event durable and applied.
func BenchmarkPropagation(b *testing.B) {
	for _, n := range []int{3, 10, 30} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			nodes := startAll(b, n, nil)
			awaitAgreement(b, "start", nodes, full(n, 16, 3))
			var took []time.Duration
			i := 0
			for b.Loop() {
				i++
				began := time.Now()
				e, err := nodes[i%n].Set(context.Background(), "key", fmt.Append(nil, i))
				if err != nil {
					b.Fatal(err)
				}
				await(b, "propagation", nodes, func(c *clusterkit.Cluster) bool { return c.Vector.Covers(e.ID()) })
				took = append(took, time.Since(began))
			}
			report(b, took)
		})
	}
}

// BenchmarkIdle measures what n nodes send and receive, with all headers, when
// nothing happens, and that their logs do not grow.
func BenchmarkIdle(b *testing.B) {
	const observed = 20 * time.Second
	for _, n := range []int{3, 10, 30} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var bytes atomic.Int64
			nodes := startAll(b, n, func(i int, o *clusterkit.Options) {
				o.StableFor = 100 * time.Millisecond
				o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := new(net.Dialer).DialContext(ctx, network, addr)
					return &countingConn{c, &bytes}, err
				}
			})
			awaitAgreement(b, "start", nodes, full(n, 16, 3))
			awaitAgreement(b, "balance", nodes, balanced(n, 16, 3))
			before := nodes[0].Cluster().Digest
			bytes.Store(0)
			for b.Loop() {
				time.Sleep(observed)
			}
			total := float64(bytes.Load()) / b.Elapsed().Seconds()
			b.ReportMetric(total/float64(n), "B/s/node")
			if nodes[0].Cluster().Digest != before {
				b.Error("something was written while nothing happened")
			}
		})
	}
}

// countingConn counts both directions of a client's connection. Every byte
// between two nodes passes through exactly one of them.
type countingConn struct {
	net.Conn
	bytes *atomic.Int64
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes.Add(int64(n))
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.bytes.Add(int64(n))
	return n, err
}

func stopAll(b *testing.B, nodes []*clusterkit.ClusterKit) {
	done := make(chan error)
	for _, ck := range nodes {
		go func() { done <- ck.Stop() }()
	}
	for range nodes {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms(median)")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms(max)")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLookup measures the queries on the hot path of an application.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		ck := bigCluster(b, n)
		b.Run(fmt.Sprintf("Partition/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = ck.Partition("user:12345").ID
			}
		})
		b.Run(fmt.Sprintf("IsPrimary/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sinkBool = ck.IsPrimary("user:12345")
			}
		})
	}
}

var (
	sink     int
	sinkBool bool
)

// bigCluster is a node that knows a cluster of n nodes and 1024 partitions.
func bigCluster(b *testing.B, n int) *clusterkit.ClusterKit {
	b.Helper()
	log := events.NewLogID(1, [10]byte{1})
	state, chain, seq := projection.NewState(), events.Genesis(log), uint64(0)
	apply := func(e events.Event) {
		seq++
		e.Log, e.Seq, e.Time, e.Actor = log, seq, events.NewTimestamp(int64(seq), 0), "n0"
		sealed, err := events.Seal(e, chain)
		if err != nil {
			b.Fatal(err)
		}
		chain = sealed.Chain
		state.Apply(&sealed)
	}
	apply(events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister, Version: 1,
		Body: events.Encode(&events.ClusterConfig{Name: "big", PartitionCount: 1024, ReplicationFactor: 3})})
	for i := range n {
		id := fmt.Sprintf("n%d", i)
		apply(events.Event{Type: events.NodeJoined, Register: events.NodeRegister(id), Version: 1,
			Body: events.Encode(&events.NodeRecord{ID: id, Addr: "127.0.0.1:1"})})
	}
	for p := range 1024 {
		a := &events.Assignment{Partition: uint32(p), Replicas: []string{fmt.Sprintf("n%d", p%n), fmt.Sprintf("n%d", (p+1)%n)}}
		apply(events.Event{Type: events.PartitionAssigned, Register: events.PartitionRegister(p), Version: 1, Body: events.Encode(a)})
	}
	return clusterkit.NewDetached("n0", state.Cluster())
}
