package coordination

import (
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// standing is what a node is to the partitions that it holds.
type standing uint8

const (
	live      standing = iota // an owner that may take more
	doubtful                  // suspected or degraded: an owner, but nothing new goes there
	departing                 // draining, leaving or degraded for long: runs, and is to give everything away
	awaited                   // down, and its copies wait for it
	overdue                   // down for so long that its copies are replaced
	gone                      // its copies are replaced and it is forgotten
)

// runs reports whether the node is up, as far as is known.
func (s standing) runs() bool { return s <= departing }

// stays reports whether a copy there needs no replacement.
func (s standing) stays() bool { return s <= doubtful || s == awaited }

// member is a node as assignments see it.
type member struct {
	placement.Node
	standing standing
	word     string // what it is, for reasons
	cause    events.ID
}

// roster is everybody who may hold partitions, or did.
type roster struct {
	members map[string]*member
	order   []*member // sorted by ID
	rf      int
	joined  events.ID // what changed membership last
}

// rosterAt classifies all nodes. It returns when the next of those that are
// awaited will be overdue, or the next degraded one drained.
func (c *Coordination) rosterAt(cluster *projection.Cluster, lists [][]string, now int64) (r *roster, next int64) {
	r = &roster{members: make(map[string]*member, len(cluster.Nodes)), rf: cluster.Config.ReplicationFactor, joined: c.changedBy}
	next = Never
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		m := &member{Node: placement.Node{ID: n.ID, Zone: n.Zone, Weight: n.Weight}, word: state(n), cause: n.Cause()}
		switch {
		case goneForGood(n):
			m.standing = gone
		case now < c.convicted(n):
			m.standing = doubtful
			next = min(next, c.convicted(n))
		case isDown(n):
			m.standing = overdue
			if due := c.downSince(n.ID, n.Incarnation, now) + c.rebalanceDelay; now < due {
				m.standing = awaited
				next = min(next, due)
			}
		case n.Status == projection.StatusLeaving || n.Draining:
			m.standing = departing
		case ill(cluster, n):
			m.standing = doubtful
			if due := c.illSince(n.ID, now) + c.degradedDelay; now < due {
				next = min(next, due)
			} else {
				m.standing = departing
			}
		case n.Status == projection.StatusSuspected:
			m.standing = doubtful
		}
		r.add(m)
	}
	// A holder that the view does not know, yet or any more, is like one that
	// has failed.
	for _, id := range r.strangers(lists) {
		m := &member{Node: placement.Node{ID: id}, standing: overdue, word: "unknown"}
		if due := c.downSince(id, 0, now) + c.rebalanceDelay; now < due {
			m.standing = awaited
			next = min(next, due)
		}
		r.add(m)
	}
	return r, next
}

func (r *roster) add(m *member) {
	r.members[m.ID] = m
	r.order = append(r.order, m)
}

// strangers returns the holders that are not members, sorted.
func (r *roster) strangers(lists [][]string) []string {
	var ids []string
	for _, list := range lists {
		for _, id := range list {
			if r.members[id] == nil && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// nodes returns those of a standing that may.
func (r *roster) nodes(may func(standing) bool) []placement.Node {
	var nodes []placement.Node
	for _, m := range r.order {
		if may(m.standing) {
			nodes = append(nodes, m.Node)
		}
	}
	return nodes
}

// takers returns the nodes that may be given something.
func (r *roster) takers() []placement.Node {
	return r.nodes(func(s standing) bool { return s == live })
}

func (r *roster) standing(id string) standing { return r.members[id].standing }

// pick returns those of list whose standing is one that may be, in order.
func (r *roster) pick(list []string, may func(standing) bool) []string {
	var picked []string
	for _, id := range list {
		if may(r.standing(id)) {
			picked = append(picked, id)
		}
	}
	return picked
}

// first returns the first of list of the first standing that anybody has, or
// "".
func (r *roster) first(list []string, standings ...standing) string {
	for _, s := range standings {
		for _, id := range list {
			if r.standing(id) == s {
				return id
			}
		}
	}
	return ""
}

// assignment returns the present lists of all partitions.
func assignment(cluster *projection.Cluster) [][]string {
	lists := make([][]string, len(cluster.PartitionMap.Partitions))
	flat := make([]string, 0, len(lists)*(cluster.Config.ReplicationFactor+1))
	for i := range lists {
		if p := &cluster.PartitionMap.Partitions[i]; p.Primary != "" {
			at := len(flat)
			flat = append(append(flat, p.Primary), p.Replicas...)
			lists[i] = flat[at:len(flat):len(flat)]
		}
	}
	return lists
}
