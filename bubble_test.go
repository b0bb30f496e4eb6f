package clusterkit_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/internal/memnet"
)

// bubble is a whole cluster on a network in memory, in a synctest bubble: time
// passes only when everybody waits, so minutes cost milliseconds.
type bubble struct {
	t     *testing.T
	net   *memnet.Network
	dir   string
	nodes []*clusterkit.ClusterKit

	change func(i int, o *clusterkit.Options) // of every node's options, if set
}

func host(i int) string { return fmt.Sprintf("h%d", i) }

func addr(i int) string { return host(i) + ":80" }

func (b *bubble) options(i int) clusterkit.Options {
	l, err := b.net.Host(host(i)).Listen(80)
	if err != nil {
		b.t.Fatal(err)
	}
	o := clusterkit.Options{
		NodeID: fmt.Sprintf("n%d", i), Listener: l, AdvertiseAddr: addr(i), DialContext: b.net.Host(host(i)).DialContext,
		DataDir: filepath.Join(b.dir, fmt.Sprint(i)),
		Config:  &clusterkit.Config{ClusterName: "bubble", PartitionCount: 16, ReplicationFactor: 3},
	}
	if i > 0 {
		o.KnownNodes = []string{addr(0)}
	}
	if b.change != nil {
		b.change(i, &o)
	}
	return o
}

func (b *bubble) start(i int) *clusterkit.ClusterKit {
	b.t.Helper()
	ck, err := clusterkit.NewClusterKit(b.options(i))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := ck.Start(); err != nil {
		b.t.Fatal(err)
	}
	return ck
}

// inBubble runs a story with n nodes that have become one full cluster.
func inBubble(t *testing.T, n int, story func(b *bubble)) { inBubbleWith(t, n, nil, story) }

func inBubbleWith(t *testing.T, n int, change func(i int, o *clusterkit.Options), story func(b *bubble)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, net: memnet.New(), dir: dir, change: change}
		defer b.stop() // also after a Fatal, which a deadlock of the bubble would hide
		for i := range n {
			b.nodes = append(b.nodes, b.start(i))
		}
		b.until("a full cluster", 5*time.Second, b.nodes, full(n, 16, 3))
		story(b)
	})
}

func (b *bubble) stop() {
	b.net.HealAll()
	for _, ck := range b.nodes {
		if err := ck.Stop(); err != nil {
			b.t.Errorf("stop %s: %v", ck.NodeID(), err)
		}
	}
}

// until lets time pass until every view satisfies ok, and fails after limit.
func (b *bubble) until(what string, limit time.Duration, nodes []*clusterkit.ClusterKit, ok func(*clusterkit.Cluster) bool) time.Duration {
	b.t.Helper()
	began := time.Now()
	for {
		if !slices.ContainsFunc(nodes, func(ck *clusterkit.ClusterKit) bool { return !ok(ck.Cluster()) }) {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			for _, ck := range nodes {
				b.t.Logf("%s: %s", ck.NodeID(), describe(ck.Cluster()))
			}
			b.t.Fatalf("%s did not come to be within %v", what, limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (b *bubble) agree(limit time.Duration, nodes []*clusterkit.ClusterKit) {
	b.t.Helper()
	b.until("agreement", limit, nodes, func(c *clusterkit.Cluster) bool { return c.Digest == nodes[0].Cluster().Digest })
}

// balanced reports whether every node owns and holds its share within one slot.
func balanced(nodes, partitions, replication int) func(*clusterkit.Cluster) bool {
	return func(c *clusterkit.Cluster) bool {
		for _, n := range c.Nodes {
			if n.Status != "alive" {
				continue
			}
			primary, any := held(c, n.ID)
			slots := partitions * min(nodes, replication)
			if any < slots/nodes || any > (slots+nodes-1)/nodes || primary < partitions/nodes || primary > (partitions+nodes-1)/nodes {
				return false
			}
		}
		return alive(c) == nodes
	}
}

func TestBalanceAfterJoining(t *testing.T) {
	inBubble(t, 5, func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(5, 16, 3))
		b.agree(10*time.Second, b.nodes)
	})
}

func TestIdleWritesNothing(t *testing.T) {
	inBubble(t, 5, func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(5, 16, 3))
		b.agree(10*time.Second, b.nodes)
		before := b.nodes[0].Cluster().Digest
		time.Sleep(time.Hour)
		b.agree(0, b.nodes)
		if b.nodes[0].Cluster().Digest != before {
			t.Errorf("an hour of nothing changed the cluster: %s", describe(b.nodes[0].Cluster()))
		}
	})
}

