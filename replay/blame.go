package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Blame says why something is as it is: for each of its fields the event that
// set it.
type Blame struct {
	Subject string   `json:"subject"`
	At      Mark     `json:"at"`
	Fields  []Fault  `json:"fields"`
	History []Tenure `json:"history"`       // oldest first, the last one is the present; or as BlameHistory was asked for it
	Why     []Reason `json:"why,omitempty"` // from the present event back to its root
	Damage  []Damage `json:"damage,omitempty"`
	Names   *Names   `json:"-"`
}

// Fault is a field of a subject and who set it to what it is.
type Fault struct {
	Field    string           `json:"field"`
	Value    string           `json:"value"`
	Previous string           `json:"previous"`
	Event    events.ID        `json:"event"`
	Type     events.Type      `json:"type"`
	Time     events.Timestamp `json:"time"`
	Actor    string           `json:"actor"`
}

// Tenure is how something was for a while.
type Tenure struct {
	From    events.Timestamp `json:"from"`
	Until   events.Timestamp `json:"until,omitzero"` // zero for the present
	Value   string           `json:"value"`
	Event   events.ID        `json:"event"` // that made it so
	Type    events.Type      `json:"type"`
	Actor   string           `json:"actor"`
	What    string           `json:"what"`
	Cause   events.ID        `json:"cause,omitzero"`
	Changed []FieldChange    `json:"changed"`
	index   uint64           // of the event
}

// Lasted returns how long, until now for the present.
func (t *Tenure) Lasted(now time.Time) time.Duration {
	if t.Until != 0 {
		now = t.Until.Time()
	}
	return max(now.Sub(t.From.Time()), 0)
}

// Reason is one event in a chain of causes.
type Reason struct {
	Event   events.ID        `json:"event"`
	Time    events.Timestamp `json:"time,omitzero"`
	Type    events.Type      `json:"type,omitempty"`
	Subject string           `json:"subject,omitempty"`
	Actor   string           `json:"actor,omitempty"`
	What    string           `json:"what,omitempty"`
	Missing string           `json:"missing,omitempty"` // why the chain cannot be followed further
}

// maxCauses bounds how far a chain of causes is followed.
const maxCauses = 64

// Blame explains a subject at a point; see [ParseSubject]. With why it follows
// the causes of the present event to their root. It wraps ErrNotFound when
// nothing was ever said about the subject, or a *Damage where that may be lost.
func (s *Source) Blame(ctx context.Context, subject string, at Point, axis Axis, why bool) (*Blame, error) {
	return s.blame(ctx, subject, at, axis, why, true)
}

// BlameHistory is Blame whose history is chosen: the tenures that began at an
// event in the Range of q, from Since on, up to Until; of them the newest Limit,
// and with Reverse the newest first. The fields, the causes, and until when a
// tenure lasted, are those of all there was up to the point. The Filter, Where and
// Changes are not looked at.
func (s *Source) BlameHistory(ctx context.Context, subject string, at Point, q Query, why bool) (*Blame, error) {
	w, err := s.window(ctx, &Query{Range: q.Range, Since: q.Since, Until: q.Until, Axis: q.Axis})
	if err != nil {
		return nil, err
	}
	b, err := s.blame(ctx, subject, at, q.Axis, why, true)
	if err != nil {
		return nil, err
	}
	chosen := newest[Tenure]{limit: q.Limit}
	for i := range b.History {
		t := &b.History[i]
		if w.within(&Entry{Index: t.index, glance: glance{log: t.Event.Log, seq: t.Event.Seq, time: t.From}}) {
			chosen.add(*t)
		}
	}
	b.History = slices.AppendSeq([]Tenure{}, chosen.all(q.Reverse))
	return b, nil
}

// BlamePresent is Blame without the history: it reads back from the point only
// as far as it takes to find who set each field, and says nothing of damage
// before that.
func (s *Source) BlamePresent(ctx context.Context, subject string, at Point, axis Axis, why bool) (*Blame, error) {
	b, err := s.blame(ctx, subject, at, axis, why, false)
	if err == nil {
		b.History = nil
	}
	return b, err
}

