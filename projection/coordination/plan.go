package coordination

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// Change is what might happen to a cluster. The zero Change is nothing.
type Change struct {
	Join        []placement.Node // new nodes, or ones that return
	Leave       []string         // for good
	Fail        []string         // and do not return within RebalanceDelay
	Drain       []string
	Weights     map[string]int
	Replication int // the new replication factor; 0 leaves it
}

// Plan is what a change would move.
type Plan struct {
	// Base says what the plan rests on. While [BaseOf] a cluster is equal to it
	// the plan holds.
	Base Base
	// Change is what the plan was made for.
	Change Change
	// Assignments are the partitions that would change, from what they are to
	// what they would be in the end. The trigger is that of the last step.
	Assignments []Assignment
	// Moves is how many copies would be made on the way.
	Moves int
	// LowerBound is how many are needed at least, whoever decides.
	LowerBound int
	// Primaries is how many partitions would change their primary.
	Primaries int
	// Before and After say what each node holds.
	Before, After []placement.NodeLoad
}

// Base is a digest of all that a plan rests on: the configuration, who is in
// the cluster with which zone, weight and status, and who was assigned what. A
// value that is set or a heartbeat changes nothing of it.
type Base [16]byte

// String returns the base as 32 hexadecimal characters.
func (b Base) String() string { return hex.EncodeToString(b[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (b Base) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b[:]), nil }

// BaseOf returns the base of plans for a cluster: the first half of a SHA-256.
func BaseOf(cluster *projection.Cluster) Base {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", cluster.Config.PartitionCount, cluster.Config.ReplicationFactor)
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		fmt.Fprintf(h, "%q %q %d %s %t\n", n.ID, n.Zone, n.Weight, n.Status, n.Draining)
	}
	for i := range cluster.PartitionMap.Partitions {
		token := cluster.PartitionMap.Partitions[i].Token()
		h.Write(token[:])
	}
	return Base(h.Sum(nil)[:len(Base{})])
}

// maxSteps bounds a plan, which takes one step for each kind of decision.
const maxSteps = 32

// Foresee returns what would move if change happened, when all waits are over.
// It takes the same steps as a coordinator would. It is an error if the change
// names a node that does not exist, or one that joins and is there already.
func Foresee(cluster *projection.Cluster, change Change) (*Plan, error) {
	patient := New("", Options{RebalanceDelay: -1})
	start := assignment(cluster)
	r, _ := patient.rosterAt(cluster, start, 0)
	if err := r.apply(change); err != nil {
		return nil, err
	}
	plan := &Plan{Base: BaseOf(cluster), Change: change, Before: placement.Load(start),
		LowerBound: placement.LowerBound(start, r.takers(), r.rf)}
	lists, last := slices.Clone(start), make(map[int]Assignment)
	for range maxSteps {
		changes := r.step(lists)
		if len(changes) == 0 {
			break
		}
		for _, a := range changes {
			plan.Moves += placement.Moves(lists[a.Partition:a.Partition+1], [][]string{a.Replicas})
			lists[a.Partition], last[a.Partition] = a.Replicas, a
		}
	}
	for p := range lists {
		a, changed := last[p]
		if !changed || same(start[p], lists[p]) {
			continue
		}
		a.Previous = slices.Clone(start[p])
		plan.Assignments = append(plan.Assignments, a)
		if len(start[p]) == 0 || start[p][0] != lists[p][0] {
			plan.Primaries++
		}
	}
	plan.After = placement.Load(lists)
	return plan, nil
}

// step returns the next assignments when nobody waits any more.
func (r *roster) step(lists [][]string) []Assignment {
	for _, mend := range []func([][]string) []Assignment{r.failover, r.bootstrap, r.repair, r.balance} {
		if changes := mend(lists); len(changes) > 0 {
			return changes
		}
	}
	return nil
}

// apply makes the roster what it would be after a change.
func (r *roster) apply(change Change) error {
	for _, n := range change.Join {
		if m := r.members[n.ID]; m != nil && m.standing.runs() {
			return fmt.Errorf("coordination: plan: node %q is there already", n.ID)
		}
		if r.members[n.ID] == nil {
			r.add(&member{Node: n, word: "alive"})
		}
		r.members[n.ID].Node, r.members[n.ID].standing = n, live
	}
	for _, set := range []struct {
		ids  []string
		to   standing
		word string
	}{{change.Leave, gone, "left"}, {change.Fail, overdue, "failed"}, {change.Drain, departing, "draining"}} {
		for _, id := range set.ids {
			m := r.members[id]
			if m == nil {
				return fmt.Errorf("coordination: plan: there is no node %q", id)
			}
			m.standing, m.word = set.to, set.word
		}
	}
	for _, id := range slices.Sorted(maps.Keys(change.Weights)) {
		m := r.members[id]
		if m == nil {
			return fmt.Errorf("coordination: plan: there is no node %q", id)
		}
		m.Weight = change.Weights[id]
	}
	if change.Replication > 0 {
		r.rf = change.Replication
	}
	return nil
}