// TestSplitAndHeal cuts a cluster in two for a long time. Only the majority
// moves partitions, and both sides agree soon after the network is back.
func TestSplitAndHeal(t *testing.T) {
	inBubble(t, 5, func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(5, 16, 3))
		b.agree(10*time.Second, b.nodes)
		few, many := b.nodes[:2], b.nodes[2:]
		before := few[0].Cluster().PartitionMap
		b.net.Split([]string{host(0), host(1)}, []string{host(2), host(3), host(4)})
		b.until("the majority sees the others failed and owns everything", time.Minute, many, func(c *clusterkit.Cluster) bool {
			p0, _ := held(c, "n0")
			p1, _ := held(c, "n1")
			return alive(c) == 3 && p0 == 0 && p1 == 0
		})
		time.Sleep(10 * time.Minute)
		for _, ck := range few {
			if !samePrimaries(ck.Cluster().PartitionMap, before) {
				t.Errorf("%s is in the minority and moved partitions", ck.NodeID())
			}
		}
		if _, err := few[0].Set(context.Background(), "written by", []byte("the minority")); err != nil {
			t.Errorf("a command in the minority: %v", err)
		}
		b.net.HealAll()
		took := b.until("everybody alive again", 35*time.Second, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 5 })
		b.agree(10*time.Second, b.nodes)
		t.Logf("healed %v after the network", took)
		b.until("balance", time.Minute, b.nodes, balanced(5, 16, 3))
	})
}

func samePrimaries(a, b clusterkit.PartitionMap) bool {
	return slices.EqualFunc(a.Partitions, b.Partitions, func(p, q clusterkit.Partition) bool { return p.Primary == q.Primary })
}

// TestOneWayCut: links that carry in one direction only do not make anybody
// flap, however long it lasts. What is cut off is reached by the rest, so
// nobody is ever failed, and hardly anything is said about it.
func TestOneWayCut(t *testing.T) {
	for _, c := range []struct {
		name string
		cuts [][2]int
	}{
		{"one link", [][2]int{{1, 2}}},
		{"in a ring", [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}}},
		{"all of a node's but one", [][2]int{{1, 0}, {1, 2}, {1, 3}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 5, func(b *bubble) {
				b.until("balance", 30*time.Second, b.nodes, balanced(5, 16, 3))
				b.agree(10*time.Second, b.nodes)
				before := b.nodes[0].Cluster().Vector
				for _, cut := range c.cuts {
					b.net.Cut(host(cut[0]), host(cut[1]))
				}
				for range 300 {
					time.Sleep(time.Second)
					for _, ck := range b.nodes {
						for _, n := range ck.Cluster().Nodes {
							if n.Status == "failed" {
								t.Fatalf("%s says %s is failed", ck.NodeID(), n.ID)
							}
						}
					}
				}
				b.net.HealAll()
				b.agree(30*time.Second, b.nodes)
				said := total(b.nodes[0].Cluster().Vector) - total(before)
				if said > 20 {
					t.Errorf("%d events about it in five minutes", said)
				}
				t.Logf("%d events in five minutes", said)
			})
		})
	}
}

// total is how many events a vector stands for.
func total(v events.Vector) (n uint64) {
	for _, seq := range v {
		n += seq
	}
	return n
}

// TestCrashedHost: a host that vanishes without a word is failed everywhere,
// and its copies are replaced after RebalanceDelay.
func TestCrashedHost(t *testing.T) {
	inBubble(t, 4, func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(4, 16, 3))
		b.agree(10*time.Second, b.nodes)
		rest := b.nodes[:3]
		b.net.Split([]string{host(3)}, []string{host(0), host(1), host(2)})
		took := b.until("the verdict and the failover", 20*time.Second, rest, func(c *clusterkit.Cluster) bool {
			primary, _ := held(c, "n3")
			return status(c, "n3") == "failed" && primary == 0
		})
		t.Logf("failed everywhere after %v", took)
		if _, any := held(rest[0].Cluster(), "n3"); any == 0 {
			t.Error("its copies were given away before RebalanceDelay")
		}
		b.until("its copies replaced", 70*time.Second, rest, func(c *clusterkit.Cluster) bool {
			_, any := held(c, "n3")
			return any == 0 && copies(c) == 48
		})
		b.until("balance without it", 30*time.Second, rest, balanced(3, 16, 3))
	})
}

