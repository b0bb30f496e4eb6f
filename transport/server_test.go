package transport_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/internal/memnet"
	"github.com/skshohagmiah/clusterkit/transport"
)

// TestBackendErrors shows what of an error reaches the caller.
func TestBackendErrors(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex // of log
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))})
	c := newClient(t, transport.ClientOptions{})
	removed := transport.Errorf(410, transport.ErrorRemoved, "node %q was removed", "node-1")
	removed.Fields = map[string]string{"node": "node-1"}
	for _, give := range []struct {
		err    error
		status int
		code   transport.ErrorCode
		text   string
	}{
		{removed, 410, transport.ErrorRemoved, `node "node-1" was removed`},
		{transport.Errorf(503, transport.ErrorUnavailable, "stopping"), 503, transport.ErrorUnavailable, "stopping"},
		{errors.New("open /var/lib/x: no such file"), 500, transport.ErrorInternal, "internal error"},
		{fmt.Errorf("asked a third node: %w", removed), 500, transport.ErrorInternal, "internal error"},
		{transport.Errorf(200, transport.ErrorRemoved, "no error at all"), 500, transport.ErrorInternal, "internal error"},
		{(*transport.Error)(nil), 500, transport.ErrorInternal, "internal error"},
	} {
		f.sync = func(context.Context, *transport.SyncRequest) (*transport.SyncResponse, error) { return nil, give.err }
		_, err := c.Sync(t.Context(), addr, syncRequest())
		var got *transport.Error
		if !errors.As(err, &got) || got.Status != give.status || got.Code != give.code || !strings.Contains(got.Message, give.text) ||
			give.err == error(removed) && got.Fields["node"] != "node-1" {
			t.Errorf("%v: %v", give.err, err)
		}
		mu.Lock()
		if strings.Contains(log.String(), "no such file") != (give.status == 500) && give.err.Error() == "open /var/lib/x: no such file" {
			t.Errorf("%v: the log has %q", give.err, log.String())
		}
		mu.Unlock()
	}
	f.sync = func(context.Context, *transport.SyncRequest) (*transport.SyncResponse, error) {
		return &transport.SyncResponse{}, nil // without a code: nobody could read it
	}
	if _, err := c.Sync(t.Context(), addr, syncRequest()); !strings.Contains(fmt.Sprint(err), "internal error") {
		t.Errorf("an answer that cannot be sent: %v", err)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}

func TestPanics(t *testing.T) {
	var m measured
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{Hooks: m.hooks()})
	c := newClient(t, transport.ClientOptions{})
	f.probe = func(context.Context, *transport.ProbeRequest) (*transport.ProbeResponse, error) { panic("a bug") }
	var got *transport.Error
	if _, err := c.Probe(t.Context(), addr, probeRequest()); !errors.As(err, &got) || got.Status != 500 || strings.Contains(got.Message, "bug") {
		t.Errorf("%v", err)
	}
	f.probe = func(context.Context, *transport.ProbeRequest) (*transport.ProbeResponse, error) { return nil, nil }
	if _, err := c.Probe(t.Context(), addr, probeRequest()); !errors.As(err, &got) || got.Status != 500 {
		t.Errorf("neither an answer nor an error: %v", err)
	}
	f.probe = nil
	if _, err := c.Probe(t.Context(), addr, probeRequest()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	m.server(t, 3)
	if want := []string{"probe 500", "probe 500", "probe 200"}; !slices.Equal(m.requests, want) {
		t.Errorf("requests %v, want %v", m.requests, want)
	}
	if len(m.panics) != 2 || m.panics[0] != "probe a bug true" {
		t.Errorf("panics %q", m.panics)
	}
}

func TestRequestHook(t *testing.T) {
	var m measured
	addr := serve(t, newFake(), transport.ServerOptions{Hooks: m.hooks()})
	for _, path := range []string{"/health", "/nothing", "/sync", "/events?limit=x"} {
		ask(t, addr, "GET", path, nil, nil)
	}
	m.server(t, 4)
	if want := []string{"health 200", "other 404", "sync 405", "events 400"}; !slices.Equal(m.requests, want) {
		t.Errorf("%q, want %q", m.requests, want)
	}
}

