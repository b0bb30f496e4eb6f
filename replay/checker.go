package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// checker follows a history. It keeps what it needs of the present only: of each
// node and each partition, not of each event.
type checker struct {
	window *window
	out    *Checkup
	rules  Rules
	found  map[string]*tally
	doubts doubts

	begun  bool               // the range was reached; from there on all is followed
	within bool               // whether this event lies in the range
	met    bool               // whether the condition of the query holds at this event
	ended  bool               // there are no more events
	last   Entry              // name and place of the newest event in the range
	made   *events.Assignment // that this event is; nil when it is none

	state      *projection.State
	forgotten  uint64 // by that state
	config     projection.Config
	partitions []*watched // by number; nil where nothing is known
	nodes      map[string]*attendant
	able       int // nodes that could take a copy
}

// tally is what was found of one rule.
type tally struct {
	*RuleViolation
	examples examples
}

// watched is what is remembered of a partition.
type watched struct {
	id       int
	register string
	given    // the newest
	epoch    uint64
	owners   []string         // what the view makes of it: nobody where it makes no sense
	who      []*attendant     // those, each once; nil who is no node
	unowned  events.Timestamp // since when; 0 when it is owned
	short    events.Timestamp // since when it has too few copies
	primary  flapper
}

// attendant is what is remembered of a node.
type attendant struct {
	status flapper
	serves bool // what it holds, by its status
	able   bool // could take a copy
}

// flapper remembers the newest changes of something: one more than there may be in
// a window, for then it can tell.
type flapper struct {
	value string
	times []int64 // ms
}

// change notes a value. When it changed more than moves times within a window, this
// change included, it returns in how many milliseconds the newest of them happened.
// The first value, and one after none, is no change.
func (f *flapper) change(value string, at int64, moves int, window time.Duration) (ms int64, tooOften bool) {
	if value == f.value {
		return 0, false
	}
	first := f.value == ""
	if f.value = value; first {
		return 0, false
	}
	f.times = append(f.times, at)
	for len(f.times) > moves+1 || f.times[0] < at-window.Milliseconds() {
		f.times = slices.Delete(f.times, 0, 1)
	}
	ms = at - f.times[0]
	return ms, len(f.times) > moves
}

func newChecker(w *window, rules Rules) *checker {
	c := &checker{window: w, rules: rules, found: make(map[string]*tally), nodes: make(map[string]*attendant)}
	c.out = &Checkup{Log: w.source.Name, Names: w.names, Result: Pass, Rules: make([]RuleViolation, len(ruleTexts))}
	for i, r := range ruleTexts {
		v := &c.out.Rules[i]
		v.Rule, v.Result, v.What = r.rule, Pass, r.text
		switch r.rule {
		case RuleOwned:
			v.What = fmt.Sprintf(r.text, rules.Unowned)
		case RuleReplicated:
			v.What = fmt.Sprintf(r.text, rules.Short)
		case RuleFlapping, RuleMembership:
			v.What = fmt.Sprintf(r.text, Count(rules.Moves, "time"), rules.Window)
		}
		c.found[r.rule] = &tally{v, examples{limit: cmp.Or(w.Limit, maxViolations), newest: w.Limit > 0 || w.Reverse}}
	}
	return c
}

// follow walks the range. What lies in front of it is folded. But an event that
// does so by its place or by a vector may be newer, along the axis, than the
// first of the range: it is followed too, and what is found at it does not count.
func (c *checker) follow(ctx context.Context) error {
	w := c.window
	before := func(e *Entry, s *projection.State) error {
		if w.Where != nil {
			c.met = w.Where.Holds(e, s, w.names)
		}
		if c.within = w.within(e); c.within {
			c.out.Events++
		}
		if c.within || c.begun {
			c.before(e, s)
		}
		return nil
	}
	after := func(e *Entry, s *projection.State, o projection.Outcome) error {
		if c.begun {
			c.after(e, s, o)
		}
		return nil
	}
	_, err := w.walk(ctx, before, after, c.damaged)
	return err
}

// damaged notes damage, which may be met more than once.
func (c *checker) damaged(d *Damage) {
	if !slices.Contains(c.out.Damage, *d) {
		c.out.Damage = append(c.out.Damage, *d)
	}
}

