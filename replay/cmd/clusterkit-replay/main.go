// Command clusterkit-replay answers questions about a cluster from its logs.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/skshohagmiah/clusterkit/replay/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
