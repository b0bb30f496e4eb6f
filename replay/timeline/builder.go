package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
)

// builder folds a history into a view. It keeps what the curves need: how many
// partitions each node owns and holds, and whether it lives.
type builder struct {
	timeline *Timeline
	options  *Options
	view     *View
	names    *replay.Names
	main     bool // the first view, which makes the markers
	apps     int  // markers of the application
	every    int  // of so many of its events one has a marker
	skipped  int

	begun bool  // the range has begun
	now   int64 // milliseconds since Timeline.From

	nodes      []nodeState
	node       map[string]int
	partitions []partitionState
	configured int                 // partitions that the cluster is said to have
	owned      int                 // partitions with an owner
	orphans    int                 // of those, with an owner that does not live
	known      map[string]assigned // by essence
	key        []byte
	dirty      bool
	late       backlog
}

type nodeState struct {
	id        string
	lane      lane
	present   interval
	known     bool // it said something of itself
	lives     bool
	weight    int
	primaries int // partitions it owns
	copies    int // partitions it holds, as owner or replica
	chosen    bool
}

type partitionState struct {
	lane    lane
	present interval
	held    []uint32 // nodes, the owner first
	seen    bool
}

// view folds the history of some sources into a view.
func (t *Timeline) view(ctx context.Context, o *Options, source int, sources ...*replay.Source) (*View, error) {
	b := builder{timeline: t, options: o, view: &View{Source: source, Axis: o.Axis}, main: source < 0, node: make(map[string]int), known: make(map[string]assigned)}
	if b.view.Axis == replay.Natural {
		b.view.Axis = replay.True
	}
	if err := b.learnNames(ctx, sources); err != nil {
		return nil, err
	}
	if b.main && len(sources) > 1 {
		b.late = newBacklog(len(sources))
	}
	var last *projection.State
	q := replay.Query{Range: o.Range, Since: o.Since, Until: o.Until, Axis: o.Axis}
	if b.main {
		q.Filter, q.Where = o.Filter, o.Where
	}
	for s, err := range replay.Walk(ctx, q, sources...) {
		if err == nil {
			last = s.State
			err = b.step(s)
		} else if damage := (*replay.Damage)(nil); errors.As(err, &damage) {
			b.damaged(damage)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return b.view, b.finish(last)
}

func (b *builder) learnNames(ctx context.Context, sources []*replay.Source) error {
	b.names = new(replay.Names)
	for _, s := range sources {
		names, err := s.Names(ctx)
		if err != nil {
			return err
		}
		b.names.LearnNames(names)
	}
	return nil
}

// damaged notes damage of the log in which it was met.
func (b *builder) damaged(d *replay.Damage) {
	if !b.main {
		return // it was noted already
	}
	all := b.timeline.Sources
	i := max(slices.IndexFunc(all, func(s Source) bool { return within(d.File, s.Log) }), 0)
	if !slices.Contains(all[i].Damage, *d) {
		all[i].Damage = append(all[i].Damage, *d)
	}
}

// within reports whether a file is a log, or lies in it.
func within(file, log string) bool {
	return len(file) >= len(log) && file[:len(log)] == log
}

func (b *builder) step(s *replay.Step) error {
	at := s.Event.Time.Millis()
	if b.view.Axis == replay.Known {
		at = s.Received
	}
	if s.Event.Seq == 0 { // no event: states in the place of events, at the end
		at = b.timeline.From + b.now
	} else if at == 0 {
		return errNoTimes
	}
	if s.Within && !b.begun && s.Event.Seq != 0 {
		b.begin(at)
	}
	if b.begun {
		b.advance(at - b.timeline.From)
	}
	if s.Jumped {
		b.all(s.State)
	} else {
		b.event(s)
	}
	if b.begun && s.Event.Seq != 0 && b.main {
		b.count(s)
	}
	return nil
}

// begin starts the lanes at the beginning of the range, with what was so then.
func (b *builder) begin(at int64) {
	b.begun = true
	if b.main {
		if from, ok := later(b.options.Range.From, b.options.Since); ok {
			at = from
		}
		b.timeline.From = at
	}
	for i := range b.nodes {
		if n := &b.nodes[i]; n.known {
			n.lane.add(n.present)
		}
	}
	for i := range b.partitions {
		if p := &b.partitions[i]; p.seen {
			p.lane.add(p.present)
		}
	}
	b.dirty = true
}

// later returns the later of the points that are times, in milliseconds.
func later(points ...replay.Point) (at int64, ok bool) {
	for _, p := range points {
		if t, is := p.Time(); is {
			at, ok = max(at, t.UnixMilli()), true
		}
	}
	return at, ok
}

// advance moves to the time of the next event; what was so until then goes
// into the curves.
func (b *builder) advance(now int64) {
	if now > b.now && b.dirty {
		b.plot()
	}
	b.now = max(b.now, now)
}

// count notes an event of the range.
func (b *builder) count(s *replay.Step) {
	t := b.timeline
	t.Events++
	t.Density.add(b.now)
	for i, at := range s.Learnt {
		if at >= 0 {
			t.Sources[i].Events++
		}
	}
	if b.late != nil {
		b.late.event(t, b.now, s.Learnt)
	}
	if s.Event.Type == events.PartitionAssigned {
		return
	}
	if s.Chosen {
		b.mark(s, b.now)
	}
}

// event takes up what one event changed.
func (b *builder) event(s *replay.Step) {
	if s.Outcome != projection.Won {
		return
	}
	switch kind, key := events.SplitRegister(s.Event.Register); kind {
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		b.setNode(s.State, key)
	case events.KindPartition:
		if i := partitionOf(key); i >= 0 {
			b.setPartition(i, &s.Event)
		}
	case events.KindConfig:
		b.configure(s.State)
	}
}

// all takes up the whole state.
func (b *builder) all(s *projection.State) {
	b.configure(s)
	for key := range s.Registers(events.KindNode) {
		b.setNode(s, key)
	}
	for key, e := range s.Registers(events.KindPartition) {
		if i := partitionOf(key); i >= 0 {
			b.setPartition(i, e)
		}
	}
}

// partitionOf returns the number of a partition, or -1 when the key of a
// register is none.
func partitionOf(key string) int {
	n, err := strconv.ParseUint(key, 10, 31)
	if err != nil || n >= projection.MaxPartitions {
		return -1
	}
	return int(n)
}

func (b *builder) configure(s *projection.State) {
	c := s.Cluster()
	b.configured = c.Config.PartitionCount
	if c.Name != "" {
		b.timeline.Cluster = c.Name
	}
	b.dirty = true
}

// finish closes the curves and hands the lanes over.
func (b *builder) finish(s *projection.State) error {
	t := b.timeline
	if !b.begun {
		from, ok := later(b.options.Range.From, b.options.Since)
		if !ok || s == nil {
			return fmt.Errorf("%w in this range", replay.ErrEmpty)
		}
		b.begin(from) // a quiet time: everything stayed as it was
	}
	if until, ok := earlier(b.options.Range.To, b.options.Until); ok {
		t.Until = max(until, t.From)
	} else {
		// A little beyond the last event, so that what it changed can be seen.
		t.Until = max(t.Until, t.From+b.now+b.now/50+1)
	}
	b.late.finish(t)
	b.plot()
	for i := range b.nodes {
		if n := &b.nodes[i]; n.known && n.chosen {
			b.view.Nodes = append(b.view.Nodes, NodeLane{n.id, n.lane})
		}
	}
	slices.SortFunc(b.view.Nodes, func(a, c NodeLane) int { return replay.CompareNames(a.ID, c.ID) })
	for i := range max(b.configured, len(b.partitions)) {
		if !b.chosen(i) {
			continue
		}
		p := PartitionLane{ID: i}
		if i < len(b.partitions) {
			p.lane = b.partitions[i].lane
		}
		b.view.Partitions = append(b.view.Partitions, p)
	}
	return nil
}

// earlier returns the earlier of the points that are times, in milliseconds.
func earlier(points ...replay.Point) (at int64, ok bool) {
	for _, p := range points {
		if t, is := p.Time(); is && (!ok || t.UnixMilli() < at) {
			at, ok = t.UnixMilli(), true
		}
	}
	return at, ok
}

// chosen reports whether a partition has a lane.
func (b *builder) chosen(partition int) bool {
	chosen := b.options.Filter.Partitions
	return len(chosen) == 0 || slices.ContainsFunc(chosen, func(i replay.Interval) bool { return i.First <= partition && partition <= i.Last })
}
