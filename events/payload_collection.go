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
// by then. Authors is another one, of the collections that this one succeeds.
//
// Of nodes, Nodes is what remains of those that are forgotten: [GoneNode] as text,
// sorted by ID; of one with many logs there are several, one after the other.
type Collection struct {
	Kind    string   `json:"kind"`
	Floor   uint64   `json:"floor"`
	Settled []string `json:"settled,omitempty"`
	Stable  []string `json:"stable,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Nodes   []string `json:"nodes,omitempty"`
	Authors []string `json:"authors,omitempty"`
}

func (p *Collection) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Kind)
	b = appendUint(b, 2, p.Floor)
	b = appendList(b, 3, p.Settled)
	b = appendList(b, 4, p.Stable)
	b = appendString(b, 5, p.Reason)
	b = appendList(b, 6, p.Nodes)
	return appendList(b, 7, p.Authors)
}

func (*Collection) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "kind", always)
	w.number(2, "floor", always, math.MaxUint64)
	w.list(3, "settled", nonzero)
	w.list(4, "stable", nonzero)
	w.text(5, "reason", nonzero)
	w.list(6, "nodes", nonzero)
	w.list(7, "authors", nonzero)
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
		return texts(&p.Authors, f)
	}
	return nil
}

// GoneNode is what remains of a node that is forgotten.
type GoneNode struct {
	ID          string
	Incarnation uint64    // up to which everything said by it of itself, and by others of it, is void
	Revision    uint64    // up to which every order about it is void
	Logs        []GoneLog // that it wrote, sorted by ID
}

// GoneLog is a log of a node that is forgotten.
type GoneLog struct {
	ID     LogID
	Closed bool // nobody may speak in it any more: the node was removed
}

// closedLog follows the ID of a log that is closed.
const closedLog = "!"

// String returns the text of g, as it stands in a [Collection]: the ID, the
// incarnation, the revision and the logs, with a space between them. A log that
// is closed has an exclamation mark after its ID.
func (g GoneNode) String() string {
	b := strconv.AppendUint(append([]byte(g.ID), ' '), g.Incarnation, 10)
	b = strconv.AppendUint(append(b, ' '), g.Revision, 10)
	for _, l := range g.Logs {
		b = append(append(b, ' '), l.ID.String()...)
		if l.Closed {
			b = append(b, closedLog...)
		}
	}
	return string(b)
}

// ParseGoneNode reads the text of a GoneNode, in its only spelling.
func ParseGoneNode(text string) (g GoneNode, err error) {
	words := strings.Split(text, " ")
	if len(words) < 3 {
		return GoneNode{}, fmt.Errorf("events: a node that is gone: %q says too little", text)
	}
	if g.ID = words[0]; CheckNodeID(g.ID) != nil {
		return GoneNode{}, CheckNodeID(g.ID)
	}
	if g.Incarnation, err = strconv.ParseUint(words[1], 10, 64); err != nil {
		return GoneNode{}, fmt.Errorf("events: a node that is gone: %w", err)
	}
	if g.Revision, err = strconv.ParseUint(words[2], 10, 64); err != nil {
		return GoneNode{}, fmt.Errorf("events: a node that is gone: %w", err)
	}
	for i, word := range words[3:] {
		id, closed := strings.CutSuffix(word, closedLog)
		log, err := ParseLogID(id)
		if err != nil {
			return GoneNode{}, err
		}
		if i > 0 && g.Logs[i-1].ID.Compare(log) >= 0 {
			return GoneNode{}, fmt.Errorf("events: the logs of %s are out of order", g.ID)
		}
		g.Logs = append(g.Logs, GoneLog{log, closed})
	}
	if g.String() != text {
		return GoneNode{}, fmt.Errorf("events: %q is not how a node that is gone is written", text)
	}
	return g, nil
}
