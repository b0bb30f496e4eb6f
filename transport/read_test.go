package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

func TestHealthAndReady(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	check := func(path string, status int, body string) {
		t.Helper()
		a := ask(t, addr, "GET", path, nil, nil)
		if a.status != status || string(a.body) != body+"\n" || a.header.Get("Content-Type") != "application/json" || a.header.Get("Date") != "" {
			t.Errorf("%s: %d %v %q", path, a.status, a.header, a.body)
		}
	}
	check("/health", 200, `{"ok":true}`)
	check("/ready", 200, `{"ready":true}`)
	f.health, f.why = transport.Health{Reasons: []string{"the log failed"}}, "2 of 16 partitions have an owner"
	check("/health", 503, `{"ok":false,"reasons":["the log failed"]}`)
	check("/ready", 503, `{"ready":false,"why":"2 of 16 partitions have an owner"}`)
}

func TestCluster(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	f.cluster = func(_ context.Context, at string) ([]byte, string, error) {
		switch at {
		case "":
			return []byte(`{"now":true}`), "abc", nil
		case "-15m":
			return []byte(`{"then":true}`), "", nil
		}
		return nil, "", transport.Errorf(410, transport.ErrorCompacted, "no such point: %s", at)
	}
	get := func(path string, header ...string) answer {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return ask(t, addr, "GET", path, h, nil)
	}
	a := get("/cluster")
	if a.status != 200 || string(a.body) != `{"now":true}` || a.header.Get("Etag") != `"abc"` || a.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %v %q", a.status, a.header, a.body)
	}
	for _, match := range []string{`"abc"`, `W/"abc"`, `"x", "abc"`, `*`} {
		if a := get("/cluster", "If-None-Match", match); a.status != 304 || len(a.body) != 0 || a.header.Get("Etag") != `"abc"` {
			t.Errorf("%s: %d %v %q", match, a.status, a.header, a.body)
		}
	}
	if a := get("/cluster", "If-None-Match", `"x"`, "If-None-Match", `"abcd"`); a.status != 200 {
		t.Errorf("another state: %d", a.status)
	}
	if a := get("/cluster?at=-15m"); a.status != 200 || string(a.body) != `{"then":true}` || a.header.Get("Etag") != "" {
		t.Errorf("past: %d %v %q", a.status, a.header, a.body)
	}
	get("/cluster?at=1").check(t, 410, transport.ErrorCompacted)
	if a := ask(t, addr, "HEAD", "/cluster", nil, nil); a.status != 200 || len(a.body) != 0 || a.header.Get("Content-Length") != "12" {
		t.Errorf("HEAD: %d %v %q", a.status, a.header, a.body)
	}
}

func TestSignedReading(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{Secret: secret})
	h := http.Header{"Authorization": {transport.SignedHeader(secret, "GET", "/cluster?at=1", nil)}}
	if a := ask(t, addr, "GET", "/cluster?at=1", h, nil); a.status != 200 || a.header.Get("Ck-Signature") == "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	ask(t, addr, "GET", "/cluster?at=2", h, nil).check(t, 401, transport.ErrorUnauthorized)
}

func TestMetrics(t *testing.T) {
	addr := serve(t, newFake(), transport.ServerOptions{Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "clusterkit_up 1\n")
	})})
	if a := ask(t, addr, "GET", "/metrics", nil, nil); a.status != 200 || string(a.body) != "clusterkit_up 1\n" {
		t.Errorf("%d %q", a.status, a.body)
	}
}

// TestJSONByHand is what a person does with curl.
func TestJSONByHand(t *testing.T) {
	addr := serve(t, newFake(), transport.ServerOptions{})
	const body = `{"cluster":"my-app","config":"1311768467294899695","from":"me","from_log":"00000000000000000000000001","to":"node-2"}`
	a := ask(t, addr, "POST", "/probe", typed("application/json; charset=utf-8"), strings.NewReader(body))
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || !strings.Contains(string(a.body), `"from":"node-2"`) ||
		!strings.Contains(string(a.body), `"equal":true`) {
		t.Errorf("%d %v %q", a.status, a.header, a.body)
	}
	a = ask(t, addr, "POST", "/probe", nil, strings.NewReader(body))
	if a.status != 200 {
		t.Errorf("without a media type: %d %q", a.status, a.body)
	}
	a = ask(t, addr, "POST", "/probe", http.Header{"Content-Type": {"application/json"}, "Accept": {"application/x-protobuf"}}, strings.NewReader(body))
	if m := new(transport.ProbeResponse); a.status != 200 || transport.Unmarshal(transport.Protobuf, a.body, m) != nil || !m.Equal {
		t.Errorf("asked for protobuf: %d %v %q", a.status, a.header, a.body)
	}
	a = ask(t, addr, "POST", "/probe", http.Header{"Content-Type": {"application/x-protobuf"}, "Accept": {"application/json"}},
		bytes.NewReader(marshal(t, transport.Protobuf, probeRequest())))
	if m := new(transport.ProbeResponse); a.status != 200 || transport.Unmarshal(transport.JSON, a.body, m) != nil || !m.Equal {
		t.Errorf("asked for JSON: %d %v %q", a.status, a.header, a.body)
	}
}

