package replay

import (
	"context"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// doubts are assignments below the epoch that their partition had: whether one
// bears the epoch of an earlier one cannot be told from the state, which remembers
// the newest assignment only. To remember the owners of every epoch would take
// memory for every move there ever was. So these few are noted, and the log is read
// once more for what else bears their epochs: only assignments of their partitions,
// without folding them, and also what lies in front of the range, for there an epoch
// may have been given first. There is no doubt about an assignment at or above the
// epoch of its partition: its epoch is that of the newest, or new.
//
// No more than a bounded number is held at once. When there are others, the history
// is followed again for the next ones, however long that takes.
type doubts struct {
	most  int // are held
	after Key // those up to here are settled
	list  []doubt
	more  bool // there are others behind these
}

// doubt is one assignment.
type doubt struct {
	by    Key
	epoch uint64
	id    int // of the partition
}

// maxDoubts is how many are held at once.
const maxDoubts = 1 << 15

// add notes an assignment. They come in the order of the axis.
func (d *doubts) add(partition int, e *Entry) {
	switch by := KeyOf(&e.Event); {
	case by.Compare(d.after) <= 0:
	case len(d.list) == d.most:
		d.more = true
	default:
		d.list = append(d.list, doubt{by, e.Event.Version, partition})
	}
}

// holds reports whether an assignment is in doubt.
func (d *doubts) holds(by Key) bool {
	_, ok := slices.BinarySearchFunc(d.list, by, func(d doubt, by Key) int { return d.by.Compare(by) })
	return ok
}

// epochOf names an epoch of a partition.
type epochOf struct {
	partition int
	epoch     uint64
}

// given is to whom a partition was given, and when.
type given struct {
	by       Key
	replicas []string
}

// givenBy returns to whom a state says that a partition was given, also where that
// makes no sense.
func givenBy(s *projection.State, p *projection.Partition, stamp events.Stamp) given {
	g := given{Key{stamp.Time, stamp.Log, stamp.Seq}, holders(p)}
	if p.Primary == "" {
		e, _ := s.Register(events.PartitionRegister(p.ID))
		if body, err := e.Payload(); err == nil {
			if a, ok := body.(*events.Assignment); ok {
				g.replicas = a.Replicas
			}
		}
	}
	return g
}

// precedents are the assignments of one epoch: the last one up to where the log
// was read, and those that are known from states only and come later.
type precedents struct {
	known bool
	last  given
	told  []given
}

// settle finds out about all doubts, those included that come when the history is
// followed again.
func (c *checker) settle(ctx context.Context) error {
	for d := c.doubts; len(d.list) > 0; {
		if err := c.reread(ctx, &d); err != nil || !d.more {
			return err
		}
		next := newChecker(c.window, c.rules)
		next.doubts = doubts{most: d.most, after: d.list[len(d.list)-1].by}
		if err := next.follow(ctx); err != nil {
			return err
		}
		d = next.doubts
	}
	return nil
}

// reread reads the log for the epochs that are in doubt.
func (c *checker) reread(ctx context.Context, d *doubts) error {
	w := c.window.folding()
	w.first, w.exactly = 0, make(map[string]struct{})
	asked := make(map[epochOf]*precedents)
	for _, one := range d.list {
		w.exactly[events.PartitionRegister(one.id)] = struct{}{}
		asked[epochOf{one.id, one.epoch}] = new(precedents)
	}
	if err := c.precede(ctx, asked); err != nil {
		return err
	}
	var decoder events.Decoder
	for e, err := range w.inOrder(ctx) {
		if err == nil {
			err = e.loaded(&decoder)
		}
		if damage := isDamage(err); damage != nil {
			c.damaged(damage)
			continue
		}
		if err != nil {
			return err
		}
		if p := asked[epochOf{partitionOf([]byte(e.Event.Register)), e.Event.Version}]; p != nil && e.Event.Type == events.PartitionAssigned {
			c.compare(e, p, d)
		}
	}
	return nil
}

// compare holds an assignment against the one before it.
func (c *checker) compare(e *Entry, p *precedents, d *doubts) {
	payload, err := e.Event.Payload()
	if err != nil {
		return
	}
	now := given{KeyOf(&e.Event), payload.(*events.Assignment).Replicas}
	for ; len(p.told) > 0 && p.told[0].by.Compare(now.by) < 0; p.told = p.told[1:] {
		if !p.known || p.last.by.Compare(p.told[0].by) < 0 {
			p.known, p.last = true, p.told[0]
		}
	}
	if p.known && d.holds(now.by) && !slices.Equal(p.last.replicas, now.replicas) {
		c.count(RuleOneOwner, Violation{Subject: e.Event.Register, Index: e.Index, Time: e.Event.Time, Event: e.Event.ID(),
			Text: c.twoOwners(now.replicas, p.last, e.Event.Version)})
	}
	p.known, p.last = true, now
}

// precede looks for the epochs in doubt in what stands for events: the state from
// which the log begins, and those that it received.
func (c *checker) precede(ctx context.Context, asked map[epochOf]*precedents) error {
	source := c.window.source
	note := func(s *projection.State) {
		for of, p := range asked {
			register := events.PartitionRegister(of.partition)
			stamp, ok := s.Stamp(register)
			if !ok || stamp.Version != of.epoch {
				continue
			}
			at, _ := s.Partition(of.partition)
			p.told = append(p.told, givenBy(s, &at, stamp))
		}
	}
	base, err := source.feed.base(ctx, 0)
	if damage := isDamage(err); damage != nil {
		c.damaged(damage)
	} else if err != nil {
		return err
	} else {
		note(base)
	}
	r := received{source: source}
	r.look(ctx)
	for _, s := range r.states {
		note(s)
	}
	for _, p := range asked {
		slices.SortFunc(p.told, func(a, b given) int { return a.by.Compare(b.by) })
	}
	return nil
}
