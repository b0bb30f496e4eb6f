package clusterkit

import (
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// Here is health.go in one thread, for processes on machines that are ill once.

// simDegradedDelay stands for the minute after which a degraded node is drained.
const simDegradedDelay = 6_000

// simHealth is what watchHealth remembers.
type simHealth struct {
	disk      disk
	watching  bool
	asked     string // what the application has answered
	said      string
	bad, good int
}

// watchHealth asks every probe interval how this node does.
func (p *simProc) watchHealth() {
	if !p.health.watching && p.host.ails {
		p.health.watching = true
		p.world.after(1000, p, p.lookAfter)
	}
}

func (p *simProc) lookAfter() {
	w, h := p.world, &p.health
	if p.err() != nil {
		return
	}
	again := func() { w.after(1000, p, p.lookAfter) }
	if h.said != "" && h.disk.took.Load() > 0 && h.disk.underway(p.now()) == 0 { // tryDisk
		took := p.host.slowness(w)
		w.after(took, p, func() {
			h.disk.note(p.now(), took)
			p.judge(again)
		})
		return
	}
	p.judge(again)
}

// judge decides whether this node is degraded, and says so.
func (p *simProc) judge(then func()) {
	h := &p.health
	why := h.disk.complaint(p.now())
	if why == "" {
		why = h.asked
	}
	if h.asked = ""; p.world.now < p.host.illUntil {
		h.asked = "the application says: ill"
	}
	if why == "" {
		h.bad, h.good = 0, h.good+1
	} else {
		h.bad, h.good = h.bad+1, 0
	}
	if (h.said != "" || h.bad < 2) && (h.said == "" || h.good < wellAfter) {
		then()
		return
	}
	p.do(func(r *replica, wall int64) error {
		if err := r.mayCommand(); err != nil {
			return err
		}
		old := r.record
		r.record = old.Clone()
		r.record.Degraded = why
		_, err := r.announce(wall, events.NodeUpdated, r.incarnation(), events.ID{}, "health")
		if err != nil {
			r.record = old
		}
		return err
	}, func(err error) {
		if err == nil {
			if h.said = why; why == "" {
				h.disk.took.Store(0)
				p.world.coverage.saw(simWell)
			} else {
				p.world.coverage.saw(simDegraded)
			}
		}
		then()
	})
}

// slowness is how long the disk of a machine takes now, beyond what it should.
func (h *simHost) slowness(w *simWorld) int64 {
	if w.now < h.slowUntil {
		return h.slow
	}
	return 0
}

// ail lets whoever runs on a machine watch over itself from now on.
func (h *simHost) ail() {
	if h.ails = true; h.proc != nil {
		h.proc.watchHealth()
	}
}

// opIll lets an application complain, for a while or to the end.
func (w *simWorld) opIll(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	if h.illUntil = w.now + 3000 + int64(o.b%30_000); o.b>>20%3 == 0 {
		h.illUntil = never
	}
	h.ail()
	return true
}

// opSlowDisk lets a disk take seconds for everything; longer than hung, too.
func (w *simWorld) opSlowDisk(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	h.slow, h.slowUntil = 1000+int64(o.b%12_000), w.now+5000+int64(o.b>>16%30_000)
	h.ail()
	return w.opSet(simOp{a: o.a, b: o.b})
}

// unwell reports whether a node is one that calls itself degraded, and is
// believed: not more than half of those that run say so.
func unwell(c *projection.Cluster, id string) bool {
	run, say := 0, []string(nil)
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.Status == projection.StatusAlive || n.Status == projection.StatusSuspected {
			if run++; n.Degraded != "" {
				say = append(say, n.ID)
			}
		}
	}
	n, ok := c.Node(id)
	return ok && n.Degraded != "" && 2*len(say) <= run
}

// degradedOwnsNothingNew: a degraded node leads nothing and is given nothing that
// it has not.
func (w *simWorld) degradedOwnsNothingNew(p *simProc, e *events.Event) {
	if len(w.profile.rare) == 0 {
		return
	}
	c := p.r.state.Cluster()
	switch e.Type {
	case events.CoordinatorClaimed:
		if unwell(c, p.host.id) {
			w.violated("a degraded node leads nothing", "%s claims the role", p.host.id)
		}
	case events.PartitionAssigned:
		body, err := e.Payload()
		a, ok := body.(*events.Assignment)
		if err != nil || !ok {
			return
		}
		held, _ := p.r.state.Partition(int(a.Partition))
		for _, id := range a.Replicas {
			if unwell(c, id) && !held.HeldBy(id) {
				w.violated("a degraded node owns nothing new", "%s gives partition %d to %s: %s", p.host.id, a.Partition, id, a.Reason)
			}
		}
		if a.Trigger == coordination.TriggerDrain && slices.ContainsFunc(c.Nodes, func(n Node) bool { return unwell(c, n.ID) && held.HeldBy(n.ID) }) {
			w.coverage.saw(simIllDrained)
		}
	}
}

// wellSaySo: who is not well is known to be degraded, and nobody else is.
func wellSaySo(w *simWorld, live []*simProc, c *projection.Cluster) string {
	for _, p := range live {
		n, _ := c.Node(p.host.id)
		switch ill := w.now < p.host.illUntil; {
		case n == nil || ill == (n.Degraded != ""):
		case ill:
			return n.ID + " is ill, and does not say so"
		default:
			return fmt.Sprintf("%s is well, and says that %s", n.ID, n.Degraded)
		}
	}
	return ""
}
