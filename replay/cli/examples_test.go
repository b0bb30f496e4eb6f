package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay/cli"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// afternoon makes up, in the working directory, the past that the examples speak
// of: three nodes, partition 17, some minutes around 14:03, a backup. It returns
// what a live node tells of it.
func afternoon(t *testing.T) (told string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(13*time.Hour + 50*time.Minute)
		h := replaytest.New(t, "data")
		n1, n2, n3 := h.Node("n1"), h.Node("n2"), h.Node("n3")
		n1.Join("first node")
		claim := n1.Claim("no coordinator")
		n1.Configure(20, 2, claim.ID())
		n2.Sync(n1)
		n3.Sync(n1)
		n2.Join("joins")
		joined := n3.Join("joins")
		h.SyncAll("n1", "n2", "n3")
		for p := range 20 {
			n1.Assign(p, []string{"n1", "n2"}, "bootstrap", "never had an owner", joined.ID())
		}
		for i := range 80 {
			time.Sleep(12 * time.Second)
			n2.Set("greeting", fmt.Sprint("hello ", i))
		}
		n1.Assign(17, []string{"n3", "n1"}, "balance", "n3 joined", joined.ID())
		n2.Emit(events.Event{Type: "app/order-shipped", Actor: "app", Body: []byte("order 4711")})
		h.SyncAll("n1", "n2", "n3")
		for _, e := range n1.Events() {
			line, err := e.AppendJSON(nil)
			if err != nil {
				t.Fatal(err)
			}
			told += string(line) + "\n"
		}
		h.Close()
	})
	if err := os.CopyFS("backup/n1", os.DirFS("data/n1")); err != nil {
		t.Fatal(err)
	}
	write(t, "notify.sh", []byte("#!/bin/sh\ncat > /dev/null\n"))
	if err := os.Chmod("notify.sh", 0o755); err != nil {
		t.Fatal(err)
	}
	return told
}

// TestExamplesOfTheHelp runs every example of every help, as it is printed, in a
// past in which it has an answer.
func TestExamplesOfTheHelp(t *testing.T) {
	_, help, _ := run("--help")
	_, commands, _ := strings.Cut(help, "Commands:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	names := []string{"--help"}
	for line := range strings.Lines(commands) {
		names = append(names, strings.Fields(line)[0]+" --help")
	}
	ran := 0
	for _, name := range names {
		t.Run(strings.TrimSuffix(name, " --help"), func(t *testing.T) {
			node := liveNode(t, afternoon(t), -1)
			made := strings.HasPrefix(name, "export") || strings.HasPrefix(name, "import")
			if made { // these take what another command made
				runExample(t, "clusterkit-replay bundle data/* -o incident.bundle")
				runExample(t, "clusterkit-replay export data/n1 > n1.jsonl")
			}
			_, help, _ := run(strings.Fields(name)...)
			_, examples, _ := strings.Cut(help, "Examples:\n")
			examples, _, _ = strings.Cut(examples, "\n\n")
			for line := range strings.Lines(examples) {
				if _, file, ok := strings.Cut(line, " -o "); ok { // each example begins anew
					os.RemoveAll(strings.Fields(file)[0])
				}
				runExample(t, strings.ReplaceAll(strings.TrimSpace(line), "http://host:8080", node))
				ran++
			}
		})
	}
	if ran < 3*len(names) {
		t.Errorf("only %d examples of %d commands were run", ran, len(names))
	}
}

// runExample runs one line: what it pipes from one clusterkit-replay to another is
// piped, and what another program would do is not done.
func runExample(t *testing.T, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, "  ") // what it is good for
	line, file, kept := strings.Cut(strings.Replace(line, "ssh host ", "", 1), " > ")
	line = strings.TrimSuffix(strings.TrimPrefix(line, "source <("), ")")
	var in, out, errs bytes.Buffer
	for stage := range strings.SplitSeq(line, " | ") {
		words := shellWords(stage)
		switch words[0] {
		case "clusterkit-replay":
		case "curl":
			_, lines, _ := run("export", "data/n1")
			out.WriteString(lines)
			continue
		default:
			return // which reads what it gets
		}
		in, out = out, bytes.Buffer{}
		args := append([]string{words[1], "--now", "2000-01-01T14:10:00Z"}, words[2:]...)
		if words[1] == "follow" {
			args = append([]string{"follow", "--until-caught-up"}, words[2:]...)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		code := cli.Main(ctx, args, &in, &out, &errs)
		cancel()
		if code > 1 {
			t.Errorf("%s\nexits %d: %s%s", line, code, out.String(), errs.String())
		}
	}
	if kept && !strings.ContainsAny(file, "/$") { // not into a directory of the machine
		write(t, file, out.Bytes())
	}
}

// shellWords splits a line as a shell would, with single quotes and one glob.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words[len(words)-1] += part
			continue
		}
		for j, w := range strings.Split(part, " ") {
			switch {
			case j == 0 && len(words) > 0:
				words[len(words)-1] += w
			case w == "data/*":
				words = append(words, "data/n1", "data/n2", "data/n3")
			default:
				words = append(words, w)
			}
		}
	}
	return words
}
