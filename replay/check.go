package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Rules are the limits of Check.
type Rules struct {
	Unowned time.Duration // how long a partition may have no owner; 0 means 10 s
	Short   time.Duration // how long it may have fewer copies than it could; 0 means 5 min
	Moves   int           // how many owners in a window are flapping; 0 means 6
	Window  time.Duration // that window; 0 means 10 min
}

func (r Rules) withDefaults() Rules {
	if r.Unowned == 0 {
		r.Unowned = 10 * time.Second
	}
	if r.Short == 0 {
		r.Short = 5 * time.Minute
	}
	if r.Moves == 0 {
		r.Moves = 6
	}
	if r.Window == 0 {
		r.Window = 10 * time.Minute
	}
	return r
}

// Checkup is the verdict on a history: which invariants held at all times.
type Checkup struct {
	Log    string          `json:"log"`
	Result Result          `json:"result"`
	Events uint64          `json:"events"`
	Rules  []RuleViolation `json:"rules"`
	Damage []Damage        `json:"damage,omitempty"`
	Names  *Names          `json:"-"`
}

// RuleViolation is one rule and where it was broken.
type RuleViolation struct {
	Rule     string      `json:"rule"`
	Result   Result      `json:"result"`
	What     string      `json:"what"`               // what must hold
	Count    int         `json:"count"`              // how often it did not
	Examples []Violation `json:"examples,omitempty"` // the first ones, or the newest
	Worst    *Violation  `json:"worst,omitempty"`    // of rules about time
}

// Violation is one place where a rule did not hold.
type Violation struct {
	Subject string           `json:"subject"`
	Index   uint64           `json:"index"`
	Time    events.Timestamp `json:"time"`
	Event   events.ID        `json:"event"`
	Millis  int64            `json:"ms,omitempty"`
	Text    string           `json:"text"`
}

// maxViolations is how many examples of one rule are kept.
const maxViolations = 5

// The rules, in the order of their severity.
const (
	ruleOneOwner   = "one-owner"  // two different assignments with one epoch
	ruleEpochs     = "epochs"     // an assignment below an epoch that was assigned
	ruleLiveOwner  = "live-owner" // an assignment to a node that has failed, left or was removed
	ruleOwned      = "owned"      // no owner for too long
	ruleReplicated = "replicated" // fewer copies than possible for too long
	ruleCaused     = "caused"     // a move without a cause
	ruleFlapping   = "flapping"   // too many owners in a short time
	ruleMembership = "membership" // a node that fails and recovers again and again
)

var ruleTexts = []struct{ rule, text string }{
	{ruleOneOwner, "no two assignments of a partition bear one epoch"},
	{ruleEpochs, "no assignment is written below an epoch that was assigned before"},
	{ruleLiveOwner, "a primary is a live node when it is assigned"},
	{ruleOwned, "no partition is without an owner for longer than %s"},
	{ruleReplicated, "no partition has fewer copies than it could have for longer than %s"},
	{ruleCaused, "every change of owners names the event that made it necessary"},
	{ruleFlapping, "no partition changes its primary more than %d times in %s"},
	{ruleMembership, "no node changes its status more than %d times in %s"},
}

// Check holds a whole history against invariants, along the axis true: not
// only whether they hold now, but whether they always did.
//
// The filter and the condition of q choose which violations count, by the event at
// which they were found and by their subject: a partition is one of Partitions, a
// node is one of Nodes, or the event is about it. What lasts until the end of the
// range was found at no event: only Partitions can choose it, and where anything
// else is asked for it is left out. Limit gives the newest examples of each rule
// and not the first, Reverse the newest first. What is folded and counted is all
// there is in the range.
func (s *Source) Check(ctx context.Context, q Query, rules Rules) (*Checkup, error) {
	q.Axis = True
	w, err := s.window(ctx, &q)
	if err != nil {
		return nil, err
	}
	c := newChecker(s.Name, w.names, rules.withDefaults(), &q)
	before := func(e *Entry, s *projection.State) error {
		if q.Where != nil {
			c.met = q.Where.Holds(e, s, w.names)
		}
		if w.within(e) {
			c.before(e, s)
		}
		return nil
	}
	after := func(e *Entry, s *projection.State, o projection.Outcome) error {
		if w.within(e) {
			c.after(e, s, o)
		}
		return nil
	}
	if _, err = w.walk(ctx, before, after, func(d *Damage) { c.out.Damage = append(c.out.Damage, *d) }); err != nil {
		return nil, err
	}
	return c.finish(), nil
}

// checker follows a history.
type checker struct {
	out    *Checkup
	query  *Query
	met    bool // whether the condition of the query holds at this event
	ended  bool // there are no more events
	newest map[string]*newest[Violation]
	rules  Rules
	found  map[string]*RuleViolation
	reader *stateReader
	last   Entry // name and place of the newest event

	config     events.ClusterConfig
	partitions map[int]*watched
	nodes      map[string]*flapper
	alive      int // nodes that could hold a copy
}

// watched is what is remembered of a partition.
type watched struct {
	replicas []string
	epoch    uint64
	event    events.ID
	unowned  events.Timestamp // since when; 0 when it is owned
	short    events.Timestamp // since when it has too few copies
	primary  flapper
}

