package projection_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// naiveCollection returns what an event forgets, or nil.
func naiveCollection(e *events.Event) (c *events.Collection) {
	p, err := e.Payload()
	if c, _ = p.(*events.Collection); err != nil || c == nil || e.Type != events.TombstonesCollected {
		return nil
	}
	switch {
	case c.Kind == events.KindNode && e.Register == events.GoneRegister(c.Nodes):
		return naiveBurial(c)
	case c.Kind != events.KindValue || e.Register != events.CollectedRegister(e.ID()),
		len(c.Nodes) > 0 || !naiveOrder(c.Authors) || !naiveOrder(c.Stable) || !naiveOrder(c.Settled) || !naiveVector(c.Stable).Dominates(naiveVector(c.Settled)):
		return nil
	}
	return c
}

// naiveBurial returns a collection of nodes that can be read, or nil.
func naiveBurial(c *events.Collection) *events.Collection {
	var names []string
	for _, text := range c.Nodes { // random histories have no node with a hundred logs
		g, err := events.ParseGoneNode(text)
		if err != nil {
			return nil
		}
		names = append(names, g.ID)
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(c.Nodes) || len(c.Settled)+len(c.Stable)+len(c.Authors) > 0 {
		return nil
	}
	return c
}

// naiveBuried reports whether a collection of nodes forgets an event.
func naiveBuried(c *events.Collection, e *events.Event) bool {
	kind, key := events.SplitRegister(e.Register)
	for _, text := range c.Nodes {
		g, _ := events.ParseGoneNode(text)
		switch {
		case kind == "log" && strings.Contains(text+" ", " "+key+" "), kind == "log" && strings.Contains(text+" ", " "+key+"! "):
			return e.Version == 0 || e.Version == 1 && e.Rank == 0
		case g.ID != key:
		case kind == "admin" && e.Version <= g.Revision, (kind == "node" || kind == "accusation") && e.Version <= g.Incarnation:
			return true
		}
	}
	return false
}

// naiveCovers reports whether all that b says is said by a.
func naiveCovers(a, b *events.Collection) bool {
	for _, text := range b.Nodes {
		g, _ := events.ParseGoneNode(text)
		known := false
		for _, text := range a.Nodes {
			h, _ := events.ParseGoneNode(text)
			missing := slices.DeleteFunc(slices.Clone(g.Logs), func(l events.GoneLog) bool {
				return slices.Contains(h.Logs, l) || !l.Closed && slices.Contains(h.Logs, events.GoneLog{ID: l.ID, Closed: true})
			})
			known = known || g.ID == h.ID && h.Incarnation >= g.Incarnation && h.Revision >= g.Revision && len(missing) == 0
		}
		if !known {
			return false
		}
	}
	return true
}

func naiveOrder(list []string) bool {
	var logs []string
	for _, text := range list {
		id, err := events.ParseID(text)
		if err != nil || id.String() != text {
			return false
		}
		logs = append(logs, id.Log.String())
	}
	return slices.IsSorted(logs) && len(slices.Compact(slices.Clone(logs))) == len(logs)
}

func naiveVector(list []string) events.Vector {
	v := events.Vector{}
	for _, text := range list {
		id, _ := events.ParseID(text)
		v[id.Log] = id.Seq
	}
	return v
}

// naiveForget takes away what the package doc says is forgotten in a state with
// these owners and this vector.
func naiveForget(owners map[string]events.Event, v events.Vector) {
	type collection struct {
		events.ID
		floor                    uint64
		settled, stable, authors events.Vector
	}
	var effective []collection
	burials := map[string]*events.Collection{}
	for _, e := range owners {
		if c := naiveCollection(&e); c != nil && c.Kind == events.KindNode {
			burials[e.Register] = c
		} else if c != nil && v.Dominates(naiveVector(c.Stable)) && v.Dominates(naiveVector(c.Authors)) {
			effective = append(effective, collection{e.ID(), c.Floor, naiveVector(c.Settled), naiveVector(c.Stable), naiveVector(c.Authors)})
		}
	}
	for name, e := range owners {
		kind, _ := events.SplitRegister(name)
		for _, c := range effective {
			old := e.Type == events.ValueDeleted && c.settled.Covers(e.ID())
			void := !c.stable.Covers(e.ID())
			if kind == events.KindValue && e.Version <= c.floor && (old || void) {
				delete(owners, name)
			}
		}
		for _, c := range burials {
			if naiveBuried(c, &e) {
				delete(owners, name)
			}
		}
	}
	for name, c := range burials {
		for other, o := range burials {
			if name != other && naiveCovers(o, c) {
				delete(owners, name)
			}
		}
	}
	for _, a := range effective {
		for _, b := range effective {
			if a.ID != b.ID && b.floor >= a.floor && b.authors.Covers(a.ID) && b.authors.Dominates(a.authors) {
				delete(owners, events.CollectedRegister(a.ID))
			}
		}
	}
}

// naiveClosed returns the logs in which nobody may speak any more.
func naiveClosed(registers map[string]events.Event) map[events.LogID]bool {
	logs := map[events.LogID]bool{}
	for _, e := range registers {
		if c := naiveCollection(&e); c != nil {
			for _, text := range c.Nodes {
				g, _ := events.ParseGoneNode(text)
				for _, l := range g.Logs {
					logs[l.ID] = logs[l.ID] || l.Closed
				}
			}
		}
	}
	return logs
}

// naiveDigest computes a digest as its definition says.
func naiveDigest(registers map[string]events.Event, heads []events.Head) events.Digest {
	var d events.Digest
	logs := map[events.LogID]bool{}
	for name, e := range registers {
		hash := sha256.Sum256(e.Raw())
		d.State = d.State.Add(events.SumOf(hash[:]))
		kind, key := events.SplitRegister(name)
		if log, err := events.ParseLogID(key); err == nil && kind == "log" && e.Type == events.LogForked {
			logs[log] = true
			d.Forked++
		}
	}
	for _, head := range heads {
		if !logs[head.Log] {
			b := binary.BigEndian.AppendUint64(slices.Clone(head.Log[:]), head.Seq)
			hash := sha256.Sum256(append(b, head.Chain[:]...))
			d.Vector = d.Vector.Add(events.SumOf(hash[:]))
		}
		logs[head.Log] = true
	}
	d.Logs = uint32(len(logs))
	return d
}

// naiveNodes checks the status of the nodes whose registers are well-formed
// against the words of the definition.
func naiveNodes(t *testing.T, registers map[string]events.Event, c *projection.Cluster) {
	t.Helper()
	closed := naiveClosed(registers)
	for i := range c.Nodes {
		n := &c.Nodes[i]
		self := registers[events.NodeRegister(n.ID)]
		accusation, accused := registers[events.AccusationRegister(n.ID)]
		order, ordered := registers[events.AdminRegister(n.ID)]
		p, err := order.Payload()
		o, isOrder := p.(*events.NodeOrder)
		ordered = ordered && err == nil && isOrder && o.Node == n.ID && order.Rank == 0
		q, err := accusation.Payload()
		a, isAccusation := q.(*events.Accusation)
		accused = accused && err == nil && isAccusation && a.Node == n.ID && a.Incarnation == accusation.Version &&
			a.Incarnation >= self.Version && self.Type != events.NodeLeft
		rank := map[events.Type]uint8{events.NodeSuspected: events.RankSuspected, events.NodeFailed: events.RankFailed}[accusation.Type]
		accused = accused && rank > 0 && accusation.Rank == rank
		incarnation := self.Version
		if accused {
			incarnation = accusation.Version
		}
		want := projection.StatusAlive
		switch {
		case closed[self.Log], ordered && order.Type == events.NodeRemoved && self.Version <= o.Incarnation,
			ordered && strings.Contains(o.Log, self.Log.String()):
			want = projection.StatusRemoved
		case self.Type == events.NodeLeft:
			want = projection.StatusLeft
		case accused && rank == events.RankFailed:
			want = projection.StatusFailed
		case accused:
			want = projection.StatusSuspected
		case self.Type == events.NodeLeaving:
			want = projection.StatusLeaving
		}
		if n.Status != want || n.Incarnation != incarnation || n.Draining != (ordered && order.Type == events.NodeDrained) {
			t.Errorf("node %s is %s, draining %v; want %s", n.ID, n.Status, n.Draining, want)
		}
	}
}