// TestLossyNetwork lets connections break all the time. What is acknowledged
// reaches everybody all the same.
func TestLossyNetwork(t *testing.T) {
	inBubble(t, 4, func(b *bubble) {
		for i := range 200 {
			from, to := i%4, (i*7+1)%4
			if from != to {
				b.net.Drop(host(from), host(to), 300+i*37%2000)
			}
			if _, err := b.nodes[i%4].Set(context.Background(), fmt.Sprint(i%20), fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		b.net.HealAll()
		b.agree(30*time.Second, b.nodes)
		b.until("everybody alive", 30*time.Second, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 4 })
	})
}

// TestOtherClusterAtAnAddress: a node of another cluster is never taken in.
func TestOtherClusterAtAnAddress(t *testing.T) {
	inBubble(t, 2, func(b *bubble) {
		o := b.options(7)
		o.Config = &clusterkit.Config{ClusterName: "stranger", PartitionCount: 16, ReplicationFactor: 3}
		stranger, err := clusterkit.NewClusterKit(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := stranger.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := len(b.nodes[0].Cluster().Nodes); n != 2 {
			t.Errorf("%d nodes in the cluster, want 2", n)
		}
		if n := len(stranger.Cluster().Nodes); n != 0 {
			t.Errorf("the stranger knows %d nodes", n)
		}
		if err := stranger.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestDuplicateNodeIDIsRefused(t *testing.T) {
	inBubble(t, 2, func(b *bubble) {
		o := b.options(8)
		o.NodeID = "n1"
		twin, err := clusterkit.NewClusterKit(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := twin.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		n, ok := b.nodes[0].Cluster().Node("n1")
		if !ok || n.Addr != addr(1) || n.Status != "alive" {
			t.Errorf("n1 is now %+v", n)
		}
		if err := twin.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestNewAddress: a node may come back at another address at once.
func TestNewAddress(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		if err := b.nodes[2].Stop(); err != nil {
			t.Fatal(err)
		}
		o := b.options(9)
		o.NodeID, o.DataDir = "n2", filepath.Join(b.dir, "2")
		moved, err := clusterkit.NewClusterKit(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := moved.Start(); err != nil {
			t.Fatal(err)
		}
		b.nodes[2] = moved
		b.until("the move", 5*time.Second, b.nodes, func(c *clusterkit.Cluster) bool {
			n, ok := c.Node("n2")
			return ok && n.Addr == addr(9) && n.Status == "alive"
		})
		b.agree(5*time.Second, b.nodes)
	})
}

// TestRetentionByAge removes what is old while the node runs, busy or idle.
func TestRetentionByAge(t *testing.T) {
	inBubbleWith(t, 1, func(_ int, o *clusterkit.Options) {
		o.SegmentSize, o.Retention = 4<<10, clusterkit.Retention{Age: time.Hour}
	}, func(b *bubble) {
		ck := b.nodes[0]
		segments := func() int {
			files, err := filepath.Glob(filepath.Join(b.dir, "0", "wal", "*"))
			if err != nil {
				b.t.Fatal(err)
			}
			return len(files)
		}
		for range 200 {
			if _, err := ck.Set(b.t.Context(), "k", []byte("a value of some length, so that there are segments")); err != nil {
				b.t.Fatal(err)
			}
		}
		many := segments()
		time.Sleep(50 * time.Minute)
		if n := segments(); many < 5 || n != many {
			b.t.Errorf("after 50 minutes there are %d segments, there were %d", n, many)
		}
		time.Sleep(time.Hour)
		if n := segments(); n != 2 {
			b.t.Errorf("after 110 minutes there are %d segments, want the open one and the one before", n)
		}
		if err := ck.Stop(); err != nil {
			b.t.Fatal(err)
		}
		b.nodes[0] = b.start(0)
		if _, ok := b.nodes[0].Value("k"); !ok {
			b.t.Error("the value is gone")
		}
	})
}
