package replay

import (
	"context"
	"errors"
	"slices"

	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// Forecast is what would have moved if something had happened to the cluster
// at some point of its history.
type Forecast struct {
	At          Mark            `json:"at"`
	Replication int             `json:"replication"` // copies that a partition is meant to have
	Moves       int             `json:"moves"`       // copies that would be made
	LowerBound  int             `json:"lower_bound"` // of copies, whoever decides
	Primaries   int             `json:"primaries"`   // partitions that would change their primary
	Anyway      int             `json:"anyway"`      // copies that were about to be made without the change
	Unowned     int             `json:"unowned"`     // partitions that nobody would hold in the end
	Short       int             `json:"short"`       // partitions that would have fewer copies than they are meant to
	Nodes       []NodeForecast  `json:"nodes"`       // sorted
	Partitions  []Displacement  `json:"partitions"`  // those that would change, sorted
	Triggers    []TriggerAmount `json:"triggers"`    // how many of them by what, sorted
	Damage      []Damage        `json:"damage,omitempty"`
}

// NodeForecast is what a node holds, and would hold.
type NodeForecast struct {
	Node      string `json:"node"`
	Copies    [2]int `json:"copies"`    // before, after
	Primaries [2]int `json:"primaries"` // of these
}

// Displacement is a partition that would be held by others.
type Displacement struct {
	Partition int      `json:"partition"`
	From      []string `json:"from"` // the primary first
	To        []string `json:"to"`
	Trigger   string   `json:"trigger"`
	Reason    string   `json:"reason"`
}

// TriggerAmount is how many partitions one trigger would move.
type TriggerAmount struct {
	Trigger    string `json:"trigger"`
	Partitions int    `json:"partitions"`
}

// ChangeError says that a change cannot happen to the cluster that there was.
type ChangeError struct{ Err error }

func (e *ChangeError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *ChangeError) Unwrap() error { return e.Err }

// WhatIf asks the code that assigns partitions what it would do if a change
// happened at a point, once all its waits are over. Nothing is written. The
// error of an impossible change is a *ChangeError; it wraps ErrEmpty when there
// was no cluster yet; the others are those of [Source.StateAt].
func (s *Source) WhatIf(ctx context.Context, at Point, axis Axis, change coordination.Change) (*Forecast, error) {
	m, err := s.StateAt(ctx, at, axis)
	if err != nil {
		return nil, err
	}
	cluster := m.State.Cluster()
	if len(cluster.Nodes) == 0 || len(cluster.PartitionMap.Partitions) == 0 {
		errs := []error{errors.New("there was no cluster yet at " + at.String()), ErrEmpty}
		for i := range m.Damage { // which may be why
			errs = append(errs, &m.Damage[i])
		}
		return nil, errors.Join(errs...)
	}
	plan, err := coordination.Foresee(cluster, change)
	if err != nil {
		return nil, &ChangeError{err}
	}
	anyway, err := coordination.Foresee(cluster, coordination.Change{})
	if err != nil {
		return nil, &ChangeError{err}
	}
	f := &Forecast{At: m.Mark, Replication: cluster.Config.ReplicationFactor, Moves: plan.Moves, LowerBound: plan.LowerBound,
		Primaries: plan.Primaries, Anyway: anyway.Moves, Damage: m.Damage}
	if change.Replication > 0 {
		f.Replication = change.Replication
	}
	for i := range cluster.PartitionMap.Partitions {
		p := &cluster.PartitionMap.Partitions[i]
		f.partition(p.ID, holders(p), plan)
	}
	f.loads(plan)
	return f, nil
}

// partition takes up what would become of one partition.
func (f *Forecast) partition(id int, holds []string, plan *coordination.Plan) {
	if i, found := slices.BinarySearchFunc(plan.Assignments, id, func(a coordination.Assignment, id int) int { return a.Partition - id }); found {
		a := &plan.Assignments[i]
		f.Partitions = append(f.Partitions, Displacement{id, a.Previous, a.Replicas, a.Trigger, a.Reason})
		holds = a.Replicas
		j, found := slices.BinarySearchFunc(f.Triggers, a.Trigger, func(t TriggerAmount, name string) int { return compareNames(t.Trigger, name) })
		if !found {
			f.Triggers = slices.Insert(f.Triggers, j, TriggerAmount{Trigger: a.Trigger})
		}
		f.Triggers[j].Partitions++
	}
	switch {
	case len(holds) == 0:
		f.Unowned++
	case len(holds) < f.Replication:
		f.Short++
	}
}

// loads puts the loads before and after side by side.
func (f *Forecast) loads(plan *coordination.Plan) {
	at := func(node string) *NodeForecast {
		i, found := slices.BinarySearchFunc(f.Nodes, node, func(n NodeForecast, id string) int { return compareNames(n.Node, id) })
		if !found {
			f.Nodes = slices.Insert(f.Nodes, i, NodeForecast{Node: node})
		}
		return &f.Nodes[i]
	}
	for _, l := range plan.Before {
		n := at(l.Node)
		n.Copies[0], n.Primaries[0] = l.Copies, l.Primaries
	}
	for _, l := range plan.After {
		n := at(l.Node)
		n.Copies[1], n.Primaries[1] = l.Copies, l.Primaries
	}
}
