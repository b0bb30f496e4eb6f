package clusterkit_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
)

func ask(t *testing.T, method, url, body string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// TestEndpoints asks a live node everything that a person may ask.
func TestEndpoints(t *testing.T) {
	ck := start(t, options(t, 1))
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	base := "http://" + ck.Addr()
	for _, path := range []string{"/health", "/ready"} {
		if resp, body := ask(t, "GET", base+path, ""); resp.StatusCode != 200 {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	resp, body := ask(t, "GET", base+"/cluster", "")
	var c clusterkit.Cluster
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(&c); err != nil || !bytes.Equal(bytes.TrimSpace(body), again) {
		t.Errorf("the cluster's JSON does not survive a round trip: %v\n%s", err, cmp.Diff(string(body), string(again)))
	}
	if resp, _ := ask(t, "GET", base+"/cluster", "", "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != 304 {
		t.Errorf("an unchanged cluster answers %s, want 304", resp.Status)
	}
	if resp, body := ask(t, "GET", base+"/cluster?at=first", ""); resp.StatusCode != 200 || !strings.Contains(string(body), `"nodes":[]`) {
		t.Errorf("the beginning: %s %s", resp.Status, body)
	}
	if resp, body := ask(t, "GET", base+"/cluster?at=nonsense", ""); resp.StatusCode != 400 || !strings.Contains(string(body), "nonsense") {
		t.Errorf("a point that is none: %s %s", resp.Status, body)
	}
	resp, body = ask(t, "GET", base+"/events?type=NodeJoined", "")
	var e events.Event
	if err := json.Unmarshal(bytes.TrimSpace(body), &e); err != nil || e.Type != events.NodeJoined {
		t.Errorf("events: %s %v %s", resp.Status, err, body)
	}
	if resp, body := ask(t, "GET", base+"/metrics", ""); resp.StatusCode != 200 ||
		!strings.Contains(string(body), `clusterkit_partitions_owned{cluster="test",node="n1",role="primary"} 16`) {
		t.Errorf("metrics: %s\n%s", resp.Status, body)
	}
}

// TestEventStream follows the events of a node as a browser would.
func TestEventStream(t *testing.T) {
	ck := start(t, options(t, 1))
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+ck.Addr()+"/events?type=app/hello", nil)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := ck.Record(t.Context(), "hello", []byte("world")); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var e events.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil || string(e.Body) != "world" {
				t.Errorf("the stream brought %s: %v", data, err)
			}
			return
		}
	}
	t.Error("the stream ended without the event")
}

// TestBadRequestsChangeNothing sends a live node what it must refuse.
func TestBadRequestsChangeNothing(t *testing.T) {
	ck := start(t, options(t, 1))
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := ck.Cluster().Digest
	log := `"from_log":"01ARZ3NDEKTSV4RRFFQ69G5FAV"`
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"not JSON", "/sync", "nonsense", 400},
		{"another cluster", "/sync", `{"cluster":"other","from":"x",` + log + `,"to":"n1"}`, 409},
		{"another node", "/probe", `{"cluster":"test","from":"x",` + log + `,"to":"n9"}`, 421},
		{"too large", "/probe", `{"cluster":"` + strings.Repeat("x", 5000) + `"}`, 413},
		{"no such path", "/nothing", ``, 404},
	} {
		resp, body := ask(t, "POST", "http://"+ck.Addr()+c.path, c.body, "Content-Type", "application/json")
		var refusal struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(body, &refusal); resp.StatusCode != c.status || err != nil || refusal.Error.Code == "" {
			t.Errorf("%s: %s %s (%v), want %d with a reason in JSON", c.name, resp.Status, body, err, c.status)
		}
	}
	if ck.Cluster().Digest != before {
		t.Error("a refused request changed the state")
	}
}

// TestRegistererAndTwoNodesInOneProcess registers two nodes in one registry:
// their series do not collide, and those of a stopped node go.
func TestRegistererAndTwoNodesInOneProcess(t *testing.T) {
	registry := prometheus.NewRegistry()
	nodes := startAll(t, 2, func(_ int, o *clusterkit.Options) { o.Registerer = registry })
	awaitAgreement(t, "two nodes", nodes, full(2, 16, 3))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	nodesSeen := make(map[string]bool)
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "node" {
					nodesSeen[l.GetValue()] = true
				}
			}
		}
	}
	if !nodesSeen["n0"] || !nodesSeen["n1"] {
		t.Errorf("metrics of %v, want n0 and n1", nodesSeen)
	}
	if err := nodes[1].Stop(); err != nil {
		t.Fatal(err)
	}
	families, err = registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "node" && l.GetValue() == "n1" {
					t.Fatalf("%s still has a series of the stopped node", f.GetName())
				}
			}
		}
	}
}

// TestSecret lets nodes with a secret talk to each other and nobody else.
func TestSecret(t *testing.T) {
	nodes := startAll(t, 2, func(_ int, o *clusterkit.Options) { o.Secret = "a secret of some length" })
	awaitAgreement(t, "two nodes with a secret", nodes, full(2, 16, 3))
	if resp, _ := ask(t, "POST", "http://"+nodes[0].Addr()+"/sync", `{}`, "Content-Type", "application/json"); resp.StatusCode != 401 {
		t.Errorf("an unsigned sync answers %s, want 401", resp.Status)
	}
}
