package replay

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Verdict says how the logs of several nodes stand to each other. The worst
// that holds is the verdict.
type Verdict string

// The verdicts, from best to worst.
const (
	Equal         Verdict = "equal"          // the same events led to the ends, the same state
	Behind        Verdict = "behind"         // some lack events that others have; that heals
	CannotCompare Verdict = "cannot compare" // not enough is kept, or nothing is common
	StateDiffers  Verdict = "state differs"  // the same events, and not the same state: a fault of the program
	Forked        Verdict = "forked"         // one name, two events: the histories contradict each other
)

// Convergence is the comparison of several logs.
type Convergence struct {
	Verdict Verdict       `json:"verdict"`
	Sides   []Side        `json:"sides"`
	Origins []OriginCheck `json:"origins"` // of each log that any side knows, sorted by name
	State   *Diff         `json:"state,omitempty"`
	Notes   []string      `json:"notes,omitempty"` // why it cannot be compared
}

// Side is one of the logs compared.
type Side struct {
	Mark
	Node    string   `json:"node,omitempty"`    // whose log it is, where that is known
	Cluster string   `json:"cluster,omitempty"` // to which it belongs, where that is known
	Damage  []Damage `json:"damage,omitempty"`

	source *Source
	state  *projection.State
	names  *Names
}

// Title returns a short name of the side: that of its node, or of the LOG.
func (s *Side) Title() string {
	if s.Node != "" {
		return s.Node
	}
	return s.Log
}

// OriginCheck compares what the sides hold of one origin's log.
type OriginCheck struct {
	Log     events.LogID `json:"log"`
	Name    string       `json:"name"`
	Heads   []uint64     `json:"heads"` // of each side: the highest sequence held
	Verdict Verdict      `json:"verdict"`
	Missing []Missing    `json:"missing,omitempty"`
	Fork    *Fork        `json:"fork,omitempty"`
	Note    string       `json:"note,omitempty"`
}

// Missing is what one side lacks of a log.
type Missing struct {
	Side  int              `json:"side"`
	From  uint64           `json:"from"`          // first sequence it lacks
	Count uint64           `json:"count"`         // how many
	Time  events.Timestamp `json:"time,omitzero"` // of the first one
	What  string           `json:"what,omitempty"`
}

// Fork is the first sequence of a log under which two sides hold different
// events.
type Fork struct {
	Seq   uint64    `json:"seq"`
	Sides [2]int    `json:"sides"`
	What  [2]string `json:"what"`
	Time  [2]string `json:"time"`
}

// Converge compares the logs of several nodes. It compares their heads first:
// equal chains mean equal events, so that logs which agree are told by their
// ends, however long they are. Then their states, from the last
// segment of each. It never says Equal when nothing was compared.
//
// What was not read it does not vouch for: Equal means that the same events
// came before, not that every log can still show them. Damage is reported where
// it was met, in the newest segment and where a difference was looked for, and
// when a segment is missing or has not the size it had; Verify reads everything.
func Converge(ctx context.Context, sources ...*Source) (*Convergence, error) {
	c := &Convergence{Sides: make([]Side, len(sources))}
	if err := SameRedaction(sources...); err != nil {
		c.Verdict, c.Origins, c.Notes = CannotCompare, []OriginCheck{}, []string{err.Error()}
		return c, c.load(ctx, sources)
	}
	if c.agree(ctx, sources) {
		return c, nil
	}
	if err := c.load(ctx, sources); err != nil {
		return nil, err
	}
	names := c.names()
	for _, log := range c.logs() {
		o, err := c.origin(ctx, log, names)
		if err != nil {
			return nil, err
		}
		c.Origins = append(c.Origins, o)
	}
	slices.SortFunc(c.Origins, func(a, b OriginCheck) int { return compareNames(a.Name, b.Name) })
	c.judge()
	return c, nil
}

