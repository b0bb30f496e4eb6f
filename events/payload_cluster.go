package events

import "math"

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

func (*ClusterConfig) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "cluster_name", always)
	w.number(2, "partition_count", always, maxSmall)
	w.number(3, "replication_factor", always, maxSmall)
	w.text(4, "reason", nonzero)
	return w.close()
}

func (*ClusterConfig) fresh() Payload { return new(ClusterConfig) }

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

func (*LogOwner) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "node", always)
	w.text(2, "reason", nonzero)
	w.number(3, "seq", nonzero, math.MaxUint64)
	return w.close()
}

func (*LogOwner) fresh() Payload { return new(LogOwner) }

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

// CoordinatorClaim says which node assigns partitions; the term is the version
// of the register.
type CoordinatorClaim struct {
	Node   string `json:"node"`
	Reason string `json:"reason,omitempty"`
}

func (p *CoordinatorClaim) appendTo(b []byte) []byte {
	return appendString(appendString(b, 1, p.Node), 2, p.Reason)
}

func (*CoordinatorClaim) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "node", always)
	w.text(2, "reason", nonzero)
	return w.close()
}

func (*CoordinatorClaim) fresh() Payload { return new(CoordinatorClaim) }

func (p *CoordinatorClaim) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Node, f)
	case 2:
		return text(&p.Reason, f)
	}
	return nil
}
