package clusterkit

import (
	"fmt"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Here is what must be true in words that do not use the code they are about.

// naiveFoldAgrees: of every register that event is the owner which has the
// largest stamp of all that were ever written and that the vector stands for. Of
// values forgettingIsSafe says more.
func naiveFoldAgrees(w *simWorld, live []*simProc, c *projection.Cluster) string {
	k, state := live[0].k, live[0].r.state
	forked := map[string]bool{}
	if w.holdsFork(k) {
		forked = w.writtenInForks(k)
	}
	owners, names := make(map[string]*events.Event), []string(nil)
	for _, id := range w.ledger.ids {
		e := w.ledger.events[id]
		kind, key := events.SplitRegister(e.Register)
		if e.Register == "" || kind == events.KindValue || kind == events.KindCollected || forked[e.Register] || k.seq(id.Log) < id.Seq {
			continue
		}
		about, _ := events.ParseLogID(key)
		if e.Version <= state.GoneVersion(e.Register) || e.Type == events.LogStarted && state.Gone(about) {
			continue // said of a node that is forgotten
		}
		if owner := owners[e.Register]; owner == nil {
			owners[e.Register], names = e, append(names, e.Register)
		} else if e.Stamp().Compare(owner.Stamp()) > 0 {
			owners[e.Register] = e
		}
	}
	for _, name := range names {
		want := owners[name]
		if have, ok := state.Stamp(name); !ok || have != want.Stamp() {
			return fmt.Sprintf("%s is owned by %v (%v) and should be by %s %s", name, have, ok, want.Type, want.ID())
		}
	}
	for name := range state.Registers("") {
		kind, _ := events.SplitRegister(name)
		if kind != events.KindValue && kind != events.KindCollected && !forked[name] && owners[name] == nil {
			return name + " is known and nobody wrote it"
		}
	}
	return ""
}

// removedStayOut: a node that was removed does not come back in the log that the
// order names, whatever it says there and however high its incarnation.
func removedStayOut(w *simWorld, live []*simProc, c *projection.Cluster) string {
	for _, id := range w.ledger.ids {
		e := w.ledger.events[id]
		if e.Type != events.NodeRemoved || live[0].k.seq(id.Log) < id.Seq || w.ledger.forked[id.Log] {
			continue
		}
		p, err := e.Payload()
		if err != nil {
			continue
		}
		order := p.(*events.NodeOrder)
		if n, ok := c.Node(order.Node); ok && order.Closes(n.Log) && n.Status != projection.StatusRemoved {
			return fmt.Sprintf("%s was removed by %s and is %s in a log of before", n.ID, id, n.Status)
		}
	}
	return ""
}

// refutedHasNoEffect: nobody is thought suspected or failed who has said
// something of itself in a later incarnation than the one that is accused.
func (w *simWorld) refutedHasNoEffect(p *simProc) {
	for i := range p.k.cluster.Nodes {
		n := &p.k.cluster.Nodes[i]
		if n.Status != projection.StatusSuspected && n.Status != projection.StatusFailed {
			continue
		}
		accused, _ := p.r.state.Stamp(events.AccusationRegister(n.ID))
		said, _ := p.r.state.Stamp(events.NodeRegister(n.ID))
		if said.Version > accused.Version {
			w.violated("a refuted accusation has no effect", "%s is %s in incarnation %d at %s, accused was %d", n.ID, n.Status, said.Version, p.host.id, accused.Version)
		}
	}
}

// progresses: a page that says there is more brings something.
func (w *simWorld) progresses(spans []span, page []events.Event, more bool) {
	if len(page) == 0 && (more || len(spans) > 0) {
		w.violated("each page makes progress", "%d ranges, and an empty page", len(spans))
	}
}
