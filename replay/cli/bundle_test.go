package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestRedactedApart compares logs of which the names were replaced apart from
// each other. With one key that is no matter; with different keys nothing in
// them is equal, and no command may take that for a fork or a difference.
func TestRedactedApart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		h.Node("n1").Join("first node")
		h.Node("n2").Join("second node")
		h.SyncAll("n1", "n2")
		h.Close()
	})
	t.Chdir(dir)
	write(t, "key", []byte("a secret of some length\n"))
	write(t, "other", []byte("another of such secrets\n"))
	for file, command := range map[string]string{"a": "bundle n1 --redact-key key", "b": "bundle n2 --redact-key key",
		"c": "bundle n2 --redact-key other", "d": "bundle n2 --redact", "plain": "bundle n2"} {
		if code, _, errs := run(append(strings.Fields(command), "-o", file)...); code != 0 {
			t.Fatal(command, errs)
		}
	}
	for file, command := range map[string]string{"e": "bundle c --redact-key key", "f": "bundle c"} {
		if code, _, errs := run(append(strings.Fields(command), "-o", file)...); code != 0 {
			t.Fatal(command, errs)
		}
	}
	_, lines, _ := run("export", "c")
	write(t, "c.jsonl", []byte(lines))
	run("import", "c.jsonl", "-o", "g")
	for _, same := range [][2]string{{"a", "b"}, {"n1", "plain"}, {"c", "f"}, {"c", "c.jsonl"}, {"c", "g"}} {
		for command, want := range map[string]string{"converge": "equal: ", "diff": "same: ", "log": "LogStarted"} {
			if code, out, errs := run(command, same[0], same[1]); code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s %s exits %d\n%s%s", command, same, code, out, errs)
			}
		}
	}
	for _, apart := range [][2]string{{"a", "c"}, {"a", "d"}, {"a", "n2"}, {"a", "e"}, {"f", "a"}, {"g", "plain"}} {
		for _, command := range []string{"converge", "diff", "log", "state", "timeline -o new.html", "show head"} {
			code, out, errs := run(append(strings.Fields(command), apart[0], apart[1])...)
			if code != 5 || !strings.Contains(out+errs, "--redact-key") || strings.Contains(out+errs, "fork") || strings.Contains(out, "differ") {
				t.Errorf("%s %s exits %d\n%s%s", command, apart, code, out, errs)
			}
		}
	}
	if left, _ := filepath.Glob("new*"); len(left) > 0 {
		t.Error("a refused command left", left)
	}
}
