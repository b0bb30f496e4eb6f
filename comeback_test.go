package clusterkit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
)

// soon is a day in these bubbles: what a node observes by its ticks alone costs
// real time.
const soon = 2 * time.Minute

// unlisted reports whether a view says nothing any more of a node.
func unlisted(id string) func(*clusterkit.Cluster) bool {
	return func(c *clusterkit.Cluster) bool {
		_, ok := c.Node(id)
		return !ok
	}
}

// TestGoneNodesAreForgotten follows, in whole clusters, two that are gone for
// good until nobody says anything of them any more, while each of the others
// restarts once: one took leave and comes back with its old directory, in a new
// log; one was removed while it ran and is kept out.
func TestGoneNodesAreForgotten(t *testing.T) {
	forgetSoon := func(_ int, o *clusterkit.Options) { clusterkit.ForgetAfter(o, soon) }
	inBubbleWith(t, 5, forgetSoon, func(b *bubble) {
		ctx := context.Background()
		if _, err := b.nodes[3].Set(ctx, "k", []byte("of n3")); err != nil {
			t.Fatal(err)
		}
		b.agree(time.Minute, b.nodes)
		logs := map[string]events.LogID{}
		for _, n := range b.nodes[0].Cluster().Nodes {
			logs[n.ID] = n.Log
		}
		if _, err := b.nodes[3].Leave(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := b.nodes[0].Remove(ctx, "n4"); err != nil {
			t.Fatal(err)
		}
		awaitRemoved(t, b.nodes[4], time.Minute)
		if err := b.nodes[4].Stop(); err != nil {
			t.Error(err)
		}
		rest := b.nodes[:3]
		began := time.Now()
		for i := range rest { // the coordinator among them
			time.Sleep(soon / 3)
			if err := rest[i].Stop(); err != nil {
				t.Error(err)
			}
			rest[i] = b.start(i)
		}
		for _, id := range []string{"n3", "n4"} {
			b.until(id+" forgotten", 2*soon, rest, unlisted(id))
		}
		if took := time.Since(began); took < soon || took > 2*soon {
			t.Errorf("forgotten after %v, of which %v must be observed", took, soon)
		}
		b.agree(time.Minute, rest)
		b.nodes[3] = b.start(3)
		b.until("a comeback", time.Minute, b.nodes[:4], func(c *clusterkit.Cluster) bool {
			n, ok := c.Node("n3")
			return ok && n.Status == "alive" && n.Log != logs["n3"] && n.Incarnation > 1
		})
		b.until("balance", time.Minute, b.nodes[:4], balanced(4, 16, 3))
		b.agree(time.Minute, b.nodes[:4])
		if v, ok := b.nodes[3].Value("k"); !ok || string(v.Bytes) != "of n3" {
			t.Errorf("what it wrote in its old log is %q, %v", v.Bytes, ok)
		}
		out, err := clusterkit.NewClusterKit(b.options(4))
		if err == nil {
			err = out.Start()
			b.nodes[4] = out
			awaitRemoved(t, out, time.Minute)
		}
		if err != nil && !errors.Is(err, clusterkit.ErrRemoved) {
			t.Errorf("who was removed comes back: %v", err)
		}
		for _, ck := range b.nodes[:4] {
			if !unlisted("n4")(ck.Cluster()) {
				t.Errorf("%s lists n4 again", ck.NodeID())
			}
		}
	})
}
