package transport_test

import (
	"context"
	"iter"
	"net"
	"sync/atomic"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

// fake is a node behind a server. It answers what the test sets, and counts
// how often it was called.
type fake struct {
	id    transport.Identity
	calls atomic.Int64

	join    func(context.Context, *transport.JoinRequest) (*transport.JoinResponse, error)
	sync    func(context.Context, *transport.SyncRequest) (*transport.SyncResponse, error)
	probe   func(context.Context, *transport.ProbeRequest) (*transport.ProbeResponse, error)
	cluster func(context.Context, string) ([]byte, string, error)
	events  func(context.Context, transport.EventsQuery) iter.Seq2[events.Event, error]
	health  transport.Health
	why     string
}

const (
	testCluster = "my-app"
	testConfig  = 0x1234567890abcdef
)

func testLog(n byte) events.LogID {
	return events.NewLogID(1_790_000_000_000+int64(n), [10]byte{n, 1, 2, 3, 4, 5, 6, 7, 8, 9})
}

func newFake() *fake {
	return &fake{
		id: transport.Identity{Cluster: testCluster, Config: testConfig, Node: "node-2", Log: testLog(2),
			Settings: events.ClusterConfig{Name: testCluster, PartitionCount: 16, ReplicationFactor: 3}},
		health: transport.Health{OK: true},
	}
}

func (f *fake) called() {
	f.calls.Add(1)
}

func (f *fake) Identity() transport.Identity { return f.id }

func (f *fake) Join(ctx context.Context, req *transport.JoinRequest) (*transport.JoinResponse, error) {
	f.called()
	if f.join != nil {
		return f.join(ctx, req)
	}
	return &transport.JoinResponse{Digest: testDigest(2), Spoken: true, Members: []transport.Member{
		{ID: "node-2", Addr: "127.0.0.1:2", Status: "alive", Incarnation: 1, Log: testLog(2)}}}, nil
}

func (f *fake) Sync(ctx context.Context, req *transport.SyncRequest) (*transport.SyncResponse, error) {
	f.called()
	if f.sync != nil {
		return f.sync(ctx, req)
	}
	return &transport.SyncResponse{Code: transport.CodeEqual, Digest: req.Digest}, nil
}

func (f *fake) Probe(ctx context.Context, req *transport.ProbeRequest) (*transport.ProbeResponse, error) {
	f.called()
	if f.probe != nil {
		return f.probe(ctx, req)
	}
	return &transport.ProbeResponse{Digest: req.Digest, Equal: true, Incarnation: 1}, nil
}

func (f *fake) Health() transport.Health { return f.health }

func (f *fake) Ready() (bool, string) { return f.why == "", f.why }

func (f *fake) Cluster(ctx context.Context, at string) ([]byte, string, error) {
	f.called()
	if f.cluster != nil {
		return f.cluster(ctx, at)
	}
	return []byte(`{"id":"x"}`), "abc", nil
}

func (f *fake) Events(ctx context.Context, q transport.EventsQuery) iter.Seq2[events.Event, error] {
	f.called()
	if f.events != nil {
		return f.events(ctx, q)
	}
	return func(func(events.Event, error) bool) {}
}

func testDigest(n byte) (d events.Digest) {
	d.Vector, d.State, d.Logs = events.Sum{Hi: uint64(n), Lo: 1 << 60}, events.Sum{Hi: 1 << 61, Lo: uint64(n)}, 3
	return d
}

func testHeader() transport.Header {
	return transport.Header{Cluster: testCluster, Config: testConfig, From: "node-1", FromLog: testLog(1),
		To: "node-2", Wall: 1_790_000_000_123}
}

// run returns n events of one log.
func run(t testing.TB, log events.LogID, n int) []events.Event {
	t.Helper()
	list := make([]events.Event, n)
	prev := events.Genesis(log)
	for i := range list {
		e, err := events.Seal(events.Event{Log: log, Seq: uint64(i + 1), Time: events.NewTimestamp(1_790_000_000_000+int64(i), 0),
			Type: events.ValueSet, Register: "value/k", Version: uint64(i + 1), Actor: "node-1",
			Body: events.Encode(&events.Value{Key: "k", Value: []byte{byte(i)}})}, prev)
		if err != nil {
			t.Fatal(err)
		}
		list[i], prev = e, e.Chain
	}
	return list
}

// serve starts a server on loopback and returns its address.
func serve(t testing.TB, f *fake, o transport.ServerOptions) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := transport.NewServer(transport.NewHandler(f, o), o)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if o.TLS != nil {
			srv.ServeTLS(l, "", "")
		} else {
			srv.Serve(l)
		}
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return l.Addr().String()
}

func newClient(t testing.TB, o transport.ClientOptions) *transport.Client {
	t.Helper()
	c := transport.NewClient(o)
	t.Cleanup(c.Close)
	return c
}
