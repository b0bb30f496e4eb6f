package replay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/skshohagmiah/clusterkit/events"
)

// Stats are figures over a range of a log.
type Stats struct {
	Log      string           `json:"log"`
	From     string           `json:"from"`
	To       string           `json:"to"`
	Events   uint64           `json:"events"`
	Bytes    int64            `json:"bytes"` // of the events alone
	Segments int              `json:"segments"`
	First    events.Timestamp `json:"first,omitzero"` // the smallest time
	Last     events.Timestamp `json:"last,omitzero"`  // the largest
	Gap      Gap              `json:"longest_gap"`    // without any event
	Rate     float64          `json:"events_per_second"`
	Busiest  Busy             `json:"busiest_second"`
	By       string           `json:"by"`     // what the groups are
	Groups   []Group          `json:"groups"` // the largest first
	Moves    []Group          `json:"moves"`  // copies that changed their node, by trigger
	Churn    []Group          `json:"churn"`  // assignments by partition, the ten largest
	Delays   []Delay          `json:"delays"` // by origin, all but this node itself
	Damage   []Damage         `json:"damage,omitempty"`
}

// Gap is a span of time without events.
type Gap struct {
	From   events.Timestamp `json:"from,omitzero"`
	Millis int64            `json:"ms"`
}

// Busy is a second with many events.
type Busy struct {
	At     events.Timestamp `json:"at,omitzero"`
	Events uint64           `json:"events"`
}

// Group is a count of events that have something in common.
type Group struct {
	Key   string `json:"key"`
	Count uint64 `json:"count"`
	Bytes int64  `json:"bytes,omitempty"`
}

