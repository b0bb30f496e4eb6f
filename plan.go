package clusterkit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// Aliases of the types of a plan.
type (
	// Change is what might happen to a cluster. The zero Change is nothing: a
	// plan for it is what balance alone would move.
	Change = coordination.Change
	// Plan is what a change would move.
	Plan = coordination.Plan
	// Share is a node as placement sees it: its ID, zone and weight.
	Share = placement.Node
	// Assignment gives a partition to nodes, the primary first.
	Assignment = coordination.Assignment
)

// Rebalance says who decides when partitions move for the sake of balance.
type Rebalance uint8

// The values of Options.Rebalance.
const (
	Automatic Rebalance = iota // the coordinator, when membership has been stable
	Manual                     // an operator, with Plan and Apply
)

// ErrPlanStale is returned by Apply when what the plan rests on has changed:
// somebody came, went or was suspected, or a partition was assigned.
var ErrPlanStale = errors.New("clusterkit: the cluster is no longer the one that the plan was made for")

// ErrNoMajority is returned by Apply on a node that does not see a majority of
// the members alive: the others may be moving the same partitions.
var ErrNoMajority = errors.New("clusterkit: this node does not see a majority of the members")

// Plan says what would move if change happened, when all waits are over: the
// moves, the load of every node before and after, and how few moves would do.
// The steps are those that the coordinator would take, by the same code. It
// changes nothing and does not wait; the cluster is the one that this node
// knows now. It is an error if the change names a node that does not exist, or
// lets one join that is there already.
func (ck *ClusterKit) Plan(change Change) (*Plan, error) {
	plan, err := coordination.Foresee(ck.known().cluster, change)
	if err != nil {
		return nil, fmt.Errorf("clusterkit: %w", err)
	}
	return plan, nil
}

// Apply carries out a plan for what the cluster is now, or with nodes to
// drain, which it orders to be drained first. It writes all of it or nothing
// and returns the events. A plan for a change that has not happened is refused,
// and so is one whose base no longer holds: ErrPlanStale. Needs a majority of
// the members alive: ErrNoMajority.
func (ck *ClusterKit) Apply(ctx context.Context, plan *Plan) ([]events.Event, error) {
	if plan == nil {
		return nil, errors.New("clusterkit: there is no plan to apply")
	}
	if c := &plan.Change; len(c.Join)+len(c.Leave)+len(c.Fail)+len(c.Weights) > 0 || c.Replication != 0 {
		return nil, errors.New("clusterkit: a plan for what might happen cannot be applied; let it happen, then plan again")
	}
	return ask(ctx, ck, func(r *replica, wall int64) ([]events.Event, error) {
		if err := r.mayCommand(); err != nil {
			return nil, err
		}
		from := len(r.staged)
		if err := r.apply(wall, plan, "operator:"+ck.opt.NodeID); err != nil {
			return nil, err
		}
		return slices.Clone(r.staged[from:]), nil
	})
}

// apply stages the orders and assignments of a plan.
func (r *replica) apply(wall int64, plan *Plan, actor string) error {
	cluster := r.state.Cluster()
	if coordination.BaseOf(cluster) != plan.Base || r.assigning() {
		return ErrPlanStale
	}
	if !coordination.Majority(cluster) {
		return ErrNoMajority
	}
	plan, err := coordination.Foresee(cluster, plan.Change) // the same again, whatever became of the caller's
	if err != nil {
		return err
	}
	for _, node := range plan.Change.Drain {
		if err := r.drain(wall, cluster, node, actor); err != nil {
			return err
		}
	}
	if len(plan.Assignments) == 0 {
		return nil
	}
	frame := events.Event{Actor: actor, Body: events.Encode(&events.Rebalance{
		Moves: uint32(plan.Moves), Trigger: coordination.TriggerBalance, Reason: "plan " + plan.Base.String() + " applied"})}
	frame.Type = events.RebalanceStarted
	began, err := r.emit(wall, frame)
	if err != nil {
		return err
	}
	cause := began.ID()
	for i := range plan.Assignments {
		a := plan.Assignments[i]
		a.Cause = cause
		if err := r.assign(wall, &a, r.version(events.PartitionRegister(a.Partition))+1, actor); err != nil {
			return err
		}
	}
	frame.Type, frame.Cause = events.RebalanceCompleted, cause
	_, err = r.emit(wall, frame)
	return err
}

// assigning reports whether the batch under way writes what a plan rests on,
// which the state does not show yet.
func (r *replica) assigning() bool {
	return slices.ContainsFunc(r.staged, func(e events.Event) bool {
		switch kind, _ := events.SplitRegister(e.Register); kind {
		case events.KindPartition, events.KindNode, events.KindAdmin, events.KindAccusation:
			return true
		}
		return e.Register == events.ConfigRegister
	})
}

func (r *replica) drain(wall int64, cluster *projection.Cluster, node, actor string) error {
	n, ok := cluster.Node(node)
	if !ok || n.Draining {
		return nil // the plan was made for it, so it is there
	}
	_, err := r.write(wall, events.Event{Type: events.NodeDrained, Register: events.AdminRegister(node), Actor: actor,
		Body: events.Encode(&events.NodeOrder{Node: node, Incarnation: n.Incarnation, Log: strings.Join(r.closed(node), ","), Reason: "by plan " + coordination.BaseOf(cluster).String()})})
	return err
}
