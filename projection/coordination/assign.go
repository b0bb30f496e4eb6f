package coordination

import (
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// assign makes the most urgent decision about partitions.
func (c *Coordination) assign(cluster *projection.Cluster, now int64) (Decision, int64) {
	if len(cluster.PartitionMap.Partitions) == 0 {
		return Decision{}, Never
	}
	lists := assignment(cluster)
	r, overdue := c.rosterAt(cluster, lists, now)
	if len(r.takers()) == 0 && len(r.nodes(standing.runs)) == 0 {
		return Decision{}, Never
	}
	for _, mend := range []func([][]string) []Assignment{r.failover, r.bootstrap, r.repair} {
		if changes := mend(lists); len(changes) > 0 {
			return decision(cluster, changes), now
		}
	}
	if !c.restless || c.opt.Manual {
		return Decision{}, overdue
	}
	if r.unsettled(lists) {
		return Decision{}, overdue // or when a suspicion ends, which is a change
	}
	if due := c.changed + c.opt.stableFor(len(r.nodes(standing.stays))); now < due {
		return Decision{}, min(due, overdue)
	}
	if changes := r.balance(lists); len(changes) > 0 {
		return decision(cluster, changes), now
	}
	c.restless = false
	return Decision{}, overdue
}

// decision wraps assignments of one trigger.
func decision(cluster *projection.Cluster, changes []Assignment) Decision {
	d := Decision{Term: cluster.Term, Epoch: nextEpoch(cluster), Assignments: changes}
	for i := range changes {
		a := &changes[i]
		if a.Cause.IsZero() {
			a.Cause = cluster.Claim()
		}
		if a.Trigger != TriggerBootstrap && a.Trigger != TriggerFill {
			d.Moves += placement.Moves([][]string{a.Previous}, [][]string{a.Replicas})
		}
	}
	d.Reason = fmt.Sprintf("%s: %s", changes[0].Trigger, changes[0].Reason)
	if n := len(changes) - 1; n > 0 {
		d.Reason += fmt.Sprintf(", and %d more", n)
	}
	return d
}

// failover finds partitions whose primary does not run. A holder that does run
// comes first, and those that do not come last; nobody is dropped. When there
// is none, a node that never had the partition comes first.
func (r *roster) failover(lists [][]string) []Assignment {
	var changes []Assignment
	var orphans []int
	for p, list := range lists {
		if len(list) == 0 || r.standing(list[0]).runs() {
			continue
		}
		heir := r.first(list, live, doubtful, departing)
		if heir == "" {
			orphans = append(orphans, p)
			continue
		}
		changes = append(changes, r.change(p, list, r.promote(list, heir), TriggerFailover, list[0],
			heir+" takes over from "+list[0]))
	}
	if len(orphans) > 0 {
		changes = append(changes, r.adopt(lists, orphans)...)
		slices.SortFunc(changes, func(a, b Assignment) int { return a.Partition - b.Partition })
	}
	return changes
}

// promote returns list with heir first, then who runs, then who does not.
func (r *roster) promote(list []string, heir string) []string {
	next := []string{heir}
	for _, id := range list {
		if id != heir && r.standing(id).runs() {
			next = append(next, id)
		}
	}
	for _, id := range list {
		if id != heir && !r.standing(id).runs() {
			next = append(next, id)
		}
	}
	return next
}

// adopt gives partitions of which no holder runs to nodes that do.
func (r *roster) adopt(lists [][]string, orphans []int) []Assignment {
	keep := slices.Clone(lists)
	for _, p := range orphans {
		keep[p] = nil
	}
	filled := placement.Fill(keep, r.takers(), 1)
	var changes []Assignment
	for _, p := range orphans {
		if len(filled[p]) == 0 {
			continue // nobody can take it
		}
		next := append([]string{filled[p][0]}, r.pick(lists[p], func(s standing) bool { return s != gone })...)
		changes = append(changes, r.change(p, lists[p], next, TriggerFailover, lists[p][0],
			"none of its holders runs"))
	}
	return changes
}

// bootstrap finds partitions without an owner.
func (r *roster) bootstrap(lists [][]string) []Assignment {
	takers := r.takers()
	var next [][]string
	switch empty := func(list []string) bool { return len(list) == 0 }; {
	case !slices.ContainsFunc(lists, empty) || len(takers) == 0:
		return nil
	case !slices.ContainsFunc(lists, func(list []string) bool { return len(list) > 0 }):
		next = placement.Place(lists, takers, r.rf)
	default:
		next = placement.Fill(lists, takers, r.rf)
	}
	var changes []Assignment
	for p, list := range lists {
		if len(list) == 0 {
			changes = append(changes, r.change(p, nil, next[p], TriggerBootstrap, "", "it had no owner"))
		}
	}
	return changes
}

// repair finds copies that are missing or not to stay, and replaces them. Of
// the three kinds it returns the most urgent one.
func (r *roster) repair(lists [][]string) []Assignment {
	if !slices.ContainsFunc(lists, r.lacks) {
		return nil
	}
	keep := make([][]string, len(lists))
	for p, list := range lists {
		keep[p] = r.pick(list, standing.stays)
	}
	filled := placement.Fill(keep, r.takers(), r.rf)
	byTrigger := make(map[string][]Assignment)
	for p, list := range lists {
		added := filled[p][len(keep[p]):]
		next := r.mended(list, keep[p], added)
		if same(list, next) {
			continue
		}
		a := r.explain(p, list, next, added)
		byTrigger[a.Trigger] = append(byTrigger[a.Trigger], a)
	}
	for _, trigger := range []string{TriggerFill, TriggerDrain, TriggerReplace} {
		if changes := byTrigger[trigger]; len(changes) > 0 {
			return changes
		}
	}
	return nil
}

// lacks reports whether a list has too few copies or some that are not to
// stay.
func (r *roster) lacks(list []string) bool {
	return len(list) < r.rf || slices.ContainsFunc(list, func(id string) bool { return !r.standing(id).stays() })
}

// mended puts a list together: who stays, then who is new, then those that
// wait in vain for a replacement. Somebody who runs comes first.
func (r *roster) mended(list, keep, added []string) []string {
	next := slices.Concat(keep, added)
	heir := ""
	if len(list) > 0 && slices.Contains(keep, list[0]) && r.standing(list[0]).runs() {
		heir = list[0]
	} else if heir = r.first(next, live, doubtful); heir == "" {
		return list // nobody is there to hold it
	}
	for _, id := range list {
		if len(next) < r.rf && r.standing(id) == overdue {
			next = append(next, id)
		}
	}
	return r.promote(next, heir)
}

// explain says why a partition is repaired.
func (r *roster) explain(p int, list, next, added []string) Assignment {
	to := "the others are enough"
	if len(added) > 0 {
		to = added[0] + " takes its place"
	}
	for _, why := range []struct {
		trigger   string
		standings []standing
	}{{TriggerDrain, []standing{departing}}, {TriggerReplace, []standing{gone, overdue}}} {
		lost := slices.DeleteFunc(slices.Clone(list), func(id string) bool { return slices.Contains(next, id) })
		if from := r.first(lost, why.standings...); from != "" {
			return r.change(p, list, next, why.trigger, from, to)
		}
	}
	newcomer := ""
	if len(added) > 0 {
		newcomer = added[0]
	}
	return r.change(p, list, next, TriggerFill, newcomer, fmt.Sprintf("%d of %d copies", len(list), r.rf))
}

// unsettled reports whether a copy waits for a node, or a node is suspected:
// what is balanced now would not be soon.
func (r *roster) unsettled(lists [][]string) bool {
	for _, list := range lists {
		for _, id := range list {
			if r.standing(id) == awaited {
				return true
			}
		}
	}
	return slices.ContainsFunc(r.order, func(m *member) bool { return m.standing == doubtful })
}

// balance moves copies and primaries to where they belong. Copies that wait in
// vain for a replacement stay.
func (r *roster) balance(lists [][]string) []Assignment {
	target := placement.Place(lists, r.takers(), r.rf)
	var changes []Assignment
	for p, list := range lists {
		next := target[p]
		if len(next) == 0 {
			continue
		}
		for _, id := range list {
			if len(next) < r.rf && r.standing(id) == overdue {
				next = append(next, id)
			}
		}
		if !same(list, next) {
			changes = append(changes, r.change(p, list, next, TriggerBalance, "", "every node gets its share"))
		}
	}
	return changes
}

// same reports whether two lists mean the same nodes and the same primary.
func same(a, b []string) bool {
	if len(a) != len(b) || len(a) > 0 && a[0] != b[0] {
		return false
	}
	for _, id := range a {
		if !slices.Contains(b, id) {
			return false
		}
	}
	return true
}

// change makes an assignment. The node that is the reason may be "".
func (r *roster) change(p int, from, to []string, trigger, node, reason string) Assignment {
	a := Assignment{Partition: p, Previous: slices.Clone(from), Replicas: slices.Clone(to), Trigger: trigger, Reason: reason}
	if m := r.members[node]; m != nil {
		a.Reason, a.Cause = node+" is "+m.word+": "+reason, m.cause
	} else if trigger == TriggerBalance {
		a.Cause = r.joined
	}
	return a
}
