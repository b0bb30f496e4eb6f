package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Result is how a check ended.
type Result string

// The results of checks.
const (
	Pass Result = "PASS"
	Fail Result = "FAIL"
	Skip Result = "SKIP" // it could not be made; Check.What says why
)

// Verification is what verify found out about a log.
type Verification struct {
	Log      string   `json:"log"`
	Result   Result   `json:"result"` // Fail when any check failed, Skip when nothing was checked
	Records  uint64   `json:"records"`
	Events   uint64   `json:"events"`
	Segments int      `json:"segments"`
	Bytes    int64    `json:"bytes"`
	Checks   []Check  `json:"checks"`
	Damage   []Damage `json:"damage,omitempty"`
}

// Check is one property of a log.
type Check struct {
	Name     string    `json:"name"`
	Result   Result    `json:"result"`
	What     string    `json:"what"` // what was looked at, or why it was not
	Findings []Finding `json:"findings,omitempty"`
	More     int       `json:"more,omitempty"` // further findings that are not listed
}

// Finding is one violation of a property.
type Finding struct {
	Index  uint64    `json:"index,omitempty"`
	File   string    `json:"file,omitempty"`
	Offset int64     `json:"offset,omitempty"`
	Event  events.ID `json:"event,omitzero"`
	Text   string    `json:"text"`
}

// maxFindings is how many findings of one check are listed.
const maxFindings = 8

// The names of the checks.
const (
	checkRecords   = "records"   // every record has its checksum, and none is missing
	checkEvents    = "events"    // every event decodes, with its body
	checkSequences = "sequences" // every origin's events come without gap and repetition
	checkChains    = "chains"    // every event links to the one before it in its log
	checkNames     = "names"     // no two events bear one name
	checkClocks    = "clocks"    // every origin's times go forward
	checkSnapshots = "snapshots" // every snapshot is the fold of what comes before it
	checkFile      = "checkpoint"
	checkView      = "view" // the view built step by step is the one built at once
)

