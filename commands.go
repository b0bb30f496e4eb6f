package clusterkit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// command makes one event and returns it once it is durable here. It spreads
// to the others right after.
func (ck *ClusterKit) command(ctx context.Context, decide func(r *replica, wall int64) (*events.Event, error)) (events.Event, error) {
	return ask(ctx, ck, func(r *replica, wall int64) (events.Event, error) {
		if err := r.mayCommand(); err != nil {
			return events.Event{}, err
		}
		made, err := decide(r, wall)
		if err != nil {
			return events.Event{}, err
		}
		return *made, nil
	})
}

// mayCommand says why this node takes no commands now, if so.
func (r *replica) mayCommand() error {
	switch {
	case r.stopping:
		return ErrStopped
	case !r.spoken:
		return ErrNotJoined
	}
	return nil
}

// Assign gives a partition to the named nodes, the primary first, until the
// next rebalance finds reason to move it. Every node must be a member.
func (ck *ClusterKit) Assign(ctx context.Context, partition int, nodes ...string) (events.Event, error) {
	if partition < 0 || partition >= ck.config.PartitionCount {
		return events.Event{}, fmt.Errorf("clusterkit: partition %d is not between 0 and %d", partition, ck.config.PartitionCount-1)
	}
	if len(nodes) == 0 || len(nodes) > maxReplicas {
		return events.Event{}, fmt.Errorf("clusterkit: a partition is assigned to 1 to %d nodes, not %d", maxReplicas, len(nodes))
	}
	for i, id := range nodes {
		if _, err := ck.member(id); err != nil {
			return events.Event{}, err
		}
		if slices.Contains(nodes[:i], id) {
			return events.Event{}, fmt.Errorf("clusterkit: node %q is named twice", id)
		}
	}
	return ck.command(ctx, func(r *replica, wall int64) (*events.Event, error) {
		a := &coordination.Assignment{Partition: partition, Replicas: slices.Clone(nodes),
			Previous: holders(r.state.Cluster().PartitionMap.Partitions, partition),
			Trigger:  "manual", Reason: "assigned by command"}
		if err := r.assign(wall, a, r.version(events.PartitionRegister(partition))+1, "operator:"+ck.opt.NodeID); err != nil {
			return nil, err
		}
		return &r.staged[len(r.staged)-1], nil
	})
}

func holders(all []Partition, partition int) []string {
	if partition >= len(all) || all[partition].Primary == "" {
		return nil
	}
	return append([]string{all[partition].Primary}, all[partition].Replicas...)
}

func (ck *ClusterKit) member(id string) (*Node, error) {
	n, ok := ck.known().cluster.Node(id)
	if !ok {
		return nil, fmt.Errorf("clusterkit: there is no node %q", id)
	}
	return n, nil
}

// Drain moves all partitions away from a node, which stays a member.
func (ck *ClusterKit) Drain(ctx context.Context, node string) (events.Event, error) {
	return ck.order(ctx, events.NodeDrained, node)
}

// Undrain takes back a Drain.
func (ck *ClusterKit) Undrain(ctx context.Context, node string) (events.Event, error) {
	return ck.order(ctx, events.NodeUndrained, node)
}

func (ck *ClusterKit) order(ctx context.Context, t events.Type, node string) (events.Event, error) {
	return ck.command(ctx, func(r *replica, wall int64) (*events.Event, error) {
		return r.order(wall, t, node, "operator:"+ck.opt.NodeID, "by command")
	})
}

// order stages an order to drain a node, or to drain it no longer. One about a
// node that was removed, or is about to be, would stand in the place of the removal.
func (r *replica) order(wall int64, t events.Type, node, actor, reason string) (*events.Event, error) {
	n, ok := r.state.Cluster().Node(node)
	register := events.AdminRegister(node)
	removed := func(e events.Event) bool { return e.Type == events.NodeRemoved && e.Register == register }
	switch {
	case !ok:
		return nil, fmt.Errorf("clusterkit: there is no node %q", node)
	case n.Status == projection.StatusRemoved || slices.ContainsFunc(r.staged, removed):
		return nil, fmt.Errorf("clusterkit: node %q was removed", node)
	}
	return r.write(wall, events.Event{Type: t, Register: register, Actor: actor,
		Body: events.Encode(&events.NodeOrder{Node: node, Incarnation: n.Incarnation, Log: strings.Join(r.closed(node), ","), Reason: reason})})
}