// Delay says how long the events of an origin took to be known here, from the
// clock of the origin to the clock of this node: the difference of the clocks
// is in it, and what seems to be known before its time counts as 0 ms. P50 and
// P99 are percentiles by nearest rank, the smallest delay that half of the events,
// or 99 of 100, do not exceed; they are never too small, and at most an eighth too
// large.
type Delay struct {
	Origin string  `json:"origin"`
	Events uint64  `json:"events"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    int64   `json:"max_ms"`
	Ahead  int64   `json:"ahead_ms"` // how far its clock was ahead of this node's at most
}

// Groupings are what Stats can be grouped by.
var Groupings = []string{"type", "origin", "actor", "node", "partition", "trigger", "hour", "minute"}

// Stats counts the events of a query along the axis true; with a Limit the newest
// so many of them. Its Axis, Reverse and Changes are not looked at.
func (s *Source) Stats(ctx context.Context, q Query, by string) (*Stats, error) {
	if !slices.Contains(Groupings, by) {
		return nil, fmt.Errorf("no grouping %q", by)
	}
	q.Axis, q.Reverse, q.Changes = True, false, false
	c := counter{by: by, source: s, groups: make(map[string]*Group), moves: make(map[string]*Group),
		churn: make(map[string]*Group), delays: make(map[events.LogID]*delays)}
	c.stats = &Stats{Log: s.Name, From: or(q.Range.From, or(q.Since, "first")), To: or(q.Range.To, or(q.Until, "head")),
		By: by, Segments: len(s.feed.segments())}
	for l, err := range s.Log(ctx, q) {
		damage := isDamage(err)
		if damage != nil {
			c.stats.Damage = append(c.stats.Damage, *damage)
			continue
		}
		if err != nil {
			return nil, err
		}
		c.count(l)
	}
	return c.finish(), nil
}

// counter gathers the figures. It sees the events along the axis true.
type counter struct {
	stats  *Stats
	source *Source
	by     string
	groups map[string]*Group
	moves  map[string]*Group
	churn  map[string]*Group
	delays map[events.LogID]*delays
	names  *Names
	second int64
	burst  uint64
}

func (c *counter) count(l *Line) {
	e, st := &l.Event, c.stats
	c.names = l.Names
	size := int64(len(e.Raw()))
	if st.Events == 0 {
		st.First = e.Time
	} else if gap := e.Time.Millis() - st.Last.Millis(); gap > st.Gap.Millis {
		st.Gap = Gap{st.Last, gap}
	}
	st.Last = max(st.Last, e.Time)
	st.Events++
	st.Bytes += size
	if second := e.Time.Millis() / 1000; second != c.second {
		c.second, c.burst = second, 0
	}
	if c.burst++; c.burst > st.Busiest.Events {
		st.Busiest = Busy{events.NewTimestamp(c.second*1000, 0), c.burst}
	}
	add(c.groups, c.key(l), 1, size)
	if e.Type == events.PartitionAssigned {
		c.assignment(e)
	}
	d := c.delays[e.Log]
	if d == nil {
		d = new(delays)
		c.delays[e.Log] = d
	}
	if l.Received > 0 {
		d.add(l.Received - e.Time.Millis())
	}
}

func add(groups map[string]*Group, key string, n uint64, size int64) {
	g := groups[key]
	if g == nil {
		g = &Group{Key: key}
		groups[key] = g
	}
	g.Count += n
	g.Bytes += size
}

func (c *counter) key(l *Line) string {
	e := &l.Event
	switch c.by {
	case "origin":
		return l.Names.Log(e.Log)
	case "actor":
		return e.Actor
	case "hour":
		return e.Time.Time().Format("2006-01-02T15Z")
	case "minute":
		return e.Time.Time().Format("2006-01-02T15:04Z")
	case "partition":
		if n := partitionOf([]byte(e.Register)); n >= 0 {
			return strconv.Itoa(n)
		}
		return "-"
	case "node":
		kind, key := events.SplitRegister(e.Register)
		if kind == events.KindNode || kind == events.KindAccusation || kind == events.KindAdmin {
			return key
		}
		return "-"
	case "trigger":
		if p, err := e.Payload(); err == nil {
			if a, ok := p.(*events.Assignment); ok {
				return a.Trigger
			}
		}
		return "-"
	}
	return string(e.Type)
}

// assignment counts the copies that an assignment puts on other nodes.
func (c *counter) assignment(e *events.Event) {
	p, err := e.Payload()
	if err != nil {
		return
	}
	a := p.(*events.Assignment)
	moved := uint64(0)
	for _, node := range a.Replicas {
		if !slices.Contains(a.Previous, node) {
			moved++
		}
	}
	add(c.moves, a.Trigger, moved, 0)
	add(c.churn, strconv.FormatUint(uint64(a.Partition), 10), 1, 0)
}

func (c *counter) finish() *Stats {
	st := c.stats
	st.Groups = sortGroups(c.groups)
	if c.by == "hour" || c.by == "minute" {
		slices.SortFunc(st.Groups, func(a, b Group) int { return cmp.Compare(a.Key, b.Key) })
	}
	st.Moves = sortGroups(c.moves)
	st.Churn = sortGroups(c.churn)
	st.Churn = st.Churn[:min(len(st.Churn), 10)]
	if span := st.Last.Millis() - st.First.Millis(); span > 0 {
		st.Rate = float64(st.Events) / float64(span) * 1000
	}
	for log, d := range c.delays {
		own := c.source.node != "" && c.names.Owner(log) == c.source.node
		if d.n > 0 && !own {
			st.Delays = append(st.Delays, d.result(c.names.Log(log)))
		}
	}
	slices.SortFunc(st.Delays, func(a, b Delay) int { return compareNames(a.Origin, b.Origin) })
	return st
}

func sortGroups(groups map[string]*Group) []Group {
	all := make([]Group, 0, len(groups))
	for _, g := range slices.Collect(maps.Values(groups)) {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int { return cmp.Or(cmp.Compare(b.Count, a.Count), compareNames(a.Key, b.Key)) })
	return all
}

// delays is a histogram of milliseconds whose buckets grow by an eighth, so
// that its percentiles are right to within that.
type delays struct {
	buckets [400]uint64
	n       uint64
	max     int64
	ahead   int64
}

func (d *delays) add(ms int64) {
	d.ahead, d.max = max(d.ahead, -ms), max(d.max, ms)
	d.n++
	d.buckets[bucketOf(max(ms, 0))]++
}

// bucketOf returns the bucket of a value: exact up to 16, then eight to each
// power of two.
func bucketOf(ms int64) int {
	if ms < 16 {
		return int(ms)
	}
	shift := 0
	for v := ms; v >= 16; v >>= 1 {
		shift++
	}
	return min(16+(shift-1)*8+int(ms>>shift)-8, 399)
}

// topOf returns the largest value of a bucket.
func topOf(bucket int) int64 {
	if bucket < 16 {
		return int64(bucket)
	}
	shift := (bucket-16)/8 + 1
	return int64((bucket-16)%8+9)<<shift - 1
}

// percentile returns the delay of nearest rank, or up to an eighth more.
func (d *delays) percentile(p uint64) float64 {
	rank := (d.n*p + 99) / 100
	var seen uint64
	for i, n := range d.buckets {
		if seen += n; seen >= rank {
			return float64(min(topOf(i), max(d.max, 0)))
		}
	}
	return float64(max(d.max, 0))
}

func (d *delays) result(origin string) Delay {
	return Delay{Origin: origin, Events: d.n, P50: d.percentile(50), P99: d.percentile(99), Max: d.max, Ahead: d.ahead}
}
