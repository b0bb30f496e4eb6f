package clusterkit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
)

// awaitRemoved waits until a node has stopped because it was removed.
func awaitRemoved(t *testing.T, ck *clusterkit.ClusterKit, limit time.Duration) {
	t.Helper()
	select {
	case <-ck.Done():
	case <-time.After(limit):
		t.Fatalf("%s does not know after %v that it was removed", ck.NodeID(), limit)
	}
	if err := ck.Err(); !errors.Is(err, clusterkit.ErrRemoved) {
		t.Errorf("%s stopped: %v, want ErrRemoved", ck.NodeID(), err)
	}
}

func health(ck *clusterkit.ClusterKit) (status int, body string) {
	w := httptest.NewRecorder()
	ck.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/health", nil))
	return w.Code, w.Body.String()
}

// TestRemovedNodeStops: it is told, stops, says so, stays out after a restart,
// and may come back as a new one.
func TestRemovedNodeStops(t *testing.T) {
	inBubble(t, 4, func(b *bubble) {
		ctx, out := context.Background(), b.nodes[3]
		if _, err := b.nodes[0].Remove(ctx, "n3"); err != nil {
			t.Fatal(err)
		}
		awaitRemoved(t, out, 10*time.Second)
		if status, body := health(out); status != http.StatusServiceUnavailable || !strings.Contains(body, "removed") {
			t.Errorf("its health: %d %s", status, body)
		}
		if _, err := out.Set(ctx, "k", nil); !errors.Is(err, clusterkit.ErrRemoved) {
			t.Errorf("a command: %v", err)
		}
		if err := out.Ready(ctx); err != nil && !errors.Is(err, clusterkit.ErrRemoved) {
			t.Errorf("Ready: %v", err)
		}
		if out.Cluster() == nil {
			t.Error("queries do not go on")
		}
		if err := out.Stop(); err != nil {
			t.Error(err)
		}
		rest := b.nodes[:3]
		gone := func(c *clusterkit.Cluster) bool {
			_, any := held(c, "n3")
			return status(c, "n3") == "removed" && any == 0 && copies(c) == 48
		}
		b.until("n3 is out", 10*time.Second, rest, gone)

		o := b.options(3)
		if _, err := clusterkit.NewClusterKit(o); !errors.Is(err, clusterkit.ErrRemoved) {
			t.Errorf("started again: %v, want ErrRemoved", err)
		}
		if err := o.Listener.Close(); err != nil {
			t.Error(err)
		}
		b.until("n3 is still out", 0, rest, gone)

		b.dir = filepath.Join(b.dir, "new")
		b.nodes[3] = b.start(3)
		b.until("n3 is back with a new log", time.Minute, b.nodes, balanced(4, 16, 3))
	})
}

// TestRemovedWhileItWasDown: a node that was removed while it did not run is
// told when it comes back, finds the event, and stops before it says anything.
func TestRemovedWhileItWasDown(t *testing.T) {
	inBubble(t, 4, func(b *bubble) {
		if err := b.nodes[3].Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.nodes[0].Remove(context.Background(), "n3"); err != nil {
			t.Fatal(err)
		}
		b.until("balance without it", time.Minute, b.nodes[:3], balanced(3, 16, 3))
		time.Sleep(2 * time.Minute) // until the floor is raised below which it will be forgotten
		b.agree(10*time.Second, b.nodes[:3])
		before := b.nodes[0].Cluster().Digest
		b.nodes[3] = b.start(3)
		awaitRemoved(t, b.nodes[3], 10*time.Second)
		if n, ok := b.nodes[3].Cluster().Node("n3"); !ok || n.Status != "removed" {
			t.Errorf("it does not know why: %+v", n)
		}
		time.Sleep(time.Minute)
		if b.agree(0, b.nodes[:3]); b.nodes[0].Cluster().Digest != before {
			t.Error("it has changed something")
		}
	})
}

