package coordination

import (
	"slices"

	"github.com/skshohagmiah/clusterkit/projection"
)

// brakeWindow is how far back losses count, and how long a lifted brake stays
// lifted, in milliseconds.
const brakeWindow = 60_000

// brake keeps a node from giving up, or removing, more than half of the members
// within a minute: when so much seems lost at once it is more likely that the
// observer, or its network, is ill.
type brake struct {
	losses []loss // of the last minute, oldest first
	lifted int64  // until then nothing is held back
}

// loss is a member that was seen to fail, or to be removed.
type loss struct {
	id string
	at int64
}

// observe notes the losses between two views. Who comes back was not lost.
func (b *brake) observe(before, after []projection.Node, now int64) {
	for i := range after {
		n := &after[i]
		if !lost(n) {
			b.losses = slices.DeleteFunc(b.losses, func(l loss) bool { return l.id == n.ID })
			continue
		}
		at := slices.IndexFunc(before, func(m projection.Node) bool { return m.ID == n.ID })
		if at < 0 || before[at].Status == n.Status || slices.ContainsFunc(b.losses, func(l loss) bool { return l.id == n.ID }) {
			continue // known to be lost since before this process, or counted
		}
		b.losses = append(b.losses, loss{n.ID, now})
	}
}

// mayLose reports whether one more member may be lost now, and if not, when to
// ask again.
func (b *brake) mayLose(cluster *projection.Cluster, id string, now int64) (ok bool, again int64) {
	if now < b.lifted {
		return true, 0
	}
	recent := slices.DeleteFunc(slices.Clone(b.losses), func(l loss) bool { return l.at <= now-brakeWindow })
	if slices.ContainsFunc(recent, func(l loss) bool { return l.id == id }) {
		return true, 0 // it is counted already
	}
	members := 0
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		removed := n.Status == projection.StatusRemoved
		if removed && slices.ContainsFunc(recent, func(l loss) bool { return l.id == n.ID }) ||
			!removed && n.Status != projection.StatusLeft {
			members++
		}
	}
	if 2*(len(recent)+1) <= members {
		return true, 0
	}
	if len(recent) == 0 {
		return false, now + brakeWindow // as when a cluster of one is told to remove itself
	}
	return false, recent[0].at + brakeWindow
}

// lost reports whether a member was given up or removed.
func lost(n *projection.Node) bool {
	return n.Status == projection.StatusFailed || n.Status == projection.StatusRemoved
}

// MayLose reports whether a node may be called failed, or be removed, now. It
// may not when with it more than half of the members would be lost within a
// minute; then again is when to ask again at the latest. Members are those that
// have not left, and those removed within that minute.
func (c *Coordination) MayLose(cluster *projection.Cluster, id string, now int64) (ok bool, again int64) {
	c.Observe(cluster, now)
	return c.brake.mayLose(cluster, id, now)
}

// LiftBrake lets MayLose allow everything for a minute.
func (c *Coordination) LiftBrake(now int64) {
	c.brake.lifted = now + brakeWindow
	c.idleUntil = now
}