// flapper remembers the newest changes of something.
type flapper struct {
	value string
	times []int64 // ms
}

// change notes a value and returns how often it changed within a window.
func (f *flapper) change(value string, at int64, window time.Duration) int {
	if value == f.value {
		return 0
	}
	first := f.value == ""
	if f.value = value; first {
		return 0
	}
	f.times = append(f.times, at)
	for len(f.times) > 0 && f.times[0] < at-window.Milliseconds() {
		f.times = f.times[1:]
	}
	return len(f.times)
}

func newChecker(log string, names *Names, rules Rules, q *Query) *checker {
	c := &checker{rules: rules, query: q, found: make(map[string]*RuleViolation), reader: newStateReader(),
		partitions: make(map[int]*watched), nodes: make(map[string]*flapper), newest: make(map[string]*newest[Violation])}
	c.out = &Checkup{Log: log, Names: names, Result: Pass, Rules: make([]RuleViolation, len(ruleTexts))}
	for i, r := range ruleTexts {
		v := &c.out.Rules[i]
		v.Rule, v.Result, v.What = r.rule, Pass, r.text
		switch r.rule {
		case ruleOwned:
			v.What = fmt.Sprintf(r.text, rules.Unowned)
		case ruleReplicated:
			v.What = fmt.Sprintf(r.text, rules.Short)
		case ruleFlapping, ruleMembership:
			v.What = fmt.Sprintf(r.text, rules.Moves, rules.Window)
		}
		c.found[r.rule], c.newest[r.rule] = v, &newest[Violation]{limit: cmp.Or(q.Limit, maxViolations)}
	}
	return c
}

func (c *checker) violate(rule, subject string, e *Entry, ms int64, format string, args ...any) {
	if !c.chosen(subject, &e.Event) {
		return
	}
	r := c.found[rule]
	r.Result = Fail
	r.Count++
	v := Violation{Subject: subject, Index: e.Index, Time: e.Event.Time, Event: e.Event.ID(), Millis: ms, Text: fmt.Sprintf(format, args...)}
	if c.query.Limit > 0 || c.query.Reverse {
		c.newest[rule].add(v)
	} else if len(r.Examples) < maxViolations {
		r.Examples = append(r.Examples, v)
	}
	if ms > 0 && (r.Worst == nil || ms > r.Worst.Millis) {
		r.Worst = &v
	}
}

// chosen reports whether a violation is asked for.
func (c *checker) chosen(subject string, e *events.Event) bool {
	f, names := &c.query.Filter, c.out.Names
	if len(f.Partitions) > 0 && !f.matchPartition([]byte(subject)) {
		return false
	}
	of := *f
	of.Partitions, of.Nodes = nil, nil
	if c.ended {
		return of.IsZero() && len(f.Nodes) == 0 && c.query.Where == nil
	}
	kind, id := events.SplitRegister(subject)
	return (c.query.Where == nil || c.met) && of.Match(e, names) &&
		(len(f.Nodes) == 0 || kind == events.KindNode && slices.Contains(f.Nodes, id) || f.matchNode(e, names))
}

// before looks at an assignment with the state in which it was written.
func (c *checker) before(e *Entry, s *projection.State) {
	if c.out.Events++; c.out.Events == 1 {
		c.prime(e, s)
	}
	c.reader.look(s, e)
	if e.Event.Type != events.PartitionAssigned {
		return
	}
	p, err := e.Event.Payload()
	if err != nil {
		return
	}
	a := p.(*events.Assignment)
	w := c.partition(int(a.Partition))
	switch {
	case e.Event.Version == w.epoch && e.Event.ID() != w.event && !slices.Equal(a.Replicas, w.replicas):
		c.violate(ruleOneOwner, e.Event.Register, e, 0, "%s and %s both have epoch %s", Owners(w.replicas), Owners(a.Replicas), Epoch(w.epoch))
	case e.Event.Version < w.epoch:
		c.violate(ruleEpochs, e.Event.Register, e, 0, "epoch %s after %s", Epoch(e.Event.Version), Epoch(w.epoch))
	}
	if len(a.Replicas) > 0 {
		if status := c.reader.status(a.Replicas[0]); status != "alive" && status != "suspected" && status != "leaving" {
			c.violate(ruleLiveOwner, e.Event.Register, e, 0, "%s is %s", a.Replicas[0], or2(status, "not a member"))
		}
	}
	if w.epoch > 0 && e.Event.Cause.IsZero() && e.Event.Actor == c.out.Names.Owner(e.Event.Log) {
		c.violate(ruleCaused, e.Event.Register, e, 0, "%s -> %s for no cause; %s", Owners(w.replicas), Owners(a.Replicas), because(a.Trigger, a.Reason))
	}
}

