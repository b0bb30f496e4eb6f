package timeline

import (
	"iter"

	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
)

// Condition is how a node was for a while.
type Condition struct {
	From        int64             `json:"from"` // in Unix milliseconds
	Until       int64             `json:"until"`
	Status      projection.Status `json:"status"`
	Draining    bool              `json:"draining,omitempty"`
	Incarnation uint64            `json:"incarnation"`
	Why         string            `json:"why,omitempty"`
}

// Ownership is who held a partition for a while.
type Ownership struct {
	From   int64    `json:"from"` // in Unix milliseconds
	Until  int64    `json:"until"`
	Owners []string `json:"owners"` // the primary first; empty for nobody
	Epoch  string   `json:"epoch"`  // as in the other commands: term, dot, counter
	Why    string   `json:"why,omitempty"`
}

// Conditions yields what became of a node of the timeline.
func (t *Timeline) Conditions(n *NodeLane) iter.Seq[Condition] {
	return func(yield func(Condition) bool) {
		for i, end := range n.lane.all(t.Until - t.From) {
			c := t.state(i)
			if c.Until = t.From + end; !yield(c) {
				return
			}
		}
	}
}

// Ownerships yields who held a partition of the timeline.
func (t *Timeline) Ownerships(p *PartitionLane) iter.Seq[Ownership] {
	return func(yield func(Ownership) bool) {
		for i, end := range p.lane.all(t.Until - t.From) {
			o := t.ownership(i)
			if o.Until = t.From + end; !yield(o) {
				return
			}
		}
	}
}

func (t *Timeline) state(i interval) Condition {
	l := t.states.list(i.label)
	return Condition{From: t.From + i.from, Status: statuses[l[1]], Draining: l[2] != 0, Incarnation: i.version, Why: t.words.list[l[0]]}
}

func (t *Timeline) ownership(i interval) Ownership {
	l := t.owners.list(i.label)
	o := Ownership{From: t.From + i.from, Owners: make([]string, 0, len(l)-1), Epoch: replay.Epoch(i.version), Why: t.words.list[l[0]]}
	for _, word := range l[1:] {
		o.Owners = append(o.Owners, t.words.list[word])
	}
	return o
}

// Points yields the points of a curve of the timeline.
func (t *Timeline) Points(c *Curve) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		for p := range c.all() {
			if !yield(Point{t.From + p.from, int(p.low), int(p.high), int(p.end)}) {
				return
			}
		}
	}
}
