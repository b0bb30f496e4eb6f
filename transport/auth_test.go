package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/transport"
)

const secret = "correct horse battery staple"

// recorded is one request as a client sent it, to be changed and sent again.
type recorded struct {
	method, path string
	header       http.Header
	body         []byte
}

// record makes a client send one exchange and returns the request.
func record(t *testing.T, secret string, send func(*transport.Client, string)) recorded {
	t.Helper()
	var r recorded
	client := impostor(t, transport.ClientOptions{Secret: secret}, func(w http.ResponseWriter, req *http.Request) {
		r = recorded{req.Method, req.URL.Path, req.Header.Clone(), nil}
		r.body, _ = io.ReadAll(req.Body)
	})
	send(client, worldAddr)
	r.header.Del("Content-Length")
	return r
}

func (r recorded) send(t *testing.T, w *world) answer {
	t.Helper()
	var text bytes.Buffer
	req, err := http.NewRequest(r.method, "http://b"+r.path, bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.header.Clone()
	if err := req.Write(&text); err != nil {
		t.Fatal(err)
	}
	return read(t, w.raw(t, text.String()))
}

func sendProbe(t *testing.T) func(*transport.Client, string) {
	return func(c *transport.Client, addr string) { c.Probe(t.Context(), addr, probeRequest()) }
}

func sendJoin(t *testing.T) func(*transport.Client, string) {
	return func(c *transport.Client, addr string) { c.Join(t.Context(), addr, joinRequest()) }
}

// flip changes one character of a signature.
func flip(s string, at int) string {
	c := byte('A')
	if s[at] == c {
		c = 'B'
	}
	return s[:at] + string(c) + s[at+1:]
}

// TestSignatures is the table of what a server with a secret refuses.
func TestSignatures(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*recorded)
		after  time.Duration // later than it was signed
		status int
		text   string // in the message
	}{
		{"as it was sent", func(*recorded) {}, 0, 200, ""},
		{"after 60 s", func(*recorded) {}, 60 * time.Second, 200, ""},
		{"after 61 s", func(*recorded) {}, 61 * time.Second, 401, "off this node's clock"},
		{"unsigned", func(r *recorded) { r.header.Del("Authorization") }, 0, 401, "not signed"},
		{"another scheme", func(r *recorded) { r.header.Set("Authorization", "Basic eDp5") }, 0, 401, "not signed"},
		{"read token", func(r *recorded) {
			r.header.Set("Authorization", "Bearer "+transport.ReadToken(secret, testCluster))
		}, 0, 401, "not signed"},
		{"shorter", func(r *recorded) { r.header.Set("Authorization", r.header.Get("Authorization")[:60]) }, 0, 401, "not signed"},
		{"longer", func(r *recorded) { r.header.Set("Authorization", r.header.Get("Authorization")+"AAAA") }, 0, 401, "not signed"},
		{"another time", func(r *recorded) { r.header.Set("Authorization", flip(r.header.Get("Authorization"), 10)) }, 0, 401, "wrong"},
		{"another nonce", func(r *recorded) { r.header.Set("Authorization", flip(r.header.Get("Authorization"), 20)) }, 0, 401, "wrong"},
		{"another code", func(r *recorded) { r.header.Set("Authorization", flip(r.header.Get("Authorization"), 50)) }, 0, 401, "wrong"},
		{"another body", func(r *recorded) { r.body[len(r.body)-1] ^= 1 }, 0, 401, "wrong"},
		{"no body", func(r *recorded) { r.body = nil }, 0, 401, "wrong"},
		{"another path", func(r *recorded) { r.path = "/sync" }, 0, 401, "wrong"},
		{"a query", func(r *recorded) { r.path += "?x=1" }, 0, 401, "wrong"},
		{"another method", func(r *recorded) { r.method, r.path = "GET", "/cluster" }, 0, 401, "wrong"},
		{"malformed, and unsigned", func(r *recorded) { r.body = []byte("junk"); r.header.Del("Authorization") }, 0, 401, "not signed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := record(t, secret, sendProbe(t))
				w := newWorld(t, transport.ServerOptions{Secret: secret}, transport.ClientOptions{})
				c.change(&r)
				time.Sleep(c.after)
				a := r.send(t, w)
				if c.status == 200 {
					if a.status != 200 || a.header.Get("Ck-Signature") == "" {
						t.Errorf("%d %v %q", a.status, a.header, a.body)
					}
					return
				}
				a.check(t, 401, transport.ErrorUnauthorized)
				if a.err != nil && !strings.Contains(a.err.Message, c.text) || w.fake.calls.Load() != 0 {
					t.Errorf("%q; want %q; %d calls", a.body, c.text, w.fake.calls.Load())
				}
			})
		})
	}
}

// TestSignatureFromTheFuture is that of a node whose clock is ahead.
func TestSignatureFromTheFuture(t *testing.T) {
	var r recorded
	synctest.Test(t, func(t *testing.T) { // every bubble begins at the same time
		time.Sleep(61 * time.Second)
		r = record(t, secret, sendProbe(t))
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{Secret: secret}, transport.ClientOptions{})
		r.send(t, w).check(t, 401, transport.ErrorUnauthorized)
		time.Sleep(time.Second)
		if a := r.send(t, w); a.status != 200 {
			t.Errorf("60 s ahead: %d %q", a.status, a.body)
		}
	})
}