// prime takes up what was so before the first event.
func (c *checker) prime(e *Entry, s *projection.State) {
	cluster := s.Cluster()
	c.config = events.ClusterConfig{Name: cluster.Config.ClusterName, PartitionCount: uint32(cluster.Config.PartitionCount),
		ReplicationFactor: uint32(cluster.Config.ReplicationFactor)}
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		c.nodes[n.ID] = &flapper{value: string(n.Status)}
		if n.Status == projection.StatusAlive {
			c.alive++
		}
	}
	for i := range cluster.PartitionMap.Partitions {
		p := &cluster.PartitionMap.Partitions[i]
		w := c.partition(p.ID)
		w.replicas, w.epoch, w.event, w.primary.value = holders(p), p.Epoch, p.Event(), p.Primary
		c.owners(e, p.ID, w)
	}
}

func or2(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (c *checker) partition(p int) *watched {
	w := c.partitions[p]
	if w == nil {
		w = new(watched)
		c.partitions[p] = w
	}
	return w
}

// after looks at the state that an event made.
func (c *checker) after(e *Entry, s *projection.State, o projection.Outcome) {
	c.last.Index = e.Index
	c.last.Event.Log, c.last.Event.Seq, c.last.Event.Time = e.Event.Log, e.Event.Seq, e.Event.Time
	if o != projection.Won {
		return
	}
	switch kind, key := events.SplitRegister(e.Event.Register); kind {
	case events.KindConfig:
		if p, err := e.Event.Payload(); err == nil {
			c.config = *p.(*events.ClusterConfig)
			for i := range int(c.config.PartitionCount) {
				c.owners(e, i, c.partition(i))
			}
		}
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		c.node(e, s, key)
	case events.KindPartition:
		if p, err := e.Event.Payload(); err == nil {
			a := p.(*events.Assignment)
			w := c.partition(int(a.Partition))
			w.replicas, w.epoch, w.event = a.Replicas, e.Event.Version, e.Event.ID()
			if n := w.primary.change(first(a.Replicas), e.Event.Time.Millis(), c.rules.Window); n > c.rules.Moves {
				c.violate(ruleFlapping, e.Event.Register, e, 0, "%d primaries in %s", n, c.rules.Window)
			}
			c.owners(e, int(a.Partition), w)
		}
	}
}

// node takes note of a node's status.
func (c *checker) node(e *Entry, s *projection.State, id string) {
	c.reader.cluster = nil
	status := c.reader.status(id)
	f := c.nodes[id]
	if f == nil {
		f = new(flapper)
		c.nodes[id] = f
	}
	was := f.value
	if n := f.change(status, e.Event.Time.Millis(), c.rules.Window); n > c.rules.Moves {
		c.violate(ruleMembership, events.NodeRegister(id), e, 0, "%d times in %s, now %s", n, c.rules.Window, status)
	}
	if (was == "alive") == (status == "alive") && serves(was) == serves(status) { // a suspected node serves until it has failed
		return
	}
	c.alive = 0
	for _, o := range c.nodes {
		if o.value == "alive" {
			c.alive++
		}
	}
	for i := range int(c.config.PartitionCount) {
		c.owners(e, i, c.partition(i))
	}
}

// serves reports whether a node of that status serves what it holds.
func serves(status string) bool {
	return status == "alive" || status == "suspected" || status == "leaving"
}

// owners starts and stops the clocks of a partition: without an owner that
// lives, and with fewer copies than there could be.
func (c *checker) owners(e *Entry, i int, w *watched) {
	if i >= int(c.config.PartitionCount) {
		return
	}
	living := 0
	for _, id := range w.replicas {
		if n := c.nodes[id]; n != nil && serves(n.value) {
			living++
		}
	}
	owner := c.nodes[first(w.replicas)]
	owned := owner != nil && serves(owner.value)
	c.clock(e, i, &w.unowned, owned, ruleOwned, c.rules.Unowned)
	want := min(int(c.config.ReplicationFactor), max(c.alive, 1))
	c.clock(e, i, &w.short, living >= want, ruleReplicated, c.rules.Short)
}

func (c *checker) clock(e *Entry, i int, since *events.Timestamp, fine bool, rule string, limit time.Duration) {
	switch {
	case !fine && *since == 0:
		*since = e.Event.Time
	case fine && *since != 0:
		if ms := e.Event.Time.Millis() - since.Millis(); ms > limit.Milliseconds() {
			c.violate(rule, events.PartitionRegister(i), e, ms, "for %s, since %s", Span(ms), *since)
		}
		*since = 0
	}
}

// finish stops all clocks at the last event.
func (c *checker) finish() *Checkup {
	c.ended = true
	if c.out.Events > 0 {
		for i := range int(c.config.PartitionCount) {
			w := c.partition(i)
			c.clock(&c.last, i, &w.unowned, true, ruleOwned, c.rules.Unowned)
			c.clock(&c.last, i, &w.short, true, ruleReplicated, c.rules.Short)
		}
	}
	if c.out.Events == 0 {
		c.out.Result = Skip
	}
	for i := range c.out.Rules {
		r := &c.out.Rules[i]
		r.Examples = slices.AppendSeq(r.Examples, c.newest[r.Rule].all(c.query.Reverse))
		if c.out.Events == 0 {
			c.out.Rules[i].Result = Skip
		} else if c.out.Rules[i].Result == Fail {
			c.out.Result = Fail
		}
	}
	return c.out
}