// TestUnderAnApplication mounts the handler in a server that knows nothing of
// it, behind one that takes the connection's controls away.
func TestUnderAnApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		l, err := n.Host("b").Listen(80)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		inner := transport.NewHandler(newFake(), transport.ServerOptions{})
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(struct{ http.ResponseWriter }{w}, r) })
		mux.HandleFunc("/app", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the application") })
		srv := &http.Server{Handler: mux}
		go srv.Serve(l)
		defer func() {
			srv.Close()
			time.Sleep(2 * time.Second)
		}()
		c := newClient(t, transport.ClientOptions{DialContext: n.Host("a").DialContext})
		if _, err := c.Probe(t.Context(), worldAddr, probeRequest()); err != nil {
			t.Error(err)
		}
		w := &world{net: n}
		if a := w.get(t, "/cluster"); a.status != 200 {
			t.Errorf("%d", a.status)
		}
		if a := w.get(t, "/app"); string(a.body) != "the application" {
			t.Errorf("%q", a.body)
		}
		a := read(t, w.raw(t, "POST /probe HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"+strings.Repeat(" ", 5000)))
		a.check(t, 413, transport.ErrorTooLarge)
	})
}

// TestManyNodesInOneProcess holds the goroutines of many nodes that probe each
// other to 64 for each.
func TestManyNodesInOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes, seconds = 20, 40
		n := memnet.New()
		before := runtime.NumGoroutine()
		clients := make([]*transport.Client, nodes)
		for i := range nodes {
			f := newFake()
			f.id.Node = fmt.Sprint("n", i)
			l, err := n.Host(f.id.Node).Listen(80)
			if err != nil {
				t.Fatal(err)
			}
			srv := transport.NewServer(transport.NewHandler(f, transport.ServerOptions{}), transport.ServerOptions{})
			go srv.Serve(l)
			t.Cleanup(func() { srv.Close() })
			clients[i] = newClient(t, transport.ClientOptions{DialContext: n.Host(f.id.Node).DialContext})
		}
		most := 0
		for s := range seconds {
			var wg sync.WaitGroup
			for i := range nodes {
				for _, to := range []int{(i + 1 + s) % nodes, (i + 7 + 3*s) % nodes} { // a probe and a sync each second
					wg.Go(func() {
						req := probeRequest()
						req.To = fmt.Sprint("n", to)
						if _, err := clients[i].Probe(t.Context(), req.To+":80", req); err != nil {
							t.Error(err)
						}
					})
				}
			}
			wg.Wait()
			synctest.Wait()
			most = max(most, runtime.NumGoroutine()-before)
			time.Sleep(time.Second)
		}
		t.Logf("at most %.1f goroutines for each of %d nodes", float64(most)/nodes, nodes)
		if most > 64*nodes {
			t.Errorf("%d goroutines for %d nodes", most, nodes)
		}
		for _, c := range clients {
			c.Close()
		}
		time.Sleep(2 * time.Minute) // every connection has been idle for long
		if n.Conns() != 0 {
			t.Errorf("%d connections are left", n.Conns())
		}
	})
}

// certificate returns one signed by parent, or by itself.
func certificate(t *testing.T, name string, parent *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: parent == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	signer, by := any(key), template
	if parent != nil {
		signer, by = parent.PrivateKey, parent.Leaf
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestMutualTLS is a cluster in which both sides show a certificate.
func TestMutualTLS(t *testing.T) {
	ca := certificate(t, "ca", nil)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	node := &tls.Config{Certificates: []tls.Certificate{certificate(t, "node", &ca)}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert}
	var m measured
	addr := serve(t, newFake(), transport.ServerOptions{TLS: node})
	c := newClient(t, transport.ClientOptions{TLS: node, Hooks: m.hooks()})
	for range 2 {
		if _, err := c.Probe(t.Context(), addr, probeRequest()); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.client(); got[0] < 2*300 || got[1] < 1000 {
		t.Errorf("%v bytes were counted, which is less than a handshake and two probes", got)
	}
	for name, config := range map[string]*tls.Config{
		"no certificate":      {RootCAs: pool},
		"foreign certificate": {RootCAs: pool, Certificates: []tls.Certificate{certificate(t, "stranger", nil)}},
		"foreign authority":   {Certificates: node.Certificates},
		"no TLS":              nil,
	} {
		c := newClient(t, transport.ClientOptions{TLS: config})
		if _, err := c.Probe(t.Context(), addr, probeRequest()); !errors.Is(err, transport.ErrUnreachable) && !errors.Is(err, transport.ErrBadResponse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
