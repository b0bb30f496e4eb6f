package transport_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/transport"
)

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    *transport.Error // nil when it is not one
}

// ask makes one request, with a connection of its own.
func ask(t *testing.T, addr, method, path string, header http.Header, body io.Reader) answer {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if req.Header = header; header == nil {
		req.Header = http.Header{}
	}
	tr := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	resp, err := tr.RoundTrip(req)
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

func newAnswer(resp *http.Response, body []byte) answer {
	a := answer{status: resp.StatusCode, header: resp.Header, body: body}
	var e struct{ Error *transport.Error }
	if json.Unmarshal(body, &e) == nil {
		a.err = e.Error
	}
	return a
}

func (a answer) check(t *testing.T, status int, code transport.ErrorCode) {
	t.Helper()
	if a.status != status || a.err == nil || a.err.Code != code || a.err.Message == "" ||
		a.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v %q; want %d %s", a.status, a.header, a.body, status, code)
	}
}

func typed(contentType string) http.Header { return http.Header{"Content-Type": {contentType}} }

func marshal(t *testing.T, form transport.Form, m transport.Message) []byte {
	t.Helper()
	b, err := transport.Marshal(form, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// probeWith returns a probe whose header was changed.
func probeWith(change func(*transport.Header)) *transport.ProbeRequest {
	m := &transport.ProbeRequest{Header: testHeader(), Digest: testDigest(1)}
	change(&m.Header)
	return m
}

// TestRefused is the table of bad requests: each gets a status, a code and a
// reason, and does not reach the node.
func TestRefused(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	pb, js := typed("application/x-protobuf"), typed("application/json")
	good := func(m transport.Message) []byte { return marshal(t, transport.Protobuf, m) }
	probe := good(probeWith(func(*transport.Header) {}))
	otherJoin := joinRequest()
	otherJoin.Config, otherJoin.Settings.PartitionCount = 7, 32
	misled := joinRequest()
	misled.To = "node-9"
	events := start()
	for _, e := range run(t, testLog(1), 4097) {
		events = events.bytes(11, string(e.Raw()))
	}
	for _, c := range []struct {
		name         string
		method, path string
		header       http.Header
		body         []byte
		status       int
		code         transport.ErrorCode
	}{
		{"no such path", "GET", "/nodes", nil, nil, 404, transport.ErrorNotFound},
		{"root", "GET", "/", nil, nil, 404, transport.ErrorNotFound},
		{"path with a slash behind", "GET", "/health/", nil, nil, 404, transport.ErrorNotFound},
		{"path with two slashes", "GET", "//health", nil, nil, 404, transport.ErrorNotFound},
		{"path that climbs", "GET", "/x/../health", nil, nil, 404, transport.ErrorNotFound},
		{"no metrics here", "GET", "/metrics", nil, nil, 404, transport.ErrorNotFound},
		{"GET of a POST", "GET", "/sync", nil, nil, 405, transport.ErrorMethodNotAllowed},
		{"POST of a GET", "POST", "/cluster", js, []byte("{}"), 405, transport.ErrorMethodNotAllowed},
		{"DELETE", "DELETE", "/cluster", nil, nil, 405, transport.ErrorMethodNotAllowed},
		{"form of a browser", "POST", "/probe", typed("application/x-www-form-urlencoded"), probe, 415, transport.ErrorMediaType},
		{"text", "POST", "/probe", typed("text/plain"), probe, 415, transport.ErrorMediaType},
		{"no media type at all", "POST", "/probe", typed("???"), probe, 415, transport.ErrorMediaType},
		{"compressed", "POST", "/probe", http.Header{"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"gzip"}}, probe, 415, transport.ErrorMediaType},
		{"no body", "POST", "/probe", pb, nil, 400, transport.ErrorBadRequest},
		{"no body, JSON", "POST", "/probe", js, nil, 400, transport.ErrorBadRequest},
		{"foreign JSON", "POST", "/sync", js, []byte(`{"jsonrpc":"2.0","method":"eth_blockNumber","params":[],"id":1}`), 400, transport.ErrorBadRequest},
		{"JSON sent as protobuf", "POST", "/probe", pb, []byte(`{"cluster":"my-app"}`), 400, transport.ErrorBadRequest},
		{"protobuf sent as JSON", "POST", "/probe", js, probe, 400, transport.ErrorBadRequest},
		{"field twice", "POST", "/probe", pb, start().varint(6, 2), 400, transport.ErrorBadRequest},
		{"trailing byte", "POST", "/probe", pb, append(bytes.Clone(probe), 0), 400, transport.ErrorBadRequest},
		{"cut off", "POST", "/probe", pb, probe[:len(probe)-1], 400, transport.ErrorBadRequest},
		{"a sync sent as a probe", "POST", "/probe", pb, good(&transport.SyncRequest{Header: testHeader(), HasVector: true}), 400, transport.ErrorBadRequest},
		{"bad id", "POST", "/probe", pb, wire{}.bytes(1, testCluster).bytes(3, "a b"), 400, transport.ErrorBadRequest},
		{"4097 events", "POST", "/sync", pb, events, 400, transport.ErrorBadRequest},
		{"bad event", "POST", "/sync", pb, start().bytes(11, "not an event"), 400, transport.ErrorBadRequest},
		{"join without a node", "POST", "/join", pb, start(), 400, transport.ErrorBadRequest},
		{"other cluster", "POST", "/probe", pb, good(probeWith(func(h *transport.Header) { h.Cluster = "other" })), 409, transport.ErrorWrongCluster},
		{"other cluster, settings and node", "POST", "/probe", pb,
			good(probeWith(func(h *transport.Header) { h.Cluster, h.Config, h.To = "other", 1, "x" })), 409, transport.ErrorWrongCluster},
		{"other settings", "POST", "/probe", pb, good(probeWith(func(h *transport.Header) { h.Config++ })), 409, transport.ErrorConfigMismatch},
		{"other settings in a join", "POST", "/join", pb, good(otherJoin), 409, transport.ErrorConfigMismatch},
		{"other node", "POST", "/probe", pb, good(probeWith(func(h *transport.Header) { h.To = "node-3" })), 421, transport.ErrorWrongNode},
		{"for nobody", "POST", "/probe", pb, good(probeWith(func(h *transport.Header) { h.To = "" })), 421, transport.ErrorWrongNode},
		{"for nobody, sync", "POST", "/sync", pb, good(&transport.SyncRequest{Header: transport.Header{Cluster: testCluster,
			Config: testConfig, From: "node-1", FromLog: testLog(1)}}), 421, transport.ErrorWrongNode},
		{"join of another node", "POST", "/join", pb, good(misled), 421, transport.ErrorWrongNode},
		{"join beyond 64 KiB", "POST", "/join", pb, make([]byte, 64<<10+1), 413, transport.ErrorTooLarge},
		{"sync beyond 4 MiB", "POST", "/sync", pb, make([]byte, 4<<20+1), 413, transport.ErrorTooLarge},
		{"probe beyond 4 KiB", "POST", "/probe", pb, make([]byte, 4<<10+1), 413, transport.ErrorTooLarge},
		{"join of 64 KiB", "POST", "/join", pb, make([]byte, 64<<10), 400, transport.ErrorBadRequest},
		{"sync of 4 MiB", "POST", "/sync", pb, make([]byte, 4<<20), 400, transport.ErrorBadRequest},
		{"probe of 4 KiB", "POST", "/probe", pb, make([]byte, 4<<10), 400, transport.ErrorBadRequest},
		{"unknown parameter", "GET", "/cluster?when=now", nil, nil, 400, transport.ErrorBadRequest},
		{"parameter twice", "GET", "/cluster?at=1&at=2", nil, nil, 400, transport.ErrorBadRequest},
		{"bad query", "GET", "/cluster?at=%zz", nil, nil, 400, transport.ErrorBadRequest},
		{"bad cursor", "GET", "/events?after=yesterday", nil, nil, 400, transport.ErrorBadRequest},
		{"cursor with a log twice", "GET", "/events?after=00000000000000000000000001:1,00000000000000000000000001:2", nil, nil, 400, transport.ErrorBadRequest},
		{"bad resumption", "GET", "/events", http.Header{"Last-Event-Id": {"7"}}, nil, 400, transport.ErrorBadRequest},
		{"bad limit", "GET", "/events?limit=-1", nil, nil, 400, transport.ErrorBadRequest},
		{"limit of nothing", "GET", "/events?limit=0", nil, nil, 400, transport.ErrorBadRequest},
		{"limit beyond 31 bits", "GET", "/events?limit=4294967296", nil, nil, 400, transport.ErrorBadRequest},
		{"bad node", "GET", "/events?node=a/b", nil, nil, 400, transport.ErrorBadRequest},
		{"empty type", "GET", "/events?type=a,,b", nil, nil, 400, transport.ErrorBadRequest},
		{"65 types", "GET", "/events?type=a" + strings.Repeat(",a", 64), nil, nil, 400, transport.ErrorBadRequest},
	} {
		for _, chunked := range []bool{false, true} {
			if chunked && c.body == nil {
				continue
			}
			name := c.name
			var body io.Reader
			if c.body != nil {
				body = bytes.NewReader(c.body)
			}
			if chunked {
				name, body = name+", chunked", struct{ io.Reader }{body}
			}
			t.Run(name, func(t *testing.T) {
				ask(t, addr, c.method, c.path, c.header, body).check(t, c.status, c.code)
			})
		}
	}
	if n := f.calls.Load(); n != 0 {
		t.Errorf("%d bad requests reached the node", n)
	}
}

func TestMismatchNamesFields(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	m := joinRequest()
	m.Config, m.Settings.PartitionCount, m.Settings.ReplicationFactor = 7, 32, 1
	a := ask(t, addr, "POST", "/join", typed("application/json"), bytes.NewReader(marshal(t, transport.JSON, m)))
	a.check(t, 409, transport.ErrorConfigMismatch)
	if a.err.Fields["partition_count"] != "16 here, 32 in the request" || a.err.Fields["replication_factor"] != "3 here, 1 in the request" ||
		a.err.Fields["config"] != fmt.Sprintf("%d here, 7 in the request", uint64(testConfig)) {
		t.Errorf("fields %v", a.err.Fields)
	}
}

func TestMethodNotAllowedNamesMethods(t *testing.T) {
	addr := serve(t, newFake(), transport.ServerOptions{})
	for path, want := range map[string]string{"/sync": "POST", "/cluster": "GET, HEAD"} {
		if a := ask(t, addr, "PUT", path, nil, nil); a.status != 405 || a.header.Get("Allow") != want {
			t.Errorf("PUT %s: %d, Allow %q", path, a.status, a.header.Get("Allow"))
		}
	}
}

// exchangeRaw sends bytes and returns all that comes back.
func exchangeRaw(t *testing.T, addr, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, request)
	b, _ := io.ReadAll(conn) // a reset after the answer is fine
	return string(b)
}

// TestDeclaredLength shows that a length is refused before a byte of the body
// has come.
func TestDeclaredLength(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	for _, c := range []struct{ length, want string }{
		{"4097", "413"}, {"99999999999", "413"}, {"9223372036854775807", "413"}, {"99999999999999999999", "400"}, {"-1", "400"}, {"0x10", "400"},
	} {
		got := exchangeRaw(t, addr, "POST /probe HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: "+c.length+"\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.want) {
			t.Errorf("length %s: %q", c.length, got)
		}
	}
	if f.calls.Load() != 0 {
		t.Error("the node was called")
	}
}

func TestHeaderLimit(t *testing.T) {
	addr := serve(t, newFake(), transport.ServerOptions{})
	send := func(n int) string {
		return exchangeRaw(t, addr, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: "+strings.Repeat("x", n)+"\r\n\r\n")
	}
	if got := send(8000); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("header of 8000 bytes: %.40q", got)
	}
	if got := send(13_000); !strings.HasPrefix(got, "HTTP/1.1 431") { // net/http adds 4 KiB of its own
		t.Errorf("header of 13000 bytes: %.40q", got)
	}
}

// TestGarbage sends what is not HTTP, and what only looks like it.
func TestGarbage(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	r := chance(t)
	for range 50 {
		exchangeRaw(t, addr, string(r.bytes(r.IntN(200)))+"\r\n\r\n")
		got := exchangeRaw(t, addr, fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\n%s",
			pick(r, "join", "sync", "probe"), r.bytes(100)))
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
		if err != nil || resp.StatusCode != 400 {
			t.Fatalf("%q: %v", got, err)
		}
	}
	if f.calls.Load() != 0 {
		t.Error("the node was called")
	}
}
