package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

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

// run verifies segment i and, as long as goOn says so, the next: each from its base
// to the base of the next. A fold that was found equal to that goes on there: then
// that snapshot need not be made a state again.
func (v *verifier) run(ctx context.Context, decoder *events.Decoder, i int, goOn func() bool) {
	f := v.fold(ctx, decoder, i, nil)
	for e, err := range v.source.feed.entries(ctx, v.segments[i].first) {
		damage, at := isDamage(err), uint64(0)
		switch {
		case err == nil:
			at = e.Index
		case damage != nil:
			at = damage.From
		default:
			f.err = err
			return
		}
		for i+1 < len(v.segments) && at >= v.segments[i+1].first { // the segment has ended
			var state *projection.State
			next := v.segments[i+1]
			if damage == nil && at == next.first && e.Base && len(e.Snapshot) > 0 {
				state = f.compare(e.Snapshot, next)
			}
			if !goOn() {
				return
			}
			i++
			f = v.fold(ctx, decoder, i, state)
		}
		if damage != nil {
			f.damage, f.broken = append(f.damage, *damage), true
		} else {
			f.record(e, v.segments[i].first)
		}
	}
	for goOn() { // of these there was nothing to read
		i++
		f = v.fold(ctx, decoder, i, nil)
	}
	if i == len(v.segments)-1 {
		f.last = f.state
	}
}

// fold begins to follow segment i from its base, which is state unless that is nil.
func (v *verifier) fold(ctx context.Context, decoder *events.Decoder, i int, state *projection.State) *segmentFold {
	f := &segmentFold{verified: &v.parts[i], decoder: decoder}
	if state == nil {
		var err error
		if state, err = v.source.feed.base(ctx, i); err != nil {
			f.damage = append(f.damage, damageOf(err, v.segments[i]))
			state, f.broken = projection.NewState(), true
		}
	}
	f.begin(state)
	return f
}

// record takes one record of the segment that begins at first.
func (f *segmentFold) record(e *Entry, first uint64) {
	f.records++
	f.bytes += int64(e.Size)
	switch {
	case e.IsEvent():
		if err := e.load(f.decoder); err != nil {
			f.damage, f.broken = append(f.damage, *err.(*Damage)), true
			return
		}
		f.event(e)
	case e.Base && e.Index == first:
		f.snapshots++ // it is where this fold began
	default:
		f.snapshot(e)
	}
}

// segmentFold follows the events of one segment.
type segmentFold struct {
	*verified
	decoder *events.Decoder
	state   *projection.State
	heads   map[events.LogID]*originHead
	recent  *originHead
	broken  bool // the fold lacks something, so it proves nothing
}

// originHead is the last event seen of a log.
type originHead struct {
	events.Head
	time events.Timestamp
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
	if err := e.Event.CheckPayload(); errors.Is(err, events.ErrUnknownType) {
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

// compare holds the fold against the snapshot that begins the next segment. It
// returns the fold when they are equal.
func (f *segmentFold) compare(snapshot []byte, next segment) *projection.State {
	if f.broken {
		f.skipped = append(f.skipped, fmt.Sprintf("@%d", next.first))
		return nil
	}
	if f.state.IsSnapshot(snapshot) {
		return f.state
	}
	base, err := projection.ReadSnapshot(snapshot)
	if err != nil {
		return nil // the segment itself reports it
	}
	if base.Digest() != f.state.Digest() {
		at := &Entry{Index: next.first, File: next.file}
		f.find(checkSnapshots, at, "it is not the fold of what comes before it: %s", firstDifference(f.state, base))
	}
	return nil
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
