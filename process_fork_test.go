//go:build unix

package clusterkit_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/skshohagmiah/clusterkit"
)

// copyDir copies a data directory, as a backup or a careless operator does.
func copyDir(t *testing.T, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// backup kills a process, copies its directory and starts it again.
func (p *proc) backup(t *testing.T) (dir string, again *proc) {
	t.Helper()
	p.kill()
	dir = copyDir(t, p.Dir)
	again = launch(t, nodeSpec{ID: p.ID, Addr: p.Addr, Dir: p.Dir})
	again.awaitSpoken(t)
	return dir, again
}

// set writes a value and returns the event.
func (p *proc) set(t *testing.T, key string) (id string) {
	t.Helper()
	id, ok := strings.CutPrefix(p.ask(t, "set "+key+" by "+p.ID), "ok ")
	if !ok {
		t.Fatal(id)
	}
	return id
}

// requireEvents fails unless the processes hold all of these events.
func requireEvents(t *testing.T, ids []string, all ...*proc) {
	t.Helper()
	for _, p := range all {
		have := eventIDs(t, p)
		for _, id := range ids {
			if !have[id] {
				t.Errorf("node %s has lost the acknowledged event %s", p.ID, id)
			}
		}
	}
}

func logOf(c *clusterkit.Cluster, node string) string {
	n, _ := c.Node(node)
	return n.Log.String()
}

// TestOldBackup restores a directory from before the last acknowledged events:
// the others give them back before the node speaks, and it goes on in its log.
func TestOldBackup(t *testing.T) {
	all := launchThree(t)
	dir, n2 := all[2].backup(t)
	var lost []string
	for i := range 5 {
		lost = append(lost, n2.set(t, fmt.Sprint("lost", i)))
	}
	n2.awaitSame(t, all[0], all[1])
	before, err := n2.view()
	if err != nil {
		t.Fatal(err)
	}
	n2.kill()
	restored := launch(t, nodeSpec{ID: "n2", Addr: n2.Addr, Dir: dir})
	was, _ := before.Node("n2")
	after := restored.awaitView(t, "a new incarnation", func(c *clusterkit.Cluster) bool {
		n, ok := c.Node("n2")
		return ok && n.Status == "alive" && n.Incarnation > was.Incarnation
	})
	requireEvents(t, lost, restored)
	if logOf(after, "n2") != logOf(before, "n2") || after.Digest.Forked != 0 {
		t.Errorf("it goes on in log %s with %d forks, was in %s", logOf(after, "n2"), after.Digest.Forked, logOf(before, "n2"))
	}
	lost = append(lost, restored.set(t, "after"))
	restored.awaitSame(t, all[0], all[1])
	requireEvents(t, lost, all[0], all[1], restored)
}

// TestOldBackupAlone restores a directory while nobody answers. The node speaks
// after LearnTimeout, in a new log, and when the others come back nothing that
// anybody acknowledged is missing.
func TestOldBackupAlone(t *testing.T) {
	all := launchThree(t)
	dir, n2 := all[2].backup(t)
	ids := []string{n2.set(t, "lost")}
	n2.awaitSame(t, all[0], all[1])
	for _, p := range []*proc{n2, all[0], all[1]} {
		p.kill()
	}
	restored := launch(t, nodeSpec{ID: "n2", Addr: n2.Addr, Dir: dir})
	restored.awaitSpoken(t)
	ids = append(ids, restored.set(t, "alone"))
	a := launch(t, nodeSpec{ID: "n0", Addr: all[0].Addr, Dir: all[0].Dir})
	b := launch(t, nodeSpec{ID: "n1", Addr: all[1].Addr, Dir: all[1].Dir})
	for _, p := range []*proc{a, b, restored} {
		c := p.awaitView(t, "everybody back", full(3, 16, 2))
		if c.Digest.Forked != 0 {
			t.Errorf("node %s knows %d forks, none had to be", p.ID, c.Digest.Forked)
		}
	}
	restored.awaitSame(t, a, b)
	requireEvents(t, ids, a, b, restored)
}

// awaitSpoken waits until commands are taken.
func (p *proc) awaitSpoken(t *testing.T) {
	t.Helper()
	p.awaitView(t, "speaks", func(*clusterkit.Cluster) bool { return strings.HasPrefix(p.ask(t, "set probe x"), "ok") })
}

// get returns the status and the body of an answer.
func (p *proc) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + p.Addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestClonedDirectory runs two processes of one node from copies of one
// directory. The second is refused while the first answers. While the first is
// paused it is let in; when the first goes on, the second stops and says why.
func TestClonedDirectory(t *testing.T) {
	all := launchThree(t)
	dir, first := all[2].backup(t)
	first.awaitSame(t, all[0], all[1])
	clone := launch(t, nodeSpec{ID: "n2", Addr: "127.0.0.1:0", Dir: dir, Known: []string{all[0].Addr}})
	clone.awaitReason(t, "in use")
	if answer := clone.ask(t, "set refused x"); answer != "error "+clusterkit.ErrNotJoined.Error() {
		t.Errorf("a refused clone answers a command with %q", answer)
	}

	if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	clone.awaitSpoken(t)
	ids := []string{clone.set(t, "clone")}
	clone.awaitSame(t, all[0], all[1])
	if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	clone.awaitReason(t, clusterkit.ErrDuplicateNodeID.Error())
	for _, p := range []*proc{all[0], all[1], first} {
		p.awaitView(t, "the first process is n2", func(c *clusterkit.Cluster) bool {
			n, ok := c.Node("n2")
			return ok && n.Addr == first.Addr && n.Status == "alive"
		})
	}
	ids = append(ids, first.set(t, "first"))
	first.awaitSame(t, all[0], all[1])
	requireValue(t, "clone", first)
	requireEvents(t, ids[1:], first, all[0], all[1])
	checkStopped(t, clone)
	if answer := first.ask(t, "err"); answer != "<nil>" {
		t.Errorf("the first process says %q", answer)
	}
}

// awaitReason waits until /ready gives a reason.
func (p *proc) awaitReason(t *testing.T, reason string) {
	t.Helper()
	p.awaitView(t, "not ready: "+reason, func(*clusterkit.Cluster) bool {
		code, body := p.get(t, "/ready")
		return code == http.StatusServiceUnavailable && strings.Contains(body, reason)
	})
}

// checkStopped holds a duplicate to what it must do: refuse commands, say why,
// and answer queries.
func checkStopped(t *testing.T, p *proc) {
	t.Helper()
	want := clusterkit.ErrDuplicateNodeID.Error()
	if answer := p.ask(t, "err"); answer != want {
		t.Errorf("Err: %q, want %q", answer, want)
	}
	if answer := p.ask(t, "set too late"); answer != "error "+want {
		t.Errorf("a command answers %q, want the error %q", answer, want)
	}
	if code, body := p.get(t, "/health"); code != http.StatusServiceUnavailable || !strings.Contains(body, want) {
		t.Errorf("health: %d %s", code, body)
	}
	if _, err := p.view(); err != nil {
		t.Errorf("queries do not go on: %v", err)
	}
}

// requireValue fails unless a process knows a value.
func requireValue(t *testing.T, key string, p *proc) {
	t.Helper()
	if answer := p.ask(t, "get "+key); !strings.HasPrefix(answer, "ok ") {
		t.Errorf("node %s: value %q: %s", p.ID, key, answer)
	}
}
