//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// TestMain lets the demonstration start this test binary as its nodes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-node" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestStaleOwnerIsRefused stops an owner with SIGSTOP in the middle of a write,
// lets another node take over and write, and lets the first go on. It does not
// know that it was replaced; its copies do, by the fencing token, and refuse.
func TestStaleOwnerIsRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var said bytes.Buffer
	d := &demo{out: &said, errs: os.Stderr, dir: t.TempDir(), began: time.Now(), procs: make(map[string]*process)}
	defer d.stopAll()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
	}
	must(d.start(ctx))
	c, err := d.await(ctx, "n2", "n2 owns its share", func(c *clusterkit.Cluster) bool { return primaries(c, "n2") >= partitions/3 })
	must(err)
	key := ""
	for i := 0; key == ""; i++ {
		if k := fmt.Sprintf("k%d", i); c.Partition(clusterkit.PartitionOf(k, partitions)).Primary == "n2" {
			key = k
		}
	}
	write := func(id, value string) {
		t.Helper()
		for err := d.put(ctx, id, key, value); err != nil; err = d.put(ctx, id, key, value) {
			select {
			case <-ctx.Done():
				must(err)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	write("n2", "before")

	conn, err := net.Dial("tcp", d.procs["n2"].addr)
	must(err)
	defer conn.Close()
	must(conn.SetDeadline(time.Now().Add(time.Minute)))
	const body = "too late"
	fmt.Fprintf(conn, "PUT /kv/%s HTTP/1.1\r\nHost: n2\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", key, len(body))
	answers := bufio.NewReader(conn)
	line, err := answers.ReadString('\n')
	must(err)
	if !strings.Contains(line, "100") { // the owner waits for the body, and knows under which token it writes
		t.Fatalf("the owner answers %q", line)
	}
	_, err = answers.ReadString('\n')
	must(err)

	n2 := d.procs["n2"].cmd.Process
	must(n2.Signal(syscall.SIGSTOP))
	resume := func() { n2.Signal(syscall.SIGCONT) }
	defer resume() // or it could not be stopped at the end
	_, err = d.await(ctx, "n1", "another node owns the key", func(c *clusterkit.Cluster) bool {
		p := c.Partition(clusterkit.PartitionOf(key, partitions))
		return p.Primary != "" && p.Primary != "n2"
	})
	must(err)
	_, err = d.await(ctx, "n3", "n3 has heard of it", func(c *clusterkit.Cluster) bool { return primaries(c, "n2") == 0 })
	must(err)
	write("n1", "after")

	resume()
	fmt.Fprint(conn, body)
	resp, err := http.ReadResponse(answers, nil)
	must(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusConflict {
		t.Errorf("the stale owner's write is answered %s, want 409", resp.Status)
	}
	for _, id := range []string{"n1", "n3"} {
		got, err := d.request(ctx, "GET", id, "/kv/"+key, nil)
		must(err)
		if string(got) != "after" {
			t.Errorf("%s says %q", id, got)
		}
	}
}
