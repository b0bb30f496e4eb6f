package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/replay/cli"
)

// demo plays a whole story with three real processes: a cluster comes up, is
// used, loses a node to SIGKILL, goes on, gets it back, and is audited.
type demo struct {
	out, errs io.Writer
	dir       string
	stay      bool
	verbose   bool

	began time.Time
	procs map[string]*process
}

type process struct {
	id, addr, dir string
	cmd           *exec.Cmd
}

const keys = 40

func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.began, d.procs = time.Now(), make(map[string]*process)
	if d.dir == "" {
		dir, err := os.MkdirTemp("", "kvstore-")
		if err != nil {
			return err
		}
		d.dir = dir
		if !d.stay {
			defer os.RemoveAll(dir)
		}
	}
	defer d.stopAll()
	play, end := context.WithTimeout(ctx, 55*time.Second)
	defer end()
	for _, scene := range []func(context.Context) error{d.start, d.use, d.crash, d.restart, d.audit} {
		if err := scene(play); err != nil {
			return err
		}
	}
	if !d.stay {
		d.say("done: everything above happened on this machine, for real")
		return nil
	}
	d.say("staying until interrupted; data in %s", d.dir)
	for _, id := range []string{"n1", "n2", "n3"} {
		d.say("  %s  http://%s/cluster", id, d.procs[id].addr)
	}
	<-ctx.Done()
	return nil
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "[%5.1fs] %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// start brings up three nodes; the second and third join through the first.
func (d *demo) start(ctx context.Context) error {
	d.say("starting three nodes")
	for _, id := range []string{"n1", "n2", "n3"} {
		join := ""
		if p := d.procs["n1"]; p != nil {
			join = p.addr
		}
		if err := d.launch(ctx, id, "127.0.0.1:0", join); err != nil {
			return err
		}
	}
	c, err := d.await(ctx, "n1", "three nodes own all partitions, two copies of each", func(c *clusterkit.Cluster) bool {
		return alive(c) == 3 && copies(c) == 2*partitions
	})
	if err != nil {
		return err
	}
	d.say("ready: coordinator %s; %s", c.Coordinator, shares(c))
	return nil
}

// use writes and reads keys through all nodes in turn.
func (d *demo) use(ctx context.Context) error {
	for i := range keys {
		id := fmt.Sprintf("n%d", i%3+1)
		if err := d.put(ctx, id, key(i), value(i)); err != nil {
			return err
		}
	}
	d.say("wrote %d keys through all three nodes", keys)
	return d.readAll(ctx, "n1", "n2", "n3")
}

// crash kills a node that owns partitions and is not the coordinator.
func (d *demo) crash(ctx context.Context) error {
	// The victim must own something for its loss to be a story.
	before, err := d.await(ctx, "n1", "n2 owns some partitions", func(c *clusterkit.Cluster) bool { return primaries(c, "n2") > 0 })
	if err != nil {
		return err
	}
	d.say("kill -9 n2, which owns %d partitions", primaries(before, "n2"))
	if err := d.procs["n2"].cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	d.procs["n2"].cmd.Wait()
	killed := time.Now()
	after, err := d.await(ctx, "n1", "n2 is failed and owns nothing", func(c *clusterkit.Cluster) bool {
		n, ok := c.Node("n2")
		return ok && n.Status == "failed" && primaries(c, "n2") == 0
	})
	if err != nil {
		return err
	}
	d.say("n2 is failed after %.1f s; its partitions were taken over: %s", time.Since(killed).Seconds(), shares(after))
	return d.readAll(ctx, "n1", "n3")
}

// restart brings the killed node back and waits for its share.
func (d *demo) restart(ctx context.Context) error {
	old, err := d.cluster(ctx, "n1")
	if err != nil {
		return err
	}
	was, _ := old.Node("n2")
	d.say("starting n2 again on the same directory")
	if err := d.launch(ctx, "n2", d.procs["n2"].addr, d.procs["n3"].addr); err != nil {
		return err
	}
	c, err := d.await(ctx, "n1", "n2 is alive again and owns its share", func(c *clusterkit.Cluster) bool {
		n, ok := c.Node("n2")
		return ok && n.Status == "alive" && n.Incarnation > was.Incarnation && primaries(c, "n2") >= partitions/3
	})
	if err != nil {
		return err
	}
	is, _ := c.Node("n2")
	d.say("n2 is alive, incarnation %d -> %d; %s", was.Incarnation, is.Incarnation, shares(c))
	return d.readAll(ctx, "n1", "n2", "n3")
}