func (c *checker) violate(rule, subject string, e *Entry, ms int64, format string, args ...any) {
	if !c.within || !c.chosen(subject, &e.Event) {
		return
	}
	v := Violation{Subject: subject, Index: e.Index, Time: e.Event.Time, Event: e.Event.ID(), Millis: ms}
	if r := c.found[rule]; ms > 0 || r.examples.wants(&v) {
		v.Text = fmt.Sprintf(format, args...)
	}
	c.count(rule, v)
}

func (c *checker) count(rule string, v Violation) {
	r := c.found[rule]
	r.Result = Fail
	r.Count++
	if r.examples.wants(&v) {
		r.examples.add(v)
	}
	if v.Millis > 0 && (r.Worst == nil || v.Millis > r.Worst.Millis) {
		r.Worst = &v
	}
}

// chosen reports whether a violation is asked for.
func (c *checker) chosen(subject string, e *events.Event) bool {
	q, names := c.window.Query, c.out.Names
	f := &q.Filter
	if len(f.Partitions) > 0 && !f.matchPartition([]byte(subject)) {
		return false
	}
	of := *f
	of.Partitions, of.Nodes = nil, nil
	if c.ended {
		return of.IsZero() && len(f.Nodes) == 0 && q.Where == nil
	}
	kind, id := events.SplitRegister(subject)
	return (q.Where == nil || c.met) && of.Match(e, names) &&
		(len(f.Nodes) == 0 || kind == events.KindNode && slices.Contains(f.Nodes, id) || f.matchNode(e, names))
}

// before looks at an assignment with the state in which it was written.
func (c *checker) before(e *Entry, s *projection.State) {
	if s != c.state { // at first, and where a received state took the place of events
		c.takeUp(e, s)
	}
	c.made = nil
	w := c.partition(e.Event.Register)
	if w == nil || e.Event.Type != events.PartitionAssigned {
		return
	}
	p, err := e.Event.Payload()
	if err != nil {
		return
	}
	a := p.(*events.Assignment)
	c.made = a
	switch {
	case w.by == (Key{}): // never assigned
	case e.Event.Version == w.epoch && !slices.Equal(a.Replicas, w.replicas):
		c.violate(RuleOneOwner, w.register, e, 0, "%s", c.twoOwners(a.Replicas, w.given, w.epoch))
	case e.Event.Version < w.epoch && w.by.Compare(KeyOf(&e.Event)) < 0:
		c.violate(RuleEpochs, w.register, e, 0, "epoch %s after %s of %s", Epoch(e.Event.Version), Epoch(w.epoch), c.eventAt(w.by))
		if c.within && c.chosen(w.register, &e.Event) {
			c.doubts.add(w.id, e)
		}
	}
	if s.Head(e.Event.Log).Seq >= e.Event.Seq {
		return // it is in a state that was received: what was so in front of it is not known
	}
	if owner := c.nodes[first(a.Replicas)]; len(a.Replicas) > 0 && (owner == nil || !owner.serves) {
		status := "not a member"
		if owner != nil {
			status = owner.status.value
		}
		c.violate(RuleLiveOwner, w.register, e, 0, "given to %s, which is %s", a.Replicas[0], status)
	}
	if w.by != (Key{}) && e.Event.Cause.IsZero() && e.Event.Actor == c.out.Names.Owner(e.Event.Log) && !slices.Equal(a.Replicas, w.owners) {
		c.violate(RuleCaused, w.register, e, 0, "%s -> %s for no cause; %s", Owners(w.owners), Owners(a.Replicas), because(a.Trigger, a.Reason))
	}
}

// twoOwners says that an epoch has them.
func (c *checker) twoOwners(now []string, before given, epoch uint64) string {
	return fmt.Sprintf("given to %s with epoch %s, which %s gave to %s", Owners(now), Epoch(epoch), c.eventAt(before.by), Owners(before.replicas))
}

func (c *checker) eventAt(k Key) string { return c.out.Names.Event(events.ID{Log: k.Log, Seq: k.Seq}) }