// agree compares the endings of the logs, without folding anything, and
// reports whether that was enough because they are equal.
func (c *Convergence) agree(ctx context.Context, sources []*Source) bool {
	endings := make([]*ending, len(sources))
	each(sources, func(i int, s *Source) { endings[i] = s.ending(ctx) })
	for _, t := range endings {
		if t == nil || len(t.heads) == 0 || !slices.Equal(t.heads, endings[0].heads) {
			return false
		}
	}
	if !agree(endings) || slices.ContainsFunc(sources, func(s *Source) bool { return s.incomplete() != nil }) {
		return false
	}
	names := new(Names)
	for i, t := range endings {
		t.digest = endings[0].digest
		c.Sides[i] = Side{Mark: t.mark(sources[i].Name), Node: sources[i].Node(), Cluster: cmp.Or(t.cluster(), sources[i].ClusterName())}
		t.learn(names)
	}
	for _, h := range endings[0].heads {
		c.Origins = append(c.Origins, OriginCheck{Log: h.Log, Name: names.Log(h.Log), Heads: slices.Repeat([]uint64{h.Seq}, len(sources)), Verdict: Equal})
	}
	slices.SortFunc(c.Origins, func(a, b OriginCheck) int { return compareNames(a.Name, b.Name) })
	c.judge()
	return true
}

// each runs do for every source, all at once.
func each(sources []*Source, do func(i int, s *Source)) {
	var wg sync.WaitGroup // each goroutine ends with its own source
	for i, s := range sources {
		wg.Go(func() { do(i, s) })
	}
	wg.Wait()
}

// load folds every side up to its end, all at once.
func (c *Convergence) load(ctx context.Context, sources []*Source) error {
	errs := make([]error, len(sources))
	each(sources, func(i int, source *Source) {
		m, err := source.StateAt(ctx, Head(), Natural)
		if err != nil {
			errs[i] = err
			return
		}
		c.Sides[i] = Side{Mark: m.Mark, Node: source.Node(), Cluster: source.ClusterName(), Damage: m.Damage,
			source: source, state: m.State, names: m.Names}
		if name := m.State.Cluster().Name; name != "" {
			c.Sides[i].Cluster = name
		}
		if d := source.incomplete(); d != nil {
			c.Sides[i].Damage = mergeDamage(c.Sides[i].Damage, []Damage{*d})
		}
	})
	return errors.Join(errs...)
}

func (c *Convergence) names() *Names {
	names := new(Names)
	for i := range c.Sides {
		names.LearnState(c.Sides[i].state)
	}
	return names
}

// logs returns every log that any side holds, sorted.
func (c *Convergence) logs() []events.LogID {
	all := make(events.Vector)
	for i := range c.Sides {
		all.Merge(c.Sides[i].state.Vector())
	}
	return all.Logs()
}

// origin compares one log.
func (c *Convergence) origin(ctx context.Context, log events.LogID, names *Names) (OriginCheck, error) {
	o := OriginCheck{Log: log, Name: names.Log(log), Verdict: Equal}
	longest := 0
	for i := range c.Sides {
		h := c.Sides[i].state.Head(log)
		o.Heads = append(o.Heads, h.Seq)
		if h.Seq > o.Heads[longest] {
			longest = i
		}
	}
	for i := range c.Sides {
		if i == longest {
			continue
		}
		if err := c.pair(ctx, &o, i, longest); err != nil {
			return o, err
		}
	}
	return o, nil
}

// pair compares what side i holds of a log with what the side with most of it
// holds.
func (c *Convergence) pair(ctx context.Context, o *OriginCheck, i, longest int) error {
	head, longer := c.Sides[i].state.Head(o.Log), c.Sides[longest].state.Head(o.Log)
	known := c.Sides[i].state.Forked(o.Log) || c.Sides[longest].state.Forked(o.Log)
	if known {
		o.note("known to have forked; only states can be compared")
	}
	if head.Seq == longer.Seq {
		if head.Chain != longer.Chain {
			return c.fork(ctx, o, i, longest, head.Seq, known)
		}
		return nil
	}
	m := Missing{Side: i, From: head.Seq + 1, Count: longer.Seq - head.Seq}
	first, err := c.Sides[longest].source.find(ctx, events.ID{Log: o.Log, Seq: m.From})
	switch {
	case err == nil && first.Event.Links(head.Chain):
		m.Time, m.What = first.Event.Time, string(first.Event.Type)+" "+Subject(&first.Event, c.Sides[longest].names)
		o.worse(Behind)
	case err == nil:
		return c.fork(ctx, o, i, longest, head.Seq, known)
	case head.Seq == 0:
		o.worse(Behind) // there is nothing that could contradict
	case notThere(err):
		o.worse(CannotCompare)
		o.note("whether what both hold is the same cannot be told: " + err.Error())
	default:
		return err
	}
	if !known {
		o.Missing = append(o.Missing, m)
	}
	return nil
}

