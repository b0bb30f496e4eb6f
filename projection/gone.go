package projection

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// gone is what remains of nodes that are forgotten, sorted by ID: two numbers
// for each, up to which whatever is said by it or of it is void, and its logs.
// See the package doc, Forgetting.
type gone []events.GoneNode

// MaxGone is how many nodes, and how many logs, one event forgets at most.
const MaxGone = 1024

// goneChunk is how many logs one text names: of a node with more there are
// several, one after the other.
const goneChunk = 100

// readGone reads what an event leaves of nodes.
func readGone(body *events.Collection) (gone, error) {
	if len(body.Settled)+len(body.Stable)+len(body.Authors) > 0 {
		return nil, errors.New("nodes are forgotten by their names, not by a vector")
	}
	g, logs := make(gone, 0, min(len(body.Nodes), MaxGone)), 0
	for _, text := range body.Nodes {
		n, err := events.ParseGoneNode(text)
		if err != nil {
			return nil, err
		}
		if logs += len(n.Logs); logs > MaxGone || len(n.Logs) > goneChunk {
			return nil, errors.New("too many logs at once")
		}
		k := len(g)
		switch {
		case k > 0 && continues(g[k-1], n):
			g[k-1].Logs = append(g[k-1].Logs, n.Logs...)
		case k > 0 && g[k-1].ID >= n.ID:
			return nil, errors.New("nodes out of order")
		case k == MaxGone:
			return nil, errors.New("too many nodes at once")
		default:
			g = append(g, n)
		}
	}
	return g, nil
}

// continues reports whether a text, b, names more of the logs of the node a.
func continues(a, b events.GoneNode) bool {
	n := len(a.Logs)
	return a.ID == b.ID && a.Incarnation == b.Incarnation && a.Revision == b.Revision &&
		n > 0 && n%goneChunk == 0 && len(b.Logs) > 0 && a.Logs[n-1].ID.Compare(b.Logs[0].ID) < 0
}

// texts returns what readGone reads.
func (g gone) texts() (all []string) {
	for _, n := range g {
		logs := n.Logs
		for more := true; more; more = len(logs) > 0 {
			n.Logs = logs[:min(len(logs), goneChunk)]
			logs = logs[len(n.Logs):]
			all = append(all, n.String())
		}
	}
	return all
}

// node returns what remains of a node.
func (g gone) node(id string) (events.GoneNode, bool) {
	i, ok := slices.BinarySearchFunc(g, id, func(n events.GoneNode, id string) int { return strings.Compare(n.ID, id) })
	if !ok {
		return events.GoneNode{}, false
	}
	return g[i], true
}

// goneLogOf returns what a node that is forgotten had to do with a log.
func goneLogOf(n events.GoneNode, id events.LogID) (events.GoneLog, bool) {
	i, ok := slices.BinarySearchFunc(n.Logs, id, func(l events.GoneLog, id events.LogID) int { return l.ID.Compare(id) })
	if !ok {
		return events.GoneLog{}, false
	}
	return n.Logs[i], true
}

// hides reports whether a write is void. With a write every one is that it
// beats: so it does not matter which of them is seen, or in which order.
func (g gone) hides(k kind, e *events.Event) bool {
	switch k {
	case kindNode, kindAccusation, kindAdmin:
		_, id := events.SplitRegister(e.Register)
		n, ok := g.node(id)
		if k == kindAdmin {
			return ok && e.Version <= n.Revision
		}
		return ok && e.Version <= n.Incarnation
	case kindLog:
		if e.Version > 1 || e.Version == 1 && e.Rank >= rankForked {
			return false // that it forked must be known as long as it is held
		}
		_, key := events.SplitRegister(e.Register)
		log, err := events.ParseLogID(key)
		return err == nil && log.String() == key && slices.ContainsFunc(g, func(n events.GoneNode) bool {
			_, ok := goneLogOf(n, log)
			return ok
		})
	}
	return false
}

// includes reports whether g says all that o says.
func (g gone) includes(o gone) bool {
	return !slices.ContainsFunc(o, func(n events.GoneNode) bool {
		have, ok := g.node(n.ID)
		return !ok || have.Incarnation < n.Incarnation || have.Revision < n.Revision ||
			slices.ContainsFunc(n.Logs, func(l events.GoneLog) bool {
				have, ok := goneLogOf(have, l.ID)
				return !ok || l.Closed && !have.Closed
			})
	})
}

