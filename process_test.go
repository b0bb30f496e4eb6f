//go:build unix

package clusterkit_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// nodeEnv makes this test binary run one node instead of the tests. Its value
// is a nodeSpec in JSON.
const nodeEnv = "CLUSTERKIT_TEST_NODE"

type nodeSpec struct {
	ID, Addr, Dir string
	Known         []string
}

func TestMain(m *testing.M) {
	if spec := os.Getenv(nodeEnv); spec != "" {
		if err := nodeMain(spec, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "node:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// nodeMain runs a node and obeys lines on its standard input: "set KEY VALUE",
// "get KEY", "limit BYTES" (no file may grow beyond that), "err", "stop". It answers each with
// one line.
func nodeMain(text string, in io.Reader, out io.Writer) error {
	var spec nodeSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	ck, err := clusterkit.NewClusterKit(clusterkit.Options{
		NodeID: spec.ID, HTTPAddr: spec.Addr, DataDir: spec.Dir, KnownNodes: spec.Known,
		Config:        &clusterkit.Config{ClusterName: "test", PartitionCount: 16, ReplicationFactor: 2},
		ProbeInterval: 200 * time.Millisecond, SyncInterval: time.Second,
		StableFor: 500 * time.Millisecond, RebalanceDelay: 2 * time.Second, LearnTimeout: 2 * time.Second,
	})
	if err != nil {
		return err
	}
	if err := ck.Start(); err != nil {
		return err
	}
	fmt.Fprintln(out, ck.Addr())
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "set":
			key, value, _ := strings.Cut(rest, " ")
			e, err := ck.Set(context.Background(), key, []byte(value))
			if err != nil {
				fmt.Fprintln(out, "error", err)
				continue
			}
			fmt.Fprintln(out, "ok", e.ID())
		case "limit":
			fmt.Fprintln(out, limitFiles(rest))
		case "get":
			v, ok := ck.Value(rest)
			if !ok {
				fmt.Fprintln(out, "none")
				continue
			}
			fmt.Fprintln(out, "ok", string(v.Bytes))
		case "err":
			fmt.Fprintln(out, ck.Err())
		case "stop":
			return ck.Stop()
		}
	}
	return lines.Err()
}

// limitFiles makes every write beyond the given file size fail, as on a full
// disk.
func limitFiles(text string) string {
	var bytes uint64
	fmt.Sscan(text, &bytes)
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
		return "error " + err.Error()
	}
	return "ok"
}

// proc is a node in a process of its own.
type proc struct {
	nodeSpec
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func launch(t *testing.T, spec nodeSpec) *proc {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	p := &proc{nodeSpec: spec, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), nodeEnv+"="+string(text))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.Addr = p.line(t)
	return p
}

func (p *proc) line(t *testing.T) string {
	t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("node %s: %v", p.ID, err)
	}
	return strings.TrimSpace(s)
}

func (p *proc) ask(t *testing.T, line string) string {
	t.Helper()
	fmt.Fprintln(p.in, line)
	return p.line(t)
}

// kill is kill -9.
func (p *proc) kill() {
	p.cmd.Process.Signal(syscall.SIGKILL)
	p.cmd.Wait()
}

func (p *proc) view() (*clusterkit.Cluster, error) {
	resp, err := http.Get("http://" + p.Addr + "/cluster")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	c := new(clusterkit.Cluster)
	return c, json.NewDecoder(resp.Body).Decode(c)
}

// awaitView polls a process until its view satisfies ok.
func (p *proc) awaitView(t *testing.T, what string, ok func(*clusterkit.Cluster) bool) *clusterkit.Cluster {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		c, err := p.view()
		if err == nil && ok(c) {
			return c
		}
		select {
		case <-tick.C:
		case <-deadline:
			if err != nil {
				t.Fatalf("%s: node %s: %v", what, p.ID, err)
			}
			t.Fatalf("%s: node %s says %s", what, p.ID, describe(c))
		}
	}
}

func (p *proc) awaitSame(t *testing.T, others ...*proc) {
	t.Helper()
	p.awaitView(t, "agreement", func(c *clusterkit.Cluster) bool {
		for _, o := range others {
			if v, err := o.view(); err != nil || v.Digest != c.Digest {
				return false
			}
		}
		return true
	})
}

func launchThree(t *testing.T) []*proc {
	dir := t.TempDir()
	var all []*proc
	for i := range 3 {
		spec := nodeSpec{ID: fmt.Sprintf("n%d", i), Addr: "127.0.0.1:0", Dir: filepath.Join(dir, fmt.Sprint(i))}
		if i > 0 {
			spec.Known = []string{all[0].Addr}
		}
		all = append(all, launch(t, spec))
	}
	for _, p := range all {
		p.awaitView(t, "three processes", full(3, 16, 2))
	}
	return all
}

func held(c *clusterkit.Cluster, node string) (primary, any int) {
	for _, p := range c.PartitionMap.Partitions {
		if p.Primary == node {
			primary++
		}
		if p.HeldBy(node) {
			any++
		}
	}
	return primary, any
}

func status(c *clusterkit.Cluster, node string) string {
	n, ok := c.Node(node)
	if !ok {
		return "absent"
	}
	return string(n.Status)
}

