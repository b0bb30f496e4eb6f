package clusterkit

import (
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Here is what must be true of nodes that are forgotten. What a collection forgets
// is read from its event, and not asked of the state that is to obey it.

// simGrave is what one disk has been told is forgotten.
type simGrave struct {
	nodes map[string]events.GoneNode
	logs  map[events.LogID]bool
}

// bury notes what an event forgets.
func (g *simGrave) bury(e *events.Event) {
	if e.Type != events.TombstonesCollected {
		return
	}
	p, err := e.Payload()
	body, ok := p.(*events.Collection)
	if err != nil || !ok {
		return
	}
	if g.nodes == nil {
		g.nodes, g.logs = make(map[string]events.GoneNode), make(map[events.LogID]bool)
	}
	for _, text := range body.Nodes {
		n, err := events.ParseGoneNode(text)
		if err != nil {
			continue
		}
		have := g.nodes[n.ID]
		g.nodes[n.ID] = events.GoneNode{ID: n.ID, Incarnation: max(have.Incarnation, n.Incarnation), Revision: max(have.Revision, n.Revision)}
		for _, l := range n.Logs {
			g.logs[l.ID] = true
		}
	}
}

// holds reports whether a register was forgotten as this event wrote it.
func (g *simGrave) holds(e *events.Event) bool {
	kind, key := events.SplitRegister(e.Register)
	switch n, ok := g.nodes[key]; kind {
	case events.KindNode, events.KindAccusation:
		return ok && e.Version <= n.Incarnation
	case events.KindAdmin:
		return ok && e.Version <= n.Revision
	case events.KindLog:
		log, err := events.ParseLogID(key)
		return err == nil && e.Type == events.LogStarted && g.logs[log]
	}
	return false
}

// staysGone: no register of a node comes back to a disk that was told that it is
// forgotten, neither as an event nor in a state.
func (w *simWorld) staysGone(p *simProc, e *events.Event) {
	if p.host.grave.holds(e) {
		w.violated("no collected node's register comes back", "%s has %s of %s again", p.host.id, e.Register, e.ID())
	}
}

// tookState looks at a state that was merged.
func (w *simWorld) tookState(p *simProc) {
	for _, e := range p.r.state.Registers(events.KindCollected) {
		p.host.grave.bury(e)
	}
	for _, e := range p.r.state.Registers("") {
		w.staysGone(p, e)
	}
}

// nothingGoneIsKept: when all is quiet nobody holds a register of a node that
// anybody has forgotten, and whose event stands in a log that all know.
func nothingGoneIsKept(w *simWorld, live []*simProc, c *projection.Cluster) string {
	var grave simGrave
	for _, p := range live {
		for _, e := range p.r.state.Registers(events.KindCollected) {
			grave.bury(e)
		}
	}
	for _, p := range live {
		for _, e := range p.r.state.Registers("") {
			if grave.holds(e) {
				return fmt.Sprintf("%s has %s of %s", p.host.id, e.Register, e.ID())
			}
		}
	}
	return ""
}

// goneAreForgotten: a node that was removed or left for good is forgotten some
// days after all is quiet, and so is all that others said of it, unless somebody
// is failed, or it holds a partition that nobody moves.
func goneAreForgotten(w *simWorld, live []*simProc, c *projection.Cluster) string {
	if w.waitsForSomebody(live[0], c) {
		return ""
	}
	holds := holdersOf(c)
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if !holds[n.ID] && (n.Status == projection.StatusRemoved || n.Status == projection.StatusLeft && n.Reason() == leftForGood) {
			return fmt.Sprintf("%s is %s, and it is still known", n.ID, n.Status)
		}
	}
	return ""
}

// holdersOf returns who holds some partition.
func holdersOf(c *projection.Cluster) map[string]bool {
	holds := make(map[string]bool)
	for i := range c.PartitionMap.Partitions {
		for _, id := range holders(c.PartitionMap.Partitions, i) {
			holds[id] = true
		}
	}
	return holds
}

// waitsForSomebody reports whether nothing is forgotten, because somebody may not
// know, or nobody may decide.
func (w *simWorld) waitsForSomebody(p *simProc, c *projection.Cluster) bool {
	decides, ok := c.Node(c.Coordinator)
	return !ok || decides.Status != projection.StatusAlive || w.holdsFork(p.k) ||
		slices.ContainsFunc(c.Nodes, func(n Node) bool {
			return n.Status != projection.StatusAlive && n.Status != projection.StatusLeft && n.Status != projection.StatusRemoved
		}) ||
		slices.ContainsFunc(p.k.heads, func(h events.Head) bool { return p.r.isStrange(h.Log) })
}

// remainsAreSmall: of who is forgotten no more is left than the head of each log,
// a name with two numbers and the names of the logs; and every register of a node
// is of one that is known, or that holds a partition which nobody moves.
func remainsAreSmall(w *simWorld, live []*simProc, c *projection.Cluster) string {
	const perHead, perLog, perNode, perEvent = 50, 28, 64, 200
	state, holds := live[0].r.state, holdersOf(c)
	limit, registers := 100+perHead*len(live[0].k.heads), 0
	for _, e := range state.Registers("") {
		kind, key := events.SplitRegister(e.Register)
		switch kind {
		case events.KindCollected:
			limit += perEvent
			continue
		case events.KindAccusation, events.KindAdmin:
			if _, known := c.Node(key); !known && !holds[key] && !w.waitsForSomebody(live[0], c) {
				return fmt.Sprintf("%s is kept, of a node that nobody knows", e.Register)
			}
		}
		registers += len(e.Raw()) + 5
	}
	var grave simGrave
	for _, e := range state.Registers(events.KindCollected) {
		grave.bury(e)
		if p, err := e.Payload(); err == nil && p.(*events.Collection).Kind == events.KindValue {
			limit += 2 * 40 * len(live[0].k.heads)
		}
	}
	limit += perNode*len(grave.nodes) + perLog*len(grave.logs)
	if size := len(state.AppendSnapshot(nil)) - registers; size > limit {
		return fmt.Sprintf("%d bytes besides registers, for %d nodes and %d logs that are forgotten", size, len(grave.nodes), len(grave.logs))
	}
	return ""
}
