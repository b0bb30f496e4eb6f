// Command clusterkit-replay answers questions about a cluster from its logs.
package main

import "github.com/skshohagmiah/clusterkit/replay/cli"

func main() { cli.Program(nil) }
