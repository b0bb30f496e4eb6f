package clusterkit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// slowDisk holds up every fsync of a log for as long as it is told to.
type slowDisk struct{ stall atomic.Int64 }

func (d *slowDisk) set(stall time.Duration) { d.stall.Store(int64(stall)) }

// syncing is called before the log makes anything durable. A stall that is
// lifted meanwhile ends within 10 ms.
func (d *slowDisk) syncing() {
	for began := time.Now(); time.Since(began) < time.Duration(d.stall.Load()); {
		time.Sleep(10 * time.Millisecond)
	}
}

func (d *slowDisk) of(node int) func(int, *clusterkit.Options) {
	return func(i int, o *clusterkit.Options) {
		if i == node {
			clusterkit.WithSyncing(o, d.syncing)
		}
	}
}

// metric returns the value of a metric without labels of its own.
func metric(t *testing.T, ck *clusterkit.ClusterKit, name string) string {
	t.Helper()
	w := httptest.NewRecorder()
	ck.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, name+"{") {
			return strings.TrimSpace(line[strings.LastIndex(line, " "):])
		}
	}
	t.Fatalf("there is no metric %s", name)
	return ""
}

// TestStalledFsync: the disk of the coordinator takes 3 s for every fsync. The
// node says so, loses the role, is drained after DegradedDelay though nothing
// is written on it any more, and has its share again when its disk is well.
func TestStalledFsync(t *testing.T) {
	var d slowDisk
	inBubbleWith(t, 4, d.of(0), func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(4, 16, 3))
		ill, others := b.nodes[0], b.nodes[1:]
		term := others[0].Cluster().Term
		if got := metric(t, ill, "clusterkit_degraded"); got != "0" {
			t.Errorf("clusterkit_degraded is %s before anything happened", got)
		}
		d.set(3 * time.Second)
		if _, err := ill.Set(context.Background(), "k", []byte("takes its time")); err != nil {
			t.Fatal(err)
		}
		took := b.until("n0 is degraded", 10*time.Second, b.nodes, degraded("n0", "the disk is slow"))
		t.Logf("degraded everywhere after %v", took)
		if status, body := health(ill); status != http.StatusOK || !strings.Contains(body, "degraded: the disk is slow") {
			t.Errorf("its health: %d %s", status, body)
		}
		if got := metric(t, ill, "clusterkit_degraded"); got != "1" {
			t.Errorf("clusterkit_degraded is %s", got)
		}
		b.until("another coordinator", 5*time.Second, others, func(c *clusterkit.Cluster) bool {
			return c.Coordinator != "n0" && c.Term == term+1
		})
		if _, any := held(others[0].Cluster(), "n0"); any == 0 {
			t.Error("it was drained before DegradedDelay")
		}
		b.until("n0 is drained", 65*time.Second, others, func(c *clusterkit.Cluster) bool {
			_, any := held(c, "n0")
			return any == 0 && copies(c) == 48
		})
		for range 120 { // it is one illness, not many
			time.Sleep(time.Second)
			if n, _ := others[0].Cluster().Node("n0"); n.Degraded == "" || n.Status != "alive" {
				t.Fatalf("n0 is %s and says of itself %q", n.Status, n.Degraded)
			}
		}
		d.set(0)
		took = b.until("n0 is well", 35*time.Second, b.nodes, degraded("n0", ""))
		t.Logf("well %v after its disk", took)
		if got := metric(t, ill, "clusterkit_degraded"); got != "0" {
			t.Errorf("clusterkit_degraded is %s when it is well", got)
		}
		b.until("its share is back", time.Minute, b.nodes, balanced(4, 16, 3))
		if c := others[0].Cluster(); c.Coordinator == "n0" || c.Term != term+1 {
			t.Errorf("the role went back: %s in term %d", c.Coordinator, c.Term)
		}
	})
}

// TestHangingFsync: one fsync does not return for 40 s. The node cannot even
// say that it is ill, since that would be an event: it answers probes with it,
// and after ten seconds of that the others give it up. When the disk answers
// again nothing that was acknowledged is missing, and the node is back.
func TestHangingFsync(t *testing.T) {
	var d slowDisk
	inBubbleWith(t, 4, d.of(2), func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(4, 16, 3))
		ill := b.nodes[2]
		rest := []*clusterkit.ClusterKit{b.nodes[0], b.nodes[1], b.nodes[3]}
		d.set(40 * time.Second)
		began := time.Now()
		wrote := make(chan error, 1)
		go func() { // ends when the disk answers
			_, err := ill.Set(context.Background(), "k", []byte("written at last"))
			wrote <- err
		}()
		time.Sleep(5 * time.Second)
		if status, body := health(ill); status != http.StatusOK || !strings.Contains(body, "degraded: the disk is slow") {
			t.Errorf("its health after 5 s: %d %s", status, body)
		}
		if got := metric(t, ill, "clusterkit_degraded"); got != "1" {
			t.Errorf("clusterkit_degraded is %s after 5 s", got)
		}
		b.until("nobody accuses it yet", 0, rest, func(c *clusterkit.Cluster) bool { return status(c, "n2") == "alive" })
		b.until("n2 is given up", 20*time.Second, rest, func(c *clusterkit.Cluster) bool {
			primary, _ := held(c, "n2")
			return status(c, "n2") == "failed" && primary == 0
		})
		t.Logf("given up %v after the disk began to hang", time.Since(began))
		select {
		case err := <-wrote:
			t.Fatalf("the write returned %v after %v, and the disk hangs", err, time.Since(began))
		default:
		}
		d.set(0)
		if err := <-wrote; err != nil {
			t.Errorf("the write that the disk held up: %v", err)
		}
		b.until("n2 is back", healed, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 4 })
		b.until("its write is known", 10*time.Second, rest, func(*clusterkit.Cluster) bool {
			for _, ck := range rest {
				if v, ok := ck.Value("k"); !ok || string(v.Bytes) != "written at last" {
					return false
				}
			}
			return true
		})
		b.until("n2 is well and has its share", 90*time.Second, b.nodes, func(c *clusterkit.Cluster) bool {
			return degraded("n2", "")(c) && balanced(4, 16, 3)(c)
		})
	})
}
