package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/internal/memnet"
	"github.com/skshohagmiah/clusterkit/transport"
)

// impostor serves anything at "b:80" and returns a client that talks to it.
func impostor(t *testing.T, o transport.ClientOptions, serve http.HandlerFunc) *transport.Client {
	t.Helper()
	n := memnet.New()
	l, err := n.Host("b").Listen(80)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: serve}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
		time.Sleep(2 * time.Second)
	})
	o.DialContext = n.Host("a").DialContext
	return newClient(t, o)
}

func reply() transport.Header {
	return transport.Header{Cluster: testCluster, From: "node-2", FromLog: testLog(2), Wall: 1}
}

// say answers with a message.
func say(t *testing.T, m transport.Message) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write(marshal(t, transport.Protobuf, m))
	}
}

// TestClientRefusesAnswers is the table of what a client does not believe.
func TestClientRefusesAnswers(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}
	raw := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	other, wrong := reply(), reply()
	other.Cluster, wrong.From = "other", "node-3"
	long := append(marshal(t, transport.Protobuf, &transport.SyncResponse{Header: reply(), Code: transport.CodeData}), make([]byte, 9<<20)...)
	snapshot := func(n int) http.HandlerFunc {
		return say(t, &transport.SyncResponse{Header: reply(), Code: transport.CodeSnapshot, Snapshot: make([]byte, n)})
	}
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		want  error  // of errors.Is; nil for success
		text  string // in the error
		label string
	}{
		{"an answer", say(t, &transport.SyncResponse{Header: reply(), Code: transport.CodeEqual}), nil, "", "ok"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://b:80/elsewhere", http.StatusTemporaryRedirect)
		}, transport.ErrBadResponse, "status 307", "bad_response"},
		{"no content", raw(204, "", ""), transport.ErrBadResponse, "status 204", "bad_response"},
		{"a web page", raw(200, "text/html", "<h1>It works!</h1>"), transport.ErrBadResponse, "text/html", "bad_response"},
		{"a web page that is an error", raw(502, "text/html", "<h1>Bad Gateway</h1>"), transport.ErrBadResponse, "status 502", "bad_response"},
		{"JSON of somebody else", raw(404, "application/json", `{"error":"no"}`), transport.ErrBadResponse, "status 404", "bad_response"},
		{"an empty answer", raw(200, "application/x-protobuf", ""), transport.ErrBadResponse, "cluster has 0 bytes", "bad_response"},
		{"no protobuf", raw(200, "application/x-protobuf", "\xff\xff"), transport.ErrBadResponse, "malformed message", "bad_response"},
		{"another message", say(t, &transport.ProbeResponse{Header: reply(), Incarnation: 3}), transport.ErrBadResponse, "malformed", "bad_response"},
		{"another cluster", say(t, &transport.SyncResponse{Header: other, Code: transport.CodeEqual}), transport.ErrWrongNode, `cluster "other"`, "wrong_cluster"},
		{"another node", say(t, &transport.SyncResponse{Header: wrong, Code: transport.CodeEqual}), transport.ErrWrongNode, `"node-3" answered`, "wrong_node"},
		{"a refusal", raw(421, "application/json", `{"error":{"code":"wrong_node","message":"m"}}`), transport.ErrWrongNode, "m", "wrong_node"},
		{"a busy node", raw(503, "application/json", `{"error":{"code":"busy","message":"m"}}`), transport.ErrBusy, "m", "refused"},
		{"a refusal that lies to a terminal", raw(400, "application/json", `{"error":{"code":"bad_request","message":"a\u001b[2Jb"}}`), nil, `"a\x1b[2Jb"`, "bad_request"},
		{"a refusal that succeeds", raw(200, "application/json", `{"error":{"code":"busy","message":"m"}}`), transport.ErrBadResponse, "application/json", "bad_response"},
		{"9 MiB", raw(200, "application/x-protobuf", string(long)), transport.ErrBadResponse, "more than 8388608 bytes", "bad_response"},
		{"endless", endless, transport.ErrBadResponse, "more than 8388608 bytes", "bad_response"},
		{"an endless error", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); endless(w, r) }, transport.ErrBadResponse, "more than 65536 bytes", "bad_response"},
		{"a length that is a lie", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Header().Set("Content-Length", "9223372036854775807")
			w.Write([]byte("x"))
		}, transport.ErrUnreachable, "cut off", "refused"},
		{"endless headers", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 9000))
		}, transport.ErrUnreachable, "header", "refused"},
		{"a snapshot of 9 MiB", snapshot(9 << 20), nil, "", "ok"}, // TestSnapshotLimit has the bound
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				client := impostor(t, transport.ClientOptions{}, func(w http.ResponseWriter, r *http.Request) {
					asked++
					c.serve(w, r)
				})
				_, err := client.Sync(t.Context(), worldAddr, syncRequest())
				if c.text == "" && err != nil || c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) ||
					c.want != nil && !errors.Is(err, c.want) || transport.Result(err) != c.label {
					t.Errorf("%v (%s); want %v, %q (%s)", err, transport.Result(err), c.want, c.text, c.label)
				}
				client.Close()
				synctest.Wait()
				if asked > 2 || asked == 2 && !errors.Is(err, transport.ErrUnreachable) {
					t.Errorf("asked %d times", asked)
				}
			})
		})
	}
}

func TestClientFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		check := func(name string, want error, label string, after time.Duration, do func() error) {
			t.Helper()
			began := time.Now()
			err := do()
			if !errors.Is(err, want) || transport.Result(err) != label || time.Since(began) != after {
				t.Errorf("%s: %v (%s) after %v; want %v (%s) after %v", name, err, transport.Result(err), time.Since(began), want, label, after)
			}
			if errors.Is(err, transport.ErrTimeout) != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v is not both", name, err)
			}
		}
		probe := func(ctx context.Context, addr string) func() error {
			return func() error {
				_, err := w.client.Probe(ctx, addr, probeRequest())
				return err
			}
		}
		check("nobody listens", transport.ErrUnreachable, "refused", 0, probe(t.Context(), "b:81"))
		check("no such host", transport.ErrUnreachable, "refused", 0, probe(t.Context(), "c:80"))
		w.net.Cut("a", "b")
		check("a dial that hangs", transport.ErrTimeout, "timeout", 2*time.Second, probe(t.Context(), worldAddr))
		w.net.HealAll()
		check("an answer", nil, "ok", 0, probe(t.Context(), worldAddr))
		w.net.Cut("b", "a")
		check("an answer that does not come", transport.ErrTimeout, "timeout", 10*time.Second, probe(t.Context(), worldAddr))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		check("an impatient caller", transport.ErrTimeout, "timeout", 500*time.Millisecond, probe(ctx, worldAddr))
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		check("a caller that gives up", context.Canceled, "canceled", time.Second, probe(ctx, worldAddr))
		w.net.HealAll()
		w.net.Drop("b", "a", 50)
		check("half an answer", transport.ErrUnreachable, "refused", 0, func() error {
			_, _, err := w.client.Join(t.Context(), worldAddr, joinRequest()) // not tried again
			return err
		})
		_, err := w.client.Probe(t.Context(), worldAddr, &transport.ProbeRequest{})
		if errors.Is(err, transport.ErrUnreachable) || transport.Result(err) != "error" {
			t.Errorf("a request that is wrong: %v", err)
		}
	})
}

// TestSlowAnswer drips: the header is there, the body does not end.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := impostor(t, transport.ClientOptions{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			for r.Context().Err() == nil {
				w.Write([]byte{0})
				http.NewResponseController(w).Flush()
				time.Sleep(time.Second)
			}
		})
		began := time.Now()
		_, err := client.Sync(context.Background(), worldAddr, syncRequest())
		if !errors.Is(err, transport.ErrTimeout) || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestDeadConnection shows that a kept connection that turns out to be dead
// does not make a probe fail.
func TestDeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		for i := range 3 {
			if _, err := w.client.Probe(t.Context(), worldAddr, probeRequest()); err != nil {
				t.Fatalf("probe %d: %v", i, err)
			}
			if i == 1 {
				w.net.Drop("b", "a", 0) // the answer to the next one breaks the connection
				continue
			}
			w.net.Crash("b")
			w.start(t, transport.ServerOptions{})
		}
	})
}