// audit asks the logs what happened, as one would after an incident.
func (d *demo) audit(ctx context.Context) error {
	c, err := d.cluster(ctx, "n1")
	if err != nil {
		return err
	}
	moved := 0
	for _, p := range c.PartitionMap.Partitions {
		if p.Primary == "n2" {
			moved = p.ID
			break
		}
	}
	if _, err := d.await(ctx, "n2", "all three know the same", func(c2 *clusterkit.Cluster) bool {
		c1, err1 := d.cluster(ctx, "n1")
		c3, err3 := d.cluster(ctx, "n3")
		return err1 == nil && err3 == nil && c1.Digest == c2.Digest && c2.Digest == c3.Digest
	}); err != nil {
		return err
	}
	n1, n2, n3 := d.procs["n1"].dir, d.procs["n2"].dir, d.procs["n3"].dir
	for _, command := range [][]string{
		{"log", n1, "--partition", fmt.Sprint(moved)},
		{"log", n1, "--node", "n2", "--type", "Node*"},
		{"state", n1, "--at", "head"},
		{"verify", n1},
		{"converge", n1, n2, n3},
	} {
		fmt.Fprintf(d.out, "\n$ clusterkit-replay %s\n", strings.Join(command, " "))
		if code := cli.Main(ctx, command, nil, d.out, d.errs); code != 0 {
			return fmt.Errorf("clusterkit-replay %s: exit code %d", strings.Join(command, " "), code)
		}
	}
	fmt.Fprintln(d.out)
	return nil
}

// launch starts a process of this same program as one node and waits until it
// serves.
func (d *demo) launch(ctx context.Context, id, addr, join string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p := &process{id: id, dir: filepath.Join(d.dir, id)}
	args := []string{"-node", id, "-addr", addr, "-dir", p.dir, "-join", join}
	if d.verbose {
		args = append(args, "-v")
	}
	p.cmd = exec.Command(self, args...)
	p.cmd.Stderr = d.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	d.procs[id] = p
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("node %s did not start: %w", id, err)
	}
	p.addr = strings.TrimSpace(strings.TrimPrefix(line, "serving "))
	d.say("%s  pid %d  http://%s  %s", id, p.cmd.Process.Pid, p.addr, p.dir)
	return ctx.Err()
}

func (d *demo) stopAll() {
	for _, p := range d.procs {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range d.procs {
		timer := time.AfterFunc(5*time.Second, func() { p.cmd.Process.Kill() })
		p.cmd.Wait()
		timer.Stop()
	}
}

// await polls a node's view until it satisfies a condition.
func (d *demo) await(ctx context.Context, id, what string, ok func(*clusterkit.Cluster) bool) (*clusterkit.Cluster, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := d.cluster(ctx, id)
		if err == nil && ok(c) {
			return c, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting until %s: %w (last: %v, %s)", what, ctx.Err(), err, shares(c))
		}
	}
}

func (d *demo) cluster(ctx context.Context, id string) (*clusterkit.Cluster, error) {
	body, err := d.request(ctx, "GET", id, "/cluster", nil)
	if err != nil {
		return nil, err
	}
	c := new(clusterkit.Cluster)
	return c, json.Unmarshal(body, c)
}

func (d *demo) put(ctx context.Context, id, key, value string) error {
	_, err := d.request(ctx, "PUT", id, "/kv/"+key, []byte(value))
	return err
}

// readAll reads every key through each of the nodes.
func (d *demo) readAll(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		for i := range keys {
			got, err := d.request(ctx, "GET", id, "/kv/"+key(i), nil)
			if err != nil {
				return err
			}
			if string(got) != value(i) {
				return fmt.Errorf("%s says %q for %s, want %q", id, got, key(i), value(i))
			}
		}
	}
	d.say("read all %d keys through each of %s: every value is right", keys, strings.Join(ids, ", "))
	return nil
}

func (d *demo) request(ctx context.Context, method, id, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.procs[id].addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s at %s: %s: %s", method, path, id, resp.Status, bytes.TrimSpace(got))
	}
	return got, err
}

func key(i int) string   { return fmt.Sprintf("key-%02d", i) }
func value(i int) string { return fmt.Sprintf("value of key %d", i) }

func alive(c *clusterkit.Cluster) int {
	n := 0
	for _, m := range c.Nodes {
		if m.Status == "alive" {
			n++
		}
	}
	return n
}

func copies(c *clusterkit.Cluster) int {
	n := 0
	for _, p := range c.PartitionMap.Partitions {
		if p.Primary != "" {
			n += 1 + len(p.Replicas)
		}
	}
	return n
}

func primaries(c *clusterkit.Cluster, id string) int {
	n := 0
	for _, p := range c.PartitionMap.Partitions {
		if p.Primary == id {
			n++
		}
	}
	return n
}

// shares says how many partitions each node owns and holds.
func shares(c *clusterkit.Cluster) string {
	if c == nil {
		return "no view"
	}
	var parts []string
	for _, m := range c.Nodes {
		held := 0
		for _, p := range c.PartitionMap.Partitions {
			if p.HeldBy(m.ID) {
				held++
			}
		}
		parts = append(parts, fmt.Sprintf("%s (%s) owns %d, holds %d", m.ID, m.Status, primaries(c, m.ID), held))
	}
	return strings.Join(parts, "; ")
}
