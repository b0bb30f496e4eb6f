package clusterkit_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// leave lets a node of a bubble leave, and says how long that took.
func (b *bubble) leave(i int) (clusterkit.Farewell, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	said, err := b.nodes[i].Leave(ctx)
	return said, time.Since(began), err
}

// TestLeaveBesideAStalledPeer: a member that takes connections and answers
// nothing, or to which nothing gets through, does not hold up who leaves, unless
// the goodbye must reach it; then it is named.
func TestLeaveBesideAStalledPeer(t *testing.T) {
	for _, c := range []struct {
		name         string
		acks         int
		told, untold []string
		fails        bool
		most         time.Duration
	}{
		{"three of four", 0, []string{"n0", "n1", "n2"}, []string{"n3"}, false, 2 * time.Second},
		{"two of four", 2, []string{"n0", "n1", "n2"}, []string{"n3"}, false, 2 * time.Second},
		{"nobody is waited for", -1, []string{"n0", "n1", "n2"}, []string{"n3"}, false, 2 * time.Second},
		{"all of four", 100, []string{"n0", "n1", "n2"}, []string{"n3"}, true, 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			acks := func(_ int, o *clusterkit.Options) { o.LeaveAcks = c.acks }
			inBubbleWith(t, 5, acks, func(b *bubble) {
				b.until("balance", 30*time.Second, b.nodes, balanced(5, 16, 3))
				b.net.Cut(host(4), host(3)) // what n4 sends, requests and answers, never arrives
				said, took, err := b.leave(4)
				t.Logf("left after %v: %+v, %v", took, said, err)
				if (err != nil) != c.fails || !slices.Equal(said.Told, c.told) || !slices.Equal(said.Untold, c.untold) {
					t.Errorf("it said %+v, %v; want told %v, untold %v, an error: %v", said, err, c.told, c.untold, c.fails)
				}
				if took > c.most {
					t.Errorf("leaving took %v, at most %v wanted", took, c.most)
				}
				if again, _, _ := b.leave(4); !slices.Equal(again.Told, said.Told) {
					t.Errorf("the second time it said %+v", again)
				}
				b.nodes = b.nodes[:4]
				b.until("all have heard of it", 5*time.Second, b.nodes, func(c *clusterkit.Cluster) bool { return status(c, "n4") == "left" })
			})
		})
	}
}

// TestLeaveALargeClusterBesideTheStalled: when who is told first does not answer,
// others are told instead.
func TestLeaveALargeClusterBesideTheStalled(t *testing.T) {
	inBubble(t, 14, func(b *bubble) {
		b.agree(time.Minute, b.nodes)
		b.until("balance", time.Minute, b.nodes, balanced(14, 16, 3))
		for i := range 10 {
			b.net.Cut(host(13), host(i))
		}
		said, took, err := b.leave(13)
		t.Logf("left after %v: %+v", took, said)
		if err != nil || len(said.Told) < 3 || len(said.Told)+len(said.Untold) != 13 {
			t.Errorf("it said %+v, %v; want three of thirteen at least", said, err)
		}
		for _, c := range b.nodes[:13] {
			if slices.Contains(said.Told, c.NodeID()) && status(c.Cluster(), "n13") != "left" {
				t.Errorf("it says that %s was told, which has n13 as %s", c.NodeID(), status(c.Cluster(), "n13"))
			}
		}
		if took > 8*time.Second { // the next comparison, if all that are chosen are stalled again and again
			t.Errorf("leaving took %v", took)
		}
		b.nodes = b.nodes[:13]
		b.until("all have heard of it", 5*time.Second, b.nodes, func(c *clusterkit.Cluster) bool { return status(c, "n13") == "left" })
	})
}

// TestLargeClusterKnowsSoon: a goodbye needs fewer hops than other news, for who
// leaves tells many at once.
func TestLargeClusterKnowsSoon(t *testing.T) {
	const n, latency = 20, 10 * time.Millisecond
	inBubble(t, n, func(b *bubble) {
		b.agree(10*time.Second, b.nodes)
		time.Sleep(time.Minute) // who knows what is known of everybody
		b.agree(time.Second, b.nodes)
		for i := range n {
			for j := range n {
				b.net.Delay(host(i), host(j), latency)
			}
		}
		for range 3 {
			last := len(b.nodes) - 1
			gone, rest := b.nodes[last], b.nodes[:last]
			stopped := make(chan error, 1)
			go func() { stopped <- gone.Stop() }()
			took := b.until("all know", time.Second, rest, func(c *clusterkit.Cluster) bool { return status(c, gone.NodeID()) == "left" })
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			t.Logf("%d others knew %s gone after %v", last, gone.NodeID(), took)
			if took > 5*latency {
				t.Errorf("%d others knew %s gone after %v, want at most %v", last, gone.NodeID(), took, 5*latency)
			}
			b.nodes = rest
			time.Sleep(time.Second)
		}
		b.net.HealAll()
		time.Sleep(time.Second) // for dials under way, which the end of a request does not end
	})
}