// notThere reports whether an event could not be found, for any reason but
// that the log cannot be read.
func notThere(err error) bool {
	var damage *Damage
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrNotKept) || errors.As(err, &damage)
}

// fork finds the first event that differs, knowing that those at seq do. Equal
// chains mean that everything before is equal, so halving finds it.
func (c *Convergence) fork(ctx context.Context, o *OriginCheck, i, j int, seq uint64, known bool) error {
	if known {
		return nil // the states are compared
	}
	o.worse(Forked)
	a, b := c.Sides[i].source, c.Sides[j].source
	lo, hi := uint64(0), seq // equal up to lo, different at hi
	for lo+1 < hi {
		mid := lo + (hi-lo)/2
		ea, errA := a.find(ctx, events.ID{Log: o.Log, Seq: mid})
		eb, errB := b.find(ctx, events.ID{Log: o.Log, Seq: mid})
		if err := errors.Join(errA, errB); err != nil {
			if !notThere(err) {
				return err
			}
			lo = mid // not kept: look at what is
			o.note("older events are not kept; the fork may be older than it looks")
			continue
		}
		if ea.Event.Chain == eb.Event.Chain {
			lo = mid
		} else {
			hi = mid
		}
	}
	f := &Fork{Seq: hi, Sides: [2]int{i, j}}
	for k, source := range []*Source{a, b} {
		if e, err := source.find(ctx, events.ID{Log: o.Log, Seq: hi}); err == nil {
			f.What[k] = string(e.Event.Type) + " " + Subject(&e.Event, c.Sides[f.Sides[k]].names) + " " + What(&e.Event)
			f.Time[k] = e.Event.Time.String()
		}
	}
	if o.Fork == nil || f.Seq < o.Fork.Seq {
		o.Fork = f
	}
	return nil
}

func (o *OriginCheck) worse(v Verdict) { o.Verdict = worst(o.Verdict, v) }

func (o *OriginCheck) note(text string) { o.Note = text }

func worst(a, b Verdict) Verdict {
	order := []Verdict{Equal, Behind, CannotCompare, StateDiffers, Forked}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// judge comes to the verdict.
func (c *Convergence) judge() {
	c.Verdict = Equal
	if len(c.Origins) == 0 {
		c.Verdict = CannotCompare
		c.Notes = append(c.Notes, "no log holds any event")
	}
	for i := range c.Origins {
		c.Verdict = worst(c.Verdict, c.Origins[i].Verdict)
	}
	for i := 1; i < len(c.Sides); i++ {
		a, b := &c.Sides[0], &c.Sides[i]
		if a.Cluster != "" && b.Cluster != "" && a.Cluster != b.Cluster {
			c.Verdict = CannotCompare
			c.Notes = append(c.Notes, a.Log+" belongs to cluster "+a.Cluster+", "+b.Log+" to "+b.Cluster)
		}
	}
	for i := range c.Sides {
		if len(c.Sides[i].Damage) > 0 {
			c.Verdict = worst(c.Verdict, CannotCompare)
			c.Notes = append(c.Notes, c.Sides[i].Log+" is damaged")
		}
	}
	if c.Verdict == Equal {
		c.compareStates()
	}
}

// compareStates compares the states of sides that hold the same events.
func (c *Convergence) compareStates() {
	a := &c.Sides[0]
	for i := 1; i < len(c.Sides); i++ {
		b := &c.Sides[i]
		if a.Digest.State == b.Digest.State {
			continue
		}
		c.Verdict = StateDiffers
		c.State = Compare(a.state, b.state)
		c.State.From, c.State.To = a.Mark, b.Mark
		return
	}
}
