package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"

	"github.com/skshohagmiah/clusterkit/replay"
)

// Program is the whole program clusterkit-replay: it runs the command that the
// arguments of this process name, and ends the process. An application ships
// it with its own event types decoded:
//
//	func main() {
//		cli.Program(replay.Registry{
//			"app/order-shipped": func(body []byte) (any, error) { ... },
//		})
//	}
//
// It is here and not in package replay because the library itself imports that,
// and whoever embeds the library should not have to link a command line.
func Program(r replay.Registry) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(60) // most of what is held goes at once, and memory is for others
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := Run(ctx, r, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// version is that of this module as it was built into the program, be that
// clusterkit-replay or an application's own.
func version() string {
	const module = "github.com/skshohagmiah/clusterkit"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && m.Version != "" {
				return m.Version
			}
		}
	}
	return "(devel)"
}

// Main runs one command and returns its exit code. args are the words after
// the program's name. stdin may be nil when nothing is to be read from it.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return Run(ctx, nil, args, stdin, stdout, stderr)
}
