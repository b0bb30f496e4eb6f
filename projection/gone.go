package projection

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// gone is what remains of nodes that are forgotten: two numbers for each node,
// up to which whatever is said by it or of it is void, and the names of their
// logs. See the package doc, Forgetting.
type gone struct {
	nodes []events.GoneNode // sorted by ID
	logs  []goneLog         // sorted by ID
}

// goneLog is a log of a node that is forgotten, and whether it had forked. Its
// text is that of the ID, and " forked" if it had.
type goneLog struct {
	id     events.LogID
	forked bool
}

const goneForked = " forked"

func (l goneLog) String() string {
	if l.forked {
		return l.id.String() + goneForked
	}
	return l.id.String()
}

func parseGoneLog(text string) (l goneLog, err error) {
	id, forked := strings.CutSuffix(text, goneForked)
	if l.id, err = events.ParseLogID(id); err != nil {
		return goneLog{}, err
	}
	if l.forked = forked; l.String() != text {
		return goneLog{}, errors.New("a log that is not written as logs are")
	}
	return l, nil
}

// MaxGone is how many nodes, and how many logs, one event forgets at most.
const MaxGone = 1024

// readGone reads what an event leaves of nodes.
func readGone(body *events.Collection) (*gone, error) {
	g := new(gone)
	switch {
	case len(body.Settled) > 0 || len(body.Stable) > 0:
		return nil, errors.New("nodes are forgotten by their names, not by a vector")
	case len(body.Nodes) > MaxGone || len(body.Logs) > MaxGone:
		return nil, errors.New("too many at once")
	}
	for _, text := range body.Nodes {
		n, err := events.ParseGoneNode(text)
		if err != nil {
			return nil, err
		}
		if k := len(g.nodes); k > 0 && g.nodes[k-1].ID >= n.ID {
			return nil, errors.New("nodes out of order")
		}
		g.nodes = append(g.nodes, n)
	}
	for _, text := range body.Logs {
		log, err := parseGoneLog(text)
		if err != nil {
			return nil, err
		}
		if k := len(g.logs); k > 0 && g.logs[k-1].id.Compare(log.id) >= 0 {
			return nil, errors.New("logs out of order")
		}
		g.logs = append(g.logs, log)
	}
	return g, nil
}

// node returns what remains of a node.
func (g *gone) node(id string) (events.GoneNode, bool) {
	i, ok := slices.BinarySearchFunc(g.nodes, id, func(n events.GoneNode, id string) int { return strings.Compare(n.ID, id) })
	if !ok {
		return events.GoneNode{}, false
	}
	return g.nodes[i], true
}

func (g *gone) log(id events.LogID) (l goneLog, ok bool) {
	i, ok := slices.BinarySearchFunc(g.logs, id, func(l goneLog, id events.LogID) int { return l.id.Compare(id) })
	if !ok {
		return goneLog{}, false
	}
	return g.logs[i], true
}

// hides reports whether a write is void. With a write every one is that it
// beats: so it does not matter which of them is seen, or in which order.
func (g *gone) hides(k kind, e *events.Event) bool {
	switch k {
	case kindNode, kindAccusation, kindAdmin:
	case kindLog:
		_, key := events.SplitRegister(e.Register)
		log, err := events.ParseLogID(key)
		_, ok := g.log(log)
		return ok && err == nil && log.String() == key
	default:
		return false
	}
	_, id := events.SplitRegister(e.Register)
	n, ok := g.node(id)
	if !ok {
		return false
	}
	if k == kindAdmin {
		return e.Version <= n.Revision
	}
	return e.Version <= n.Incarnation
}

// includes reports whether whatever o hides is hidden by g too.
func (g *gone) includes(o *gone) bool {
	for _, n := range o.nodes {
		have, ok := g.node(n.ID)
		if !ok || have.Incarnation < n.Incarnation || have.Revision < n.Revision {
			return false
		}
	}
	return !slices.ContainsFunc(o.logs, func(l goneLog) bool {
		have, ok := g.log(l.id)
		return !ok || l.forked && !have.forked
	})
}

