package clusterkit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/internal/memnet"
)

// healed is how long after the network's return a cluster may take.
const healed = 35 * time.Second

// TestIslandsMerge starts four nodes at once in a network that is cut in two:
// both halves begin a cluster. When the cut is gone they are one.
func TestIslandsMerge(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, net: memnet.New(), dir: dir}
		b.change = func(i int, o *clusterkit.Options) {
			for j := range 4 {
				o.KnownNodes = append(o.KnownNodes, addr(j))
			}
		}
		b.net.Split([]string{host(0), host(1)}, []string{host(2), host(3)})
		for i := range 4 {
			b.nodes = append(b.nodes, b.start(i))
		}
		for i, island := range [][]*clusterkit.ClusterKit{b.nodes[:2], b.nodes[2:]} {
			b.until(fmt.Sprintf("island %d", i), time.Minute, island, full(2, 16, 3))
		}
		time.Sleep(10 * time.Minute)
		b.net.HealAll()
		took := b.until("one cluster", healed, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 4 && copies(c) == 48 })
		t.Logf("one cluster %v after the cut was gone", took)
		b.until("balance", time.Minute, b.nodes, balanced(4, 16, 3))
		b.agree(10*time.Second, b.nodes)
		for _, ck := range b.nodes {
			if err := ck.Stop(); err != nil {
				t.Errorf("stop %s: %v", ck.NodeID(), err)
			}
		}
	})
}

// TestHealsBesideTheDead: members that never come back do not keep a node from
// finding those that do. While it hears nobody it says that it is isolated.
func TestHealsBesideTheDead(t *testing.T) {
	inBubble(t, 6, func(b *bubble) {
		living := []string{host(1), host(2), host(3)}
		b.net.Split([]string{host(4), host(5)}, append([]string{host(0)}, living...))
		b.net.Split([]string{host(4)}, []string{host(5)})
		b.until("two are dead", time.Minute, b.nodes[:4], func(c *clusterkit.Cluster) bool { return count(c, "failed") == 2 })
		if isolated(t, b.nodes[0]) {
			t.Error("n0 says that it is isolated, and hears three others")
		}
		b.net.Split([]string{host(0)}, living)
		time.Sleep(20 * time.Minute)
		if !isolated(t, b.nodes[0]) || isolated(t, b.nodes[1]) {
			t.Errorf("isolated: n0 %v, n1 %v", isolated(t, b.nodes[0]), isolated(t, b.nodes[1]))
		}
		for _, h := range living {
			b.net.HealBoth(host(0), h)
		}
		took := b.until("n0 is back", healed, b.nodes[:4], func(c *clusterkit.Cluster) bool { return alive(c) == 4 })
		t.Logf("healed after %v", took)
		if isolated(t, b.nodes[0]) {
			t.Error("n0 still says that it is isolated")
		}
	})
}

// isolated reports what /health and the metric say, which must be the same.
func isolated(t *testing.T, ck *clusterkit.ClusterKit) bool {
	t.Helper()
	_, body := health(ck)
	w := httptest.NewRecorder()
	ck.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	said := strings.Contains(body, "isolated")
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "clusterkit_isolated{") {
			if metric := strings.HasSuffix(line, " 1\n"); metric != said {
				t.Errorf("%s: /health says %v, the metric %v", ck.NodeID(), said, metric)
			}
			return said
		}
	}
	t.Fatal("there is no metric clusterkit_isolated")
	return false
}

// TestOneCoordinatorAfterASplit: the majority claims a higher term; after the
// heal everybody names that one, and the former does not take the role back.
func TestOneCoordinatorAfterASplit(t *testing.T) {
	inBubble(t, 5, func(b *bubble) {
		b.agree(10*time.Second, b.nodes)
		was, term, ok := b.nodes[4].Coordinator()
		if !ok || was.ID != "n0" {
			t.Fatalf("the first coordinator is %q, %v", was.ID, ok)
		}
		b.net.Split([]string{host(0), host(1)}, []string{host(2), host(3), host(4)})
		many := b.nodes[2:]
		b.until("a claim by the majority", time.Minute, many, func(c *clusterkit.Cluster) bool { return c.Term == term+1 })
		time.Sleep(5 * time.Minute)
		if n, at, ok := b.nodes[0].Coordinator(); !ok || n.ID != "n0" || at != term {
			t.Errorf("the minority names %s in term %d, want what it knew", n.ID, at)
		}
		ended := time.Now()
		b.net.HealAll()
		b.until("the heal", healed, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 5 && c.Term > term })
		time.Sleep(10 * time.Minute)
		b.agree(time.Second, b.nodes)
		now, at, ok := b.nodes[0].Coordinator()
		if !ok || now.ID == "n0" || now.ID == "n1" || at <= term {
			t.Errorf("after the heal it is %s in term %d, want one of the majority after %d", now.ID, at, term)
		}
		// What the minority thought of the majority arrives with the heal; it costs
		// nobody the role or a partition, for all refute it in a moment.
		if got := claims(t, b.nodes[1]); len(got) != 2 || got[0] != "n0" || got[1] != now.ID || at != 2 {
			t.Errorf("claims %v, want those of n0 and of %s, one of the majority", got, now.ID)
		}
		if got := failovers(t, b.nodes[1], ended); got > 0 {
			t.Errorf("%d partitions were taken from nodes of the majority when the split ended", got)
		}
	})
}

// TestFlappingCoordinatorIsReplacedOnce: a coordinator that comes and goes is
// not coordinator again each time it comes.
func TestFlappingCoordinatorIsReplacedOnce(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		for range 5 {
			b.net.Split([]string{host(0)}, []string{host(1), host(2)})
			b.until("n0 is failed", time.Minute, b.nodes[1:], func(c *clusterkit.Cluster) bool { return status(c, "n0") == "failed" })
			b.net.HealAll()
			b.until("n0 is back", healed, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 3 })
		}
		b.agree(30*time.Second, b.nodes)
		if got := claims(t, b.nodes[0]); len(got) != 2 || got[0] != "n0" || got[1] == "n0" {
			t.Errorf("claims %v, want one by n0 and one by another", got)
		}
	})
}

// claims returns who claimed to be coordinator, in the order of terms.
func claims(t *testing.T, ck *clusterkit.ClusterKit) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	var list []string
	for e, err := range ck.Events(ctx, nil, events.CoordinatorClaimed) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Version != uint64(len(list)+1) {
			t.Errorf("the claim of term %d comes after %d others", e.Version, len(list))
		}
		list = append(list, e.Actor)
	}
	return list
}

// failovers counts the partitions that were given to others since a time because
// their primary was lost.
func failovers(t *testing.T, ck *clusterkit.ClusterKit, since time.Time) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for e, err := range ck.Events(ctx, nil, events.PartitionAssigned) {
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Payload()
		if err != nil {
			t.Fatal(err)
		}
		if p.(*events.Assignment).Trigger == "failover" && e.Time.Millis() >= since.UnixMilli() {
			n++
		}
	}
	return n
}
