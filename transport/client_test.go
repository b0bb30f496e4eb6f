package transport_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// TestProbeBytes shows what one probe costs on a connection.
func TestProbeBytes(t *testing.T) {
	for _, secret := range []string{"", "a secret of this test"} {
		addr := serve(t, newFake(), transport.ServerOptions{Secret: secret})
		var sent, received bytes.Buffer
		c := newClient(t, transport.ClientOptions{Secret: secret,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return &tapped{conn, &sent, &received}, err
			}})
		if _, err := c.Probe(context.Background(), addr, &transport.ProbeRequest{Header: testHeader(), Digest: testDigest(1)}); err != nil {
			t.Fatal(err)
		}
		c.Close()
		t.Logf("secret %t: request %d + answer %d = %d bytes\n%q\n%q", secret != "", sent.Len(), received.Len(), sent.Len()+received.Len(),
			sent.String(), received.String())
	}
}

type tapped struct {
	net.Conn
	sent, received io.Writer
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Write(b[:n])
	return n, err
}

func (c *tapped) Write(b []byte) (int, error) {
	c.sent.Write(b)
	return c.Conn.Write(b)
}

var _ = cmp.Diff
