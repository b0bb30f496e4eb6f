package projection

import (
	"errors"
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// Oddity is a register that the view passes over, because the event that owns
// it makes no sense.
type Oddity struct {
	Register string      `json:"register"`
	Event    events.ID   `json:"event"`
	Type     events.Type `json:"type"`
	Reason   string      `json:"reason"` // what is wrong with it, for people
}

// Oddities returns the oddities of the state, sorted by register. It reads
// every register, so it is for health checks and audits, not for every event.
func (s *State) Oddities() []Oddity {
	s.refresh()
	var odd []Oddity
	for _, r := range s.inOrder() {
		_, err := r.read()
		if err == nil && r.kind == kindPartition && s.view.config.PartitionCount > 0 &&
			int(r.partition) >= s.view.config.PartitionCount && r.event.Type == events.PartitionAssigned {
			err = fmt.Errorf("the cluster has %d partitions", s.view.config.PartitionCount)
		}
		if err != nil {
			odd = append(odd, Oddity{r.name(), r.event.ID(), r.event.Type, err.Error()})
		}
	}
	return odd
}

// placeOf says what kind of register a known type writes and with which rank.
func placeOf(t events.Type) (k kind, rank uint8) {
	switch t {
	case events.ClusterConfigured:
		return kindConfig, 0
	case events.LogStarted:
		return kindLog, 0
	case events.LogForked:
		return kindLog, rankForked
	case events.NodeJoined, events.NodeUpdated, events.NodeLeaving, events.NodeLeft, events.NodeRecovered:
		return kindNode, 0
	case events.NodeSuspected:
		return kindAccusation, events.RankSuspected
	case events.NodeFailed:
		return kindAccusation, events.RankFailed
	case events.NodeRemoved, events.NodeDrained, events.NodeUndrained:
		return kindAdmin, 0
	case events.CoordinatorClaimed:
		return kindCoordinator, 0
	case events.PartitionAssigned:
		return kindPartition, 0
	case events.ValueSet, events.ValueDeleted:
		return kindValue, 0
	case events.FloorRaised:
		return kindFloor, 0
	case events.TombstonesCollected:
		return kindCollected, 0
	}
	return kindOther, 0
}

// rankForked is the rank of LogForked, so that it beats LogStarted.
const rankForked = 1

// RankObserved is the largest rank of a FloorRaised: how many quarters of the
// time that it must have been known for have been observed.
const RankObserved = 3

// read returns what the owner of a register says. A nil payload says nothing
// to this version: the type is unknown. An error says why it makes no sense;
// it is a function of the event alone.
func (r *register) read() (events.Payload, error) {
	e := &r.event
	if !e.Type.IsKnown() {
		return nil, nil
	}
	k, rank := placeOf(e.Type)
	switch {
	case k == kindOther:
		return nil, errors.New("a fact that writes a register")
	case k != r.kind:
		return nil, errors.New("the type does not belong in this register")
	case rank != e.Rank && (k != kindFloor || e.Rank > RankObserved):
		return nil, fmt.Errorf("rank %d, the type has %d", e.Rank, rank)
	}
	p, err := e.Payload()
	if err != nil {
		return nil, err
	}
	if err := r.contradiction(p); err != nil {
		return nil, err
	}
	return p, nil
}

// contradiction reports whether a payload says something else than its
// register.
func (r *register) contradiction(p events.Payload) error {
	switch p := p.(type) {
	case *events.ClusterConfig:
		if p.PartitionCount < 1 || p.PartitionCount > MaxPartitions {
			return fmt.Errorf("%d partitions, want 1 to %d", p.PartitionCount, MaxPartitions)
		}
	case *events.LogOwner:
		return r.readOwner(p)
	case *events.NodeRecord:
		if max(p.JoinedAt, p.StartedAt) > events.MaxTimestamp {
			return errors.New("a time out of range")
		}
		return r.about(p.ID)
	case *events.Accusation:
		if p.Incarnation != r.event.Version {
			return fmt.Errorf("accuses incarnation %d in version %d", p.Incarnation, r.event.Version)
		}
		return r.about(p.Node)
	case *events.NodeOrder:
		return r.about(p.Node)
	case *events.CoordinatorClaim:
		return events.CheckNodeID(p.Node)
	case *events.Assignment:
		return r.readAssignment(p)
	case *events.Collection:
		if r.kind == kindFloor {
			return r.readFloor(p)
		}
	case *events.Value:
		if p.Key != r.key() {
			return fmt.Errorf("names the key %q", p.Key)
		}
	}
	return nil
}

// about checks that a payload is about the node that the register names.
func (r *register) about(node string) error {
	if node != r.key() {
		return fmt.Errorf("names the node %q", node)
	}
	return events.CheckNodeID(node)
}

func (r *register) readOwner(p *events.LogOwner) error {
	if log, err := events.ParseLogID(r.key()); err != nil || log.String() != r.key() {
		return errors.New("the register names no log")
	}
	if p.Node == "" && r.event.Type == events.LogForked {
		return nil // seen by somebody who does not know whose it is
	}
	return events.CheckNodeID(p.Node)
}

func (r *register) readAssignment(p *events.Assignment) error {
	if r.partition < 0 {
		return errors.New("the register names no partition")
	}
	if int32(p.Partition) != r.partition {
		return fmt.Errorf("names the partition %d", p.Partition)
	}
	for i, id := range p.Replicas {
		if err := events.CheckNodeID(id); err != nil {
			return err
		}
		if slices.Contains(p.Replicas[:i], id) {
			return fmt.Errorf("names the node %q twice", id)
		}
	}
	return nil
}
