package cli_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestWrongInput gives each kind of wrong input: the error says what is wrong, and
// where, and the exit code whose mistake it is.
func TestWrongInput(t *testing.T) {
	incident(t)
	for _, dir := range []string{"none", "some/n1/wal", "gone", "fresh/wal"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, "garbage", []byte("\x01\x02garbage that is no log of any kind\n"))
	write(t, "nothing", nil)
	write(t, "gone/identity.json", []byte("{}"))
	if err := os.Symlink("loop", "loop"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command string
		code    int
		says    string
	}{
		// LOGs that are none.
		{"log none", 3, "open none: there is no log in this directory"},
		{"state some", 3, "there is no log in this directory, but in some/n1"},
		{"verify none", 3, "no log"},
		{"follow none", 3, "no log"},
		{"bundle none -o x.bundle", 3, "no log"},
		{"converge n1 none", 3, "no log"},
		{"log", 3, "open .: there is no log in this directory, but in fresh, n1, n2, ..."},
		{"log fresh", 0, "no event matches"},
		{"log gone", 4, "gone/wal"},
		{"log loop", 3, "loop: too many"}, // not permitted would be the same
		{"log no/such", 3, "no/such: no such file"},
		{"log nosuch", 2, `"nosuch" is neither a log that exists nor a point`},
		{"log garbage", 3, "open garbage: it is no bundle, no JSON lines and no checkpoint"},
		{"log nothing", 5, "the file is empty"},
		{"check n1 --unowned 0", 2, "--unowned: want a limit above zero"},
		{"check n1 --moves -1", 2, "--moves: want a limit above zero"},
		{"log n1/wal/00000000000000000001", 3, "name the directory n1"},
		{"log n1/identity.json", 3, "open n1/identity.json"},
		{"import nothing -o x.bundle", 5, "there is no line"},
		{"import garbage -o x.bundle", 4, "garbage: line 1"},
		{"repair garbage -o x", 2, "garbage is not a data directory"},
		// Points and ranges.
		{"state n1 --at 14:61", 2, "no node 14 has written here, only n1, n2, n3; nor is it a time of day"},
		{"state n1 --at 25:00", 2, "sequences begin at 1; nor is it a time of day"},
		{"state n1 --at n1:0", 2, "sequences begin at 1"},
		{"state n1 --at tomorrow", 2, "--at"},
		{"state n1 n1:3 n1:4", 2, "one point"},
		{"state n1 -15", 2, "-15 is no flag, and no time ago"},
		{"state n1 head~99999", 5, "it keeps 32 events"},
		{"log n1 first..head n1:3..", 2, "two ranges, first..head and n1:3..: want one"},
		{"log n1 2000-01-02..2000-01-01", 2, "2000-01-02 is after 2000-01-01"},
		{"log n1 --since 2000-01-02 --until 2000-01-01", 2, "nothing lies between them"},
		{"follow n1 --since 2000-01-02 --until 2000-01-01", 2, "nothing lies between them"},
		{"log n1 --since n1:9 --until n1:3", 0, "no event matches"},
		{"log n1 --since x", 2, "--since"},
		// Flags.
		{"log n1 --colour", 2, "log has no flag --colour; did you mean --color?"},
		{"log n1 -z", 2, "log has no flag -z"},
		{"log n1 -n 0", 2, "want a number from 1"},
		{"log n1 -n -1", 2, "want a number from 1"},
		{"log n1 -n many", 2, "want a number from 1"},
		{"follow n1 -n 0", 2, "want a number from 1"},
		{"log n1 --since=", 2, "--since is empty"},
		{"log n1 --node=", 2, "--node is empty"},
		{"whatif n1 --join=", 2, "--join is empty"},
		{"whatif n1 --join ,zone=b", 2, "want the name of a node first"},
		{"check n1 --moves x", 2, `"x" for "--moves" flag: want a number`},
		{"check n1 --unowned -5s", 2, `"-5s"`},
		{"log n1 --partition 3-1", 2, `"3-1" is not a number or a range`},
		{"log n1 --partition", 2, "flag needs an argument: --partition"},
		{"log n1 --where owner(", 2, "expression"},
		{"log n1 --where partition", 2, "expected bool"},
		{"stats n1 --by nothing", 2, "want one of type"},
		// What is not there, and what cannot be written.
		{"state n1 --node n9", 1, "there is no such node or partition at head"},
		{"state n1 --partition 999", 1, "there is no such node or partition at head"},
		{"blame node/n9 n1", 1, "not found"},
		{"bundle n1 -o no/such/x", 3, "write no/such/x: no such file or directory"},
		{"timeline n1 -o no/such/x.html", 3, "write no/such/x.html: no such file or directory"},
		{"follow n1 --since first --cursor no/such/x --until-caught-up", 3, "write no/such/x: no such file or directory"},
		{"bundle n1 -o garbage", 3, "garbage exists, and is not overwritten"},
		{"follow n1 --cursor none", 3, "none"},
		// Formats.
		{"log n1 -o xml", 2, `output format "xml": want table, json, jsonl or csv`},
		{"follow n1 -o csv", 2, "follow has no output format csv, only table and jsonl"},
		{"export n1 -o csv", 2, "export has no output format csv, only jsonl"},
		{"export n1 -o jsonl", 0, ""},
		{"man -o json", 2, "man has no output format json, only text"},
		{"completion bash -o json", 2, "completion has no output format json, only text"},
		{"log n1 --graph -o csv", 2, "--graph draws a table"},
		// Commands.
		{"foo-bar", 2, `there is no command "foo-bar"`},
		{"help foo-bar", 2, `there is no command "foo-bar"`},
		{"help lgo", 2, "did you mean log?"},
		{"completion foo", 2, `there is no completion for "foo", but for bash, zsh, fish, powershell`},
	} {
		code, out, errs := run(strings.Fields(c.command)...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%s exits %d, want %d and %q:\n%s%s", c.command, code, c.code, c.says, out, errs)
		}
		name := strings.Fields(c.command)[0]
		if help := fmt.Sprintf("see clusterkit-replay %s --help\n", name); code == 2 && name != "help" && name != "foo-bar" && !strings.HasSuffix(errs, help) {
			t.Errorf("%s does not say where to read more:\n%s", c.command, errs)
		}
		if strings.Count(errs, "clusterkit-replay: ") > 1 {
			t.Errorf("%s says it twice:\n%s", c.command, errs)
		}
	}
	if code, out, _ := run("help", "log"); code != 0 || !strings.HasPrefix(out, "Print the events of a log.") {
		t.Errorf("help log exits %d: %s", code, out)
	}
}