// TestIdleConnections shows how few connections a client keeps, and for how
// short a time.
func TestIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		client := newClient(t, transport.ClientOptions{DialContext: n.Host("a").DialContext})
		for i := range 20 {
			f := newFake()
			f.id.Node = fmt.Sprint("n", i)
			l, err := n.Host(f.id.Node).Listen(80)
			if err != nil {
				t.Fatal(err)
			}
			srv := transport.NewServer(transport.NewHandler(f, transport.ServerOptions{}), transport.ServerOptions{})
			go srv.Serve(l)
			t.Cleanup(func() {
				srv.Close()
				synctest.Wait()
			})
		}
		for i := range 20 {
			req := probeRequest()
			req.To = fmt.Sprint("n", i)
			if _, err := client.Probe(t.Context(), req.To+":80", req); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n.Conns() != 8 {
			t.Errorf("%d connections kept, want 8", n.Conns())
		}
		time.Sleep(16 * time.Second)
		if n.Conns() != 0 {
			t.Errorf("%d connections kept for more than 15 s", n.Conns())
		}
	})
}

// TestBriefProbes shows that a probe leaves no connection behind when that is
// wanted, and that a sync still does.
func TestBriefProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		brief := true
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{Brief: func() bool { return brief }})
		for _, want := range []int{0, 1} {
			if _, err := w.client.Probe(t.Context(), worldAddr, probeRequest()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if w.net.Conns() != want {
				t.Errorf("%d connections kept after a probe, want %d", w.net.Conns(), want)
			}
			brief = false
		}
		brief = true
		for range 2 {
			if _, err := w.client.Sync(t.Context(), worldAddr, syncRequest()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if w.net.Conns() != 1 {
			t.Errorf("%d connections kept after syncs, want 1", w.net.Conns())
		}
	})
}

// TestNoProxy shows that the environment does not send requests elsewhere.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.test:3128")
	t.Setenv("http_proxy", "http://proxy.test:3128")
	var dialled string
	client := newClient(t, transport.ClientOptions{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		dialled = addr
		return nil, errors.New("not today")
	}})
	if _, err := client.Probe(t.Context(), "b:80", probeRequest()); !errors.Is(err, transport.ErrUnreachable) || dialled != "b:80" {
		t.Errorf("dialled %q: %v", dialled, err)
	}
}

// TestPagesAndVectors sends the largest things that are allowed.
func TestPagesAndVectors(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	c := newClient(t, transport.ClientOptions{})
	list := run(t, testLog(1), 4096)
	vector := make([]events.Head, 20_000)
	for i := range vector {
		vector[i] = events.Head{Log: events.NewLogID(int64(i), [10]byte{1}), Seq: uint64(i + 1), Chain: events.Chain{1}}
	}
	f.sync = func(_ context.Context, req *transport.SyncRequest) (*transport.SyncResponse, error) {
		return &transport.SyncResponse{Code: transport.CodeData, Events: req.Events, HasVector: true, Vector: req.Vector}, nil
	}
	req := syncRequest()
	req.Events, req.HasVector, req.Vector = list, true, vector
	resp, err := c.Sync(t.Context(), addr, req)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Events) != 4096 || len(resp.Vector) != 20_000 || !bytes.Equal(resp.Events[4095].Raw(), list[4095].Raw()) {
		t.Errorf("%d events, %d heads", len(resp.Events), len(resp.Vector))
	}
	f.sync = func(context.Context, *transport.SyncRequest) (*transport.SyncResponse, error) {
		return &transport.SyncResponse{Code: transport.CodeSnapshot, Snapshot: make([]byte, 64<<20)}, nil
	}
	var refused *transport.Error
	if _, err := c.Sync(t.Context(), addr, syncRequest()); !errors.As(err, &refused) || refused.Status != 500 {
		t.Errorf("a snapshot that no client would read: %v", err)
	}
}
