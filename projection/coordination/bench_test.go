package coordination_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// atRest returns a cluster of n nodes with three copies of each partition.
func atRest(t testing.TB, n, partitions int) *sim {
	s := newSim(t, partitions, 3, coordination.Options{})
	for i := range n {
		s.start(fmt.Sprintf("n%d", i), "", 1, i == 0)
	}
	s.run(time.Hour.Milliseconds())
	return s
}

// BenchmarkNext: what a node pays after each change. Idle is when partitions
// and nodes are as before.
func BenchmarkNext(b *testing.B) {
	for _, n := range []int{3, 100} {
		s := atRest(b, n, 1024)
		calm := s.view()
		s.nodes["n1"].running = false
		s.accuseOnly("n0", "n1", events.NodeFailed)
		failed := s.nodes["n0"].state.Cluster()
		b.Run(fmt.Sprintf("idle/%d", n), func(b *testing.B) {
			c := s.nodes["n0"].coordination
			c.Next(calm, s.now)
			b.ReportAllocs()
			for b.Loop() {
				c.Observe(calm, s.now)
				c.Next(calm, s.now)
			}
		})
		b.Run(fmt.Sprintf("examine/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c := coordination.New("n0", coordination.Options{ClaimDelay: -1})
				c.Next(calm, s.now)
			}
		})
		b.Run(fmt.Sprintf("failover/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c := coordination.New("n0", coordination.Options{ClaimDelay: -1})
				if d, _ := c.Next(failed, s.now); len(d.Assignments) == 0 {
					b.Fatal("no failover")
				}
			}
		})
	}
}

// TestNextIsFreeWhenIdle checks that asking without a change costs nothing.
func TestNextIsFreeWhenIdle(t *testing.T) {
	s := atRest(t, 3, 16)
	c, cluster := s.nodes["n0"].coordination, s.view()
	if _, wake := c.Next(cluster, s.now); wake != coordination.Never {
		t.Errorf("a cluster at rest wants to be asked in %d ms", wake-s.now)
	}
	if n := testing.AllocsPerRun(100, func() { c.Observe(cluster, s.now); c.Next(cluster, s.now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
