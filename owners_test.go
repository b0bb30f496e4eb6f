package clusterkit_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// TestAssignmentsTellOldAndNewOwners: every assignment names the replicas before
// it, which are those of the assignment before, through joins, balance and a leave.
func TestAssignmentsTellOldAndNewOwners(t *testing.T) {
	inBubble(t, 5, func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(5, 16, 3))
		if _, _, err := b.leave(4); err != nil {
			t.Fatal(err)
		}
		b.until("balance without n4", time.Minute, b.nodes[:4], balanced(4, 16, 3))
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		owners, changed := make(map[int][]string), 0
		for e, err := range b.nodes[1].Events(ctx, nil, events.PartitionAssigned) {
			if err != nil {
				t.Fatal(err)
			}
			p, err := e.Payload()
			if err != nil {
				t.Fatal(err)
			}
			a := p.(*events.Assignment)
			if id := int(a.Partition); !slices.Equal(a.Previous, owners[id]) {
				t.Errorf("partition %d: %v, before it %v, which was %v", id, a.Replicas, a.Previous, owners[id])
			} else if owners[id] = a.Replicas; len(a.Previous) > 0 {
				changed++
			}
		}
		if changed < 16 {
			t.Errorf("only %d assignments changed owners", changed)
		}
		for id, p := range b.nodes[1].Cluster().PartitionMap.Partitions {
			if now := append([]string{p.Primary}, p.Replicas...); !slices.Equal(now, owners[id]) {
				t.Errorf("partition %d is held by %v, the events say %v", id, now, owners[id])
			}
		}
	})
}
