package coordination

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Never is a time that does not come: only a change can bring something to do.
const Never = int64(math.MaxInt64)

// Decision is what a node has to do now: at most one of a claim, a list of
// assignments and a removal. The zero Decision is to do nothing.
type Decision struct {
	// Claim says to take the role of coordinator.
	Claim bool
	// Remove names a node that is to be removed; "" for none.
	Remove string
	// Term is the one to claim, or that of the assignments.
	Term uint64
	// Reason says why, in words.
	Reason string
	// Cause is the event that made a claim or a removal necessary, if there is
	// one.
	Cause events.ID

	// Assignments are all of one trigger, sorted by partition.
	Assignments []Assignment
	// Epoch is the version of the first assignment; those that follow take the
	// numbers that follow. All are larger than any in the view.
	Epoch uint64
	// Moves is how many copies go to nodes that did not have them: not zero
	// when the assignments form a rebalance. Copies of partitions that never
	// had them are not moves.
	Moves int
}

// IsZero reports whether there is nothing to do.
func (d *Decision) IsZero() bool { return !d.Claim && len(d.Assignments) == 0 && d.Remove == "" }

// EpochOf returns the version of assignment i.
func (d *Decision) EpochOf(i int) uint64 { return d.Epoch + uint64(i) }

// The triggers of assignments.
const (
	TriggerBootstrap = "bootstrap" // it had no owner
	TriggerFill      = "fill"      // there were not enough nodes for all copies
	TriggerFailover  = "failover"  // the primary was lost
	TriggerDrain     = "drain"     // a holder is draining or leaving
	TriggerReplace   = "replace"   // a holder was lost for good or for too long
	TriggerBalance   = "balance"   // some nodes hold more than others
)

// Assignment gives a partition to nodes.
type Assignment struct {
	Partition int
	Replicas  []string // the primary first
	Previous  []string // who had it
	Trigger   string
	Reason    string
	Cause     events.ID // the event that made it necessary, if known
}

// Coordination is the memory that the rules need: since when nodes are down,
// when membership last changed, since when the role is vacant. Each node keeps
// its own, whether it coordinates or not, so that whoever takes over knows how
// long others have waited. Not safe for concurrent use.
type Coordination struct {
	self string
	opt  Options

	rebalanceDelay, claimDelay, rankDelay int64
	removeAfter, degradedDelay, holdDown  int64
	refuteDelay                           int64

	begun     int64 // when the first cluster was observed, if observed
	observed  bool
	starting  bool // this process waits until membership has settled
	down      map[string]outage
	unwell    map[string]int64  // since when nodes call themselves degraded
	doubts    map[string]int64  // since when nodes are suspected or failed
	nodes     []projection.Node // of the view before, for the brake
	brake     brake
	present   []presence // who may hold partitions, sorted by ID
	changed   int64      // when that last changed
	changedBy events.ID
	vacant    int64 // since when nobody has the role, if nobody has
	isVacant  bool
	minority  bool  // no majority was seen the last time
	held      int64 // until then this node holds back, for it has just seen one again
	restless  bool  // balance has not been established since the last change

	seen      sight // what the last call saw, to do nothing quickly
	idleUntil int64
}

// outage is a node being down in one of its incarnations.
type outage struct {
	since       int64
	incarnation uint64
}

// presence is what matters of a node that may hold partitions.
type presence struct {
	id, zone string
	weight   int
}

// sight tells quickly whether a cluster is the one before: what is in it is
// replaced when it changes, never changed in place.
type sight struct {
	nodes       *projection.Node
	partitions  *projection.Partition
	n, p        int
	config      projection.Config
	coordinator string
	term        uint64
}

// New returns the memory of node self, which has observed nothing yet.
func New(self string, o Options) *Coordination {
	return &Coordination{self: self, opt: o, down: make(map[string]outage), unwell: make(map[string]int64), doubts: make(map[string]int64), idleUntil: math.MinInt64,
		rebalanceDelay: millis(o.RebalanceDelay, 60*time.Second),
		claimDelay:     millis(o.ClaimDelay, 200*time.Millisecond),
		rankDelay:      millis(o.RankDelay, 2*time.Second),
		removeAfter:    removeAfter(o.RemoveAfter),
		holdDown:       millis(o.HoldDown, 5*time.Second),
		refuteDelay:    millis(o.RefuteDelay, time.Second),
		degradedDelay:  millis(o.DegradedDelay, 60*time.Second)}
}

// Observe takes note of a published change. It is called after every one of
// them, in order; observing the same cluster again changes nothing.
func (c *Coordination) Observe(cluster *projection.Cluster, now int64) {
	sight := sightOf(cluster)
	if c.observed && sight == c.seen {
		return
	}
	if !c.observed || sight.coordinator != c.seen.coordinator || sight.term != c.seen.term {
		c.restless = true
	}
	c.observeDoubts(cluster, now)
	c.observeNodes(cluster, now)
	c.observeHealth(cluster, now)
	c.observeRole(cluster, now)
	c.observeMajority(cluster, now)
	c.seen, c.idleUntil = sight, math.MinInt64
	c.observed = true
}

