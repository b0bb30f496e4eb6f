package clusterkit_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// run is the README's first piece of code, as it stands there.
func run(ctx context.Context) error {
	ck, err := clusterkit.NewClusterKit(clusterkit.Options{
		NodeID:     "unique-node-id",
		HTTPAddr:   ":8080",
		KnownNodes: []string{"other-node:8080"}, // empty for the first node
		DataDir:    "./cluster-data",
		Config:     &clusterkit.Config{ClusterName: "my-app", PartitionCount: 16, ReplicationFactor: 3},
	})
	if err != nil {
		return err
	}
	if err := ck.Start(); err != nil {
		return err
	}
	defer ck.Stop()

	if err := ck.Ready(ctx); err != nil { // joined, and every partition has an owner
		return err
	}
	owner, ok := ck.Primary("some key")
	slog.Info("owner", "node", owner.ID, "known", ok)
	return nil
}

var _ = run // compiled; Example runs the same with addresses of this machine

// TestREADMEIsTheExample holds the README's code to what is compiled here.
func TestREADMEIsTheExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```go\n")
	if !ok {
		t.Fatal("the README has no Go code")
	}
	block, _, _ := strings.Cut(rest, "```")
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "func run(ctx context.Context) error {\n")
	body = strings.ReplaceAll(strings.TrimPrefix(body, "\t"), "\n\t", "\n")
	if !strings.HasPrefix(body, strings.TrimSpace(block)) {
		t.Errorf("the README's code is not the one that is compiled here:\n%s", block)
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ck, err := clusterkit.NewClusterKit(clusterkit.Options{
		NodeID:   "n1",
		HTTPAddr: "127.0.0.1:0",
		DataDir:  dir,
		Config:   &clusterkit.Config{ClusterName: "my-app", PartitionCount: 16, ReplicationFactor: 3},
	})
	if err != nil {
		panic(err)
	}
	if err := ck.Start(); err != nil {
		panic(err)
	}
	defer ck.Stop()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := ck.Ready(ctx); err != nil {
		panic(err)
	}
	owner, ok := ck.Primary("some key")
	fmt.Println(owner.ID, ok)
	// Output: n1 true
}

// TestTablesAreWhole: a row of a table in the READMEs that has more or fewer
// cells than the head of its table is one of another.
func TestTablesAreWhole(t *testing.T) {
	for _, file := range []string{"README.md", "bench/README.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cells, rows, n := 0, 0, 0
		for line := range strings.Lines(string(text)) {
			n++
			if !strings.HasPrefix(line, "|") {
				cells = 0
				continue
			}
			got := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			if rows++; cells == 0 {
				cells = got
			} else if got != cells {
				t.Errorf("%s:%d: %d cells in a table of %d", file, n, got-1, cells-1)
			}
		}
		if rows == 0 {
			t.Errorf("%s has no table", file)
		}
	}
}
