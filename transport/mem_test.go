package transport_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/internal/memnet"
	"github.com/skshohagmiah/clusterkit/transport"
)

// world is a server on "b:80" and what can talk to it, in a network in memory.
// It lives in a synctest bubble.
type world struct {
	net    *memnet.Network
	fake   *fake
	server *http.Server
	client *transport.Client // on host "a"
}

const worldAddr = "b:80"

func newWorld(t *testing.T, so transport.ServerOptions, co transport.ClientOptions) *world {
	t.Helper()
	w := &world{net: memnet.New(), fake: newFake()}
	w.start(t, so)
	co.DialContext = w.net.Host("a").DialContext
	w.client = newClient(t, co)
	return w
}

// start begins to serve, also again after Crash.
func (w *world) start(t *testing.T, so transport.ServerOptions) {
	t.Helper()
	l, err := w.net.Host("b").Listen(80)
	if err != nil {
		t.Fatal(err)
	}
	srv := transport.NewServer(transport.NewHandler(w.fake, so), so)
	w.server = srv
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
		time.Sleep(2 * time.Second) // net/http lingers on connections that it closes
	})
}

// raw opens a connection and writes a request on it.
func (w *world) raw(t *testing.T, request string) net.Conn {
	t.Helper()
	conn, err := w.net.Host("a").DialContext(t.Context(), "tcp", worldAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn
}

// read reads one answer from a connection.
func read(t *testing.T, conn net.Conn) answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return newAnswer(resp, b)
}

// get makes a GET request on a new connection.
func (w *world) get(t *testing.T, path string) answer {
	t.Helper()
	return read(t, w.raw(t, "GET "+path+" HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"))
}

func probeRequest() *transport.ProbeRequest {
	return &transport.ProbeRequest{Header: testHeader(), Digest: testDigest(1)}
}

func syncRequest() *transport.SyncRequest {
	return &transport.SyncRequest{Header: testHeader(), Digest: testDigest(1)}
}

// liveStream is an open answer to GET /events.
type liveStream struct {
	conn net.Conn
	body *bufio.Reader
}

func openStream(t *testing.T, w *world) liveStream {
	t.Helper()
	conn := w.raw(t, "GET /events HTTP/1.1\r\nHost: b\r\nAccept: text/event-stream\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	return liveStream{conn, bufio.NewReader(resp.Body)}
}
