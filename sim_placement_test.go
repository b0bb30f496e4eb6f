package clusterkit

import (
	"fmt"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// takers returns the nodes that may be given partitions.
func takers(c *projection.Cluster) (t []*Node) {
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.Status == projection.StatusAlive && !n.Draining && !unwell(c, n.ID) {
			t = append(t, n)
		}
	}
	return t
}

// placementIsWhole: every partition has as many distinct owners as it should,
// all of them fit for it, the first of them fit in any case. Where there are
// fewer nodes than copies, one that has failed or was stopped, or of which
// nothing more is known, may be named for a copy that nobody else can take.
func placementIsWhole(w *simWorld, live []*simProc, c *projection.Cluster) string {
	fit := takers(c)
	if !coordination.Majority(c) || len(fit) == 0 {
		return ""
	}
	if len(c.PartitionMap.Partitions) != w.profile.partitions {
		return fmt.Sprintf("%d partitions", len(c.PartitionMap.Partitions))
	}
	for i := range c.PartitionMap.Partitions {
		part := &c.PartitionMap.Partitions[i]
		all, held := append([]string{part.Primary}, part.Replicas...), 0
		for j, id := range all {
			n, known := c.Node(id)
			switch {
			case slices.Contains(all[:j], id):
				return fmt.Sprintf("partition %d is held by %v", i, all)
			case known && slices.Contains(fit, n):
				held++
			case j == 0, known && n.Status != projection.StatusFailed && (n.Status != projection.StatusLeft || n.Reason() != leftShutdown):
				return fmt.Sprintf("partition %d is held by %v, and not all of them may", i, all)
			}
		}
		if want := min(w.profile.replicas, len(fit)); held != want || len(all) > w.profile.replicas {
			return fmt.Sprintf("partition %d is held by %v, want %d", i, all, want)
		}
	}
	return ""
}

// sharesAreFair: every node holds its share to within one slot, and the copies
// of a partition are in as many zones as they can be. What an operator assigned
// stands until membership changes, so of such a partition each node may have got
// or lost a copy since.
func sharesAreFair(w *simWorld, live []*simProc, c *projection.Cluster) string {
	fit := takers(c)
	if !coordination.Majority(c) || len(fit) == 0 {
		return ""
	}
	zones, held, orders := zoneSizes(fit), make([]int, len(fit)), 0
	for i := range c.PartitionMap.Partitions {
		part := &c.PartitionMap.Partitions[i]
		if w.byHand(live[0], i) {
			orders++
			continue
		}
		in := make(map[string]bool)
		for j, n := range fit {
			if part.HeldBy(n.ID) {
				held[j]++
				in[n.Zone] = true
			}
		}
		if want := min(w.profile.replicas, len(zones), len(fit)); len(in) < want {
			return fmt.Sprintf("the copies of partition %d are in %d zones and could be in %d", i, len(in), want)
		}
	}
	shares := bestShares(fit, w.profile.partitions, min(w.profile.replicas, len(fit)))
	for i, n := range fit {
		if held[i] > shares[i]+1 || held[i]+orders < shares[i]-1 {
			return fmt.Sprintf("%s in zone %q holds %d slots and has its share, %d, among %d nodes; %d partitions were assigned by hand",
				n.ID, n.Zone, held[i], shares[i], len(fit), orders)
		}
	}
	return ""
}

// byHand reports whether a partition is where an operator put it, with copies
// added that the order lacked.
func (w *simWorld) byHand(p *simProc, partition int) bool {
	name := events.PartitionRegister(partition)
	now, ok := p.r.state.Register(name)
	if !ok {
		return false
	}
	for owner := &now; owner != nil; {
		a, err := owner.Payload()
		if err != nil {
			return false
		}
		switch a.(*events.Assignment).Trigger {
		case simByHand:
			return true
		case coordination.TriggerBalance, coordination.TriggerBootstrap:
			return false
		} // the others change what was there before
		stamp := owner.Stamp()
		owner = nil
		for _, id := range w.ledger.ids {
			if e := w.ledger.events[id]; e.Register == name && p.k.seq(id.Log) >= id.Seq && e.Stamp().Compare(stamp) < 0 &&
				(owner == nil || e.Stamp().Compare(owner.Stamp()) > 0) {
				owner = e
			}
		}
	}
	return false
}

func zoneSizes(nodes []*Node) map[string]int {
	sizes := make(map[string]int)
	for _, n := range nodes {
		sizes[n.Zone]++
	}
	return sizes
}

// bestShares finds the most even shares that leave room for the spread over
// zones, without package placement: each slot goes to the node that has the
// least, unless that would take from a zone what it needs. No node and, with
// more zones than copies, no zone has a partition twice; with fewer, each zone
// needs every partition. For such nested bounds this choice finds the most even
// shares (Federgruen and Groenevelt 1986).
func bestShares(nodes []*Node, partitions, replicas int) []int {
	sizes := zoneSizes(nodes)
	shares, of := make([]int, len(nodes)), make(map[string]int)
	lacking := func() (n int) { // slots that zones need for all partitions
		if replicas > len(sizes) {
			for zone := range sizes {
				n += max(partitions-of[zone], 0)
			}
		}
		return n
	}
	for left := partitions * replicas; left > 0; left-- {
		best := -1
		for i, n := range nodes {
			full := replicas <= len(sizes) && of[n.Zone] == partitions || shares[i] == partitions
			spare := left > lacking() || of[n.Zone] < partitions
			if !full && spare && (best < 0 || shares[i] < shares[best]) {
				best = i
			}
		}
		shares[best]++
		of[nodes[best].Zone]++
	}
	return shares
}

// TestBestShares holds the oracle to what can be counted by hand.
func TestBestShares(t *testing.T) {
	for _, c := range []struct {
		zones                string // one letter for each node
		partitions, replicas int
		want                 []int
	}{
		{"aaa", 4, 2, []int{3, 3, 2}},     // one zone is none
		{"abb", 6, 2, []int{6, 3, 3}},     // a is alone in its zone: it has a copy of everything
		{"abcc", 8, 3, []int{8, 8, 4, 4}}, // so have two
		{"aabc", 6, 2, []int{3, 3, 3, 3}}, // more zones than copies
		{"aaaaab", 5, 1, []int{1, 1, 1, 1, 1, 0}},
		{"abbbbb", 10, 3, []int{10, 4, 4, 4, 4, 4}}, // fewer zones than copies: a needs all
		{"ab", 3, 2, []int{3, 3}},
	} {
		var nodes []*Node
		for _, zone := range c.zones {
			nodes = append(nodes, &Node{Zone: string(zone)})
		}
		if got := bestShares(nodes, c.partitions, c.replicas); !slices.Equal(got, c.want) {
			t.Errorf("%s, %d partitions in %d copies: %v, want %v", c.zones, c.partitions, c.replicas, got, c.want)
		}
	}
}