// TestRemovalCannotBeUndone: a node that was away when it was removed, and
// started again meanwhile without finding anybody, stays removed, though
// somebody who has not heard of it gives other orders.
func TestRemovalCannotBeUndone(t *testing.T) {
	inBubble(t, 5, func(b *bubble) {
		ctx := context.Background()
		b.until("balance", 30*time.Second, b.nodes, balanced(5, 16, 3))
		b.net.Split([]string{host(3), host(4)}, []string{host(0), host(1), host(2)})
		b.net.Split([]string{host(3)}, []string{host(4)})
		b.until("both are failed", time.Minute, b.nodes[:3], func(c *clusterkit.Cluster) bool { return alive(c) == 3 })
		time.Sleep(2 * time.Minute)
		for range 3 { // revisions beyond those of the removal
			if _, err := b.nodes[4].Drain(ctx, "n3"); err != nil {
				t.Fatal(err)
			}
			if _, err := b.nodes[4].Undrain(ctx, "n3"); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.nodes[3].Stop(); err != nil { // incarnations beyond the removed one
			t.Fatal(err)
		}
		b.nodes[3] = b.start(3)
		b.until("n3 has started again, in a new log", 30*time.Second, b.nodes[3:4], func(c *clusterkit.Cluster) bool { return status(c, "n3") == "alive" })
		if _, err := b.nodes[0].Remove(ctx, "n3"); err != nil {
			t.Fatal(err)
		}
		b.net.HealAll()
		awaitRemoved(t, b.nodes[3], 45*time.Second)
		rest := append(b.nodes[:3:3], b.nodes[4])
		b.until("n4 is back, n3 is not", 45*time.Second, rest, func(c *clusterkit.Cluster) bool {
			return alive(c) == 4 && status(c, "n3") == "removed"
		})
		b.agree(30*time.Second, rest)
		if _, err := b.nodes[0].Undrain(ctx, "n3"); err == nil {
			t.Error("a removed node could be given an order that takes its removal back")
		}
	})
}

func TestRemovedAfterLongFailure(t *testing.T) {
	after := func(_ int, o *clusterkit.Options) { o.RemoveAfter = 10 * time.Minute }
	inBubbleWith(t, 3, after, func(b *bubble) {
		b.net.Split([]string{host(2)}, []string{host(0), host(1)})
		rest := b.nodes[:2]
		b.until("n2 is failed", time.Minute, rest, func(c *clusterkit.Cluster) bool { return status(c, "n2") == "failed" })
		time.Sleep(9 * time.Minute)
		b.until("n2 is still waited for", 0, rest, func(c *clusterkit.Cluster) bool { return status(c, "n2") == "failed" })
		b.until("n2 is removed", 2*time.Minute, rest, func(c *clusterkit.Cluster) bool { return status(c, "n2") == "removed" })
		n, _ := rest[0].Cluster().Node("n2")
		if !strings.HasPrefix(n.Reason(), "failed for 10m") {
			t.Errorf("the reason is %q", n.Reason())
		}
		b.net.HealAll()
		awaitRemoved(t, b.nodes[2], 45*time.Second)
	})
}

// TestPairKeepsOneAnother: of two nodes neither is more than half, so no split is
// long enough for either to remove the other: both would stop when it ends.
func TestPairKeepsOneAnother(t *testing.T) {
	after := func(_ int, o *clusterkit.Options) { o.RemoveAfter = 10 * time.Minute }
	inBubbleWith(t, 2, after, func(b *bubble) {
		b.net.Split([]string{host(0)}, []string{host(1)})
		time.Sleep(30 * time.Minute)
		for i, ck := range b.nodes {
			if other := fmt.Sprintf("n%d", 1-i); status(ck.Cluster(), other) != "failed" {
				t.Errorf("%s thinks %s %s", ck.NodeID(), other, status(ck.Cluster(), other))
			}
		}
		b.net.HealAll()
		b.until("the pair", 45*time.Second, b.nodes, full(2, 16, 2))
		b.agree(10*time.Second, b.nodes)
	})
}

// TestBrakeOnVerdicts: a node that hears nobody any more gives up half of the
// others within a minute, not more, says so, and goes on when it is told to.
func TestBrakeOnVerdicts(t *testing.T) {
	inBubble(t, 5, func(b *bubble) {
		ctx, lone := context.Background(), b.nodes[:1]
		b.net.Split([]string{host(0)}, []string{host(1), host(2), host(3), host(4)})
		failed := func(n int) func(*clusterkit.Cluster) bool {
			return func(c *clusterkit.Cluster) bool { return count(c, "failed") == n }
		}
		b.until("two are failed", 45*time.Second, lone, failed(2))
		time.Sleep(30 * time.Second)
		b.until("and not more", 0, lone, failed(2))
		held := 0
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		for e, err := range b.nodes[0].Events(short, nil, events.BrakeHeld) {
			if err != nil {
				t.Fatal(err)
			}
			if p, err := e.Payload(); err != nil || p.(*events.NodeOrder).Reason == "" {
				t.Errorf("a brake without a reason: %v", err)
			}
			held++
		}
		if held != 1 {
			t.Errorf("that the brake holds was recorded %d times, want once", held)
		}
		if _, err := b.nodes[0].LiftBrake(ctx, "the rack is gone"); err != nil {
			t.Fatal(err)
		}
		b.until("all are failed", 3*time.Second, lone, failed(4))
		many := b.nodes[1:]
		b.until("the others gave up n0 alone", 0, many, func(c *clusterkit.Cluster) bool { return count(c, "failed") == 1 && alive(c) == 4 })
	})
}

// TestBrakeOnCommands: more than half of the members cannot be removed within a
// minute, unless the brake was lifted.
func TestBrakeOnCommands(t *testing.T) {
	inBubble(t, 4, func(b *bubble) {
		ctx, ck := context.Background(), b.nodes[0]
		b.agree(10*time.Second, b.nodes)
		for _, id := range []string{"n1", "n2"} {
			if _, err := ck.Remove(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		var brake *clusterkit.BrakeError
		if _, err := ck.Remove(ctx, "n3"); !errors.As(err, &brake) || brake.Node != "n3" || brake.Again <= 0 || brake.Again > time.Minute {
			t.Fatalf("the third of four: %v, want a *BrakeError", err)
		}
		if s := status(ck.Cluster(), "n3"); s != "alive" {
			t.Errorf("n3 is %s", s)
		}
		if _, err := ck.LiftBrake(ctx, "for the test"); err != nil {
			t.Fatal(err)
		}
		if _, err := ck.Remove(ctx, "n3"); err != nil {
			t.Errorf("with the brake lifted: %v", err)
		}
		if _, err := ck.Remove(ctx, "n0"); err == nil {
			t.Error("a node removed itself")
		}
		for _, out := range b.nodes[1:] {
			awaitRemoved(t, out, 10*time.Second)
		}
	})
}

func count(c *clusterkit.Cluster, status string) (n int) {
	for i := range c.Nodes {
		if string(c.Nodes[i].Status) == status {
			n++
		}
	}
	return n
}

// TestBackupOfAnEarlierLog: a node that was removed twice, and was ordered about
// since, cannot come back in any of its earlier logs.
func TestBackupOfAnEarlierLog(t *testing.T) {
	inBubble(t, 4, func(b *bubble) {
		ctx := context.Background()
		b.until("balance", 30*time.Second, b.nodes, balanced(4, 16, 3))
		stop := func() {
			if err := b.nodes[3].Stop(); err != nil && !errors.Is(err, clusterkit.ErrRemoved) {
				t.Fatal(err)
			}
		}
		dir, backup, rest := filepath.Join(b.dir, "3"), filepath.Join(b.dir, "backup"), b.nodes[:3]
		stop()
		if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		b.nodes[3] = b.start(3)
		back := func(c *clusterkit.Cluster) bool { return status(c, "n3") == "alive" }
		for range 2 {
			b.until("n3 is there", time.Minute, b.nodes, back)
			time.Sleep(2 * time.Minute)
			if _, err := b.nodes[0].Remove(ctx, "n3"); err != nil {
				t.Fatal(err)
			}
			awaitRemoved(t, b.nodes[3], 45*time.Second)
			stop()
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			b.nodes[3] = b.start(3)
		}
		b.until("n3 is back", time.Minute, b.nodes, back)
		for _, order := range []func(context.Context, string) (events.Event, error){b.nodes[0].Drain, b.nodes[1].Undrain} {
			if _, err := order(ctx, "n3"); err != nil {
				t.Fatal(err)
			}
			b.agree(time.Minute, b.nodes)
		}
		stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(backup)); err != nil {
			t.Fatal(err)
		}
		b.nodes[3] = b.start(3)
		awaitRemoved(t, b.nodes[3], 45*time.Second)
		for _, ck := range rest {
			if s := status(ck.Cluster(), "n3"); s != "left" {
				t.Errorf("%s has n3 as %s, want left, as its newest log was", ck.NodeID(), s)
			}
		}
	})
}