// Verify checks a whole log. It reads everything once, several segments at a
// time, and holds the state of each of them.
func Verify(ctx context.Context, s *Source) (*Verification, error) {
	v := &verifier{source: s, segments: s.feed.segments()}
	v.parts = make([]verified, len(v.segments))
	workers := min(runtime.GOMAXPROCS(0), len(v.segments), 4)
	next := make(chan int, len(v.segments))
	for i := range v.segments {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup // each goroutine ends when no segment is left or ctx ends
	for range workers {
		wg.Go(func() {
			for i := range next {
				v.parts[i].err = v.segment(ctx, i, &v.parts[i])
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return v.report(ctx)
}

type verifier struct {
	source   *Source
	segments []segment
	parts    []verified
}

// verified is what was found in one segment.
type verified struct {
	err       error
	records   uint64
	events    uint64
	bytes     int64
	snapshots int
	received  uint64 // events that are held only as a state from a peer
	unknown   int    // events of unknown types
	ahead     int64  // ms by which an event's time was ahead of its arrival
	aheadOf   events.ID
	findings  map[string][]Finding
	damage    []Damage
	skipped   []string // snapshots that could not be compared
	last      *projection.State
}

func (p *verified) find(check string, e *Entry, format string, args ...any) {
	if p.findings == nil {
		p.findings = make(map[string][]Finding)
	}
	p.findings[check] = append(p.findings[check], Finding{Index: e.Index, File: e.File, Offset: e.Offset,
		Event: e.Event.ID(), Text: fmt.Sprintf(format, args...)})
}

// segment verifies segment i by itself: from its base to the base of the next.
func (v *verifier) segment(ctx context.Context, i int, p *verified) error {
	f := segmentFold{verified: p, source: v.source}
	state, err := v.source.feed.base(ctx, i)
	if err != nil {
		p.damage = append(p.damage, damageOf(err, v.segments[i]))
		state, f.broken = projection.NewState(), true
	}
	f.begin(state)
	limit := ^uint64(0)
	if i+1 < len(v.segments) {
		limit = v.segments[i+1].first
	}
	for e, err := range v.source.feed.entries(ctx, v.segments[i].first) {
		var damage *Damage
		switch {
		case errors.As(err, &damage):
			if damage.From >= limit {
				continue
			}
			p.damage, f.broken = append(p.damage, *damage), true
			continue
		case err != nil:
			return err
		}
		if e.Index >= limit {
			break
		}
		p.records++
		p.bytes += int64(e.Size)
		if e.IsEvent() {
			f.event(e)
		} else if e.Base && e.Index == v.segments[i].first {
			p.snapshots++ // it is where this fold began
		} else {
			f.snapshot(e)
		}
	}
	if i+1 < len(v.segments) {
		f.compare(ctx, v.source.feed, i+1, v.segments[i+1])
	} else {
		p.last = f.state
	}
	return nil
}

// segmentFold follows the events of one segment.
type segmentFold struct {
	*verified
	source *Source
	state  *projection.State
	heads  map[events.LogID]*originHead
	recent *originHead
	broken bool // the fold lacks something, so it proves nothing
}

// originHead is the last event seen of a log.
type originHead struct {
	events.Head
	time events.Timestamp
	gone bool // a gap follows that damage accounts for
}

func (f *segmentFold) begin(s *projection.State) {
	f.state, f.heads = s, make(map[events.LogID]*originHead)
	for _, h := range s.Heads() {
		f.heads[h.Log] = &originHead{Head: h, time: s.Time(h.Log)}
	}
}

func (f *segmentFold) head(log events.LogID) *originHead {
	if f.recent != nil && f.recent.Log == log {
		return f.recent
	}
	h := f.heads[log]
	if h == nil {
		h = &originHead{Head: events.Head{Log: log, Chain: events.Genesis(log)}}
		f.heads[log] = h
	}
	f.recent = h
	return h
}

func (f *segmentFold) event(e *Entry) {
	f.events++
	h := f.head(e.Event.Log)
	switch {
	case e.Event.Seq == h.Seq && e.Event.Chain != h.Chain:
		f.find(checkNames, e, "a second event bears this name, with chain %s beside %s", e.Event.Chain, h.Chain)
		return
	case e.Event.Seq <= h.Seq:
		f.find(checkSequences, e, "recorded again, after %d of its log", h.Seq)
		return
	case e.Event.Seq > h.Seq+1 && !f.broken:
		f.find(checkSequences, e, "%d to %d of its log are missing before it", h.Seq+1, e.Event.Seq-1)
	case e.Event.Seq == h.Seq+1 && !e.Event.Links(h.Chain):
		f.find(checkChains, e, "does not link to %d, the event before it in its log", h.Seq)
	}
	if e.Event.Time <= h.time && h.time != events.MaxTimestamp {
		f.find(checkClocks, e, "its time %s is not after %s, that of the event before it in its log", e.Event.Time, h.time)
	}
	if ahead := e.Event.Time.Millis() - e.Received; e.Received > 0 && ahead > f.ahead {
		f.ahead, f.aheadOf = ahead, e.Event.ID()
	}
	h.Head, h.time = e.Event.Head(), max(h.time, e.Event.Time)
	if _, err := e.Event.Payload(); errors.Is(err, events.ErrUnknownType) {
		f.unknown++
	} else if err != nil {
		f.find(checkEvents, e, "%v", err)
	}
	if o := f.state.Apply(&e.Event); !o.Applied() {
		f.broken = true
	}
}

// snapshot takes a state that came from a peer.
func (f *segmentFold) snapshot(e *Entry) {
	f.snapshots++
	s, err := projection.ReadSnapshot(e.Snapshot)
	if err != nil {
		f.find(checkSnapshots, e, "%v", err)
		return
	}
	for _, h := range s.Heads() {
		own := f.head(h.Log)
		if h.Seq <= own.Seq {
			continue
		}
		f.received += h.Seq - own.Seq
		own.Head, own.time = h, max(own.time, s.Time(h.Log))
	}
	f.state.Merge(s)
}

// compare holds the fold against the base of the next segment.
func (f *segmentFold) compare(ctx context.Context, from feed, i int, next segment) {
	base, err := from.base(ctx, i)
	switch {
	case err != nil:
		return // the segment itself reports it
	case f.broken:
		f.skipped = append(f.skipped, fmt.Sprintf("@%d", next.first))
	case base.Digest() == f.state.Digest():
	default:
		at := &Entry{Index: next.first, File: next.file}
		f.find(checkSnapshots, at, "it is not the fold of what comes before it: %s", firstDifference(f.state, base))
	}
}

// firstDifference says where two states begin to differ.
func firstDifference(fold, snapshot *projection.State) string {
	if a, b := fold.Vector(), snapshot.Vector(); !a.Equal(b) {
		return fmt.Sprintf("it stands for %s, the fold for %s", b, a)
	}
	for name, e := range fold.Registers("") {
		if other, ok := snapshot.Register(name); !ok || other.ID() != e.ID() || !bytes.Equal(other.Raw(), e.Raw()) {
			return fmt.Sprintf("%s belongs to %s in the fold and to %s in the snapshot", name, e.ID(), other.ID())
		}
	}
	return "the snapshot has more registers than the fold"
}

// report puts together what the workers found.
func (v *verifier) report(ctx context.Context) (*Verification, error) {
	r := &Verification{Log: v.source.Name, Segments: len(v.segments)}
	all := &verified{findings: make(map[string][]Finding)}
	for i := range v.parts {
		p := &v.parts[i]
		if p.err != nil {
			return nil, p.err
		}
		r.Records, r.Events, r.Bytes = r.Records+p.records, r.Events+p.events, r.Bytes+p.bytes
		all.snapshots, all.received, all.unknown = all.snapshots+p.snapshots, all.received+p.received, all.unknown+p.unknown
		if p.ahead > all.ahead {
			all.ahead, all.aheadOf = p.ahead, p.aheadOf
		}
		all.skipped = append(all.skipped, p.skipped...)
		for name, found := range p.findings {
			all.findings[name] = append(all.findings[name], found...)
		}
		r.Damage = mergeDamage(r.Damage, p.damage)
	}
	names, err := v.source.Names(ctx)
	if err != nil {
		return nil, err
	}
	last := v.parts[len(v.parts)-1].last
	v.told(r, all, names, last)
	r.Checks = append(r.Checks, v.checkpoint(ctx), checkViews(last, len(r.Damage) > 0))
	r.conclude()
	return r, nil
}

// mergeDamage adds damage that is not listed yet: two workers may meet the
// same at a border.
func mergeDamage(all, more []Damage) []Damage {
	for _, d := range more {
		if !slices.ContainsFunc(all, func(o Damage) bool { return o.File == d.File && o.Offset == d.Offset }) {
			all = append(all, d)
		}
	}
	return all
}

// told adds the checks that were made event by event.
func (v *verifier) told(r *Verification, all *verified, names *Names, last *projection.State) {
	add := func(name, what string) {
		c := Check{Name: name, Result: Pass, What: what}
		found := all.findings[name]
		if len(found) > 0 {
			c.Result, c.More = Fail, max(len(found)-maxFindings, 0)
			c.Findings = found[:len(found)-c.More]
		}
		if r.Events == 0 && name != checkRecords && name != checkSnapshots {
			c.Result, c.What = Skip, "there is no event"
		}
		r.Checks = append(r.Checks, c)
	}
	for i := range r.Damage {
		d := &r.Damage[i]
		all.findings[checkRecords] = append(all.findings[checkRecords],
			Finding{Index: d.From, File: d.File, Offset: d.Offset, Text: d.Error()})
	}
	add(checkRecords, fmt.Sprintf("%s in %s, %s", count(int(r.Records), "record"), count(r.Segments, "segment"), Size(r.Bytes)))
	if r.Records == 0 && len(r.Damage) == 0 {
		r.Checks[0].Result = Skip
	}
	events := count(int(r.Events), "event")
	if all.unknown > 0 {
		events += fmt.Sprintf(", %d of them of types that belong to an application or a later version", all.unknown)
	}
	add(checkEvents, events)
	sequences := names.Vector(last.Vector())
	if all.received > 0 {
		sequences += fmt.Sprintf("; %d events are held as a state only, received from a peer", all.received)
	}
	add(checkSequences, sequences)
	add(checkChains, count(len(last.Heads()), "origin"))
	add(checkNames, events)
	clocks := "every origin's times go forward"
	if all.ahead > 1000 {
		clocks += fmt.Sprintf("; %s was written %s ahead of the clock here", names.Event(all.aheadOf), Span(all.ahead))
	}
	add(checkClocks, clocks)
	what := fmt.Sprintf("%s equal to the fold of what comes before", count(all.snapshots, "snapshot"))
	if n := len(all.skipped); n > 0 {
		what += fmt.Sprintf("; %s could not be compared because of damage before", count(n, "snapshot"))
	}
	add(checkSnapshots, what)
	if c := &r.Checks[len(r.Checks)-1]; c.Result == Pass && (all.snapshots == 0 || len(all.skipped) > 0 && all.snapshots <= 1) {
		c.Result = Skip
	}
}

// checkpoint holds the file cluster-state.json against the fold at its index.
func (v *verifier) checkpoint(ctx context.Context) Check {
	c := Check{Name: checkFile, Result: Skip, What: "there is none"}
	file, err := v.source.Checkpoint()
	if err != nil {
		c.Result, c.Findings = Fail, []Finding{{File: v.source.Name, Text: err.Error()}}
		return c
	}
	if file == nil {
		return c
	}
	c.What = fmt.Sprintf("cluster-state.json at @%d", file.Index)
	m, err := v.source.StateAt(ctx, At(file.Index), Known)
	switch {
	case err != nil:
		c.What += ": " + err.Error()
	case len(m.Damage) > 0:
		c.What += ": the log is damaged before it"
	case m.Digest == file.State.Digest():
		c.Result, c.What = Pass, c.What+" equals the fold"
	default:
		c.Result = Fail
		c.Findings = []Finding{{Index: file.Index, Text: "it is not the fold: " + firstDifference(m.State, file.State)}}
	}
	return c
}

// checkViews holds the view that was built step by step against one that is
// built at once from the same state.
func checkViews(last *projection.State, damaged bool) Check {
	c := Check{Name: checkView, Result: Pass, What: "the view of the end equals the one rebuilt from its snapshot"}
	if len(last.Heads()) == 0 {
		c.Result, c.What = Skip, "there is no state"
		return c
	}
	again, err := projection.ReadSnapshot(last.AppendSnapshot(nil))
	if err == nil {
		a, errA := json.Marshal(last.Cluster())
		b, errB := json.Marshal(again.Cluster())
		if err = errors.Join(errA, errB); err == nil && !bytes.Equal(a, b) {
			err = errors.New("the views differ")
		}
	}
	if err != nil {
		c.Result, c.Findings = Fail, []Finding{{Text: err.Error()}}
	}
	return c
}

// conclude comes to the result of the whole.
func (r *Verification) conclude() {
	r.Result = Skip
	for i := range r.Checks {
		switch r.Checks[i].Result {
		case Fail:
			r.Result = Fail
			return
		case Pass:
			r.Result = Pass
		}
	}
	if r.Records == 0 {
		r.Result = Skip // a log without records proves nothing
	}
}
