package clusterkit

import (
	"errors"
	"net/http"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
)

// Here is removal.go in one thread.

// simRemoveAfter stands for the three days after which a failed node is removed.
const simRemoveAfter = 8_000

// orderRemoval is Remove, as an operator would go on with it: told that the brake
// holds he lifts it, or waits and tries again.
func (w *simWorld) orderRemoval(n uint64, node string, lifts bool, tries int) bool {
	h := w.up(n)
	if h == nil || h.id == node || !h.proc.k.spoken {
		return false
	}
	p, again := h.proc, int64(-1)
	later := func(ms int64) {
		w.after(ms, nil, func() {
			if tries > 0 {
				w.orderRemoval(n, node, lifts, tries-1)
			}
		})
	}
	p.do(func(r *replica, wall int64) error {
		v, ok := r.state.Cluster().Node(node)
		if err := r.mayCommand(); err != nil || !ok || v.Status == projection.StatusRemoved {
			return err
		}
		if len(r.staged) > 0 { // the brake counts what this batch has staged
			again = p.now() + 1
			return nil
		}
		var err error
		if again, err = r.hold(p.now(), wall, v, "its removal by command"); err != nil || again > 0 {
			return err
		}
		again = -1
		_, err = r.remove(wall, v, "operator:x", events.ID{}, "by command")
		return err
	}, func(err error) {
		switch wait := again - p.now(); {
		case err != nil || again < 0:
		case wait <= 1:
			later(1)
		case lifts:
			w.coverage.saw(simRemovalHeld)
			p.command(func(r *replica, wall int64) (*events.Event, error) {
				return r.emit(wall, events.Event{Type: events.BrakeLifted, Actor: "operator:x",
					Body: events.Encode(&events.NodeOrder{Reason: "test"})})
			})
			later(200)
		default:
			w.coverage.saw(simRemovalHeld)
			later(wait)
		}
	})
	return true
}

// brakeLifted is the same of the shell.
func (p *simProc) brakeLifted(e *events.Event) {
	if age := p.wall() - e.Time.Millis(); age < liftMillis && age > -liftMillis {
		p.world.coverage.saw(simBrakeLifted)
		p.r.coordination.LiftBrake(p.now())
	}
}

// toldRemoved is the answer to a removed node: it may bring nothing, but it may
// ask in a sync, and so find the event that removed it.
func (p *simProc) toldRemoved(from *transport.Header, req any) error {
	if !selfRemoved(p.k.cluster, from.From, from.FromLog) {
		return nil
	}
	if sync, ok := req.(*transport.SyncRequest); ok && len(sync.Events) == 0 && len(sync.Snapshot) == 0 {
		return nil
	}
	p.world.coverage.saw(simRemovedTold)
	if p.k.cluster.Closed(from.FromLog) {
		p.world.coverage.saw(simGoneTold)
	}
	e := transport.Errorf(http.StatusGone, transport.ErrorRemoved, "removed")
	e.Fields = map[string]string{fieldNode: p.host.id}
	return e
}

// heed looks whether it is true that this node was removed, and stops if it is.
func (p *simProc) heed(err error, at target, then func(removed bool)) {
	var e *transport.Error
	if p.verifying || p.expelled || !errors.As(err, &e) || e.Code != transport.ErrorRemoved || p.world.sabotage == sabotageDeaf {
		then(false)
		return
	}
	if at.id == "" {
		at.id = e.Fields[fieldNode]
	}
	p.verifying = true
	p.exchange(at, look, 30_000, func(error) {
		p.verifying = false
		removed := selfRemoved(p.k.cluster, p.host.id, p.host.disk.log)
		if removed {
			p.expel()
		}
		then(removed)
	})
}

// expel ends this process. Somebody notices, empties the directory and starts
// another one, unless the machine is switched off.
func (p *simProc) expel() {
	if p.expelled {
		return
	}
	w, h := p.world, p.host
	p.expelled = true
	w.coverage.saw(simExpelled)
	w.after(1000, nil, func() {
		if h.proc == p {
			w.kill(h, false)
			w.start(h) // which empties the directory
		}
	})
}

// emptied gives the node on a machine that was removed an empty directory.
func (w *simWorld) emptied(h *simHost) {
	w.coverage.saw(simEmptied)
	w.freshDisk(h)
}

// opExpel removes a node that goes on: nobody switches its machine off.
func (w *simWorld) opExpel(o simOp) bool {
	h := w.host(o.b)
	if h.gone || h.cluster != simCluster || w.remaining() < 2 {
		return false
	}
	return w.orderRemoval(o.a, h.id, o.b>>8%2 == 0, 5)
}

// removedNeverReturnOld: who was removed and is a member again has come back in a
// later incarnation than any that the order meant, and in another log.
func (w *simWorld) removedNeverReturnOld(p *simProc) {
	if !w.profile.expels {
		return
	}
	for i := range p.k.cluster.Nodes {
		n := &p.k.cluster.Nodes[i]
		e, ok := p.r.state.Register(events.AdminRegister(n.ID))
		if !ok || e.Type != events.NodeRemoved || n.Status == projection.StatusRemoved {
			continue
		}
		order, err := e.Payload()
		if o, ok := order.(*events.NodeOrder); err == nil && ok && (n.Log.String() == o.Log || n.Incarnation <= o.Incarnation) {
			w.violated("removed ones never return with an old incarnation", "%s is %s in %s, incarnation %d, and %s had removed %s up to %d",
				n.ID, n.Status, n.Log, n.Incarnation, e.ID(), o.Log, o.Incarnation)
		}
	}
}

// removedHaveStopped: no process goes on that all others know to be removed.
func removedHaveStopped(w *simWorld, live []*simProc, c *projection.Cluster) string {
	for _, h := range w.hosts {
		if p := h.proc; p != nil && h.cluster == simCluster && !p.expelled && selfRemoved(c, h.id, h.disk.log) {
			return h.id + " was removed, and goes on"
		}
	}
	return ""
}