// NodeUpdate changes what this node says of itself. A nil field stays as it
// is; maps are replaced whole.
type NodeUpdate struct {
	Zone     *string
	Weight   *int
	Services map[string]string
	Metadata map[string]string
}

// UpdateNode changes what this node says of itself, until the next restart.
func (ck *ClusterKit) UpdateNode(ctx context.Context, u NodeUpdate) (events.Event, error) {
	if u.Weight != nil && (*u.Weight < 1 || *u.Weight > maxWeight) {
		return events.Event{}, fmt.Errorf("clusterkit: weight %d is not between 1 and %d", *u.Weight, maxWeight)
	}
	if u.Zone != nil && *u.Zone != "" {
		if err := events.CheckKey(*u.Zone); err != nil {
			return events.Event{}, fmt.Errorf("clusterkit: zone: %w", err)
		}
	}
	if err := checkMetadata(u.Services, u.Metadata); err != nil {
		return events.Event{}, fmt.Errorf("clusterkit: %w", err)
	}
	return ck.command(ctx, func(r *replica, wall int64) (*events.Event, error) {
		next := r.record.Clone()
		if u.Zone != nil {
			next.Zone = *u.Zone
		}
		if u.Weight != nil {
			next.Weight = uint32(*u.Weight)
		}
		if u.Services != nil {
			next.Services = maps.Clone(u.Services)
		}
		if u.Metadata != nil {
			next.Metadata = maps.Clone(u.Metadata)
		}
		old := r.record
		r.record = next
		e, err := r.announce(wall, events.NodeUpdated, r.incarnation(), events.ID{}, "updated")
		if err != nil {
			r.record = old
		}
		return e, err
	})
}

// Set writes a value that all nodes come to know. The last writer wins: who
// has seen the other's write wins over it, and between two that have not seen
// each other the later clock does. A value holds at most 128 KiB.
func (ck *ClusterKit) Set(ctx context.Context, key string, value []byte) (events.Event, error) {
	return ck.changeValue(ctx, events.ValueSet, &events.Value{Key: key, Value: slices.Clone(value)}, nil)
}

// Delete removes a value.
func (ck *ClusterKit) Delete(ctx context.Context, key string) (events.Event, error) {
	return ck.changeValue(ctx, events.ValueDeleted, &events.Value{Key: key}, nil)
}

const maxValue = 128 << 10

// changeValue writes a value, if old is what it is now or nil.
func (ck *ClusterKit) changeValue(ctx context.Context, t events.Type, v *events.Value, old *Value) (events.Event, error) {
	if err := events.CheckKey(v.Key); err != nil {
		return events.Event{}, fmt.Errorf("clusterkit: %w", err)
	}
	if len(v.Value) > maxValue {
		return events.Event{}, fmt.Errorf("clusterkit: value of %d bytes, at most %d", len(v.Value), maxValue)
	}
	return ck.command(ctx, func(r *replica, wall int64) (*events.Event, error) {
		if old != nil {
			if err := r.expect(old); err != nil {
				return nil, err
			}
		}
		return r.write(wall, events.Event{Type: t, Register: events.ValueRegister(v.Key), Actor: "app", Body: events.Encode(v)})
	})
}

// Record writes an event of the application, "app/" + name, into the same
// history. The payload is the application's own, at most 128 KiB.
func (ck *ClusterKit) Record(ctx context.Context, name string, payload []byte) (events.Event, error) {
	if err := events.CheckKey(name); err != nil || len(name) > events.MaxTypeLength-len(events.AppPrefix) {
		return events.Event{}, fmt.Errorf("clusterkit: event name %q: want 1 to %d bytes without control characters",
			name, events.MaxTypeLength-len(events.AppPrefix))
	}
	if len(payload) > maxValue {
		return events.Event{}, fmt.Errorf("clusterkit: payload of %d bytes, at most %d", len(payload), maxValue)
	}
	return ck.command(ctx, func(r *replica, wall int64) (*events.Event, error) {
		return r.emit(wall, events.Event{Type: events.Type(events.AppPrefix + name), Actor: "app", Body: slices.Clone(payload)})
	})
}
