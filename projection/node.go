package projection

import (
	"github.com/skshohagmiah/clusterkit/events"
)

// Status is what a node is, as far as is known here.
type Status string

// The states of a node. Each is a pure function of three registers: what the
// node says of itself (node/n), what others accuse it of (accusation/n), what
// operators ordered (admin/n). The first that holds is its status:
//
//	removed    an operator removed this incarnation or a later one, or the log
//	           in which the node still speaks: it comes back with a new one only;
//	           or what it said before is forgotten, and it still speaks in that log
//	left       the node said that it left
//	failed     somebody gave up on this very incarnation
//	suspected  somebody has doubts about this very incarnation
//	leaving    the node said that it is about to leave
//	alive      otherwise
//
// A node that is accused answers with a higher incarnation, to which the
// accusation does not apply; nobody else can clear it.
const (
	StatusAlive     Status = "alive"
	StatusSuspected Status = "suspected"
	StatusFailed    Status = "failed"
	StatusLeaving   Status = "leaving"
	StatusLeft      Status = "left"
	StatusRemoved   Status = "removed"
)

// Node is a member of the cluster, past or present. It is part of an immutable
// [Cluster]: its maps are shared and must not be changed.
type Node struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Addr        string            `json:"addr"` // host:port that peers dial
	Status      Status            `json:"status"`
	Draining    bool              `json:"draining,omitempty"` // an operator ordered its partitions away
	Degraded    string            `json:"degraded,omitempty"` // why it runs and is of little use, in its own words; "" when it is well
	Incarnation uint64            `json:"incarnation"`        // how often it has started or refuted, as far as anybody knows
	Zone        string            `json:"zone"`
	Weight      int               `json:"weight"` // its share of the partitions, at least 1
	Services    map[string]string `json:"services"`
	Metadata    map[string]string `json:"metadata"`
	JoinedAt    events.Timestamp  `json:"joined_at"`  // first join
	StartedAt   events.Timestamp  `json:"started_at"` // start of the running process
	Log         events.LogID      `json:"log"`        // in which it last spoke of itself

	cause  events.ID
	reason string
	closes *events.NodeOrder // the order about it, which may close logs; nil when there is none
}

// Cause returns the event that made the present status: what the node said,
// the accusation, or the order. For an alive node it is the order to drain it
// or to drain it no longer when that came after. It is zero in a Node that was
// read from JSON.
func (n *Node) Cause() events.ID { return n.cause }

// Closes reports whether nobody may speak in a log of this node any more, because
// the node was removed when it spoke there. It is false in a Node that was read
// from JSON.
func (n *Node) Closes(log events.LogID) bool { return n.closes != nil && n.closes.Closes(log) }

// Reason returns the reason that the event named by Cause gives, in words; ""
// in a Node that was read from JSON.
func (n *Node) Reason() string { return n.reason }

// Node derives one node from its three registers, as Cluster would, without
// building a view: it is for asking after every event of a long replay. A node
// that never said anything legible of itself is none.
func (s *State) Node(id string) (Node, bool) {
	self := s.registers[events.NodeRegister(id)]
	if self == nil {
		return Node{}, false
	}
	p, err := self.read()
	record, ok := p.(*events.NodeRecord)
	if err != nil || !ok {
		return Node{}, false
	}
	n := Node{
		ID: id, Name: record.Name, Addr: record.Addr, Zone: record.Zone,
		Status: StatusAlive, Incarnation: self.event.Version, Weight: int(max(record.Weight, 1)),
		Services: record.Services, Metadata: record.Metadata, Degraded: record.Degraded,
		JoinedAt: record.JoinedAt, StartedAt: record.StartedAt,
		Log: self.event.Log, cause: self.event.ID(), reason: record.Reason,
	}
	if n.Services == nil {
		n.Services = map[string]string{}
	}
	if n.Metadata == nil {
		n.Metadata = map[string]string{}
	}
	switch self.event.Type {
	case events.NodeLeaving:
		n.Status = StatusLeaving
	case events.NodeLeft:
		n.Status = StatusLeft
	}
	s.accuse(&n)
	s.obey(&n, &self.event)
	if s.Closed(n.Log) || n.Closes(n.Log) {
		n.Status = StatusRemoved
	}
	return n, true
}

// accuse lets an accusation take effect, unless the node has refuted it. One of
// an incarnation that is not known counts as well: its accuser had heard of it,
// and if the node is lost with all that it said since, it could not be accused
// in any other way, for an accusation of the incarnation that is known loses
// against this one.
func (s *State) accuse(n *Node) {
	r := s.registers[events.AccusationRegister(n.ID)]
	if r == nil || n.Status == StatusLeft || r.event.Version < n.Incarnation {
		return
	}
	p, err := r.read()
	accusation, ok := p.(*events.Accusation)
	if err != nil || !ok {
		return
	}
	n.Incarnation = r.event.Version
	n.Status, n.cause, n.reason = StatusSuspected, r.event.ID(), accusation.Reason
	if r.event.Type == events.NodeFailed {
		n.Status = StatusFailed
	}
}

// obey lets an operator's order take effect; said is what the node said of itself
// last.
func (s *State) obey(n *Node, said *events.Event) {
	r := s.registers[events.AdminRegister(n.ID)]
	if r == nil {
		return
	}
	p, err := r.read()
	order, ok := p.(*events.NodeOrder)
	if err != nil || !ok {
		return
	}
	n.closes = order
	switch r.event.Type {
	case events.NodeRemoved:
		if said.Version > order.Incarnation && !order.Closes(n.Log) {
			return // it came back, with a new log if the order closes the old one
		}
		n.Status = StatusRemoved
	case events.NodeDrained:
		n.Draining = true
		if n.Status != StatusAlive {
			return
		}
	case events.NodeUndrained:
		if n.Status != StatusAlive || r.event.Time < said.Time {
			return
		}
	}
	n.cause, n.reason = r.event.ID(), order.Reason
}