// Overruled says that an assignment made elsewhere has taken the place of the
// one before. When it is one that a coordinator makes, two of them were at work,
// on both sides of a split: what this node had balanced may be so no longer.
// What somebody asked for stands. It is called before the change is observed.
func (c *Coordination) Overruled(trigger string) {
	switch trigger {
	case TriggerBootstrap, TriggerFill, TriggerFailover, TriggerDrain, TriggerReplace, TriggerBalance:
		c.restless = true
	}
}

// Next returns what node self has to do now, and when to ask again at the
// latest: now if it has to do something, else the next deadline or [Never]. It
// is asked again after every change as well. The cluster is the one observed
// last.
func (c *Coordination) Next(cluster *projection.Cluster, now int64) (Decision, int64) {
	c.Observe(cluster, now)
	if now < c.idleUntil {
		return Decision{}, c.idleUntil
	}
	d, wake := c.decide(cluster, now)
	if !d.IsZero() {
		c.idleUntil = math.MinInt64
		return d, now
	}
	c.idleUntil = wake
	return d, wake
}

func (c *Coordination) decide(cluster *projection.Cluster, now int64) (Decision, int64) {
	self, ok := cluster.Node(c.self)
	if !ok || !eligible(cluster, self) || !Majority(cluster) {
		return Decision{}, Never
	}
	if wait := max(c.settled(), c.held); now < wait {
		return Decision{}, wait
	}
	c.starting = false
	if c.isVacant {
		return c.claim(cluster, now)
	}
	if cluster.Coordinator != c.self {
		return Decision{}, Never
	}
	if d, needed := renew(cluster); needed {
		return d, Never
	}
	d, wake := c.assign(cluster, now)
	if !d.IsZero() {
		return d, wake
	}
	d, due := c.remove(cluster, now)
	return d, min(wake, due)
}

func (c *Coordination) observeNodes(cluster *projection.Cluster, now int64) {
	for id := range c.down {
		if n, ok := cluster.Node(id); ok && !isDown(n) {
			delete(c.down, id)
		}
	}
	present := make([]presence, 0, len(cluster.Nodes))
	others := 0
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		if isDown(n) {
			c.downSince(n.ID, n.Incarnation, now)
		}
		if holds(n) && !ill(cluster, n) {
			present = append(present, presence{n.ID, n.Zone, n.Weight})
		}
		if n.ID != c.self && !goneForGood(n) {
			others++
		}
	}
	if !c.observed {
		c.begun, c.starting = now, others > 0 && (cluster.Term > 0 || !c.opt.Alone)
	}
	if c.observed && slices.Equal(present, c.present) {
		return
	}
	c.changed, c.restless = now, true
	c.changedBy = causeOf(cluster, c.present, present)
	c.present = present
}

// downSince returns since when a node is down in an incarnation, from now on
// if that is news.
func (c *Coordination) downSince(id string, incarnation uint64, now int64) int64 {
	o, ok := c.down[id]
	if !ok || o.incarnation != incarnation {
		o = outage{now, incarnation}
		c.down[id] = o
	}
	return o.since
}

// causeOf returns the event that changed who may hold partitions: that of the
// first node that came, went or changed.
func causeOf(cluster *projection.Cluster, before, after []presence) events.ID {
	for _, lists := range [2][2][]presence{{after, before}, {before, after}} {
		for _, p := range lists[0] {
			if !among(lists[1], p) {
				if n, ok := cluster.Node(p.id); ok {
					return n.Cause()
				}
			}
		}
	}
	return events.ID{}
}

// among reports whether a presence is in a list, which is sorted by name.
func among(list []presence, p presence) bool {
	i, ok := slices.BinarySearchFunc(list, p.id, func(q presence, id string) int { return strings.Compare(q.id, id) })
	return ok && list[i] == p
}

func (c *Coordination) observeRole(cluster *projection.Cluster, now int64) {
	n, ok := cluster.Node(cluster.Coordinator)
	vacant := !ok || !eligible(cluster, n) && (n.Status != projection.StatusSuspected || ill(cluster, n)) || n.Draining
	if vacant && !c.isVacant {
		c.vacant = now
		if ok {
			c.vacant = max(now, c.convicted(n))
		}
	}
	c.isVacant = vacant
}

// observeMajority lets a node hold back that sees a majority again. What it
// knows of the others is from before the split: among it may be a failure of
// their coordinator which that one is about to refute.
func (c *Coordination) observeMajority(cluster *projection.Cluster, now int64) {
	had := !c.minority
	if c.minority = !Majority(cluster); !c.minority && !had {
		c.held = now + c.holdDown
	}
}

// settled returns when membership has not changed for ClaimDelay, if that
// matters.
func (c *Coordination) settled() int64 {
	if !c.starting {
		return math.MinInt64
	}
	return min(c.changed+c.claimDelay, c.begun+patience*c.claimDelay)
}

func sightOf(cluster *projection.Cluster) sight {
	s := sight{n: len(cluster.Nodes), p: len(cluster.PartitionMap.Partitions), config: cluster.Config,
		coordinator: cluster.Coordinator, term: cluster.Term}
	if s.n > 0 {
		s.nodes = &cluster.Nodes[0]
	}
	if s.p > 0 {
		s.partitions = &cluster.PartitionMap.Partitions[0]
	}
	return s
}
