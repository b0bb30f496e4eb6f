package events

import (
	"maps"
	"math"
	"strings"
)

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
	Degraded  string            `json:"degraded,omitempty"` // why it runs and should hold nothing; empty when it is well
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
	b = appendString(b, 10, p.Reason)
	return appendString(b, 11, p.Degraded)
}

func (*NodeRecord) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "id", always)
	w.text(2, "name", nonzero)
	w.text(3, "addr", always)
	w.text(4, "zone", nonzero)
	w.number(5, "weight", nonzero, maxSmall)
	w.dict(6, "services")
	w.dict(7, "metadata")
	w.time(8, "joined_at")
	w.time(9, "started_at")
	w.text(10, "reason", nonzero)
	w.text(11, "degraded", nonzero)
	return w.close()
}

func (*NodeRecord) fresh() Payload { return new(NodeRecord) }

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
	case 11:
		return text(&p.Degraded, f)
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

func (*Accusation) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "node", always)
	w.number(2, "incarnation", always, math.MaxUint64)
	w.text(3, "reason", nonzero)
	return w.close()
}

func (*Accusation) fresh() Payload { return new(Accusation) }

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
// back, or to remove all its incarnations up to the one named and all that
// speak in a log that it closes. As BrakeHeld it names the node that was spared; as
// BrakeLifted it has only a reason.
type NodeOrder struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Log         string `json:"log,omitempty"` // the logs that are closed: LogIDs as text, with commas between, see Closes
}

// Closes reports whether nobody may speak in a log any more, by this order or by
// one before it, whose place it has taken.
func (p *NodeOrder) Closes(log LogID) bool {
	text := log.String()
	for id := range strings.SplitSeq(p.Log, ",") {
		if id == text {
			return true
		}
	}
	return false
}

func (p *NodeOrder) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Node)
	b = appendUint(b, 2, p.Incarnation)
	b = appendString(b, 3, p.Reason)
	return appendString(b, 4, p.Log)
}

func (*NodeOrder) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "node", always)
	w.number(2, "incarnation", nonzero, math.MaxUint64)
	w.text(3, "reason", nonzero)
	w.text(4, "log", nonzero)
	return w.close()
}

func (*NodeOrder) fresh() Payload { return new(NodeOrder) }

func (p *NodeOrder) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Node, f)
	case 2:
		return number(&p.Incarnation, f)
	case 3:
		return text(&p.Reason, f)
	case 4:
		return text(&p.Log, f)
	}
	return nil
}
