package transport_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

func joinRequest() *transport.JoinRequest {
	h := testHeader()
	h.To = ""
	return &transport.JoinRequest{Header: h, Protocol: 1,
		Node:     &events.NodeRecord{ID: "node-1", Addr: "127.0.0.1:1", Zone: "z", Metadata: map[string]string{"a": "b"}},
		Settings: events.ClusterConfig{Name: testCluster, PartitionCount: 16, ReplicationFactor: 3}}
}

func TestExchanges(t *testing.T) {
	for _, secret := range []string{"", "a secret of this test"} {
		f := newFake()
		addr := serve(t, f, transport.ServerOptions{Secret: secret})
		c := newClient(t, transport.ClientOptions{Secret: secret})
		ctx := context.Background()

		join, local, err := c.Join(ctx, addr, joinRequest())
		if err != nil {
			t.Fatal(err)
		}
		if join.From != "node-2" || join.To != "node-1" || join.Cluster != testCluster || join.Config != testConfig ||
			join.FromLog != testLog(2) || join.Wall == 0 || !join.Spoken || len(join.Members) != 1 {
			t.Errorf("join: %+v", join)
		}
		if tcp, ok := local.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
			t.Errorf("local address %v", local)
		}

		list := run(t, testLog(1), 100)
		f.sync = func(_ context.Context, req *transport.SyncRequest) (*transport.SyncResponse, error) {
			return &transport.SyncResponse{Code: transport.CodeData, Digest: testDigest(9), Events: req.Events,
				HasVector: true, Vector: []events.Head{list[99].Head()}, Acks: []events.Head{{Log: testLog(1), Seq: 100}}}, nil
		}
		sync, err := c.Sync(ctx, addr, &transport.SyncRequest{Header: testHeader(), Digest: testDigest(1), Events: list})
		if err != nil {
			t.Fatal(err)
		}
		if len(sync.Events) != 100 || !bytes.Equal(sync.Events[99].Raw(), list[99].Raw()) || sync.Vector[0] != list[99].Head() {
			t.Errorf("sync: %+v", sync)
		}

		probe, err := c.Probe(ctx, addr, &transport.ProbeRequest{Header: testHeader(), Digest: testDigest(1)})
		if err != nil {
			t.Fatal(err)
		}
		if !probe.Equal || probe.Digest != testDigest(1) || probe.Incarnation != 1 {
			t.Errorf("probe: %+v", probe)
		}
	}
}

// TestProbeBytes prints what one idle probe costs on a connection, and holds
// the hooks of both sides to it. Idle traffic is one probe a second, and every
// node sends one and answers one: 1 KB/s at most.
func TestProbeBytes(t *testing.T) {
	for name, secret := range map[string]string{"unsigned": "", "signed": "a secret of this test"} {
		var counted measured
		addr := serve(t, newFake(), transport.ServerOptions{Secret: secret, Hooks: counted.hooks()})
		var sent, received tap
		var request, answer string
		c := newClient(t, transport.ClientOptions{Secret: secret, Hooks: counted.hooks(),
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return &tapped{conn, &sent, &received}, err
			}})
		for range 3 { // the first is not another than the rest
			if _, err := c.Probe(context.Background(), addr, &transport.ProbeRequest{Header: testHeader(), Digest: testDigest(1)}); err != nil {
				t.Fatal(err)
			}
			request, answer = sent.take(), received.take()
		}
		c.Close()
		all := len(request) + len(answer)
		t.Logf("%s: request %d + answer %d = %d bytes\n%q\n%q", name, len(request), len(answer), all, request, answer)
		if all > 400 && secret == "" || all > 500 {
			t.Errorf("%s: a probe and its answer take %d bytes", name, all)
		}
		if got, want := counted.client(), [2]int{3 * len(request), 3 * len(answer)}; got != want {
			t.Errorf("%s: the client counted %v, want %v", name, got, want)
		}
		if got, want := counted.server(t, 3), [2]int{3 * len(request), 3 * len(answer)}; got != want {
			t.Errorf("%s: the server counted %v, want %v", name, got, want)
		}
	}
}

// measured is what the hooks told.
type measured struct {
	mu        sync.Mutex // guards the fields below
	exchanges []string
	sent      [2]int // by the client: sent, received
	requests  []string
	received  [2]int // by the server: received, sent
	panics    []string
}

func (m *measured) hooks() transport.Hooks {
	return transport.Hooks{
		Exchange: func(kind, result string, took time.Duration, sent, received int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.exchanges = append(m.exchanges, kind+" "+result)
			m.sent[0] += sent
			m.sent[1] += received
		},
		Request: func(handler string, status int, took time.Duration, received, sent int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.requests = append(m.requests, fmt.Sprint(handler, " ", status))
			m.received[0] += received
			m.received[1] += sent
		},
		Panic: func(handler string, v any, stack []byte) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.panics = append(m.panics, fmt.Sprint(handler, " ", v, " ", bytes.Contains(stack, []byte("_test.go"))))
		},
	}
}

func (m *measured) client() [2]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent
}

// server waits until n requests were measured: that is after the answer.
func (m *measured) server(t *testing.T, n int) [2]int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		m.mu.Lock()
		done, got := len(m.requests) >= n, m.received
		m.mu.Unlock()
		if done {
			return got
		}
	}
	t.Fatalf("%d requests were not measured in time", n)
	return [2]int{}
}

// tapped copies what passes over a connection.
type tapped struct {
	net.Conn
	sent, received *tap
}

// tap is what passed in one direction; reads of net/http end when they like.
type tap struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

func (t *tap) add(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all.Write(b)
}

// take returns what passed since it was last called.
func (t *tap) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.all.Reset()
	return t.all.String()
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.add(b[:n])
	return n, err
}

func (c *tapped) Write(b []byte) (int, error) {
	c.sent.add(b)
	return c.Conn.Write(b)
}
