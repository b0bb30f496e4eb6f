package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/replay/cli"
)

// TestColourOnTerminal runs the program itself on a terminal: it colours what it
// writes there, and not with NO_COLOR, on a dumb one, or when it is piped, though
// its errors go to a terminal.
func TestColourOnTerminal(t *testing.T) {
	incident(t)
	for _, test := range []struct {
		env   string
		piped bool
		want  bool
	}{
		{env: "TERM=xterm", want: true},
		{env: "NO_COLOR=", want: true}, // as good as not set
		{env: "NO_COLOR=1"},
		{env: "TERM=dumb"},
		{env: "TERM=xterm", piped: true},
	} {
		tty, written := cli.OpenTerminal(t)
		var piped bytes.Buffer
		program := exec.Command(os.Args[0], "verify", "n1")
		program.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") }),
			"TERM=xterm", test.env, "CLUSTERKIT_REPLAY_ITSELF=1")
		program.Stdout, program.Stderr = tty, tty
		if test.piped {
			program.Stdout = &piped
		}
		err := program.Run()
		out := written()
		if test.piped {
			if out != "" {
				t.Errorf("%+v: the terminal shows %q", test, out)
			}
			out = piped.String()
		}
		if err != nil || !strings.Contains(out, "PASS") || strings.Contains(out, "\x1b[") != test.want {
			t.Errorf("%+v: %v %q", test, err, out)
		}
	}
}
