package clusterkit_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
)

func manual(_ int, o *clusterkit.Options) { o.Rebalance = clusterkit.Manual }

// TestManualRebalance: nothing moves for balance until a plan is applied, and
// then exactly what the plan said.
func TestManualRebalance(t *testing.T) {
	inBubbleWith(t, 5, manual, func(b *bubble) {
		time.Sleep(10 * time.Minute)
		b.agree(10*time.Second, b.nodes)
		before := b.nodes[0].Cluster()
		if primary, _ := held(before, "n0"); primary != 16 {
			t.Fatalf("n0 owns %d of 16 partitions: something moved by itself", primary)
		}
		plan, err := b.nodes[3].Plan(clusterkit.Change{})
		if err != nil {
			t.Fatal(err)
		}
		if plan.Moves == 0 || plan.Moves > plan.LowerBound || len(plan.Assignments) == 0 {
			t.Fatalf("the plan has %d moves, the bound is %d", plan.Moves, plan.LowerBound)
		}
		made, err := b.nodes[3].Apply(context.Background(), plan)
		if err != nil {
			t.Fatal(err)
		}
		if len(made) != len(plan.Assignments)+2 || made[0].Type != events.RebalanceStarted ||
			made[len(made)-1].Type != events.RebalanceCompleted {
			t.Errorf("%d events for %d assignments", len(made), len(plan.Assignments))
		}
		b.until("the plan's outcome everywhere", 5*time.Second, b.nodes, func(c *clusterkit.Cluster) bool {
			return !slices.ContainsFunc(plan.Assignments, func(a clusterkit.Assignment) bool {
				p := c.Partition(a.Partition)
				return !slices.Equal(append([]string{p.Primary}, p.Replicas...), a.Replicas)
			})
		})
		b.until("balance", 0, b.nodes, balanced(5, 16, 3))
		if _, err := b.nodes[3].Apply(context.Background(), plan); !errors.Is(err, clusterkit.ErrPlanStale) {
			t.Errorf("the same plan once more: %v, want ErrPlanStale", err)
		}
	})
}

// TestPlanOutlivesValues: what the application writes does not make a plan
// stale; somebody's coming and going does.
func TestPlanOutlivesValues(t *testing.T) {
	inBubbleWith(t, 4, manual, func(b *bubble) {
		b.agree(10*time.Second, b.nodes)
		ctx := context.Background()
		plan, err := b.nodes[0].Plan(clusterkit.Change{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.nodes[0].Set(ctx, "busy", []byte("application")); err != nil {
			t.Fatal(err)
		}
		if err := b.nodes[3].Stop(); err != nil {
			t.Fatal(err)
		}
		b.until("the goodbye", 5*time.Second, b.nodes[:3], func(c *clusterkit.Cluster) bool { return status(c, "n3") == "left" })
		if _, err := b.nodes[0].Apply(ctx, plan); !errors.Is(err, clusterkit.ErrPlanStale) {
			t.Errorf("a plan from before n3 left: %v, want ErrPlanStale", err)
		}
		if plan, err = b.nodes[0].Plan(clusterkit.Change{Drain: []string{"n0"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.nodes[0].Set(ctx, "busy", []byte("again")); err != nil {
			t.Fatal(err)
		}
		made, err := b.nodes[0].Apply(ctx, plan)
		if err != nil {
			t.Fatalf("a plan that only values came after: %v", err)
		}
		if made[0].Type != events.NodeDrained {
			t.Errorf("the first event is %s", made[0].Type)
		}
		b.until("n0 drained", time.Second, b.nodes[:1], func(c *clusterkit.Cluster) bool { _, any := held(c, "n0"); return any == 0 })
	})
}

func TestApplyRefusals(t *testing.T) {
	inBubbleWith(t, 3, manual, func(b *bubble) {
		b.agree(10*time.Second, b.nodes)
		ctx, ck := context.Background(), b.nodes[0]
		before := ck.Cluster()
		for _, change := range []clusterkit.Change{
			{Join: []clusterkit.Share{{ID: "new", Weight: 1}}}, {Fail: []string{"n1"}}, {Leave: []string{"n1"}},
			{Weights: map[string]int{"n1": 3}}, {Replication: 2},
		} {
			plan, err := ck.Plan(change)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ck.Apply(ctx, plan); err == nil {
				t.Errorf("a plan for %+v was applied", change)
			}
		}
		if _, err := ck.Plan(clusterkit.Change{Leave: []string{"nobody"}}); err == nil {
			t.Error("a plan for a node that does not exist")
		}
		if _, err := ck.Apply(ctx, nil); err == nil {
			t.Error("no plan was applied")
		}
		b.net.Split([]string{host(0)}, []string{host(1), host(2)})
		b.until("n0 sees nobody", 2*time.Minute, b.nodes[:1], func(c *clusterkit.Cluster) bool { return alive(c) == 1 })
		plan, err := ck.Plan(clusterkit.Change{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ck.Apply(ctx, plan); !errors.Is(err, clusterkit.ErrNoMajority) {
			t.Errorf("a plan applied by a minority: %v, want ErrNoMajority", err)
		}
		if diff := cmp.Diff(before.PartitionMap, ck.Cluster().PartitionMap, cmp.AllowUnexported(clusterkit.Partition{})); diff != "" {
			t.Errorf("refused plans moved partitions (-before +after):\n%s", diff)
		}
	})
}