func (s *Source) blame(ctx context.Context, subject string, at Point, axis Axis, why, history bool) (*Blame, error) {
	w, err := s.window(ctx, &Query{Range: Range{To: at}, Axis: axis})
	if err != nil {
		return nil, err
	}
	b := &Blame{Subject: subject, Names: w.names, At: Mark{Log: s.Name, Point: at.String(), Axis: w.axis}}
	var present events.ID
	if kind, _ := events.SplitRegister(subject); kind == events.KindNode {
		present, err = b.node(ctx, w)
	} else {
		w.exactly = map[string]struct{}{b.Subject: {}}
		done := false
		if !history && w.axis == True {
			present, done, err = b.recent(ctx, w)
		}
		if err == nil && !done {
			present, _, err = b.register(ctx, w)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(b.Fields) == 0 && len(b.Damage) > 0 { // it may have lain there
		return nil, fmt.Errorf("%s: no event in what is intact is about it%s: %w", subject, upTo(at), &b.Damage[0])
	}
	if len(b.Fields) == 0 {
		return nil, fmt.Errorf("%s: %w: no event is about it%s", subject, ErrNotFound, upTo(at))
	}
	if _, ok := s.feed.(*union); ok {
		b.At.Index = 0
	}
	if why {
		b.Why = s.reasons(ctx, present, w.names)
	}
	return b, nil
}

func upTo(p Point) string {
	if p.kind == pointHead && p.n == 0 {
		return ""
	}
	return " up to " + p.String()
}

// recent explains a register by the last segments of the window, as many as it
// takes. done is false when it takes all of them, or they are damaged.
func (b *Blame) recent(ctx context.Context, w *window) (present events.ID, done bool, err error) {
	from := min(w.last-1, w.source.skip(ctx, &w.cuts[1])) // what comes before is before the point
	for n := 1; from > 0 && err == nil; from, n = from-n, 2*n {
		part, try := *w, *b
		part.first = from
		if present, done, err = try.register(ctx, &part); done {
			*b = try
			return present, true, err
		}
		if len(try.Damage) > 0 {
			break
		}
	}
	return present, false, err
}

// register explains a register by its winners, which needs no state but that
// in front of the window: only the events that wrote it. alone reports whether
// what comes before the window makes no difference to the present: each field
// was set since, and nothing came that is older than what was there.
func (b *Blame) register(ctx context.Context, w *window) (present events.ID, alone bool, err error) {
	var list []Entry
	var before *events.Event
	if base, err := w.source.feed.base(ctx, w.first); err == nil {
		if e, ok := base.Register(b.Subject); ok { // from before what is kept, or looked at
			list = append(list, Entry{Event: e, glance: glance{log: e.Log, seq: e.Seq, time: e.Time}})
			before = &e
		}
	}
	var decoder events.Decoder
	for e, err := range w.inOrder(ctx) {
		damage := isDamage(err)
		if damage != nil {
			b.Damage = append(b.Damage, *damage)
			continue
		}
		if err != nil {
			return present, false, err
		}
		kept := e.keep(nil)
		if err := kept.load(&decoder); err != nil {
			return present, false, err
		}
		list = append(list, kept)
	}
	alone = before != nil && len(b.Damage) == 0
	var owner *events.Event
	fields := payloadFields(nil)
	for i := range list {
		e := &list[i].Event
		alone = alone && KeyOf(e).Compare(KeyOf(before)) >= 0
		if owner != nil && e.Stamp().Compare(owner.Stamp()) < 0 {
			continue // superseded when it came
		}
		next := payloadFields(e)
		b.note(&list[i], compareQualities(fields, next), b.value(e), false)
		owner, fields = e, next
		b.At.Index = max(b.At.Index, list[i].Index)
		present = e.ID()
	}
	for i := range b.Fields {
		alone = alone && b.Fields[i].Event != before.ID()
	}
	return present, alone && len(b.Fields) > 0, nil
}

// node explains a node, whose state follows from three registers.
func (b *Blame) node(ctx context.Context, w *window) (present events.ID, err error) {
	registers := registersOf(b.Subject)
	_, id := events.SplitRegister(b.Subject)
	fields := nodeFields(nil)
	started := false
	start := func(_ *Entry, s *projection.State) error { // from before what is kept
		if n, ok := s.Cluster().Node(id); ok && !started {
			e, _ := s.Register(b.Subject)
			b.note(&Entry{Event: e}, compareQualities(fields, nodeFields(n)), string(n.Status), false)
			fields, present = nodeFields(n), n.Cause()
		}
		if !started && fields[0].value == "" {
			if e, ok := buried(s, id); ok {
				b.noteForgotten(&Entry{Event: e}, fields)
				present = e.ID()
			}
		}
		started = true
		return nil
	}
	after := func(e *Entry, s *projection.State, _ projection.Outcome) error {
		if !slices.Contains(registers, e.Event.Register) {
			if e.Event.Type != events.TombstonesCollected || fields[0].value == "" {
				return nil
			}
			if _, ok := s.Cluster().Node(id); !ok {
				b.noteForgotten(e, fields)
				fields, present = nodeFields(nil), e.Event.ID()
				b.At.Index = max(b.At.Index, e.Index)
			}
			return nil
		}
		n, ok := s.Cluster().Node(id)
		next := nodeFields(n)
		if changes := compareQualities(fields, next); len(changes) > 0 {
			b.note(e, changes, next[0].value, true)
		}
		if fields = next; ok {
			present = n.Cause()
		}
		b.At.Index = max(b.At.Index, e.Index)
		return nil
	}
	last, err := w.walk(ctx, start, after, func(d *Damage) { b.Damage = append(b.Damage, *d) })
	if err == nil {
		err = start(nil, last)
	}
	return present, err
}

// forgotten is how a node is said to be of which only the name and the logs are
// left.
const forgotten = "forgotten"

// noteForgotten records that an event forgot the node. What it was by then stays.
func (b *Blame) noteForgotten(e *Entry, fields []quality) {
	b.note(e, []FieldChange{{fields[0].name, fields[0].value, forgotten}}, forgotten, true)
}

// buried returns the event by which a state knows that a node is forgotten.
func buried(s *projection.State, id string) (events.Event, bool) {
	for _, e := range s.Registers(events.KindCollected) {
		p, err := e.Payload()
		if err != nil {
			continue
		}
		for _, text := range p.(*events.Collection).Nodes {
			if g, err := events.ParseGoneNode(text); err == nil && g.ID == id && g.Incarnation > 0 {
				return e.Clone(), true
			}
		}
	}
	return events.Event{}, false
}

// note records that an event changed fields of the subject. When status says
// so, only a change of the first field begins a new tenure.
func (b *Blame) note(at *Entry, changes []FieldChange, value string, status bool) {
	e := &at.Event
	for _, c := range changes {
		f := Fault{Field: c.Field, Value: c.To, Previous: c.From, Event: e.ID(), Type: e.Type, Time: e.Time, Actor: e.Actor}
		if i := slices.IndexFunc(b.Fields, func(o Fault) bool { return o.Field == c.Field }); i >= 0 {
			b.Fields[i] = f
		} else {
			b.Fields = append(b.Fields, f)
		}
	}
	if n := len(b.History); n > 0 {
		if status && b.History[n-1].Value == value {
			return
		}
		b.History[n-1].Until = e.Time
	}
	b.At.Time = max(b.At.Time, e.Time)
	b.History = append(b.History, Tenure{From: e.Time, Value: value, Event: e.ID(), Type: e.Type, Actor: e.Actor,
		What: b.Names.What(e), Cause: e.Cause, Changed: changes, index: at.Index})
}

// value is what a register says, in a word.
func (b *Blame) value(e *events.Event) string {
	p, err := e.Payload()
	if err != nil {
		return What(e)
	}
	switch p := p.(type) {
	case *events.Assignment:
		return Owners(p.Replicas)
	case *events.CoordinatorClaim:
		return p.Node
	case *events.Value:
		if e.Type == events.ValueDeleted {
			return "deleted"
		}
		return Quote(p.Value)
	}
	return What(e)
}

// payloadFields returns what an event says of its register, in fields; of nil
// those of nothing.
func payloadFields(e *events.Event) []quality {
	if e == nil {
		return nil
	}
	p, err := e.Payload()
	if err != nil {
		return []quality{{"bytes", describeBytes(e.Body)}, {"version", fmt.Sprint(e.Version)}}
	}
	switch p := p.(type) {
	case *events.Assignment:
		primary := ""
		if len(p.Replicas) > 0 {
			primary = p.Replicas[0]
		}
		return []quality{{"primary", primary}, {"replicas", Owners(p.Replicas)}, {"epoch", Epoch(e.Version)}}
	case *events.Value:
		if e.Type == events.ValueDeleted {
			return []quality{{"value", "deleted"}}
		}
		return []quality{{"value", Quote(p.Value)}}
	case *events.CoordinatorClaim:
		return []quality{{"node", p.Node}, {"term", fmt.Sprint(e.Version)}}
	case *events.ClusterConfig:
		return []quality{{"cluster_name", p.Name}, {"partition_count", fmt.Sprint(p.PartitionCount)},
			{"replication_factor", fmt.Sprint(p.ReplicationFactor)}}
	}
	return []quality{{"what", What(e)}, {"version", fmt.Sprint(e.Version)}}
}

// compareQualities compares two lists whose names may differ.
func compareQualities(a, b []quality) []FieldChange {
	var changes []FieldChange
	for _, q := range b {
		from := ""
		if i := slices.IndexFunc(a, func(o quality) bool { return o.name == q.name }); i >= 0 {
			if from = a[i].value; from == q.value {
				continue
			}
		}
		changes = append(changes, FieldChange{q.name, from, q.value})
	}
	return changes
}

// reasonOf describes an event as a link of such a chain.
func reasonOf(e *events.Event, names *Names) Reason {
	return Reason{Event: e.ID(), Time: e.Time, Type: e.Type, Subject: Subject(e, names), Actor: e.Actor, What: names.What(e)}
}

// reasons follows the causes of an event to their root.
func (s *Source) reasons(ctx context.Context, id events.ID, names *Names) []Reason {
	var why []Reason
	for range maxCauses {
		e, err := s.find(ctx, id)
		if err != nil {
			return append(why, Reason{Event: id, Missing: err.Error()})
		}
		why = append(why, reasonOf(&e.Event, names))
		if id = e.Event.Cause; id.IsZero() {
			return why
		}
	}
	return why
}