// bury takes the logs of a collection out of what is exchanged. They are still
// compared unless they had forked: everybody holds the same of them.
func (s *State) bury(c *collection) {
	if c.gone == nil || len(c.gone.logs) == 0 {
		return
	}
	all := maps.Clone(s.gone)
	if all == nil {
		all = make(map[events.LogID]bool, len(c.gone.logs))
	}
	for _, l := range c.gone.logs {
		all[l.id] = all[l.id] || l.forked
		s.forked[l.id] = struct{}{}
		if h := s.logs[l.id]; h != nil {
			s.move(h)
		}
	}
	s.gone = all
	for _, r := range s.view.of[kindNode] {
		if _, ok := s.gone[r.event.Log]; ok && !r.stale {
			r.stale = true
			s.view.stale = append(s.view.stale, r)
		}
	}
	s.view.cluster = nil
}

// Gone reports whether a log is one of a node that is forgotten: nobody may
// speak in it any more.
func (s *State) Gone(log events.LogID) bool {
	_, ok := s.gone[log]
	return ok
}

// Compared reports whether the head of a log is in the vector sum of the digest:
// that of a log that has forked is not.
func (s *State) Compared(log events.LogID) bool {
	if forked, ok := s.gone[log]; ok {
		return !forked
	}
	return !s.Forked(log)
}

// GoneLogs returns how many logs are of nodes that are forgotten.
func (s *State) GoneLogs() int { return len(s.gone) }

// GoneVersion returns up to which version what is written to a register is void,
// because the node that it is about is forgotten; 0 if it is not.
func (s *State) GoneVersion(name string) (version uint64) {
	k, id := events.SplitRegister(name)
	for _, c := range s.collections {
		if c.gone == nil {
			continue
		}
		switch n, _ := c.gone.node(id); k {
		case events.KindNode, events.KindAccusation:
			version = max(version, n.Incarnation)
		case events.KindAdmin:
			version = max(version, n.Revision)
		case events.KindLog:
			if log, err := events.ParseLogID(id); err == nil && s.Gone(log) {
				version = math.MaxUint64
			}
		}
	}
	return version
}

// Bury returns the body of a TombstonesCollected event that forgets nodes and
// their logs. It repeats the newest collection that is not full, which it
// succeeds, so that there is one for every [MaxGone] nodes and no more; it takes
// as many of those given as there is room for, and claims the floor when that is
// all of them. It is nil when none is given.
func (s *State) Bury(floor uint64, nodes []events.GoneNode, logs func(node string) []events.LogID, reason string) *events.Collection {
	names, ids := make(map[string]events.GoneNode), make(map[events.LogID]bool)
	for _, c := range s.collections {
		if c.gone != nil && len(c.gone.nodes) < MaxGone*3/4 && len(c.gone.logs) < MaxGone*3/4 {
			for _, n := range c.gone.nodes {
				names[n.ID] = widest(names[n.ID], n)
			}
			for _, l := range c.gone.logs {
				ids[l.id] = l.forked
			}
			break
		}
	}
	added := 0
	for _, n := range nodes {
		of := logs(n.ID)
		of = of[:min(len(of), MaxGone/4)]
		if len(names) >= MaxGone || len(ids)+len(of) > MaxGone {
			break
		}
		names[n.ID] = widest(names[n.ID], n)
		for _, log := range of {
			ids[log] = ids[log] || !s.Compared(log)
		}
		added++
	}
	if len(nodes) == 0 {
		return nil
	}
	if added < len(nodes) {
		floor--
	}
	body := &events.Collection{Kind: events.KindNode, Floor: floor, Reason: reason}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		body.Nodes = append(body.Nodes, names[id].String())
	}
	for _, log := range slices.SortedFunc(maps.Keys(ids), events.LogID.Compare) {
		body.Logs = append(body.Logs, goneLog{log, ids[log]}.String())
	}
	return body
}

// widest returns of one node what hides all that a or b hides; a may be nobody.
func widest(a, b events.GoneNode) events.GoneNode {
	return events.GoneNode{ID: b.ID, Incarnation: max(a.Incarnation, b.Incarnation), Revision: max(a.Revision, b.Revision)}
}
