// Command kvstore is a small application that embeds ClusterKit: a
// partitioned, replicated key-value store over HTTP.
//
// Every node serves the store and the cluster on one port. A request may go to
// any node, which passes it on to the owner of the key's partition; the owner
// writes to all live copies before it answers. Data is held in memory: a node
// that comes to hold a partition fetches it from one that has it.
//
//	go run ./examples/kvstore            three processes, a crash, a recovery, the audit; then exits
//	go run ./examples/kvstore -stay      the same, and goes on running until interrupted
//	go run ./examples/kvstore -node n1 -addr 127.0.0.1:7001 -dir ./n1
//	go run ./examples/kvstore -node n2 -addr 127.0.0.1:7002 -dir ./n2 -join 127.0.0.1:7001
//
//	curl -X PUT --data-binary hello http://127.0.0.1:7001/kv/greeting
//	curl http://127.0.0.1:7002/kv/greeting
//	curl http://127.0.0.1:7001/cluster
//
// What it does not promise: a write is acknowledged when the owner and all
// copies that are alive by its view have it; during a network split both sides
// may have an owner, and the one with the older epoch loses its writes when the
// split heals. An owner that was paused and replaced is refused by the copies
// that know of its successor: they compare fencing tokens (Partition.Token).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "kvstore:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("kvstore", flag.ContinueOnError)
	flags.SetOutput(stderr)
	node := flags.String("node", "", "run one node with this `id` instead of the demonstration")
	addr := flags.String("addr", "127.0.0.1:0", "with -node: `host:port` to serve on")
	join := flags.String("join", "", "with -node: comma-separated `host:port` of nodes already there")
	dir := flags.String("dir", "", "with -node: data `directory`; else where the demonstration keeps its data (default: a temporary one)")
	stay := flags.Bool("stay", false, "keep the three nodes running at the end, until interrupted")
	verbose := flags.Bool("v", false, "log what the nodes do")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *node == "" {
		d := &demo{out: stdout, errs: stderr, dir: *dir, stay: *stay, verbose: *verbose}
		return d.run(ctx)
	}
	if *dir == "" {
		return errors.New("-node needs -dir, the directory of its data")
	}
	var known []string
	if *join != "" {
		known = strings.Split(*join, ",")
	}
	return runNode(ctx, nodeOptions{id: *node, addr: *addr, known: known, dir: *dir, verbose: *verbose}, stdout, stderr)
}