// takeUp takes up all that a state says: what was so in front of the range, or
// what is new in a state that was received. Of that the time is not known, and it
// counts as having come to be so with the event e.
func (c *checker) takeUp(e *Entry, s *projection.State) {
	c.state, c.begun = s, true
	c.config = s.Cluster().Config
	c.attend(e)
	for key := range s.Registers(events.KindPartition) {
		if w := c.partition(events.KindPartition + "/" + key); w != nil {
			c.assign(e, w, nil)
		}
	}
	c.clocks(e, 0)
}

// partition returns what is remembered of the partition of a register, nil when it
// is that of none.
func (c *checker) partition(register string) *watched {
	if !strings.HasPrefix(register, events.KindPartition+"/") {
		return nil
	}
	i := partitionOf([]byte(register))
	if i < 0 || i >= projection.MaxPartitions {
		return nil
	}
	if w := c.numbered(i); w.register == register {
		return w
	}
	return nil // partition/007 is none
}

func (c *checker) numbered(i int) *watched {
	if i >= len(c.partitions) {
		c.partitions = append(c.partitions, make([]*watched, i+1-len(c.partitions))...)
	}
	if c.partitions[i] == nil {
		c.partitions[i] = &watched{id: i, register: events.PartitionRegister(i)}
	}
	return c.partitions[i]
}

// meet notes who owns a partition. Of nodes that come and go all must be asked again.
func (c *checker) meet(w *watched) {
	w.who = w.who[:0]
	for i, id := range w.owners {
		if !slices.Contains(w.owners[:i], id) {
			w.who = append(w.who, c.nodes[id])
		}
	}
}

func (c *checker) meetAll() {
	for _, w := range c.partitions {
		if w != nil {
			c.meet(w)
		}
	}
}

// after looks at the state that an event made.
func (c *checker) after(e *Entry, s *projection.State, o projection.Outcome) {
	if c.within {
		c.last.Index = e.Index
		c.last.Event.Log, c.last.Event.Seq, c.last.Event.Time = e.Event.Log, e.Event.Seq, e.Event.Time
	}
	if !o.Applied() {
		return
	}
	if e.Event.Type == events.TombstonesCollected || s.Forgotten() != c.forgotten { // nodes among them, maybe
		c.attend(e)
		c.clocks(e, 0)
	}
	if o != projection.Won {
		return
	}
	switch kind, key := events.SplitRegister(e.Event.Register); kind {
	case events.KindConfig:
		was := c.config.PartitionCount
		c.config = s.Cluster().Config
		c.clocks(e, was)
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		if c.node(e, key) {
			c.clocks(e, 0)
		}
	case events.KindPartition:
		if w := c.partition(e.Event.Register); w != nil {
			c.assign(e, w, c.made)
			c.owners(e, w)
		}
	}
}

// attend looks at all nodes.
func (c *checker) attend(e *Entry) {
	c.forgotten = c.state.Forgotten()
	cluster := c.state.Cluster()
	for i := range cluster.Nodes {
		c.node(e, cluster.Nodes[i].ID)
	}
	for id := range c.nodes {
		c.node(e, id)
	}
}

// node takes note of a node's status, and reports whether that matters to what it
// holds or could hold.
func (c *checker) node(e *Entry, id string) bool {
	n, ok := c.state.Node(id)
	was := c.nodes[id]
	switch {
	case !ok && was == nil:
		return false
	case !ok: // forgotten
		delete(c.nodes, id)
		c.meetAll()
		if was.able {
			c.able--
		}
		return was.serves
	case was == nil:
		was = new(attendant)
		c.nodes[id] = was
		c.meetAll()
	}
	served, could := was.serves, was.able
	if ms, tooOften := was.status.change(string(n.Status), e.Event.Time.Millis(), c.rules.Moves, c.rules.Window); tooOften {
		c.violate(RuleMembership, events.NodeRegister(id), e, 0, "changed %s in %s, now %s", Count(c.rules.Moves+1, "time"), Span(ms), n.Status)
	}
	was.serves = n.Status == projection.StatusAlive || n.Status == projection.StatusSuspected || n.Status == projection.StatusLeaving
	was.able = n.Status == projection.StatusAlive && !n.Draining && n.Degraded == ""
	switch {
	case was.able && !could:
		c.able++
	case could && !was.able:
		c.able--
	}
	return served != was.serves || could != was.able // a suspected node serves until it has failed
}

