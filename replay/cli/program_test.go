package cli_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/cli"
)

// runWith runs one command of a program that knows the application's events.
func runWith(r replay.Registry, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Run(context.Background(), r, args, nil, &out, &errs)
	return code, out.String(), errs.String()
}

// TestRegistry decodes the events of an application wherever they are shown.
func TestRegistry(t *testing.T) {
	incident(t)
	registry := replay.Registry{
		"app/order-shipped": func(body []byte) (any, error) {
			number, ok := strings.CutPrefix(string(body), "order ")
			if !ok {
				return nil, errors.New("no order")
			}
			return map[string]string{"id": number}, nil
		},
	}
	for command, want := range map[string]string{
		"log n1 --type app/*":             `{"id":"4711"}`,
		"log n1 n2 --type app/*":          `{"id":"4711"}`,
		"log n1 --type app/* -o jsonl":    `,"decoded":{"id":"4711"}}`,
		"log n1 --type app/* -o json -p":  `,"decoded":{"id":"4711"}}`,
		"log n1 --type app/* -o csv":      `"{""id"":""4711""}"`,
		"show n2:4 n1":                    `{"id":"4711"}`,
		"log n1 --where type==\"x\" -n 1": ``,
	} {
		code, out, errs := runWith(registry, strings.Fields(command)...)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s exits %d\n%s%s", command, code, out, errs)
		}
	}
	_, lines, _ := runWith(registry, "log", "n1", "--axis", "known", "-o", "jsonl")
	write(t, "lines.jsonl", []byte(lines))
	if code, out, errs := run("converge", "lines.jsonl", "n1"); code != 0 {
		t.Errorf("decoded lines cannot be read: exit %d\n%s%s", code, out, errs)
	}
	if _, out, _ := run("log", "n1", "--type", "app/*"); !strings.Contains(out, "10 bytes") {
		t.Error("without a registry: ", out)
	}
}

// TestVersion says which program it is.
func TestVersion(t *testing.T) {
	if code, out, errs := run("--version"); code != 0 || !strings.HasPrefix(out, "clusterkit-replay version ") || strings.Count(out, "\n") != 1 {
		t.Errorf("exits %d: %s%s", code, out, errs)
	}
}

// TestCompletion offers names from the log, and scripts for four shells.
func TestCompletion(t *testing.T) {
	incident(t)
	for words, want := range map[string]string{
		"log n1 --node ":        "n1\talive\nn2\talive\nn3\tremoved\n",
		"log n1 --node n1,":     "n1,n1\talive\nn1,n2\talive\nn1,n3\tremoved\n",
		"log n1 --partition ":   "0\tn1\n1\tn2\n2\tn1\n3\tn1\n",
		"blame n1 value/":       "value/greeting\tValueSet\n",
		"show n1 n":             "n1:23\tthe newest of n1\nn2:6\tthe newest of n2\nn3:3\tthe newest of n3\n",
		"whatif n1 --leave n2":  "n2\talive\n",
		"log n1 --axis ":        "true\nknown\n",
		"state n1 -o ":          "table\njson\njsonl\ncsv\n",
		"log no/such --node n":  "",
		"completion ":           "bash\nzsh\nfish\npowershell\n",
		"log n1 --axi":          "--axis\taxis of time: true (what was so) or known (what this node believed)\n",
		"bis":                   "bisect\tFind the events that made a condition true or false\n",
		"log n1 --actor op":     "operator:ada\n",
		"log n1 --type Node":    "NodeFailed\nNodeJoined\nNodeRemoved\n",
		"blame n1 coordinator":  "coordinator\tCoordinatorClaimed\n",
		"log n1 --partition 3,": "3,0\tn1\n3,1\tn2\n3,2\tn1\n3,3\tn1\n",
	} {
		args := strings.Split("__complete "+words, " ")
		_, out, _ := run(args...)
		got, _, _ := strings.Cut(out, ":")
		if strings.Contains(want, ":") {
			got = out[:strings.LastIndex(out, "\n:")+1]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, errs := run("completion", shell); code != 0 || !strings.Contains(out, "clusterkit-replay") {
			t.Errorf("completion %s exits %d: %s", shell, code, errs)
		}
	}
	if _, out, _ := run("completion", "--help"); !strings.Contains(out, "bash-completion") {
		t.Error("the help does not say what bash needs:", out)
	}
	if code, _, errs := run("completion", "bahs"); code != 2 || !strings.Contains(errs, "did you mean bash") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// TestMan has every command and its examples in the man page.
func TestMan(t *testing.T) {
	_, help, _ := run("--help")
	_, commands, _ := strings.Cut(help, "Commands:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	code, page, _ := run("man")
	if code != 0 || !strings.HasPrefix(page, ".TH CLUSTERKIT-REPLAY 1\n") {
		t.Fatal(code, page)
	}
	for line := range strings.Lines(commands) {
		name := strings.Fields(line)[0]
		if !strings.Contains(page, "\n.SS "+name+"\n") {
			t.Errorf("%s is not in the man page", name)
		}
		_, own, _ := run(name, "--help")
		_, examples, _ := strings.Cut(own, "Examples:\n")
		examples, _, _ = strings.Cut(examples, "\n\n")
		if n := strings.Count(examples, "\n") + 1; n != 3 {
			t.Errorf("%s has %d examples, want 3", name, n)
		}
	}
}

// TestRepair repairs a damaged log, alone and with peers.
func TestRepair(t *testing.T) {
	incident(t)
	file := segmentsOf(t, "n1")[0]
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[1500] ^= 1
	write(t, file, b)
	if code, out, errs := run("repair", "n1", "-o", "alone"); code != 1 || !strings.Contains(out, "lost: n3:1\n") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := run("repair", "n1", "-o", "mended", "--from", "n2,n3"); code != 0 || !strings.Contains(out, ", 1 event from peers") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ := run("converge", "mended", "n2"); code != 0 {
		t.Error(out)
	}
	for _, command := range []string{"repair n1", "repair", "repair n1/cluster-state.json -o x", "repair n1 -o y --from no/such"} {
		if code, _, _ := run(strings.Fields(command)...); code != 2 && code != 3 {
			t.Errorf("%s exits %d", command, code)
		}
	}
	if _, err := os.Stat(filepath.Join("x")); err == nil {
		t.Error("a refused repair made a directory")
	}
}
