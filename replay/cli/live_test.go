package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// liveNode answers as a node would that holds these lines; after the cut it
// dies. A cut of -1 is none.
func liveNode(t *testing.T, lines string, cut int) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) {
		if cut < 0 {
			fmt.Fprint(w, lines)
			return
		}
		fmt.Fprint(w, lines[:cut])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("GET /cluster", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"name":"test"}`) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// TestLiveNodeDies lets a node die in the middle of its answer: what came whole
// is printed, and no command passes what it has for everything.
func TestLiveNodeDies(t *testing.T) {
	incident(t)
	_, lines, _ := run("log", "n1", "--axis", "known", "-o", "jsonl")
	if whole := liveNode(t, lines, -1); whole != "" {
		if code, out, errs := run("log", whole, "-o", "jsonl"); code != 0 || strings.Count(out, "\n") != strings.Count(lines, "\n") {
			t.Fatalf("the whole answer: log exits %d: %s", code, errs)
		}
	}
	for _, cut := range []int{strings.Index(lines, "\n") + 1, len(lines) / 2, len(lines) - 5} {
		node := liveNode(t, lines, cut)
		intact := strings.Count(lines[:cut], "\n")
		code, out, errs := run("log", node, "-o", "jsonl")
		if got := strings.Count(out, "\n"); code != 4 || got != intact || !strings.Contains(errs, node) {
			t.Errorf("cut at %d: log exits %d with %d events, want 4 with %d: %s", cut, code, got, intact, errs)
		}
		for _, command := range []string{"state " + node, "diff " + node + " n1", "verify " + node, "converge " + node + " n1",
			"blame node/n1 " + node, "stats " + node, "check " + node} {
			if code, out, errs := run(strings.Fields(command)...); code != 4 {
				t.Errorf("cut at %d: %s exits %d, want 4\n%s%s", cut, command, code, out, errs)
			}
		}
	}
}

// TestLiveNodeHasRetention asks a node that does not have the beginning any more.
func TestLiveNodeHasRetention(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusGone)
		fmt.Fprint(w, `{"error":{"code":"compacted","message":"events before n1:40 are not kept"}}`)
	}))
	t.Cleanup(s.Close)
	for _, command := range []string{"log", "state", "verify", "stats", "check"} {
		if code, _, errs := run(command, s.URL); code != 5 || !strings.Contains(errs, "not kept") {
			t.Errorf("%s exits %d, want 5: %s", command, code, errs)
		}
	}
}

// TestLiveNodeDiesWhileFolded lets the answer break off from which follow --where
// makes the state before what follows: it says so, and goes on with what comes.
func TestLiveNodeDiesWhileFolded(t *testing.T) {
	incident(t)
	_, lines, _ := run("log", "n1", "--axis", "known", "-o", "jsonl")
	all := strings.SplitAfter(lines, "\n")
	for i, line := range all { // a node says no more than the event
		if at := strings.Index(line, `"id":`); at > 0 {
			all[i] = "{" + line[at:]
		}
	}
	lines = strings.Join(all, "")
	cursor := func(n int) { // behind n events
		_, out, _ := run("follow", "n1", "--since", "first", "--until", fmt.Sprint("@", n+1), "--cursor", "seen", "-q")
		if out == "" {
			t.Fatal("no cursor")
		}
	}
	for _, cut := range []int{0, strings.Index(lines, "\n") + 1, len(lines) / 2} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/cluster":
				fmt.Fprint(w, `{"name":"test"}`)
			case r.URL.RawQuery == "": // all there is, to be folded
				fmt.Fprint(w, lines[:cut])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			default:
				fmt.Fprint(w, lines)
			}
		}))
		t.Cleanup(s.Close)
		os.Remove("seen")
		cursor(20)
		code, out, errs := run("follow", s.URL, "--cursor", "seen", "--where", `type != "ValueSet"`, "--until-caught-up", "-o", "jsonl")
		want := 0
		for _, line := range all[20:] {
			if line != "" && !strings.Contains(line, `"ValueSet"`) {
				want++
			}
		}
		if code != 4 || strings.Count(out, "\n") != want || strings.Count(errs, "the answer broke off") != 1 {
			t.Errorf("cut at %d: exit %d with %d events, want 4 with %d: %s", cut, code, strings.Count(out, "\n"), want, errs)
		}
	}
}
