package clusterkit

import (
	"fmt"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Here is what must not go back, and what must not grow.

// simTerms is what a process has seen of the terms and epochs.
type simTerms struct {
	term   uint64
	epochs []uint64
}

// termsNeverGoBack: nobody's view returns to an earlier term, or a partition in it
// to an earlier epoch.
func (w *simWorld) termsNeverGoBack(p *simProc) {
	c, seen := p.k.cluster, &p.terms
	if c.Term < seen.term {
		w.violated("terms and epochs never go back", "%s had term %d and has %d", p.host.id, seen.term, c.Term)
	}
	seen.term = c.Term
	parts := c.PartitionMap.Partitions
	for i := range parts {
		if i == len(seen.epochs) {
			seen.epochs = append(seen.epochs, 0)
		}
		if parts[i].Epoch < seen.epochs[i] {
			w.violated("terms and epochs never go back", "partition %d had epoch %d at %s and has %d", i, seen.epochs[i], p.host.id, parts[i].Epoch)
		}
		seen.epochs[i] = parts[i].Epoch
	}
}

// changes counts what makes others write: news of a node, of somebody who accuses
// it, or an order, which an assignment by hand is too.
func (l *simLedger) counts(e *events.Event) {
	switch kind, _ := events.SplitRegister(e.Register); {
	case kind == events.KindPartition && !strings.HasPrefix(e.Actor, "operator:"):
		l.assigned++
	case kind == events.KindNode, kind == events.KindAccusation, kind == events.KindAdmin, kind == events.KindPartition:
		l.changes++
	}
}

// logGrowthIsBounded: each change of membership costs at most a few assignments of
// each partition, whoever coordinates: one for who is lost, one for the copy, one
// for the balance, by as many coordinators as a split may have.
func logGrowthIsBounded(w *simWorld, live []*simProc, c *projection.Cluster) string {
	if most := 3 * w.profile.partitions * (2 + w.ledger.changes); w.ledger.assigned > most {
		return fmt.Sprintf("%d assignments of %d partitions for %d changes", w.ledger.assigned, w.profile.partitions, w.ledger.changes)
	}
	return ""
}

// memoryIsBounded: when all is quiet nothing waits to be written, nothing is held
// back, nobody talks to more peers than there are, and a state is as large as its
// registers and the heads of its logs make it.
func memoryIsBounded(w *simWorld, live []*simProc, c *projection.Cluster) string {
	for _, p := range live {
		if len(p.jobs)+len(p.held) > 100*len(w.hosts) || p.peers.room(len(w.hosts), p.now()) < 0 || len(p.knocks.addrs) > mostKnocks {
			return fmt.Sprintf("%s keeps %d jobs and %d requests waiting, and %d addresses", p.host.id, len(p.jobs), len(p.held), len(p.knocks.addrs))
		}
	}
	p := live[0]
	size, most := len(p.r.state.AppendSnapshot(nil)), 1024+128*len(p.k.heads)
	for _, e := range p.r.state.Registers("") {
		if most += len(e.Raw()) + 64; e.Type == events.TombstonesCollected || e.Type == events.FloorRaised {
			most += 2 * len(e.Raw()) // what it means stands beside it
		}
	}
	if size > most {
		return fmt.Sprintf("a state of %d logs and registers of %d bytes has %d bytes", len(p.k.heads), most, size)
	}
	return ""
}