// yield returns an iterator over events, and then an error if there is one.
func yield(list []events.Event, err error) func(context.Context, transport.EventsQuery) iter.Seq2[events.Event, error] {
	return func(context.Context, transport.EventsQuery) iter.Seq2[events.Event, error] {
		return func(yield func(events.Event, error) bool) {
			for _, e := range list {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(events.Event{}, err)
			}
		}
	}
}

func TestEventLines(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	list := run(t, testLog(1), 1000) // more than one piece
	f.events = yield(list, nil)
	a := ask(t, addr, "GET", "/events", nil, nil)
	lines := strings.Split(strings.TrimSuffix(string(a.body), "\n"), "\n")
	if a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" || len(lines) != 1000 {
		t.Fatalf("%d %v, %d lines", a.status, a.header, len(lines))
	}
	for i, line := range lines {
		var e events.Event
		if err := e.UnmarshalJSON([]byte(line)); err != nil || !bytes.Equal(e.Raw(), list[i].Raw()) {
			t.Fatalf("line %d: %v\n%s", i+1, err, line)
		}
	}
	f.events = yield(nil, nil)
	if a := ask(t, addr, "GET", "/events", nil, nil); a.status != 200 || len(a.body) != 0 {
		t.Errorf("no events: %d %q", a.status, a.body)
	}
	gone := transport.Errorf(410, transport.ErrorCompacted, "no longer kept")
	f.events = yield(nil, gone)
	ask(t, addr, "GET", "/events", nil, nil).check(t, 410, transport.ErrorCompacted)
	f.events = yield(list[:2], gone)
	a = ask(t, addr, "GET", "/events", nil, nil)
	lines = strings.Split(string(a.body), "\n")
	if a.status != 200 || len(lines) != 4 || lines[2] != `{"error":{"code":"compacted","message":"no longer kept"}}` {
		t.Errorf("an error behind events: %d %q", a.status, a.body)
	}
	f.events = yield(nil, errors.New("/var/lib/secret: disk on fire"))
	a = ask(t, addr, "GET", "/events", nil, nil)
	if a.check(t, 500, transport.ErrorInternal); strings.Contains(string(a.body), "fire") {
		t.Errorf("internals told: %q", a.body)
	}
}

func TestEventsQuery(t *testing.T) {
	f := newFake()
	addr := serve(t, f, transport.ServerOptions{})
	var got transport.EventsQuery
	f.events = func(_ context.Context, q transport.EventsQuery) iter.Seq2[events.Event, error] {
		got = q
		return func(func(events.Event, error) bool) {}
	}
	a, b := testLog(1), testLog(2)
	after := fmt.Sprintf("%s:7,%s:9", a, b)
	ask(t, addr, "GET", "/events?limit=10&node=node-1&type=NodeJoined,app/x&after="+after, nil, nil)
	want := transport.EventsQuery{After: events.Vector{a: 7, b: 9}, Types: []string{"NodeJoined", "app/x"}, Node: "node-1", Limit: 10}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ask(t, addr, "GET", "/events?after="+after, http.Header{"Accept": {"text/event-stream"}, "Last-Event-Id": {a.String() + ":8"}}, nil)
	if diff := cmp.Diff(transport.EventsQuery{After: events.Vector{a: 8}, Follow: true}, got); diff != "" {
		t.Errorf("a stream that resumes (-want +got):\n%s", diff)
	}
}

// feed is a source of events that goes on.
type feed chan events.Event

