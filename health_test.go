package clusterkit_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// patient is an application whose health can be changed.
type patient struct {
	ill atomic.Bool
}

func (p *patient) health(ctx context.Context) error {
	if p.ill.Load() {
		return errors.New("the pump is broken\nand leaks")
	}
	return nil
}

func degraded(id, why string) func(*clusterkit.Cluster) bool {
	return func(c *clusterkit.Cluster) bool {
		n, ok := c.Node(id)
		return ok && n.Status == "alive" && strings.Contains(n.Degraded, why) && (why != "" || n.Degraded == "")
	}
}

// TestDegradedNode: whose application is ill loses the role soon and its
// partitions later, stays alive, and gets its share back when it is well.
func TestDegradedNode(t *testing.T) {
	var app patient
	first := func(i int, o *clusterkit.Options) {
		if i == 0 {
			o.Health = app.health
		}
	}
	inBubbleWith(t, 4, first, func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(4, 16, 3))
		term := b.nodes[1].Cluster().Term
		app.ill.Store(true)
		took := b.until("n0 is degraded", 5*time.Second, b.nodes, degraded("n0", "the pump is broken"))
		t.Logf("degraded everywhere after %v", took)
		for _, ck := range b.nodes {
			if got := metric(t, ck, "clusterkit_members_degraded"); got != "1" {
				t.Errorf("%s counts %s degraded members, want 1", ck.NodeID(), got)
			}
		}
		b.until("another coordinator", 5*time.Second, b.nodes, func(c *clusterkit.Cluster) bool {
			return c.Coordinator != "n0" && c.Term == term+1
		})
		if status, body := health(b.nodes[0]); status != http.StatusOK || !strings.Contains(body, "degraded: the application says") {
			t.Errorf("its health: %d %s", status, body)
		}
		if _, any := held(b.nodes[1].Cluster(), "n0"); any == 0 {
			t.Error("it was drained before DegradedDelay")
		}
		b.until("n0 is drained", 65*time.Second, b.nodes, func(c *clusterkit.Cluster) bool {
			_, any := held(c, "n0")
			return any == 0 && copies(c) == 48 && alive(c) == 4
		})
		app.ill.Store(false)
		b.until("n0 is well", 15*time.Second, b.nodes, degraded("n0", ""))
		if got := metric(t, b.nodes[1], "clusterkit_members_degraded"); got != "0" {
			t.Errorf("%s degraded members are counted when all are well", got)
		}
		b.until("its share is back", time.Minute, b.nodes, balanced(4, 16, 3))
		if c := b.nodes[0].Cluster(); c.Coordinator == "n0" || c.Term != term+1 {
			t.Errorf("the role went back: %s in term %d", c.Coordinator, c.Term)
		}
	})
}

// TestShortIllnessIsNotTold: one no, or a few that come and go, is no reason
// for others to act; and a node that is degraded does not flap.
func TestShortIllnessIsNotTold(t *testing.T) {
	var app patient
	inBubbleWith(t, 2, func(_ int, o *clusterkit.Options) { o.Health = app.health }, func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(2, 16, 3))
		b.agree(10*time.Second, b.nodes)
		before := b.nodes[0].Cluster().Digest
		for range 20 {
			app.ill.Store(true)
			time.Sleep(900 * time.Millisecond)
			app.ill.Store(false)
			time.Sleep(2100 * time.Millisecond)
		}
		if b.agree(time.Second, b.nodes); b.nodes[0].Cluster().Digest != before {
			t.Error("short illnesses were told to the cluster")
		}
	})
}

// TestSlowDiskIsDegraded: a slow append counts for a while, then no more.
func TestSlowDiskIsDegraded(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		clusterkit.SlowAppend(b.nodes[2], 1900*time.Millisecond)
		time.Sleep(5 * time.Second)
		b.until("not yet slow", 0, b.nodes, degraded("n2", ""))
		clusterkit.SlowAppend(b.nodes[2], 2100*time.Millisecond)
		b.until("n2 is degraded", 5*time.Second, b.nodes, degraded("n2", "an append took 2.1s"))
		b.until("n2 is well", 25*time.Second, b.nodes, degraded("n2", ""))
	})
}

// TestHealthThatHangs: a health function that does not return, whatever its
// context says, is an illness. It is not called again until it has returned, and
// nothing waits for it: the node goes on probing, what it holds does not grow, and
// it can be stopped.
func TestHealthThatHangs(t *testing.T) {
	var calls, hanging atomic.Int32
	var released atomic.Bool
	first := func(i int, o *clusterkit.Options) {
		if i == 0 {
			o.Health = func(context.Context) error {
				if calls.Add(1) > 3 {
					hanging.Add(1)
					for !released.Load() {
						time.Sleep(time.Second)
					}
				}
				return nil
			}
		}
	}
	inBubbleWith(t, 3, first, func(b *bubble) {
		defer func() { // or the bubble would never end
			released.Store(true)
			time.Sleep(2 * time.Second)
		}()
		b.until("n0 is degraded", 20*time.Second, b.nodes, degraded("n0", "does not return"))
		b.until("n0 is drained", 65*time.Second, b.nodes, func(c *clusterkit.Cluster) bool { _, any := held(c, "n0"); return any == 0 })
		b.agree(time.Minute, b.nodes)
		goroutines, probes, digest := runtime.NumGoroutine(), probed(t, b.nodes[0]), b.nodes[0].Cluster().Digest
		const minutes = 5
		time.Sleep(minutes * time.Minute)
		if n := hanging.Load(); n != 1 {
			t.Errorf("%d calls at a time", n)
		}
		if n := runtime.NumGoroutine(); n > goroutines+10 {
			t.Errorf("%d goroutines after %d minutes, %d before", n, minutes, goroutines)
		}
		if n := probed(t, b.nodes[0]) - probes; n < minutes*60*9/10 {
			t.Errorf("it has probed %d times in %d minutes, want one a second", n, minutes)
		}
		if b.agree(time.Minute, b.nodes); b.nodes[0].Cluster().Digest != digest {
			t.Error("it writes though nothing changes")
		}
		b.net.Split([]string{host(0), host(1)}, []string{host(2)})
		b.until("n2 is failed", 20*time.Second, b.nodes[:2], func(c *clusterkit.Cluster) bool { return status(c, "n2") == "failed" })
		released.Store(true)
		b.until("n0 is well", 20*time.Second, b.nodes[:2], degraded("n0", ""))
		released.Store(false)
		b.until("n0 is degraded again", 20*time.Second, b.nodes[:2], degraded("n0", "does not return"))
		began := time.Now()
		if err := b.nodes[0].Stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("to stop took %v", took)
		}
	})
}

// probed returns how many probes a node has made that were answered.
func probed(t *testing.T, ck *clusterkit.ClusterKit) int {
	t.Helper()
	n, err := strconv.Atoi(metric(t, ck, "clusterkit_probe_duration_seconds_count"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
