package log

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// loss is what a damaged log does not have any more, and what was found of it
// elsewhere. It is filled in three steps: study, ask for each peer, settle.
type loss struct {
	holes   []Hole
	passed  []*CorruptError
	logs    map[events.LogID]*lostLog
	settled int  // so many holes lie before the last snapshot, which names all that was in them
	blind   bool // what there was before the first record is not known yet

	found map[events.ID][]events.Event // what peers have of it, or say they have
	room  int64                        // bytes that may be taken for what nothing names
}

// lostLog is what is known of one origin's log: how far it is known to have
// been here, and what is missing.
type lostLog struct {
	seq    uint64
	chain  events.Chain // of the event with that sequence
	linked bool         // chain is known
	holes  int          // how many holes there were before it
	gaps   []*gap       // in order
}

// gap is a stretch of one origin's log that was lost in a hole: sequences
// [from, to).
//
// Behind the last snapshot nothing says how far a log went that appears in no
// record behind a hole: it may have lost events there, or none. Such a gap has
// no end, and what is not found of it is not known to be lost.
type gap struct {
	hole     int
	from, to uint64
	before   events.Chain  // of the event before from
	linked   bool          // before is known
	after    *events.Event // the event at to, if it can be read
	found    []*events.Event
}

const noEnd = math.MaxUint64

// leastRoom is how much is taken of what nothing names, however small the hole.
const leastRoom = 1 << 20

func newLoss() *loss {
	return &loss{logs: make(map[events.LogID]*lostLog), found: make(map[events.ID][]events.Event)}
}

// survivors reads a damaged log; see there.
func (l *loss) survivors(dir string, record func(*Record) error, hole func(Hole) error) error {
	r := new(Reader)
	r.lenient = true
	if err := r.listing.open(dir); err != nil {
		return err
	}
	defer r.Close()
	s := survivors{Reader: r, record: record, hole: hole}
	err := s.read()
	l.passed = r.passed
	return err
}

// study finds the holes of a log and what was lost in each.
func (l *loss) study(dir string) error {
	var decoder events.Decoder
	largest, begun := int64(leastRoom), false
	err := l.survivors(dir, func(r *Record) error {
		begun = true
		largest = max(largest, r.Offset)
		if r.Kind == KindSnapshot {
			l.snapshot(r)
			return nil
		}
		e, err := decoder.Decode(r.Bytes)
		if err != nil { // it verifies, so it was written like this
			return &CorruptError{File: r.File, Offset: r.Offset, Index: r.Index, Reason: err.Error()}
		}
		l.event(&e)
		return nil
	}, func(h Hole) error {
		l.blind = l.blind || !begun && h.From > 1
		l.holes = append(l.holes, h)
		return nil
	})
	for _, h := range l.holes[l.settled:] {
		for _, p := range h.Parts {
			if l.room += p.Bytes; p.Bytes == 0 {
				l.room += largest
			}
		}
	}
	l.room = max(l.room, leastRoom)
	for _, g := range l.logs {
		if g.holes < len(l.holes) {
			l.miss(g, noEnd, nil)
		}
	}
	return err
}

// snapshot learns what had been appended before a snapshot.
func (l *loss) snapshot(r *Record) {
	for id, seq := range r.Vector() {
		g := l.logs[id]
		if g == nil {
			g = l.meet(id)
		}
		if seq > g.seq {
			l.miss(g, seq+1, nil)
			g.seq, g.linked = seq, false
		}
	}
	for _, g := range l.logs {
		g.holes = len(l.holes)
	}
	l.settled, l.blind = len(l.holes), false
}

func (l *loss) event(e *events.Event) {
	g := l.logs[e.Log]
	if g == nil {
		g = l.meet(e.Log)
	}
	if e.Seq <= g.seq && g.linked {
		return // learnt again, after a gap that nobody filled at the time
	}
	if e.Seq > g.seq+1 {
		l.miss(g, e.Seq, e)
	} else if n := len(g.gaps); n > 0 && g.gaps[n-1].to == e.Seq && g.gaps[n-1].after == nil {
		c := e.Clone()
		g.gaps[n-1].after = &c // what a snapshot said is lost ends here
	}
	if e.Seq >= g.seq {
		g.seq, g.chain, g.linked, g.holes = e.Seq, e.Chain, true, len(l.holes)
	}
}

// meet begins with a log of which nothing has been seen.
func (l *loss) meet(id events.LogID) *lostLog {
	g := &lostLog{chain: events.Genesis(id), linked: true, holes: l.settled}
	if l.blind {
		g.holes = len(l.holes) // so that nothing of it is missed
	}
	l.logs[id] = g
	return g
}

// miss takes note that the events up to a sequence are not there, if holes can
// be the reason: if they had so many records. If not, the state of a peer once
// stood for them.
func (l *loss) miss(g *lostLog, to uint64, after *events.Event) {
	if g.holes == len(l.holes) {
		return
	}
	if to != noEnd {
		var most uint64
		for _, h := range l.holes[g.holes:] {
			most += h.To - h.From
		}
		if to-g.seq-1 > most {
			return
		}
	}
	missing := &gap{hole: g.holes, from: g.seq + 1, to: to, before: g.chain, linked: g.linked}
	if after != nil {
		c := after.Clone()
		missing.after = &c
	}
	g.gaps = append(g.gaps, missing)
}

