package cli_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestCheckSaysWhatToDo: each rule that fails names a command, and that says something
// about the first example.
func TestCheckSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { replaytest.Random(t, dir, rand.New(rand.NewPCG(1, 1)), 300).Close() })
	t.Chdir(dir)
	for _, logs := range []string{"n1", "n1 n2"} {
		args := append([]string{"check"}, strings.Fields(logs)...)
		code, out, errs := run(append(args, "--unowned", "1ms", "--short", "1ms", "--moves", "1")...)
		if code != 1 {
			t.Fatalf("%d %s%s", code, out, errs)
		}
		said := 0
		for line := range strings.Lines(out) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "look closer with: clusterkit-replay ")
			if !ok {
				continue
			}
			said++
			args := strings.Fields(command)
			if code, out, errs := run(args...); code != 0 || !strings.Contains(out, args[1]) {
				t.Errorf("%s: %d\n%s%s", command, code, out, errs)
			}
		}
		if failed := strings.Count(out, "FAIL") - 1; said != failed || failed < 4 {
			t.Errorf("%d commands of %d rules\n%s", said, failed, out)
		}
	}
}
