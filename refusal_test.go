package clusterkit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
)

// TestRemovedTwoNodes: of two nodes the other one is the only witness, here one
// that shares a secret.
func TestRemovedTwoNodes(t *testing.T) {
	nodes := startAll(t, 2, func(_ int, o *clusterkit.Options) { o.Secret = "a secret that is long enough for everybody" })
	awaitAgreement(t, "two nodes", nodes, full(2, 16, 3))
	if _, err := nodes[0].LiftBrake(t.Context(), "for the test"); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[0].Remove(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	awaitRemoved(t, nodes[1], within)
	if s := status(nodes[1].Cluster(), "n1"); s != "removed" {
		t.Errorf("in its own view it is %s", s)
	}
}

// TestStrangersAreToldWhy: each request to somebody else is refused with the
// status and the code that say what is wrong, at every endpoint for nodes.
func TestStrangersAreToldWhy(t *testing.T) {
	ck := start(t, options(t, 1))
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	node := `,"node":{"id":"x","addr":"127.0.0.1:1"},"protocol":1`
	for _, c := range []struct {
		cluster, to string
		status      int
		code        string
	}{
		{"other", "n1", http.StatusConflict, "wrong_cluster"},
		{"other", "n9", http.StatusConflict, "wrong_cluster"},
		{"test", "n9", http.StatusMisdirectedRequest, "wrong_node"},
	} {
		for _, path := range []string{"/join", "/sync", "/probe"} {
			body := fmt.Sprintf(`{"cluster":%q,"from":"x","from_log":"01ARZ3NDEKTSV4RRFFQ69G5FAV","to":%q`, c.cluster, c.to)
			if path == "/join" {
				body += node
			}
			resp, answer := ask(t, "POST", "http://"+ck.Addr()+path, body+"}", "Content-Type", "application/json")
			if resp.StatusCode != c.status || !strings.Contains(string(answer), `"`+c.code+`"`) {
				t.Errorf("%s for %s of %s: %s %s, want %d %s", path, c.to, c.cluster, resp.Status, answer, c.status, c.code)
			}
		}
	}
}

// anEvent returns the first event that a node holds.
func anEvent(t *testing.T, ck *clusterkit.ClusterKit) events.Event {
	t.Helper()
	for e, err := range ck.Events(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	t.Fatal("there is none")
	return events.Event{}
}

// TestRemovedNodeIsAnswered410: who was removed is told with 410, by every
// endpoint, but for a sync that brings nothing.
func TestRemovedNodeIsAnswered410(t *testing.T) {
	inBubble(t, 2, func(b *bubble) {
		b.agree(10*time.Second, b.nodes)
		out, _ := b.nodes[0].Cluster().Node("n1")
		event, err := json.Marshal(anEvent(t, b.nodes[1])) // while it still runs
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.nodes[0].LiftBrake(context.Background(), "for the test"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.nodes[0].Remove(context.Background(), "n1"); err != nil {
			t.Fatal(err)
		}
		awaitRemoved(t, b.nodes[1], within)
		head := fmt.Sprintf(`{"cluster":"bubble","from":"n1","from_log":%q,"to":"n0","config":"%d"`, out.Log, clusterkit.SettingsOf(b.nodes[0]))
		for _, c := range []struct {
			path, rest string
			status     int
			code       string
		}{
			{"/probe", `}`, http.StatusGone, "removed"},
			{"/join", `,"node":{"id":"n1","addr":"h1:80"},"protocol":1,"settings":{"cluster_name":"bubble","partition_count":16,"replication_factor":3}}`, http.StatusGone, "removed"},
			{"/sync", `,"events":[` + string(event) + `]}`, http.StatusGone, "removed"},
			{"/sync", `}`, http.StatusOK, ""},
		} {
			status, body := post(b.nodes[0], c.path, head+c.rest)
			if status != c.status || c.code != "" && !strings.Contains(body, `"`+c.code+`"`) {
				t.Errorf("%s: %d %s, want %d %s", c.path, status, body, c.status, c.code)
			}
		}
	})
}

// post asks a node without a network.
func post(ck *clusterkit.ClusterKit, path, body string) (status int, answer string) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	ck.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}