// ask takes lost events from a copy of the log that somebody else has: of each
// name what it has first. Damage in it is passed over.
func (l *loss) ask(peer string) error {
	var decoder events.Decoder
	seen := make(map[events.ID]bool)
	passed := l.passed
	defer func() { l.passed = passed }()
	return l.survivors(peer, func(r *Record) error {
		log, seq, ok := eventName(r.Bytes)
		id := events.ID{Log: log, Seq: seq}
		if r.Kind != KindEvent || !ok || seen[id] {
			return nil
		}
		wanted, named := l.wants(id)
		if !wanted {
			return nil
		}
		e, err := decoder.Decode(r.Bytes)
		if err != nil || slices.ContainsFunc(l.found[id], func(have events.Event) bool { return bytes.Equal(have.Raw(), r.Bytes) }) {
			return nil
		}
		if !named {
			if l.room < int64(r.Size) {
				return nil
			}
			l.room -= int64(r.Size)
		}
		seen[id] = true
		l.found[id] = append(l.found[id], e.Clone())
		return nil
	}, func(Hole) error { return nil })
}

// wants reports whether an event was lost or may have been, and whether it is
// known that it was.
func (l *loss) wants(id events.ID) (wanted, named bool) {
	g := l.logs[id.Log]
	if g == nil {
		return l.settled < len(l.holes), false
	}
	i, exact := slices.BinarySearchFunc(g.gaps, id.Seq, func(g *gap, seq uint64) int { return cmp.Compare(g.from, seq) })
	if !exact {
		i--
	}
	if i < 0 || id.Seq >= g.gaps[i].to {
		return false, false
	}
	return true, g.gaps[i].to != noEnd
}

// settle chooses what the chains prove. What peers have of a log that appears
// nowhere may have been lost as well.
func (l *loss) settle() {
	for id := range l.found {
		if id.Seq == 1 && l.logs[id.Log] == nil {
			l.miss(l.meet(id.Log), noEnd, nil)
		}
	}
	for id, g := range l.logs {
		for i := 0; i < len(g.gaps); {
			j := i + 1
			for j < len(g.gaps) && g.gaps[j-1].to == g.gaps[j].from {
				j++
			}
			l.link(id, g.gaps[i:j])
			i = j
		}
	}
}

// link chooses the events for gaps that follow each other without an event in
// between.
func (l *loss) link(id events.LogID, gaps []*gap) {
	from, to, after := gaps[0].from, gaps[len(gaps)-1].to, gaps[len(gaps)-1].after
	take := func(e *events.Event) {
		for _, g := range gaps {
			if e.Seq >= g.from && e.Seq < g.to {
				g.found = append(g.found, e)
			}
		}
	}
	chain, linked := gaps[0].before, gaps[0].linked
	// From the event behind: its chain proves that of the one before it, and the
	// chain before that one proves what it says.
	var back []*events.Event
	for next, seq := after, to-1; next != nil && seq >= from; seq-- {
		next = l.candidate(id, seq, func(e *events.Event) bool {
			if seq == from {
				return next.Links(e.Chain) && linked && e.Links(chain)
			}
			return next.Links(e.Chain) && l.candidate(id, seq-1, func(b *events.Event) bool { return e.Links(b.Chain) }) != nil
		})
		if next != nil {
			back = append(back, next)
		}
	}
	slices.Reverse(back)
	end := to - uint64(len(back))
	// From the event before: what follows it here may be forged.
	var forth []*events.Event
	for seq := from; linked && seq < end; seq++ {
		e := l.candidate(id, seq, func(e *events.Event) bool { return e.Links(chain) })
		if e == nil {
			break
		}
		forth, chain = append(forth, e), e.Chain
	}
	if behind := after; linked && behind != nil && from+uint64(len(forth)) == end {
		if len(back) > 0 {
			behind = back[0]
		}
		if !behind.Links(chain) {
			forth = nil
		}
	}
	for _, e := range append(forth, back...) {
		take(e)
	}
}

// candidate returns what was found under a name and is right.
func (l *loss) candidate(log events.LogID, seq uint64, right func(*events.Event) bool) *events.Event {
	all := l.found[events.ID{Log: log, Seq: seq}]
	for i := range all {
		if right(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// foundFor returns the events that were found for a hole, in the order of their
// times, each log in its own.
func (l *loss) foundFor(hole int) []*events.Event {
	type timed struct {
		*events.Event
		at events.Timestamp // never less than that of the one before in its log
	}
	var all []timed
	for _, g := range l.logs {
		for _, gap := range g.gaps {
			at := events.Timestamp(0)
			for _, e := range gap.found {
				if gap.hole == hole {
					at = max(at, e.Time)
					all = append(all, timed{e, at})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b timed) int {
		return cmp.Or(cmp.Compare(a.at, b.at), a.Log.Compare(b.Log), cmp.Compare(a.Seq, b.Seq))
	})
	list := make([]*events.Event, len(all))
	for i := range all {
		list[i] = all[i].Event
	}
	return list
}

// lost returns what is known to be lost and was not found, sorted.
func (l *loss) lost() []Span {
	spans := []Span{}
	for id, g := range l.logs {
		for _, gap := range g.gaps {
			next := gap.from
			for _, e := range gap.found {
				if e.Seq > next {
					spans = append(spans, Span{id, next, e.Seq})
				}
				next = e.Seq + 1
			}
			if gap.to != noEnd && next < gap.to {
				spans = append(spans, Span{id, next, gap.to})
			}
		}
	}
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Or(a.Log.Compare(b.Log), cmp.Compare(a.From, b.From)) })
	return spans
}

// mayLack reports whether the end of a log may be lost: behind the last
// snapshot there is a hole, and a gap of it that was not filled to a known end.
func (l *loss) mayLack(id events.LogID) bool {
	g := l.logs[id]
	if g == nil {
		return l.settled < len(l.holes)
	}
	for _, gap := range g.gaps {
		if gap.hole >= l.settled && (gap.to == noEnd || gap.from+uint64(len(gap.found)) < gap.to) {
			return true
		}
	}
	return false
}
