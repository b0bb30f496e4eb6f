package cli_test

import (
	"slices"
	"strings"
	"testing"
)

// TestFilterFlags holds which command knows which filters: the table of
// filterFlags. A command says in its help what it knows, and refuses the others.
func TestFilterFlags(t *testing.T) {
	incident(t)
	events := "type node origin partition actor since until where axis"
	known := map[string]string{
		"log": events + " limit reverse", "stats": strings.ReplaceAll(events, "axis", "limit"), "bisect": events + " limit reverse", "timeline": events,
		"check": strings.ReplaceAll(events, "axis", "limit reverse"), "follow": "type node origin partition actor since until where limit",
		"state": "node partition axis", "diff": "node partition axis", "blame": "since until axis limit reverse", "whatif": "axis", "bundle": "since until axis", "export": "since until axis",
	}
	values := map[string]string{"type": "Node*", "node": "n1", "origin": "n1", "partition": "1", "actor": "n1", "since": "first", "until": "head",
		"where": "true", "axis": "true", "limit": "1"}
	_, help, _ := run("--help")
	_, commands, _ := strings.Cut(help, "Commands:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	for line := range strings.Lines(commands) {
		command := strings.Fields(line)[0]
		_, own, _ := run(command, "--help")
		for _, flag := range append(strings.Fields(events), "limit", "reverse") {
			want := slices.Contains(strings.Fields(known[command]), flag)
			if told := strings.Contains(own, "--"+flag+" "); told != want {
				t.Errorf("the help of %s tells of --%s: %v, want %v", command, flag, told, want)
			}
			word := "--" + flag
			if values[flag] != "" {
				word += "=" + values[flag]
			}
			if want {
				continue
			}
			if code, _, errs := run(command, word); code != 2 || !strings.Contains(errs, flag) {
				t.Errorf("%s %s exits %d: %s", command, word, code, errs)
			}
		}
	}
}