// assign takes note of the owners of a partition: those of an assignment that e has
// just made, when that is one of the usual kind, else what the state says.
func (c *checker) assign(e *Entry, w *watched, made *events.Assignment) {
	if made != nil && usual(e, w, made) {
		w.given, w.epoch, w.owners = given{KeyOf(&e.Event), made.Replicas}, e.Event.Version, made.Replicas
	} else {
		p, _ := c.state.Partition(w.id)
		stamp, _ := c.state.Stamp(w.register)
		w.given, w.epoch, w.owners = givenBy(c.state, &p, stamp), stamp.Version, holders(&p)
	}
	c.meet(w)
	primary := first(w.owners)
	if ms, tooOften := w.primary.change(primary, e.Event.Time.Millis(), c.rules.Moves, c.rules.Window); tooOften {
		c.violate(RuleFlapping, w.register, e, 0, "changed %s in %s, now %s", Count(c.rules.Moves+1, "time"), Span(ms), cmp.Or(primary, "nobody"))
	}
}

// usual reports whether the state cannot but take an assignment for what it says. It
// spares decoding it a second time.
func usual(e *Entry, w *watched, a *events.Assignment) bool {
	for i, id := range a.Replicas {
		if events.CheckNodeID(id) != nil || slices.Contains(a.Replicas[:i], id) {
			return false
		}
	}
	return e.Event.Rank == 0 && int(a.Partition) == w.id
}

// clocks looks at all partitions, also those up to the number that there were.
func (c *checker) clocks(e *Entry, were int) {
	for i := range max(c.config.PartitionCount, were) {
		c.owners(e, c.numbered(i))
	}
}

// owners starts and stops the clocks of a partition: without an owner that
// lives, and with fewer copies than there could be, which is so when there is a
// node that could take one more. A partition that is none any more lacks nothing.
func (c *checker) owners(e *Entry, w *watched) {
	exists := w.id < c.config.PartitionCount
	living, able := 0, 0
	for _, n := range w.who {
		if n != nil && n.serves {
			living++
		}
		if n != nil && n.able {
			able++
		}
	}
	c.clock(e, w, &w.unowned, !exists || len(w.who) > 0 && w.who[0] != nil && w.who[0].serves, RuleOwned, c.rules.Unowned)
	c.clock(e, w, &w.short, !exists || living >= c.config.ReplicationFactor || able >= c.able, RuleReplicated, c.rules.Short)
}

func (c *checker) clock(e *Entry, w *watched, since *events.Timestamp, fine bool, rule string, limit time.Duration) {
	switch {
	case !fine && *since == 0:
		*since = e.Event.Time
	case fine && *since != 0:
		if ms := e.Event.Time.Millis() - since.Millis(); ms > limit.Milliseconds() {
			until := ""
			if c.ended {
				until = ", and still"
			}
			c.violate(rule, w.register, e, ms, "for %s, since %s%s", Span(ms), *since, until)
		}
		*since = 0
	}
}

// end stops all clocks at the last event.
func (c *checker) end() {
	if c.ended, c.within = true, true; c.out.Events == 0 {
		return
	}
	for i := range c.config.PartitionCount {
		w := c.numbered(i)
		c.clock(&c.last, w, &w.unowned, true, RuleOwned, c.rules.Unowned)
		c.clock(&c.last, w, &w.short, true, RuleReplicated, c.rules.Short)
	}
}

// verdict closes the checkup.
func (c *checker) verdict() *Checkup {
	if c.out.Events == 0 {
		c.out.Result = Skip
	}
	for i := range c.out.Rules {
		r := &c.out.Rules[i]
		r.Examples = c.found[r.Rule].examples.all(c.window.Reverse)
		if c.out.Events == 0 {
			r.Result = Skip
		} else if r.Result == Fail {
			c.out.Result = Fail
		}
	}
	return c.out
}