// TestReplay sends what was sent before.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		join, probe := record(t, secret, sendJoin(t)), record(t, secret, sendProbe(t))
		w := newWorld(t, transport.ServerOptions{Secret: secret}, transport.ClientOptions{})
		for i := range 3 {
			if a := probe.send(t, w); a.status != 200 {
				t.Errorf("probe %d: %d %q; repeating it changes nothing", i, a.status, a.body)
			}
		}
		if a := join.send(t, w); a.status != 200 {
			t.Fatalf("join: %d %q", a.status, a.body)
		}
		calls := w.fake.calls.Load()
		for range 7 {
			a := join.send(t, w)
			if a.check(t, 401, transport.ErrorUnauthorized); a.err == nil || w.fake.calls.Load() != calls {
				t.Fatalf("join again: %d %q", a.status, a.body)
			}
			time.Sleep(20 * time.Second)
		}
		time.Sleep(time.Hour)
		join.send(t, w).check(t, 401, transport.ErrorUnauthorized)
	})
}

// TestSignedRefusals shows that a refusal that matters is signed, so that
// nobody can talk a node into believing that it was removed.
func TestSignedRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{Secret: secret, Heavy: 1}, transport.ClientOptions{Secret: secret})
		req := probeRequest()
		req.Cluster = "other"
		var refused *transport.Error
		if _, err := w.client.Probe(t.Context(), worldAddr, req); !errors.As(err, &refused) || refused.Code != transport.ErrorWrongCluster {
			t.Errorf("%v", err)
		}
		w.client = newClient(t, transport.ClientOptions{Secret: "another", DialContext: w.net.Host("a").DialContext})
		if _, err := w.client.Probe(t.Context(), worldAddr, probeRequest()); !errors.As(err, &refused) || refused.Code != transport.ErrorUnauthorized ||
			transport.Result(err) != "unauthorized" {
			t.Errorf("another secret: %v", err)
		}
	})
}

// TestForgedAnswers is the table of what a client with a secret does not
// believe.
func TestForgedAnswers(t *testing.T) {
	const removed = `{"error":{"code":"removed","message":"m"}}`
	good := marshal(t, transport.Protobuf, &transport.ProbeResponse{Header: reply(), Equal: true})
	for _, c := range []struct {
		name   string
		status int
		body   string
		header string
	}{
		{"unsigned", 200, string(good), ""},
		{"signed with nonsense", 200, string(good), strings.Repeat("A", 43)},
		{"unsigned removal", 410, removed, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := impostor(t, transport.ClientOptions{Secret: secret}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/x-protobuf")
				w.Header().Set("Ck-Signature", c.header)
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			_, err := client.Probe(t.Context(), worldAddr, probeRequest())
			var e *transport.Error
			if !errors.Is(err, transport.ErrBadResponse) || errors.As(err, &e) {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
}

// TestAnswerToAnother gives a client the signed answer to an older request.
func TestAnswerToAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := record(t, secret, sendProbe(t))
		w := newWorld(t, transport.ServerOptions{Secret: secret}, transport.ClientOptions{})
		a := old.send(t, w)
		if a.status != 200 {
			t.Fatal(a.status)
		}
		client := impostor(t, transport.ClientOptions{Secret: secret}, func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range a.header {
				w.Header()[name] = values
			}
			w.Write(a.body)
		})
		if _, err := client.Probe(t.Context(), worldAddr, probeRequest()); !errors.Is(err, transport.ErrBadResponse) {
			t.Errorf("%v", err)
		}
	})
}

// TestRotation changes a secret without a moment in which nodes cannot talk:
// every step of one node beside every neighbouring step of the other.
func TestRotation(t *testing.T) {
	steps := []string{"old", "old\nnew", "new\nold", "new"}
	for i, here := range steps {
		for j, there := range steps {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, transport.ServerOptions{Secret: here}, transport.ClientOptions{Secret: there})
				_, err := w.client.Probe(t.Context(), worldAddr, probeRequest())
				if near := max(i-j, j-i) <= 1; near != (err == nil) && near {
					t.Errorf("server %q, client %q: %v", here, there, err)
				}
				if here == "old" && there == "new" && err == nil {
					t.Error("an unknown secret was accepted")
				}
			})
		}
	}
}

func TestReading(t *testing.T) {
	f := newFake()
	f.why = "not yet"
	addr := serve(t, f, transport.ServerOptions{Secret: secret + "\nolder", Metrics: http.NotFoundHandler()})
	bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	for _, c := range []struct {
		path   string
		header http.Header
		status int
	}{
		{"/health", nil, 200},
		{"/ready", nil, 503},
		{"/metrics", nil, 404},
		{"/cluster", nil, 401},
		{"/cluster?at=1", nil, 401},
		{"/events", nil, 401},
		{"/events", http.Header{"Accept": {"text/event-stream"}}, 401},
		{"/cluster", bearer(""), 401},
		{"/cluster", bearer("x"), 401},
		{"/cluster", bearer(transport.ReadToken(secret, "other")), 401},
		{"/cluster", bearer(transport.ReadToken("another", testCluster)), 401},
		{"/cluster", bearer(secret), 401},
		{"/cluster", bearer(transport.ReadToken(secret, testCluster)), 200},
		{"/cluster", bearer(transport.ReadToken("older", testCluster)), 200},
		{"/events", bearer(transport.ReadToken(secret, testCluster)), 200},
	} {
		a := ask(t, addr, "GET", c.path, c.header, nil)
		if a.status != c.status {
			t.Errorf("%s %v: %d, want %d", c.path, c.header, a.status, c.status)
		}
		if a.status == 401 && a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %v: no WWW-Authenticate", c.path, c.header)
		}
	}
}

// TestReadToken holds the token to what the documented shell command prints.
func TestReadToken(t *testing.T) {
	if got := transport.ReadToken(secret+"\nolder", "my-app"); got != "b0060501ed289576ae46aa561274518f4b78421b03f516a2c28437cf2b833576" {
		t.Error(got)
	}
	if got := transport.ReadToken("", "my-app"); got != "" {
		t.Errorf("a token without a secret: %q", got)
	}
}
