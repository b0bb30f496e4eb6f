package clusterkit_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// options returns those of node i of a test cluster on loopback.
func options(t testing.TB, i int) clusterkit.Options {
	return clusterkit.Options{
		NodeID: fmt.Sprintf("n%d", i), HTTPAddr: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "data"),
		Config: &clusterkit.Config{ClusterName: "test", PartitionCount: 16, ReplicationFactor: 3},
	}
}

// start makes a node, starts it, and stops it at the end of the test.
func start(t testing.TB, o clusterkit.Options) *clusterkit.ClusterKit {
	t.Helper()
	ck, err := clusterkit.NewClusterKit(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ck.Stop(); err != nil {
			t.Errorf("stop %s: %v", ck.NodeID(), err)
		}
	})
	if err := ck.Start(); err != nil {
		t.Fatal(err)
	}
	return ck
}

// startAll starts n nodes that join through the first.
func startAll(t testing.TB, n int, change func(i int, o *clusterkit.Options)) []*clusterkit.ClusterKit {
	t.Helper()
	var all []*clusterkit.ClusterKit
	for i := range n {
		o := options(t, i)
		if i > 0 {
			o.KnownNodes = []string{all[0].Addr()}
		}
		if change != nil {
			change(i, &o)
		}
		all = append(all, start(t, o))
	}
	return all
}

// within is how long a test waits for what must come.
const within = 20 * time.Second

// await waits until every node's view satisfies ok.
func await(t testing.TB, what string, nodes []*clusterkit.ClusterKit, ok func(c *clusterkit.Cluster) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for _, ck := range nodes {
		if !watchUntil(ctx, ck, ok) {
			t.Fatalf("%s: %s did not come to that; its view: %s", what, ck.NodeID(), describe(ck.Cluster()))
		}
	}
}

func watchUntil(ctx context.Context, ck *clusterkit.ClusterKit, ok func(c *clusterkit.Cluster) bool) bool {
	for c := range ck.Watch(ctx) {
		if ok(c) {
			return true
		}
	}
	return ok(ck.Cluster())
}

// awaitAgreement waits until all nodes know the same and satisfy ok.
func awaitAgreement(t testing.TB, what string, nodes []*clusterkit.ClusterKit, ok func(c *clusterkit.Cluster) bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		await(t, what, nodes, ok)
		first := nodes[0].Cluster()
		if !slices.ContainsFunc(nodes, func(ck *clusterkit.ClusterKit) bool { return ck.Cluster().Digest != first.Digest }) && ok(first) {
			return
		}
		if time.Now().After(deadline) {
			for _, ck := range nodes {
				t.Logf("%s: %s digest %s", ck.NodeID(), describe(ck.Cluster()), ck.Cluster().Digest)
			}
			t.Fatalf("%s: the nodes do not agree", what)
		}
	}
}

func describe(c *clusterkit.Cluster) string {
	s := fmt.Sprintf("coordinator %q, %d partitions owned, %d copies, nodes", c.Coordinator, owned(c), copies(c))
	for _, n := range c.Nodes {
		s += fmt.Sprintf(" %s:%s/%d", n.ID, n.Status, n.Incarnation)
	}
	return s
}

