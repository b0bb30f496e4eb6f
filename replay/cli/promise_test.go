package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/cli"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestMain is the program itself when the test of pipes starts it.
func TestMain(m *testing.M) {
	if os.Getenv("CLUSTERKIT_REPLAY_ITSELF") == "1" {
		cli.Program(replay.Registry{})
	}
	os.Exit(m.Run())
}

// TestTimeZone: times are UTC unless another zone is asked for, in which they are
// then read too.
func TestTimeZone(t *testing.T) {
	incident(t)
	_, utc, _ := run("log", "n1", "-n", "1", "--type", "NodeSuspected")
	_, delhi, _ := run("log", "n1", "-n", "1", "--type", "NodeSuspected", "--tz", "Asia/Kolkata") // five and a half hours
	at := func(text string) string { return strings.Fields(strings.Split(text, "\n")[1])[2] }
	if !strings.Contains(utc, "TIME (UTC)") || strings.Contains(delhi, "(UTC)") {
		t.Errorf("zones are not named:\n%s%s", utc, delhi)
	}
	if !strings.HasPrefix(at(utc), "00:") || !strings.HasPrefix(at(delhi), "05:") || at(utc)[6:] != at(delhi)[6:] {
		t.Errorf("%s in UTC is %s there", at(utc), at(delhi))
	}
	_, want, _ := run("state", "n1", "--at", "2000-01-01T00:01:20Z", "-o", "json")
	if _, got, _ := run("state", "n1", "--at", "2000-01-01 05:31:20", "--tz", "Asia/Kolkata", "-o", "json"); digestOf(got) != digestOf(want) || digestOf(want) == "" {
		t.Errorf("the point 05:31:20 there is not 00:01:20 in UTC:\n%s%s", got, want)
	}
}

func digestOf(text string) string {
	_, rest, _ := strings.Cut(text, `"digest": "`)
	digest, _, _ := strings.Cut(rest, `"`)
	return digest
}

// TestColour: there is some when it is asked for, and none in a pipe.
func TestColour(t *testing.T) {
	incident(t)
	for color, want := range map[string]bool{"always": true, "never": false, "auto": false} {
		if _, out, _ := run("log", "n1", "--color", color); strings.Contains(out, "\x1b[") != want {
			t.Errorf("--color %s: %q", color, out)
		}
	}
}

// TestCheckpointAsWritten: state prints the very file that the node wrote.
func TestCheckpointAsWritten(t *testing.T) {
	incident(t)
	for _, node := range []string{"n1", "n2", "n3"} {
		want, err := os.ReadFile(filepath.Join(node, "cluster-state.json"))
		if err != nil {
			t.Fatal(err)
		}
		if code, got, errs := run("state", node, "--as", "cluster-state.json"); got != string(want) || code != 0 {
			t.Errorf("%s: exit %d, %s%d bytes, want %d", node, code, errs, len(got), len(want))
		}
	}
}

// TestQuietWhenNobodyReads: who pipes into head sees no complaint.
func TestQuietWhenNobodyReads(t *testing.T) {
	incident(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	var errs bytes.Buffer
	program := exec.Command(os.Args[0], "log", "n1", "-o", "jsonl")
	program.Env = append(os.Environ(), "CLUSTERKIT_REPLAY_ITSELF=1")
	program.Stdout, program.Stderr = w, &errs
	if err := program.Run(); err == nil || errs.Len() > 0 {
		t.Errorf("%v, and it says %q", err, errs.String())
	}
}

// TestFollowForAWhile: follow --until +10m ends ten minutes later, and its cursor stands
// where it ended.
func TestFollowForAWhile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n := h.Node("n1")
		n.Join("first node")
		done := make(chan bool)
		go func() { // ends when all is written
			defer close(done)
			for range 20 {
				time.Sleep(time.Minute)
				n.Set("k", "v")
			}
		}()
		begun := time.Now()
		code, out, errs := run("follow", "n1", "--since", "first", "--until", "+10m30s", "--cursor", "seen", "-o", "jsonl")
		if took := time.Since(begun).Round(time.Minute); code != 0 || strings.Count(out, "\n") != 12 || took != 11*time.Minute {
			t.Errorf("exit %d with %d events after %s: %s", code, strings.Count(out, "\n"), took, errs)
		}
		<-done
		code, out, errs = run("follow", "n1", "--cursor", "seen", "--until", "head", "-o", "jsonl")
		if code != 0 || strings.Count(out, "\n") != 10 {
			t.Errorf("then exit %d with %d events: %s", code, strings.Count(out, "\n"), errs)
		}
		h.Close()
	})
}
