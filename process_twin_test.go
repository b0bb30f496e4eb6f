//go:build unix

package clusterkit_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/skshohagmiah/clusterkit"
)

// signal sends a signal to a process.
func (p *proc) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// at reports whether a node is alive at an address.
func at(node, addr string) func(*clusterkit.Cluster) bool {
	return func(c *clusterkit.Cluster) bool {
		n, ok := c.Node(node)
		return ok && n.Addr == addr && n.Status == "alive"
	}
}

// TestStoppedTwinAtJoin: a node is stopped, not dead, and still looks alive when
// another process of its name asks to be let in, with an empty directory. The
// kernel takes connections to it, and nobody answers. That holds up neither the
// other process nor a new node that joins at the same time. When the first goes
// on, the one that started later stops, and no other.
func TestStoppedTwinAtJoin(t *testing.T) {
	all := launchThree(t)
	first := all[2]
	first.awaitSpoken(t)
	dir := t.TempDir()
	first.signal(t, syscall.SIGSTOP)
	known := []string{all[0].Addr, all[1].Addr}
	twin := launch(t, nodeSpec{ID: "n2", Addr: "127.0.0.1:0", Dir: filepath.Join(dir, "twin"), Known: known})
	fourth := launch(t, nodeSpec{ID: "n3", Addr: "127.0.0.1:0", Dir: filepath.Join(dir, "3"), Known: known})
	for _, p := range []*proc{twin, fourth} {
		p.awaitSpoken(t)
	}
	for _, p := range all[:2] {
		p.awaitView(t, "the twin is n2", at("n2", twin.Addr))
		p.awaitView(t, "a fourth node", at("n3", fourth.Addr))
	}
	id := twin.set(t, "meanwhile")
	fourth.awaitSame(t, twin, all[0], all[1])
	first.signal(t, syscall.SIGCONT)
	twin.awaitReason(t, clusterkit.ErrDuplicateNodeID.Error())
	for _, p := range []*proc{all[0], all[1], fourth, first} {
		p.awaitView(t, "the first process is n2", at("n2", first.Addr))
	}
	first.awaitSame(t, all[0], all[1], fourth)
	checkStopped(t, twin)
	requireEvents(t, []string{id}, first, all[0], all[1], fourth)
	for _, p := range []*proc{all[0], all[1], fourth, first} {
		if answer := p.ask(t, "err"); answer != "<nil>" {
			t.Errorf("node %s says %q", p.ID, answer)
		}
	}
}

// TestTwinStoppedWhileJoining: the second process of a name is stopped while it is
// being refused, and goes on when the first is dead and the cluster has moved on:
// it learns all that before it speaks, and is the node.
func TestTwinStoppedWhileJoining(t *testing.T) {
	all := launchThree(t)
	dir, first := all[2].backup(t)
	first.awaitSame(t, all[0], all[1])
	twin := launch(t, nodeSpec{ID: "n2", Addr: "127.0.0.1:0", Dir: dir, Known: []string{all[0].Addr}})
	twin.awaitReason(t, "in use")
	twin.signal(t, syscall.SIGSTOP)
	var ids []string
	for i := range 5 {
		ids = append(ids, first.set(t, fmt.Sprint("before", i)))
	}
	first.awaitSame(t, all[0], all[1])
	first.kill()
	twin.signal(t, syscall.SIGCONT)
	twin.awaitSpoken(t)
	for _, p := range all[:2] {
		c := p.awaitView(t, "the twin is n2", at("n2", twin.Addr))
		if c.Digest.Forked != 0 {
			t.Errorf("node %s knows %d forks, none had to be", p.ID, c.Digest.Forked)
		}
	}
	ids = append(ids, twin.set(t, "after"))
	twin.awaitSame(t, all[0], all[1])
	requireEvents(t, ids, twin, all[0], all[1])
}