func owned(c *clusterkit.Cluster) int {
	n := 0
	for _, p := range c.PartitionMap.Partitions {
		if p.Primary != "" {
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

func alive(c *clusterkit.Cluster) int {
	n := 0
	for _, m := range c.Nodes {
		if m.Status == "alive" {
			n++
		}
	}
	return n
}

// full reports whether n nodes are alive and own everything in as many copies
// as there can be.
func full(n, partitions, replication int) func(*clusterkit.Cluster) bool {
	return func(c *clusterkit.Cluster) bool {
		return alive(c) == n && owned(c) == partitions && copies(c) == partitions*min(n, replication)
	}
}

func TestOneNode(t *testing.T) {
	ck := start(t, options(t, 1))
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := ck.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	p := ck.Partition("a key")
	if p.Primary != "n1" || !ck.IsPrimary("a key") || ck.IsReplica("a key") {
		t.Errorf("a node alone owns everything: %+v", p)
	}
	if n, ok := ck.Primary("a key"); !ok || n.ID != "n1" || n.Addr != ck.Addr() {
		t.Errorf("Primary = %+v, %v", n, ok)
	}
	if got := len(ck.PartitionsOf("n1")); got != 16 {
		t.Errorf("PartitionsOf = %d partitions, want 16", got)
	}
	if c := ck.Cluster(); c.Coordinator != "n1" || c.Config.PartitionCount != 16 || c.Name != "test" {
		t.Errorf("cluster: %s, config %+v", describe(c), c.Config)
	}
}

func TestThreeNodes(t *testing.T) {
	nodes := startAll(t, 3, nil)
	awaitAgreement(t, "three nodes", nodes, full(3, 16, 3))
	for _, ck := range nodes {
		if err := ck.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestAllAtOnce starts nodes that only know of each other, none of them first.
func TestAllAtOnce(t *testing.T) {
	const n = 5
	var listeners []net.Listener
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		addrs = append(addrs, l.Addr().String())
	}
	var nodes []*clusterkit.ClusterKit
	for i := range n {
		o := options(t, i)
		o.HTTPAddr, o.Listener, o.KnownNodes = "", listeners[i], addrs
		nodes = append(nodes, start(t, o))
	}
	awaitAgreement(t, "five nodes at once", nodes, full(n, 16, 3))
}

// TestAnyOrder starts nodes before the one that they know.
func TestAnyOrder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	var nodes []*clusterkit.ClusterKit
	for i := 1; i < 3; i++ {
		o := options(t, i)
		o.KnownNodes = []string{addr}
		nodes = append(nodes, start(t, o))
	}
	o := options(t, 0)
	o.HTTPAddr = addr
	nodes = append(nodes, start(t, o))
	awaitAgreement(t, "the seed last", nodes, full(3, 16, 3))
}

func TestChain(t *testing.T) { // each joins through the one before
	var nodes []*clusterkit.ClusterKit
	for i := range 5 {
		o := options(t, i)
		if i > 0 {
			o.KnownNodes = []string{nodes[i-1].Addr()}
		}
		nodes = append(nodes, start(t, o))
	}
	awaitAgreement(t, "a chain", nodes, full(5, 16, 3))
}

func TestGracefulStopAndRestart(t *testing.T) {
	opts := make([]clusterkit.Options, 3)
	nodes := startAll(t, 3, func(i int, o *clusterkit.Options) { opts[i] = *o })
	awaitAgreement(t, "three nodes", nodes, full(3, 16, 3))
	if err := nodes[2].Stop(); err != nil {
		t.Fatal(err)
	}
	await(t, "the goodbye", nodes[:2], func(c *clusterkit.Cluster) bool {
		n, ok := c.Node("n2")
		return ok && n.Status == "left"
	})
	if err := nodes[2].Stop(); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
	back := start(t, opts[2])
	awaitAgreement(t, "the return", []*clusterkit.ClusterKit{nodes[0], nodes[1], back}, full(3, 16, 3))
	if n, _ := nodes[0].Cluster().Node("n2"); n.Incarnation != 2 {
		t.Errorf("incarnation %d after a restart, want 2", n.Incarnation)
	}
}

// TestFullRestartWithoutSeeds stops a whole cluster and starts it with no known
// nodes: the members are remembered.
func TestFullRestartWithoutSeeds(t *testing.T) {
	opts := make([]clusterkit.Options, 3)
	nodes := startAll(t, 3, func(i int, o *clusterkit.Options) { opts[i] = *o })
	awaitAgreement(t, "three nodes", nodes, full(3, 16, 3))
	if _, err := nodes[1].Set(t.Context(), "before", []byte("the restart")); err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		opts[i].HTTPAddr, opts[i].KnownNodes = nodes[i].Addr(), nil
	}
	awaitAgreement(t, "the value", nodes, full(3, 16, 3))
	for _, ck := range nodes {
		if err := ck.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	var again []*clusterkit.ClusterKit
	for i := range opts {
		again = append(again, start(t, opts[i]))
	}
	awaitAgreement(t, "after the restart", again, full(3, 16, 3))
}

func TestLeave(t *testing.T) {
	nodes := startAll(t, 3, nil)
	awaitAgreement(t, "three nodes", nodes, full(3, 16, 3))
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	said, err := nodes[1].Leave(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(said.Told) != 2 || len(said.Untold) != 0 {
		t.Errorf("%+v, want that both others were told", said)
	}
	rest := []*clusterkit.ClusterKit{nodes[0], nodes[2]}
	awaitAgreement(t, "after the leave", rest, full(2, 16, 3))
	if held := nodes[0].PartitionsOf("n1"); len(held) != 0 {
		t.Errorf("the node that left still holds %d partitions", len(held))
	}
}

func TestRemoveAndDrain(t *testing.T) {
	nodes := startAll(t, 4, nil)
	awaitAgreement(t, "four nodes", nodes, full(4, 16, 3))
	if _, err := nodes[0].Drain(t.Context(), "n3"); err != nil {
		t.Fatal(err)
	}
	await(t, "the drain", nodes, func(c *clusterkit.Cluster) bool {
		return copies(c) == 48 && !slices.ContainsFunc(c.PartitionMap.Partitions, func(p clusterkit.Partition) bool { return p.HeldBy("n3") })
	})
	if _, err := nodes[0].Remove(t.Context(), "n3"); err != nil {
		t.Fatal(err)
	}
	await(t, "the removal", nodes[:3], func(c *clusterkit.Cluster) bool {
		n, ok := c.Node("n3")
		return ok && n.Status == "removed"
	})
	if _, err := nodes[0].Remove(t.Context(), "nobody"); err == nil {
		t.Error("removing an unknown node succeeds")
	}
}

func TestEventsAreLosslessAndResumable(t *testing.T) {
	nodes := startAll(t, 2, nil)
	awaitAgreement(t, "two nodes", nodes, full(2, 16, 3))
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	const total = 50
	go func() { // ends when all are written
		for i := range total {
			nodes[i%2].Record(ctx, "counted", []byte{byte(i)})
		}
	}()
	seen := make(map[byte]int)
	cursor := clusterkit.Cursor{}
	read := func(ck *clusterkit.ClusterKit, until int) {
		for e, err := range ck.Events(ctx, cursor) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Seq != cursor[e.Log]+1 {
				t.Fatalf("event %s after %d: a gap or a repetition", e.ID(), cursor[e.Log])
			}
			cursor[e.Log] = e.Seq
			if e.Type == "app/counted" {
				if seen[e.Body[0]]++; len(seen) == until {
					return
				}
			}
		}
		t.Fatalf("the events ended with %d of %d", len(seen), until)
	}
	read(nodes[0], total/2) // begin on one node
	text := cursor.String() // and resume on the other
	var err error
	if cursor, err = clusterkit.ParseCursor(text); err != nil {
		t.Fatal(err)
	}
	read(nodes[1], total)
	for i, n := range seen {
		if n != 1 {
			t.Errorf("event %d came %d times", i, n)
		}
	}
}

func TestWatchSkipsForSlowReaders(t *testing.T) {
	ck := start(t, options(t, 1))
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	views := 0
	for c := range ck.Watch(ctx) {
		if views++; views == 1 {
			for range 20 { // meanwhile much happens
				if _, err := ck.Set(ctx, "k", []byte("v")); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		if c.Digest != ck.Cluster().Digest {
			t.Error("the view after a pause is not the newest")
		}
		return
	}
	t.Fatal("the watch ended")
}

func TestStopBeforeStartAndCommandsAfterStop(t *testing.T) {
	ck, err := clusterkit.NewClusterKit(options(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := ck.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := ck.Start(); !errors.Is(err, clusterkit.ErrStopped) {
		t.Errorf("Start after Stop: %v", err)
	}
	if _, err := ck.Set(t.Context(), "k", nil); !errors.Is(err, clusterkit.ErrStopped) {
		t.Errorf("Set after Stop: %v", err)
	}
	if err := ck.Ready(t.Context()); !errors.Is(err, clusterkit.ErrStopped) {
		t.Errorf("Ready after Stop: %v", err)
	}
}
