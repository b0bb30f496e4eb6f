package cli_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestGraphKeepsEdges compares the edges drawn under every filter by type with
// those that the causes in the log give.
func TestGraphKeepsEdges(t *testing.T) {
	incident(t)
	_, whole, _ := run("log", "n1", "-o", "jsonl")
	type event struct{ ID, Type, Cause string }
	causes, types := make(map[string]string), []string{}
	var all []event
	for line := range strings.Lines(whole) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		all, causes[e.ID] = append(all, e), e.Cause
		if !slices.Contains(types, e.Type) {
			types = append(types, e.Type)
		}
	}
	direct, dotted := 0, 0
	for i, one := range types {
		for _, other := range types[i:] {
			var want string // a letter for each event: none, direct or dotted
			var shown []string
			for _, e := range all {
				if e.Type != one && e.Type != other {
					continue
				}
				at, kind := e.Cause, "d"
				for at != "" && !slices.Contains(shown, at) {
					at, kind = causes[at], "…"
				}
				if at == "" {
					kind = "-"
				}
				want += kind
				shown = append(shown, e.ID)
			}
			_, out, _ := run("log", "n1", "--graph", "--type", one+","+other)
			got := ""
			for row := range strings.Lines(out) {
				cell, _, _ := strings.Cut(row, " 2000-01-01")
				switch {
				case !strings.Contains(cell, "*"):
				case strings.Contains(cell, "…"):
					got += "…"
					dotted++
				case strings.ContainsAny(cell, "├└"):
					got += "d"
					direct++
				default:
					got += "-"
				}
			}
			if got != want {
				t.Errorf("%s and %s: edges %s, want %s\n%s", one, other, got, want, out)
			}
		}
	}
	if direct == 0 || dotted == 0 {
		t.Errorf("%d direct edges and %d dotted ones were drawn: the test says nothing", direct, dotted)
	}
}