// TestKilledProcess kills a node, sees its partitions move, and brings it back.
func TestKilledProcess(t *testing.T) {
	all := launchThree(t)
	all[0].awaitView(t, "balance", func(c *clusterkit.Cluster) bool { p, _ := held(c, "n2"); return p >= 5 })
	all[2].kill()
	for _, p := range all[:2] {
		p.awaitView(t, "failed, and its partitions moved", func(c *clusterkit.Cluster) bool {
			primary, _ := held(c, "n2")
			return status(c, "n2") == "failed" && primary == 0 && owned(c) == 16
		})
		p.awaitView(t, "its copies replaced", func(c *clusterkit.Cluster) bool { _, any := held(c, "n2"); return any == 0 && copies(c) == 32 })
	}
	before, _ := all[0].view()
	was, _ := before.Node("n2")
	back := launch(t, nodeSpec{ID: "n2", Addr: all[2].Addr, Dir: all[2].Dir})
	back.awaitView(t, "alive with its share", func(c *clusterkit.Cluster) bool {
		primary, any := held(c, "n2")
		n, ok := c.Node("n2")
		return ok && n.Status == "alive" && n.Incarnation > was.Incarnation && primary >= 5 && any >= 10
	})
	back.awaitSame(t, all[0], all[1])
}

// TestKillEverybody kills a whole cluster at once and starts it without seeds.
// Nothing that was acknowledged is lost.
func TestKillEverybody(t *testing.T) {
	all := launchThree(t)
	acknowledged := make(map[string]bool)
	for i := range 30 {
		answer := all[i%3].ask(t, fmt.Sprintf("set key%d value%d", i, i))
		id, ok := strings.CutPrefix(answer, "ok ")
		if !ok {
			t.Fatal(answer)
		}
		acknowledged[id] = true
	}
	for _, p := range all {
		p.kill()
	}
	var again []*proc
	for _, p := range all {
		again = append(again, launch(t, nodeSpec{ID: p.ID, Addr: p.Addr, Dir: p.Dir}))
	}
	for _, p := range again {
		p.awaitView(t, "back", full(3, 16, 2))
	}
	again[0].awaitSame(t, again[1], again[2])
	for _, p := range again {
		have := eventIDs(t, p)
		for id := range acknowledged {
			if !have[id] {
				t.Errorf("node %s lost the acknowledged event %s", p.ID, id)
			}
		}
	}
}

// eventIDs returns the IDs of all events that a process holds.
func eventIDs(t *testing.T, p *proc) map[string]bool {
	t.Helper()
	resp, err := http.Get("http://" + p.Addr + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ids := make(map[string]bool)
	for d := json.NewDecoder(resp.Body); ; {
		var e struct{ ID string }
		if err := d.Decode(&e); err == io.EOF {
			return ids
		} else if err != nil {
			t.Fatal(err)
		}
		ids[e.ID] = true
	}
}

// TestKilledWhileWriting kills a node in the middle of a stream of commands:
// what was acknowledged is there after the restart.
func TestKilledWhileWriting(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, nodeSpec{ID: "n0", Addr: "127.0.0.1:0", Dir: dir})
	p.awaitView(t, "ready", full(1, 16, 2))
	for round := range 3 {
		answers := make(chan string, 1000)
		go func() { // ends when the process is dead
			defer close(answers)
			for {
				s, err := p.out.ReadString('\n')
				if err != nil {
					return
				}
				answers <- strings.TrimSpace(s)
			}
		}()
		go func(in io.Writer) { // ends when the process is dead
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(in, "set k%d-%d v\n", round, i); err != nil {
					return
				}
			}
		}(p.in)
		var acknowledged []string
		for a := range answers {
			if id, ok := strings.CutPrefix(a, "ok "); ok {
				acknowledged = append(acknowledged, id)
			}
			if len(acknowledged) == 50 {
				p.kill()
			}
		}
		p = launch(t, nodeSpec{ID: "n0", Addr: "127.0.0.1:0", Dir: dir})
		p.awaitView(t, "back", full(1, 16, 2))
		have := eventIDs(t, p)
		for _, id := range acknowledged {
			if !have[id] {
				t.Fatalf("round %d: lost the acknowledged event %s", round, id)
			}
		}
	}
}

// TestFullDisk lets writes fail as on a full disk: commands fail, queries go
// on, the process stays up, and a restart recovers what was acknowledged.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, nodeSpec{ID: "n0", Addr: "127.0.0.1:0", Dir: dir})
	p.awaitView(t, "ready", full(1, 16, 2))
	first, ok := strings.CutPrefix(p.ask(t, "set before it was full"), "ok ")
	if !ok {
		t.Fatal("a command fails on a healthy disk")
	}
	if answer := p.ask(t, "limit 1"); answer != "ok" {
		t.Fatal(answer)
	}
	failed := ""
	for i := 0; i < 10 && !strings.HasPrefix(failed, "error"); i++ {
		failed = p.ask(t, "set too late")
	}
	if want := "error " + clusterkit.ErrFailed.Error(); failed != want {
		t.Fatalf("a command on a full disk answers %q, want %q", failed, want)
	}
	if c, err := p.view(); err != nil || owned(c) != 16 {
		t.Errorf("queries do not go on: %v", err)
	}
	resp, err := http.Get("http://" + p.Addr + "/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("health answers %d, want 503", resp.StatusCode)
	}
	p.kill()
	p = launch(t, nodeSpec{ID: "n0", Addr: "127.0.0.1:0", Dir: dir})
	p.awaitView(t, "back", full(1, 16, 2)) // which is so as soon as the log is read
	p.awaitSpoken(t)
	if !eventIDs(t, p)[first] {
		t.Errorf("lost the acknowledged event %s", first)
	}
	if answer := p.ask(t, "set after it"); !strings.HasPrefix(answer, "ok") {
		t.Errorf("a command after the recovery answers %q", answer)
	}
}
