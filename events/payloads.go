package events

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// ClusterConfig is what all nodes of a cluster must agree on.
type ClusterConfig struct {
	Name              string `json:"cluster_name"`
	PartitionCount    uint32 `json:"partition_count"`
	ReplicationFactor uint32 `json:"replication_factor"`
	Reason            string `json:"reason,omitempty"`
}

func (p *ClusterConfig) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Name)
	b = appendUint(b, 2, uint64(p.PartitionCount))
	b = appendUint(b, 3, uint64(p.ReplicationFactor))
	return appendString(b, 4, p.Reason)
}

func (p *ClusterConfig) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Name, f)
	case 2:
		return small(&p.PartitionCount, f)
	case 3:
		return small(&p.ReplicationFactor, f)
	case 4:
		return text(&p.Reason, f)
	}
	return nil
}

// LogOwner says which node writes, or wrote, a log. As LogForked it says that
// two different events were seen with one sequence.
type LogOwner struct {
	Node   string `json:"node"`
	Reason string `json:"reason,omitempty"`
	Seq    uint64 `json:"seq,omitempty"` // where the fork was seen
}

func (p *LogOwner) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Node)
	b = appendString(b, 2, p.Reason)
	return appendUint(b, 3, p.Seq)
}

func (p *LogOwner) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Node, f)
	case 2:
		return text(&p.Reason, f)
	case 3:
		return number(&p.Seq, f)
	}
	return nil
}

// NodeRecord is what a node says of itself. Every event that writes its node
// register carries the whole record.
type NodeRecord struct {
	ID        string            `json:"id"`
	Name      string            `json:"name,omitempty"`
	Addr      string            `json:"addr"` // host:port that peers dial
	Zone      string            `json:"zone,omitempty"`
	Weight    uint32            `json:"weight,omitempty"` // share of the partitions, 0 means 1
	Services  map[string]string `json:"services,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	JoinedAt  Timestamp         `json:"joined_at,omitzero"`  // first join
	StartedAt Timestamp         `json:"started_at,omitzero"` // start of the running process
	Reason    string            `json:"reason,omitempty"`
}

func (p *NodeRecord) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.ID)
	b = appendString(b, 2, p.Name)
	b = appendString(b, 3, p.Addr)
	b = appendString(b, 4, p.Zone)
	b = appendUint(b, 5, uint64(p.Weight))
	b = appendMap(b, 6, p.Services)
	b = appendMap(b, 7, p.Metadata)
	b = appendFixed(b, 8, uint64(p.JoinedAt))
	b = appendFixed(b, 9, uint64(p.StartedAt))
	return appendString(b, 10, p.Reason)
}

func (p *NodeRecord) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.ID, f)
	case 2:
		return text(&p.Name, f)
	case 3:
		return text(&p.Addr, f)
	case 4:
		return text(&p.Zone, f)
	case 5:
		return small(&p.Weight, f)
	case 6:
		return mapEntry(&p.Services, f)
	case 7:
		return mapEntry(&p.Metadata, f)
	case 8:
		return timestamp(&p.JoinedAt, f)
	case 9:
		return timestamp(&p.StartedAt, f)
	case 10:
		return text(&p.Reason, f)
	}
	return nil
}

// Clone returns a copy that shares nothing with p.
func (p *NodeRecord) Clone() *NodeRecord {
	c := *p
	c.Services, c.Metadata = maps.Clone(p.Services), maps.Clone(p.Metadata)
	return &c
}

// Accusation says that a node, in one of its incarnations, does not answer.
type Accusation struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Reason      string `json:"reason,omitempty"`
}

func (p *Accusation) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Node)
	b = appendUint(b, 2, p.Incarnation)
	return appendString(b, 3, p.Reason)
}

func (p *Accusation) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Node, f)
	case 2:
		return number(&p.Incarnation, f)
	case 3:
		return text(&p.Reason, f)
	}
	return nil
}

// NodeOrder is what an operator orders about a node: to drain it, to take that
// back, or to remove all its incarnations up to the one named.
type NodeOrder struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

func (p *NodeOrder) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Node)
	b = appendUint(b, 2, p.Incarnation)
	return appendString(b, 3, p.Reason)
}

func (p *NodeOrder) set(f field) error { return (*Accusation)(p).set(f) }

// CoordinatorClaim says which node assigns partitions; the term is the version
// of the register.
type CoordinatorClaim struct {
	Node   string `json:"node"`
	Reason string `json:"reason,omitempty"`
}

func (p *CoordinatorClaim) appendTo(b []byte) []byte {
	return appendString(appendString(b, 1, p.Node), 2, p.Reason)
}

func (p *CoordinatorClaim) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Node, f)
	case 2:
		return text(&p.Reason, f)
	}
	return nil
}

// Assignment says who owns a partition; the epoch is the version of the
// register.
type Assignment struct {
	Partition uint32   `json:"partition"`
	Replicas  []string `json:"replicas"`           // the primary first
	Previous  []string `json:"previous,omitempty"` // the replicas before
	Trigger   string   `json:"trigger,omitempty"`  // bootstrap, failure, ... : a closed set of the coordinator
	Reason    string   `json:"reason,omitempty"`   // the same in words
}

func (p *Assignment) appendTo(b []byte) []byte {
	b = appendUint(b, 1, uint64(p.Partition))
	b = appendList(b, 2, p.Replicas)
	b = appendList(b, 3, p.Previous)
	b = appendString(b, 4, p.Trigger)
	return appendString(b, 5, p.Reason)
}

func (p *Assignment) set(f field) error {
	switch f.num {
	case 1:
		return small(&p.Partition, f)
	case 2:
		return texts(&p.Replicas, f)
	case 3:
		return texts(&p.Previous, f)
	case 4:
		return text(&p.Trigger, f)
	case 5:
		return text(&p.Reason, f)
	}
	return nil
}

// Rebalance frames a set of assignments that were decided together.
type Rebalance struct {
	Moves   uint32 `json:"moves"` // copies that change their node
	Trigger string `json:"trigger,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (p *Rebalance) appendTo(b []byte) []byte {
	b = appendUint(b, 1, uint64(p.Moves))
	b = appendString(b, 2, p.Trigger)
	return appendString(b, 3, p.Reason)
}

