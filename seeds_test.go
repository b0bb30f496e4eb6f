package clusterkit_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/internal/memnet"
)

// TestSeedNameMoves: the name of the only known node leads nowhere at first,
// then to a host that is down, to one that hangs, and to another cluster, and in
// the end to a member. The node joins without a restart.
func TestSeedNameMoves(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, net: memnet.New(), dir: dir}
		b.nodes = []*clusterkit.ClusterKit{b.start(0)}
		other := b.startWith(5, func(o *clusterkit.Options) {
			o.KnownNodes, o.Config = nil, &clusterkit.Config{ClusterName: "other", PartitionCount: 16}
		})
		b.nodes = b.nodes[:1]
		b.net.Cut(host(1), host(6))

		var where atomic.Pointer[[]string]
		var asked atomic.Int32
		late := b.startWith(1, func(o *clusterkit.Options) {
			o.KnownNodes = []string{"seed.test:80"}
			clusterkit.WithLookup(o, func(_ context.Context, name string) ([]string, error) {
				asked.Add(1)
				if at := where.Load(); at != nil && name == "seed.test" {
					return *at, nil
				}
				return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
			})
		})
		for _, hosts := range [][]string{nil, {host(8)}, {host(6)}, {host(5)}} {
			if hosts != nil {
				where.Store(&hosts)
			}
			before := asked.Load()
			time.Sleep(30 * time.Second)
			if n := asked.Load() - before; n < 3 {
				t.Errorf("while it leads to %v the name was resolved %d times in 30 s", hosts, n)
			}
			if got := len(late.Cluster().Nodes); got != 0 {
				t.Fatalf("while the name leads to %v it knows %d nodes", hosts, got)
			}
		}
		where.Store(&[]string{host(8), host(5), host(0)}) // what is dead or strange beside it does no harm
		took := b.until("it has joined", 15*time.Second, b.nodes, full(2, 16, 3))
		t.Logf("joined %v after the name led to a member", took)
		for _, ck := range append(b.nodes, other) {
			if err := ck.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestIslandsMergeByName starts five nodes at once that know one name, which
// leads each to itself alone: five clusters. When it leads to all they are one.
// From then on the same name also leads a sixth to the members and to itself.
func TestIslandsMergeByName(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var all atomic.Bool
		b := &bubble{t: t, net: memnet.New(), dir: dir}
		b.change = func(i int, o *clusterkit.Options) {
			o.KnownNodes = []string{"everybody.test:80"}
			clusterkit.WithLookup(o, func(context.Context, string) ([]string, error) {
				if !all.Load() {
					return []string{host(i)}, nil
				}
				return []string{host(0), host(1), host(2), host(3), host(4), host(5)}, nil
			})
		}
		for i := range 5 {
			b.nodes = append(b.nodes, b.start(i))
		}
		for _, ck := range b.nodes {
			b.until("an island", time.Minute, []*clusterkit.ClusterKit{ck}, full(1, 16, 3))
		}
		time.Sleep(10 * time.Minute)
		all.Store(true)
		took := b.until("one cluster", healed, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 5 && copies(c) == 48 })
		t.Logf("one cluster %v after the name led to all", took)
		b.nodes = append(b.nodes, b.start(5))
		b.until("the sixth", 5*time.Second, b.nodes, full(6, 16, 3))
		b.agree(10*time.Second, b.nodes)
		for _, ck := range b.nodes {
			if err := ck.Stop(); err != nil {
				t.Errorf("stop %s: %v", ck.NodeID(), err)
			}
		}
	})
}

// TestFirstByNameKnowsNobody: of two new nodes the first by name was given an
// address where nobody is, and the other waits for it. That one knocks, so they
// find each other.
func TestFirstByNameKnowsNobody(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, net: memnet.New(), dir: dir}
		b.nodes = []*clusterkit.ClusterKit{
			b.startWith(0, func(o *clusterkit.Options) { o.KnownNodes = []string{addr(7)} }),
			b.startWith(1, func(o *clusterkit.Options) { o.KnownNodes = []string{addr(0)} }),
		}
		b.until("both have joined", 30*time.Second, b.nodes, full(2, 16, 3))
		for _, ck := range b.nodes {
			if err := ck.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestSeedByTheMachinesResolver: a name that this machine resolves by itself.
func TestSeedByTheMachinesResolver(t *testing.T) {
	first := start(t, options(t, 0))
	_, port, err := net.SplitHostPort(first.Addr())
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, 1)
	o.KnownNodes = []string{net.JoinHostPort("localhost", port)}
	awaitAgreement(t, "a seed by name", []*clusterkit.ClusterKit{first, start(t, o)}, full(2, 16, 3))
}

// TestUnresolvedSeedIsNoReasonToBegin: a node whose only seed has no address is
// not the first of a cluster, and says why it waits.
func TestUnresolvedSeedIsNoReasonToBegin(t *testing.T) {
	o := options(t, 0)
	var asked = make(chan struct{}, 8)
	o.KnownNodes = []string{"nowhere.test:80"}
	clusterkit.WithLookup(&o, func(context.Context, string) ([]string, error) {
		select {
		case asked <- struct{}{}:
		default:
		}
		return nil, errors.New("no such host")
	})
	o.DataDir = filepath.Join(t.TempDir(), "data")
	ck := start(t, o)
	for range 4 { // attempts
		<-asked
	}
	if n := len(ck.Cluster().Nodes); n != 0 {
		t.Errorf("it began a cluster of its own: %s", describe(ck.Cluster()))
	}
}
