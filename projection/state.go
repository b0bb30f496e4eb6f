package projection

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// Outcome says what became of an event.
type Outcome uint8

const (
	// Won: the event is applied and owns its register now.
	Won Outcome = iota + 1
	// Superseded: the event is applied; another one owns its register.
	Superseded
	// Fact: the event is applied and writes no register.
	Fact
	// Duplicate: the state holds the event already.
	Duplicate
	// Gap: an event before it in its log is missing; it is not applied.
	Gap
	// Broken: it contradicts what is held of its log; Check alone answers so.
	Broken
)

var outcomes = [...]string{"none", "won", "superseded", "fact", "duplicate", "gap", "broken"}

// String returns the outcome in lower case.
func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return "unknown"
}

// Applied reports whether the state holds the event because of this Apply.
func (o Outcome) Applied() bool { return o == Won || o == Superseded || o == Fact }

// State is the fold of events: for each register the event that owns it, for
// each log the newest event held. Make one with [NewState] or [ReadSnapshot].
// Not safe for concurrent use: even its readers keep caches.
type State struct {
	registers map[string]*register
	order     []*register // all registers; sorted by name if sorted
	sorted    bool
	near      []*register // some of them, found without the map; nil until there are many

	logs   map[events.LogID]*logHead
	byLog  []*logHead                 // sorted by log
	recent *logHead                   // the log of the last Apply: they come in runs
	forked map[events.LogID]struct{}  // known as forked, held or not
	former map[events.LogID]formerLog // of nodes that are forgotten; replaced, never changed

	digest   events.Digest  // of all but what is listed next
	buckets  events.Buckets // its vector half, by buckets of logs
	unsummed []*register
	moved    []*logHead

	collections []*collection // what is forgotten, sorted by event
	pending     int           // of them that are not effective yet
	forgotten   uint64        // registers

	view view
}

// logHead is what is held of one log.
type logHead struct {
	events.Head
	time  events.Timestamp // the largest in the log so far
	sum   events.Sum       // what this head adds to the vector sum
	moved bool             // changed since the last Digest
}

// NewState returns the fold of no events.
func NewState() *State { return newState(0, 0) }

// Check says whether Apply could take e, by its sequence and its chain:
// Duplicate, Gap, Broken (it follows the newest event held and does not link
// to it, or bears its sequence and has another chain: the log has forked), or
// Fact when nothing is wrong, whatever Apply will then say.
func (s *State) Check(e *events.Event) Outcome {
	head := s.Head(e.Log)
	switch {
	case e.Seq == head.Seq && e.Chain != head.Chain:
		return Broken
	case e.Seq <= head.Seq:
		return Duplicate
	case e.Seq != head.Seq+1:
		return Gap
	case !e.Links(head.Chain):
		return Broken
	}
	return Fact
}

// Apply folds e into the state unless its sequence is a Duplicate or makes a
// Gap. It does not verify the chain, as what comes from this node's own disk
// was verified before; see Check. It copies what it keeps, and e must have
// been made by events.Seal or events.Decode. Overwriting a register allocates
// nothing.
func (s *State) Apply(e *events.Event) Outcome {
	h := s.recent
	if h == nil || h.Log != e.Log {
		if h = s.logs[e.Log]; h == nil {
			if e.Seq != 1 {
				return misplaced(e.Seq, 0)
			}
			h = s.addLog(e.Log)
		}
		s.recent = h
	}
	if e.Seq != h.Seq+1 {
		return misplaced(e.Seq, h.Seq)
	}
	h.Seq, h.Chain, h.time = e.Seq, e.Chain, max(h.time, e.Time)
	s.move(h)
	outcome := Fact
	if e.Register != "" {
		outcome = Superseded
		if s.write(e) {
			outcome = Won
		}
	}
	if s.pending > 0 {
		s.settle()
	}
	return outcome
}

// misplaced names what is wrong with a sequence that does not follow head.
func misplaced(seq, head uint64) Outcome {
	if seq <= head {
		return Duplicate
	}
	return Gap
}

func (s *State) addLog(log events.LogID) *logHead {
	h := &logHead{Head: events.Head{Log: log}}
	s.logs[log] = h
	i, _ := slices.BinarySearchFunc(s.byLog, log, func(h *logHead, l events.LogID) int { return h.Log.Compare(l) })
	s.byLog = slices.Insert(s.byLog, i, h)
	return h
}

// move notes that the head of a log, or whether it counts, has changed.
func (s *State) move(h *logHead) {
	s.view.cluster = nil
	if !h.moved {
		h.moved = true
		s.moved = append(s.moved, h)
	}
}

// compareHeads orders two heads of one log: the longer first, then the larger
// chain, which is arbitrary and the same everywhere.
func compareHeads(a, b events.Head) int {
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), bytes.Compare(a.Chain[:], b.Chain[:]))
}

// Head returns the newest event held of a log. When nothing is held its
// sequence is 0 and its chain that of [events.Genesis], to which the first
// event links.
func (s *State) Head(log events.LogID) events.Head {
	if h := s.logs[log]; h != nil {
		return h.Head
	}
	return events.Head{Log: log, Chain: events.Genesis(log)}
}

// Heads returns the newest event held of every log, sorted by log.
func (s *State) Heads() []events.Head {
	heads := make([]events.Head, len(s.byLog))
	for i, h := range s.byLog {
		heads[i] = h.Head
	}
	return heads
}

// Vector returns which events the state stands for.
func (s *State) Vector() events.Vector {
	v := make(events.Vector, len(s.byLog))
	for _, h := range s.byLog {
		v[h.Log] = h.Seq
	}
	return v
}

// Time returns the largest time in a log, facts included; 0 when nothing is
// held of it. The owner of the log must go on after it.
func (s *State) Time(log events.LogID) events.Timestamp {
	if h := s.logs[log]; h != nil {
		return h.time
	}
	return 0
}

// MaxTime returns the largest time of all events that the state stands for.
func (s *State) MaxTime() events.Timestamp {
	var t events.Timestamp
	for _, h := range s.byLog {
		t = max(t, h.time)
	}
	return t
}

// Forked reports whether a log is known to have forked: its register is owned
// by a LogForked event, whatever else that says.
func (s *State) Forked(log events.LogID) bool {
	_, ok := s.forked[log]
	return ok
}

// ForkedLogs returns all logs that are known to have forked, in no order; of some
// of them no event may be held.
func (s *State) ForkedLogs() iter.Seq[events.LogID] { return maps.Keys(s.forked) }

// noteFork keeps the set of forked logs in step with the register of one.
func (s *State) noteFork(r *register) {
	log, err := events.ParseLogID(r.key())
	if err != nil || log.String() != r.key() {
		return
	}
	was := s.Forked(log)
	if is := r.event.Type == events.LogForked && !r.gone; is == was {
		return
	}
	if was {
		delete(s.forked, log)
	} else {
		s.forked[log] = struct{}{}
	}
	if h := s.logs[log]; h != nil {
		s.move(h)
	}
}
