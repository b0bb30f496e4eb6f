package events

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Collection is about forgetting the tombstones of a kind of registers. As
// FloorRaised it says from which version on new writes go, so that none can
// lose to a copy of what will be forgotten. As TombstonesCollected it forgets
// them; Settled and Stable are vectors, a list of the text of IDs that is
// sorted by log: what is old enough to be forgotten, and what everybody held
// by then.
//
// Of nodes, Nodes and Logs are what remains of those that are forgotten, each
// sorted and without repetition: [GoneNode] as text, and the text of LogIDs.
type Collection struct {
	Kind    string   `json:"kind"`
	Floor   uint64   `json:"floor"`
	Settled []string `json:"settled,omitempty"`
	Stable  []string `json:"stable,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Nodes   []string `json:"nodes,omitempty"`
	Logs    []string `json:"logs,omitempty"`
}

func (p *Collection) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Kind)
	b = appendUint(b, 2, p.Floor)
	b = appendList(b, 3, p.Settled)
	b = appendList(b, 4, p.Stable)
	b = appendString(b, 5, p.Reason)
	b = appendList(b, 6, p.Nodes)
	return appendList(b, 7, p.Logs)
}

func (*Collection) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "kind", always)
	w.number(2, "floor", always, math.MaxUint64)
	w.list(3, "settled", nonzero)
	w.list(4, "stable", nonzero)
	w.text(5, "reason", nonzero)
	w.list(6, "nodes", nonzero)
	w.list(7, "logs", nonzero)
	return w.close()
}

func (*Collection) fresh() Payload { return new(Collection) }

func (p *Collection) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Kind, f)
	case 2:
		return number(&p.Floor, f)
	case 3:
		return texts(&p.Settled, f)
	case 4:
		return texts(&p.Stable, f)
	case 5:
		return text(&p.Reason, f)
	case 6:
		return texts(&p.Nodes, f)
	case 7:
		return texts(&p.Logs, f)
	}
	return nil
}

// GoneNode is what remains of a node that is forgotten.
type GoneNode struct {
	ID          string
	Incarnation uint64 // up to which everything said by it, and of it, is void
	Revision    uint64 // up to which every order about it is void
}

// String returns the text of g, as it stands in a [Collection]: the ID, the
// incarnation and the revision, with a space between them.
func (g GoneNode) String() string {
	return g.ID + " " + strconv.FormatUint(g.Incarnation, 10) + " " + strconv.FormatUint(g.Revision, 10)
}

// ParseGoneNode reads the text of a GoneNode, in its only spelling.
func ParseGoneNode(s string) (g GoneNode, err error) {
	id, numbers, _ := strings.Cut(s, " ")
	incarnation, revision, _ := strings.Cut(numbers, " ")
	if err := CheckNodeID(id); err != nil {
		return GoneNode{}, err
	}
	g.ID = id
	if g.Incarnation, err = strconv.ParseUint(incarnation, 10, 64); err != nil {
		return GoneNode{}, fmt.Errorf("events: a node that is gone: %w", err)
	}
	if g.Revision, err = strconv.ParseUint(revision, 10, 64); err != nil {
		return GoneNode{}, fmt.Errorf("events: a node that is gone: %w", err)
	}
	if g.String() != s {
		return GoneNode{}, fmt.Errorf("events: %q is not how a node that is gone is written", s)
	}
	return g, nil
}
