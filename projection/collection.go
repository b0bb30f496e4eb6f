package projection

import (
	"errors"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// collection is what a TombstonesCollected event says: of the registers of one
// kind it forgets
//
//	tombstones    whose event is in settled, and
//	void writes   whose event is not in stable: their authors had not heard of
//	              the floor, which everybody had who is in stable,
//
// both only with a version up to floor. It takes effect in a state that stands
// for all of stable and of authors, and from then on for ever: see the package doc for why
// that is a function of the events alone.
type collection struct {
	id              events.ID
	name            string // of its register
	kind            kind
	floor           uint64
	settled, stable events.Vector
	authors         events.Vector // of the collections that it succeeds, and of theirs
	gone            gone          // of kindNode
	effective       bool
}

// readCollection returns what an event says is forgotten. An event that writes
// such a register and says nothing legible is passed over, on every node.
func readCollection(e *events.Event) (*collection, error) {
	if e.Type != events.TombstonesCollected {
		return nil, errors.New("a register for what is forgotten, and for nothing else")
	}
	p, err := e.Payload()
	if err != nil {
		return nil, err
	}
	body := p.(*events.Collection)
	c := &collection{id: e.ID(), name: strings.Clone(e.Register), kind: kindOf(body.Kind + "/"), floor: body.Floor}
	name := events.CollectedRegister(e.ID())
	if c.kind == kindNode {
		name = events.GoneRegister(body.Nodes)
	}
	if c.name != name {
		return nil, errors.New("a register in which something else must be said to be forgotten")
	}
	if c.settled, err = readHeads(body.Settled); err != nil {
		return nil, err
	}
	if c.stable, err = readHeads(body.Stable); err != nil {
		return nil, err
	}
	if c.authors, err = readHeads(body.Authors); err != nil {
		return nil, err
	}
	if c.kind == kindNode {
		c.gone, err = readGone(body)
		return c, err
	}
	switch {
	case c.kind != kindValue:
		return nil, errors.New("nothing of this kind is ever forgotten")
	case len(body.Nodes) > 0:
		return nil, errors.New("nodes among values")
	case !c.stable.Dominates(c.settled):
		return nil, errors.New("something is settled that is not stable")
	}
	return c, nil
}

// readHeads reads a list of IDs, ascending by log, as a vector.
func readHeads(list []string) (events.Vector, error) {
	v := make(events.Vector, len(list))
	var last events.LogID
	for i, text := range list {
		id, err := events.ParseID(text)
		if err != nil {
			return nil, err
		}
		if id.String() != text || i > 0 && last.Compare(id.Log) >= 0 {
			return nil, errors.New("logs out of order")
		}
		last, v[id.Log] = id.Log, id.Seq
	}
	return v, nil
}

// Forget returns the body of a TombstonesCollected event: settled is what was
// known long enough ago, stable what everybody holds now and no less; authors is
// which collections it succeeds. Their number of logs is bounded by what an event
// holds, see [MaxForget].
func Forget(kind string, floor uint64, settled, stable, authors []events.Head, reason string) *events.Collection {
	list := func(heads []events.Head) []string {
		var ids []string
		for _, h := range heads {
			ids = append(ids, events.ID{Log: h.Log, Seq: h.Seq}.String())
		}
		return ids
	}
	return &events.Collection{Kind: kind, Floor: floor, Settled: list(settled), Stable: list(stable), Authors: list(authors), Reason: reason}
}

// Stable returns how far this state knows the logs on which a collection of
// values depends: those in which the owner of a value stands, and the given ones.
// From others nothing can be void that is not superseded.
func (s *State) Stable(settled events.Vector) []events.Head {
	logs := make(map[events.LogID]struct{})
	for log := range settled {
		logs[log] = struct{}{}
	}
	for _, r := range s.order {
		if r.kind == kindValue {
			logs[r.event.Log] = struct{}{}
		}
	}
	var heads []events.Head
	for _, h := range s.byLog {
		if _, ok := logs[h.Log]; ok {
			heads = append(heads, h.Head)
		}
	}
	return heads
}

// Authors returns which collections of values one succeeds that is written now:
// those of this state, and those that they have succeeded.
func (s *State) Authors() []events.Head {
	all := make(events.Vector)
	for _, c := range s.collections {
		if c.kind != kindValue {
			continue
		}
		all[c.id.Log] = max(all[c.id.Log], c.id.Seq)
		for log, seq := range c.authors {
			all[log] = max(all[log], seq)
		}
	}
	var heads []events.Head
	for _, log := range all.Logs() {
		heads = append(heads, events.Head{Log: log, Seq: all[log]})
	}
	return heads
}

// Settled returns what a FloorRaised event says is known when it is written, of
// the given logs; the oldest [MaxForget] of them when there are more.
func (s *State) Settled(logs map[events.LogID]struct{}) []string {
	var ids []string
	for _, h := range s.byLog {
		if _, ok := logs[h.Log]; ok && len(ids) < MaxForget {
			ids = append(ids, events.ID{Log: h.Log, Seq: h.Seq}.String())
		}
	}
	return ids
}

// Observed returns what a FloorRaised event says was known when it was written;
// nothing if that cannot be read.
func Observed(floor *events.Event) events.Vector {
	p, err := floor.Payload()
	if err != nil {
		return nil
	}
	body, ok := p.(*events.Collection)
	if !ok {
		return nil
	}
	v, err := readHeads(body.Settled)
	if err != nil {
		return nil
	}
	return v
}

// MaxForget is of how many logs at most a vector fits into the event that
// forgets, twice. It bounds in how many logs the owners of values stand, and how
// many have ever forgotten values.
const MaxForget = 2048

// hides reports whether c forgets the write e, once it is effective.
func (c *collection) hides(k kind, e *events.Event) bool {
	if c.kind == kindNode {
		return c.gone.hides(k, e)
	}
	if k != c.kind || e.Version > c.floor {
		return false
	}
	return !c.stable.Covers(e.ID()) || e.Type == events.ValueDeleted && c.settled.Covers(e.ID())
}

// succeeds reports whether c makes o superfluous where both are effective:
// whatever comes later and o would forget is not in o.stable; so it is new to the
// state, hence not in c.stable, and c forgets it too.
func (c *collection) succeeds(o *collection) bool {
	if c.kind == kindNode {
		return o.kind == kindNode && c.gone.includes(o.gone) // not both ways: they would be one register
	}
	return c.kind == o.kind && c.floor >= o.floor && c.authors.Covers(o.id) && c.authors.Dominates(o.authors)
}

// superfluous reports whether another collection has succeeded c, whose effect
// has been seen by then.
func (s *State) superfluous(c *collection) bool {
	return s.covers(c.stable) && s.covers(c.authors) && slices.ContainsFunc(s.collections, func(o *collection) bool { return o.effective && o.name != c.name && o.succeeds(c) })
}

// hidden reports whether a write is forgotten.
func (s *State) hidden(k kind, e *events.Event) bool {
	for _, c := range s.collections {
		if c.effective && c.hides(k, e) {
			return true
		}
	}
	return false
}

// forgot reports whether this state has seen, or would forget, a write to a
// register that it does not hold: whoever still holds it is behind.
func (s *State) forgot(k kind, e *events.Event) bool {
	for _, c := range s.collections {
		if c.effective && (c.kind == k && k == kindValue && e.Version <= c.floor || c.kind == kindNode && c.gone.hides(k, e)) {
			return true
		}
	}
	return false
}

// learn takes up a collection. One of the same register is of the other branch
// of a log that forked, or says the same.
func (s *State) learn(c *collection) {
	i, found := slices.BinarySearchFunc(s.collections, c.name, func(c *collection, name string) int { return strings.Compare(c.name, name) })
	if found {
		s.collections[i] = c
	} else {
		s.collections = slices.Insert(s.collections, i, c)
	}
	s.pending++
	if c.kind == kindNode {
		s.bury(c.gone)
	}
}

// covers reports whether the state stands for all events of a vector.
func (s *State) covers(v events.Vector) bool {
	for log, seq := range v {
		if h := s.logs[log]; h == nil || h.Seq < seq {
			return false
		}
	}
	return true
}

// settle lets those collections take effect that now can. It is called when a
// collection came or a log grew while one is pending.
func (s *State) settle() {
	s.pending = 0
	var now []*collection
	for _, c := range s.collections {
		switch {
		case c.effective:
		case s.covers(c.stable) && s.covers(c.authors):
			c.effective = true
			now = append(now, c)
		default:
			s.pending++
		}
	}
	if len(now) == 0 {
		return
	}
	for _, r := range s.order {
		if !r.gone && slices.ContainsFunc(now, func(c *collection) bool { return c.hides(r.kind, &r.event) }) {
			s.drop(r)
		}
	}
	for _, c := range slices.Clone(s.collections) {
		if s.superfluous(c) {
			s.collections = slices.DeleteFunc(s.collections, func(o *collection) bool { return o == c })
			s.drop(s.registers[c.name])
		}
	}
	s.sweep()
}

// drop takes a register out of the state. The caller sweeps.
func (s *State) drop(r *register) {
	delete(s.registers, r.name())
	s.digest.State = s.digest.State.Sub(r.sum)
	r.sum, r.gone = events.Sum{}, true
	s.view.cluster = nil
	s.forgotten++
	if r.kind == kindLog {
		s.noteFork(r)
	}
	if r.kind.inView() {
		s.view.buried = true
		if !r.stale {
			r.stale = true
			s.view.stale = append(s.view.stale, r)
		}
	}
}

// sweep clears away what was dropped.
func (s *State) sweep() {
	gone := func(r *register) bool { return r.gone }
	s.order = slices.DeleteFunc(s.order, gone)
	s.unsummed = slices.DeleteFunc(s.unsummed, gone)
	if s.view.buried {
		s.view.buried = false
		for k := range s.view.of {
			s.view.of[k] = slices.DeleteFunc(s.view.of[k], gone)
		}
	}
}

// Forgotten returns how many registers this state has forgotten since it was
// made: who keeps something per register compares it with the last time.
func (s *State) Forgotten() uint64 { return s.forgotten }

// Collected returns the largest floor up to which something of a kind is, or is
// about to be, forgotten. Of nodes, floors are only numbered.
func (s *State) Collected(kindName string) (floor uint64) {
	k := kindOf(kindName + "/")
	for _, c := range s.collections {
		if c.kind == k {
			floor = max(floor, c.floor)
		}
	}
	return floor
}

// Floor returns the version above which the registers of a kind are to be
// written: below it, what is written may be void.
func (s *State) Floor(kindName string) uint64 {
	floor := s.Collected(kindName)
	if r := s.registers[events.FloorRegister(kindName)]; r != nil {
		if p, err := r.read(); err == nil && p != nil {
			floor = max(floor, r.event.Version)
		}
	}
	return floor
}

// Tombstones returns the largest version of the tombstones of values, how many
// there are and in which logs.
func (s *State) Tombstones() (floor uint64, n int, logs map[events.LogID]struct{}) {
	logs = make(map[events.LogID]struct{})
	for _, r := range s.order {
		if r.kind == kindValue && r.event.Type == events.ValueDeleted {
			floor, n = max(floor, r.event.Version), n+1
			logs[r.event.Log] = struct{}{}
		}
	}
	return floor, n, logs
}

// readFloor checks what a FloorRaised event says.
func (r *register) readFloor(p *events.Collection) error {
	if p.Kind != r.key() || p.Floor != r.event.Version || strings.Contains(p.Kind, "/") {
		return errors.New("the register, its version and what they are to say differ")
	}
	return nil
}