func (p *Rebalance) set(f field) error {
	switch f.num {
	case 1:
		return small(&p.Moves, f)
	case 2:
		return text(&p.Trigger, f)
	case 3:
		return text(&p.Reason, f)
	}
	return nil
}

// Value is an application value; a deleted one has no bytes.
type Value struct {
	Key   string `json:"key"`
	Value []byte `json:"value,omitempty"`
}

func (p *Value) appendTo(b []byte) []byte {
	return appendBytes(appendString(b, 1, p.Key), 2, p.Value)
}

func (p *Value) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Key, f)
	case 2:
		p.Value = slices.Clone(f.bytes)
		return wire(f, wireBytes)
	}
	return nil
}

// appendList appends a repeated string, empty items included.
func appendList(b []byte, num protowire.Number, list []string) []byte {
	for _, s := range list {
		b = protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
	}
	return b
}

// appendMap appends a map<string, string>, sorted by key.
func appendMap(b []byte, num protowire.Number, m map[string]string) []byte {
	var entry []byte
	for _, k := range slices.Sorted(maps.Keys(m)) {
		// The entries of a protobuf map always carry both fields.
		entry = protowire.AppendString(protowire.AppendTag(entry[:0], 1, protowire.BytesType), k)
		entry = protowire.AppendString(protowire.AppendTag(entry, 2, protowire.BytesType), m[k])
		b = protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), entry)
	}
	return b
}

func mapEntry(m *map[string]string, f field) error {
	if err := wire(f, wireBytes); err != nil {
		return err
	}
	if len(*m) >= maxItems {
		return fmt.Errorf("more than %d entries", maxItems)
	}
	var k, v string
	for at := 0; at < len(f.bytes); {
		sub, n := nextField(f.bytes[at:])
		if n < 0 {
			return fmt.Errorf("map entry is not protobuf")
		}
		at += n
		var err error
		switch sub.num {
		case 1:
			err = text(&k, sub)
		case 2:
			err = text(&v, sub)
		}
		if err != nil {
			return err
		}
	}
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[k] = v
	return nil
}
