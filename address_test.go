package clusterkit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// vanish ends node i without anybody hearing of it.
func (b *bubble) vanish(i int) {
	b.t.Helper()
	var others []string
	for j := range b.nodes {
		if j != i {
			others = append(others, host(j))
		}
	}
	b.net.Split([]string{host(i)}, others)
	if err := b.nodes[i].Stop(); err != nil {
		b.t.Fatal(err)
	}
	b.net.Crash(host(i)) // with what it had sent and nobody had received
	b.net.HealAll()
	b.nodes = append(b.nodes[:i:i], b.nodes[i+1:]...)
}

func (b *bubble) startWith(i int, change func(o *clusterkit.Options)) *clusterkit.ClusterKit {
	b.t.Helper()
	o := b.options(i)
	change(&o)
	ck, err := clusterkit.NewClusterKit(o)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := ck.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.nodes = append(b.nodes, ck)
	return ck
}

// TestNewAddressOfACrashedNode: everybody still thinks that n2 is alive at its
// old address. Since nobody answers there, the new one is accepted at once.
func TestNewAddressOfACrashedNode(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.vanish(2)
		b.until("n2 is thought to be alive", 0, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 3 })
		b.startWith(9, func(o *clusterkit.Options) { o.NodeID, o.DataDir = "n2", filepath.Join(b.dir, "2") })
		took := b.until("the new address", 5*time.Second, b.nodes, func(c *clusterkit.Cluster) bool {
			n, ok := c.Node("n2")
			return ok && n.Addr == addr(9) && n.Status == "alive" && alive(c) == 3
		})
		t.Logf("known to all after %v", took)
	})
}

// TestRecycledAddressOfANode: another node of the cluster gets the address of
// one that is gone. The two are not taken for each other.
func TestRecycledAddressOfANode(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.vanish(2)
		b.startWith(2, func(o *clusterkit.Options) { o.NodeID, o.DataDir = "n7", filepath.Join(b.dir, "7") })
		b.until("n7 is there and n2 is failed", 30*time.Second, b.nodes, func(c *clusterkit.Cluster) bool {
			n, ok := c.Node("n7")
			return ok && n.Addr == addr(2) && n.Status == "alive" && status(c, "n2") == "failed"
		})
		time.Sleep(2 * time.Minute)
		b.until("it stays so", 0, b.nodes, func(c *clusterkit.Cluster) bool {
			return status(c, "n7") == "alive" && status(c, "n2") == "failed" && len(c.Nodes) == 4
		})
		if n := refused(t, b.nodes[2], http.StatusMisdirectedRequest); n == 0 {
			t.Error("n7 never answered 421 to who asked for n2")
		}
	})
}

// TestRecycledAddressOfACluster: a node of another cluster gets the address of a
// member. The clusters never merge, though each keeps knocking at the other.
func TestRecycledAddressOfACluster(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.vanish(2)
		stranger := b.startWith(2, func(o *clusterkit.Options) {
			o.NodeID, o.DataDir, o.KnownNodes = "n2", filepath.Join(b.dir, "stranger"), nil
			o.Config = &clusterkit.Config{ClusterName: "stranger", PartitionCount: 16, ReplicationFactor: 3}
		})
		members := b.nodes[:2]
		b.until("the member is failed", 30*time.Second, members, func(c *clusterkit.Cluster) bool { return status(c, "n2") == "failed" })
		time.Sleep(5 * time.Minute)
		b.until("nobody else came", 0, members, func(c *clusterkit.Cluster) bool {
			return len(c.Nodes) == 3 && status(c, "n2") == "failed" && c.Name == "bubble"
		})
		if c := stranger.Cluster(); len(c.Nodes) != 1 || c.Name != "stranger" {
			t.Errorf("the stranger's cluster is now %s", describe(c))
		}
		if n := refused(t, stranger, http.StatusConflict); n == 0 {
			t.Error("the stranger never answered 409 to the members that asked for n2")
		}
	})
}

// refused returns how many requests a node has answered with a status.
func refused(t *testing.T, ck *clusterkit.ClusterKit, status int) int {
	t.Helper()
	return summed(t, ck, "clusterkit_http_requests_total", fmt.Sprintf(`code="%d"`, status))
}

// summed returns the sum of the series of a counter that have a label.
func summed(t *testing.T, ck *clusterkit.ClusterKit, name, label string) (sum int) {
	t.Helper()
	w := httptest.NewRecorder()
	ck.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, name+"{") && strings.Contains(line, label) {
			var n int
			if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			sum += n
		}
	}
	return sum
}