func (f feed) events(ctx context.Context, _ transport.EventsQuery) iter.Seq2[events.Event, error] {
	return func(yield func(events.Event, error) bool) {
		for {
			select {
			case e := <-f:
				if !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// sse reads one server-sent event.
type sse struct{ event, id, data, comment string }

func readSSE(t *testing.T, r io.ByteReader) (m sse) {
	t.Helper()
	var line []byte
	for {
		c, err := r.ReadByte()
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		if c != '\n' {
			line = append(line, c)
			continue
		}
		name, value, _ := strings.Cut(string(line), ":")
		switch value = strings.TrimPrefix(value, " "); {
		case len(line) == 0 && m != (sse{}):
			return m
		case name == "id":
			m.id = value
		case name == "data":
			m.data = value
		case name == "event":
			m.event = value
		case name == "":
			m.comment = value
		}
		line = nil
	}
}

func TestLiveStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		source := make(feed)
		w.fake.events = source.events
		stream := openStream(t, w)
		list, other := run(t, testLog(1), 3), run(t, testLog(2), 1)
		began := time.Now()
		for i := range 40 { // ten minutes, far beyond the time-outs of the server
			if m := readSSE(t, stream.body); m != (sse{comment: "still here"}) || time.Since(began) != time.Duration(i+1)*15*time.Second {
				t.Fatalf("after %v: %v", time.Since(began), m)
			}
		}
		for i, e := range append(list, other...) {
			source <- e
			want := fmt.Sprintf("%s:%d", testLog(1), min(i+1, 3))
			if i == 3 {
				want += fmt.Sprintf(",%s:1", testLog(2))
			}
			m := readSSE(t, stream.body)
			var got events.Event
			if err := got.UnmarshalJSON([]byte(m.data)); err != nil || !bytes.Equal(got.Raw(), e.Raw()) || m.id != want {
				t.Errorf("event %d: %v, %v; want id %s", i+1, m, err, want)
			}
		}
		stream.conn.Close()
		synctest.Wait()
		if w.net.Conns() != 0 {
			t.Errorf("%d connections", w.net.Conns())
		}
	})
}

// TestLiveStreamBatches sends many at once: each event arrives once and in
// order, and the last carries the cursor.
func TestLiveStreamBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		var list []events.Event
		cursor := events.Vector{}
		for i := range 50 { // more logs than a small cursor has
			list = append(list, run(t, testLog(byte(i+1)), 10)...)
			cursor[testLog(byte(i+1))] = 10
		}
		w.fake.events = yield(list, transport.Errorf(503, transport.ErrorUnavailable, "stopping"))
		stream := openStream(t, w)
		last := ""
		for i, e := range list {
			m := readSSE(t, stream.body)
			var got events.Event
			if err := got.UnmarshalJSON([]byte(m.data)); err != nil || !bytes.Equal(got.Raw(), e.Raw()) {
				t.Fatalf("event %d: %v, %v", i+1, m, err)
			}
			if i < 300 && m.id == "" {
				t.Fatalf("event %d has no id", i+1)
			}
			last = m.id
		}
		if last != cursor.String() {
			t.Errorf("the last id is %q", last)
		}
		if m := readSSE(t, stream.body); m.event != "error" || m.data != `{"error":{"code":"unavailable","message":"stopping"}}` {
			t.Errorf("the end: %v", m)
		}
	})
}

// TestDeadReader takes nothing from the stream. The window fills, and then the
// reader has as long as the write time-out.
func TestDeadReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		e := run(t, testLog(1), 1)[0]
		ended := make(chan time.Time, 1)
		w.fake.events = func(ctx context.Context, _ transport.EventsQuery) iter.Seq2[events.Event, error] {
			return func(yield func(events.Event, error) bool) {
				for yield(e, nil) {
				}
				ended <- time.Now()
			}
		}
		for _, accept := range []string{"text/event-stream", "*/*"} {
			began := time.Now()
			conn := w.raw(t, "GET /events HTTP/1.1\r\nHost: b\r\nAccept: "+accept+"\r\n\r\n")
			if took := (<-ended).Sub(began); took != 30*time.Second {
				t.Errorf("%s: given up after %v", accept, took)
			}
			conn.Close()
		}
	})
}

// TestSlowReader takes the answer in small pieces, for longer than any
// time-out, and gets all of it.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		list := run(t, testLog(1), 2000)
		w.fake.events = yield(list, nil)
		conn := w.raw(t, "GET /events HTTP/1.0\r\nHost: b\r\n\r\n")
		var all []byte
		piece := make([]byte, 4<<10)
		for {
			n, err := conn.Read(piece)
			all = append(all, piece[:n]...)
			if err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if n := bytes.Count(all, []byte("\n{")); n != len(list) {
			t.Errorf("%d events of %d", n, len(list))
		}
	})
}

func TestPanicInAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panicked := ""
		w := newWorld(t, transport.ServerOptions{Hooks: transport.Hooks{Panic: func(handler string, v any, stack []byte) {
			panicked = fmt.Sprint(handler, " ", v, " ", len(stack) > 0)
		}}}, transport.ClientOptions{})
		w.fake.events = func(context.Context, transport.EventsQuery) iter.Seq2[events.Event, error] {
			return func(func(events.Event, error) bool) { panic("a bug") }
		}
		stream := openStream(t, w)
		if m := readSSE(t, stream.body); m.event != "error" || !strings.Contains(m.data, `"internal"`) || strings.Contains(m.data, "bug") {
			t.Errorf("%v", m)
		}
		if panicked != "events a bug true" {
			t.Errorf("hook: %q", panicked)
		}
		if a := w.get(t, "/health"); a.status != 200 {
			t.Errorf("afterwards: %d", a.status)
		}
	})
}