// formerLog is what is known of a log of a node that is forgotten.
type formerLog struct {
	owner  string
	closed bool
}

// bury notes whose the logs of a collection were, and in which of them nobody
// may speak any more. What is said twice of a log is joined: the first name
// counts, and that it is closed.
func (s *State) bury(g gone) {
	all := maps.Clone(s.former)
	if all == nil {
		all = make(map[events.LogID]formerLog)
	}
	for _, n := range g {
		for _, l := range n.Logs {
			have, ok := all[l.ID]
			if !ok || n.ID < have.owner {
				have.owner = n.ID
			}
			have.closed = have.closed || l.Closed
			all[l.ID] = have
		}
	}
	s.former = all
	for _, r := range s.view.of[kindNode] {
		if s.Closed(r.event.Log) && !r.stale {
			r.stale = true
			s.view.stale = append(s.view.stale, r)
		}
	}
	s.view.cluster = nil
}

// Closed reports whether a log is of a node that was removed and is forgotten:
// nobody may speak in it any more.
func (s *State) Closed(log events.LogID) bool { return s.former[log].closed }

// Gone reports whether a log is one that a node wrote before it was forgotten,
// closed or not.
func (s *State) Gone(log events.LogID) bool {
	_, ok := s.former[log]
	return ok
}

// GoneVersion returns up to which version what is written to a register of a
// node is void, because the node is forgotten; 0 if it is not.
func (s *State) GoneVersion(name string) (version uint64) {
	k, id := events.SplitRegister(name)
	for _, c := range s.collections {
		n, _ := c.gone.node(id)
		switch k {
		case events.KindNode, events.KindAccusation:
			version = max(version, n.Incarnation)
		case events.KindAdmin:
			version = max(version, n.Revision)
		}
	}
	return version
}

// Bury returns the body of a TombstonesCollected event that forgets nodes and
// their logs. It repeats the newest collection that is not full, which it
// succeeds, so that there is one for every [MaxGone] nodes or logs, about; it
// takes as many of those given as there is room for, and claims the floor when
// that is all of them. It is nil when none is given.
func (s *State) Bury(floor uint64, nodes []events.GoneNode, reason string) *events.Collection {
	if len(nodes) == 0 {
		return nil
	}
	names, logs := make(map[string]events.GoneNode), 0
	for _, c := range s.collections {
		n := 0
		for _, g := range c.gone {
			n += len(g.Logs)
		}
		if c.kind == kindNode && len(c.gone) < MaxGone*3/4 && n < MaxGone*3/4 {
			for _, g := range c.gone {
				names[g.ID] = g
			}
			logs = n
			break
		}
	}
	complete := true
	for _, n := range nodes {
		if len(names) >= MaxGone || logs >= MaxGone {
			complete = false
			break
		}
		if room := MaxGone - logs; len(n.Logs) > room { // some of its logs now, the rest and itself another time
			complete = false
			n = events.GoneNode{ID: n.ID, Logs: n.Logs[:room]}
		}
		logs -= len(names[n.ID].Logs)
		names[n.ID] = joinGone(names[n.ID], n)
		logs += len(names[n.ID].Logs)
	}
	if !complete {
		floor--
	}
	all := make(gone, 0, len(names))
	for _, id := range slices.Sorted(maps.Keys(names)) {
		all = append(all, names[id])
	}
	return &events.Collection{Kind: events.KindNode, Floor: floor, Reason: reason, Nodes: all.texts()}
}

// joinGone returns of one node what says all that a and b say; a may be nobody.
func joinGone(a, b events.GoneNode) events.GoneNode {
	logs := slices.Concat(a.Logs, b.Logs)
	slices.SortFunc(logs, func(a, b events.GoneLog) int {
		return cmp.Or(a.ID.Compare(b.ID), compareBools(b.Closed, a.Closed)) // the closed one first
	})
	logs = slices.CompactFunc(logs, func(a, b events.GoneLog) bool { return a.ID == b.ID })
	return events.GoneNode{ID: b.ID, Incarnation: max(a.Incarnation, b.Incarnation), Revision: max(a.Revision, b.Revision), Logs: logs}
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
