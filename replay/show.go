package replay

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/skshohagmiah/clusterkit/events"
)

// Exhibit is one event, whole: what it says, where it is, what it links to,
// what it followed from and what followed from it.
type Exhibit struct {
	Event   json.RawMessage  `json:"event"` // its human form
	ID      events.ID        `json:"id"`
	Name    string           `json:"name"`
	Subject string           `json:"subject"`
	What    string           `json:"what"`
	Time    events.Timestamp `json:"time"`
	Raw     string           `json:"raw"` // its bytes, in hexadecimal
	Size    int              `json:"size"`

	Chain    events.Chain `json:"chain"`
	Before   events.Chain `json:"before"` // the chain that it links to; zero when that event is not kept
	Links    Result       `json:"links"`  // Skip when the event before it is not kept
	Causes   []Reason     `json:"causes"` // back to the root
	Effects  []Reason     `json:"effects"`
	More     int          `json:"more_effects,omitempty"`
	Holdings []Holding    `json:"holdings"` // of the LOGs that were asked
	Damage   []Damage     `json:"damage,omitempty"`

	Body  events.Payload `json:"-"` // nil for a type that this version does not know
	Names *Names         `json:"-"`
	event events.Event
}

// Holding is what one LOG has of an event.
type Holding struct {
	Log      string           `json:"log"`
	Held     bool             `json:"held"`
	Same     bool             `json:"same"` // the same bytes as the event shown
	Index    uint64           `json:"index,omitempty"`
	Received events.Timestamp `json:"received,omitzero"`
	Late     int64            `json:"late_ms,omitempty"` // how long after its own time it came
	File     string           `json:"file,omitempty"`
	Offset   int64            `json:"offset,omitempty"`
	Size     int              `json:"size,omitempty"`
	Note     string           `json:"note,omitempty"` // why it is not held
}

// maxEffects is how many effects of one event are listed.
const maxEffects = 64

// Show tells everything about the event at a point. The first source that
// holds it is the one that answers; the others only say whether they hold it
// too.
func Show(ctx context.Context, p Point, sources ...*Source) (*Exhibit, error) {
	if err := SameRedaction(sources...); err != nil {
		return nil, err
	}
	var x *Exhibit
	var failed error
	for _, s := range sources {
		var err error
		if x, err = s.show(ctx, p); err == nil {
			break
		}
		if len(sources) > 1 {
			err = fmt.Errorf("%s: %w", s.Name, err)
		}
		failed = errors.Join(failed, err)
	}
	if x == nil {
		return nil, failed
	}
	for _, s := range sources {
		x.Holdings = append(x.Holdings, s.holding(ctx, x))
	}
	return x, nil
}

func (s *Source) show(ctx context.Context, p Point) (*Exhibit, error) {
	id, err := s.eventAt(ctx, p)
	if err != nil {
		return nil, err
	}
	e, err := s.find(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%s: %w", p, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	names, err := s.Names(ctx)
	if err != nil {
		return nil, err
	}
	ev := &e.Event
	x := &Exhibit{ID: id, Name: names.Event(id), Subject: Subject(ev, names), What: names.What(ev), Time: ev.Time,
		Raw: hex.EncodeToString(ev.Raw()), Size: len(ev.Raw()), Chain: ev.Chain, Links: Skip, Names: names, event: *ev}
	if x.Event, err = ev.MarshalJSON(); err != nil {
		return nil, err
	}
	x.Body, _ = ev.Payload()
	s.link(ctx, x)
	if !ev.Cause.IsZero() {
		x.Causes = s.reasons(ctx, ev.Cause, names)
	}
	return x, s.effects(ctx, e, x)
}

// eventAt returns the event that a point names: the newest one that it covers,
// or for first the oldest that is kept.
func (s *Source) eventAt(ctx context.Context, p Point) (events.ID, error) {
	if p.kind == pointEvent {
		return s.eventID(ctx, p)
	}
	q := Query{Limit: 1, Range: Range{To: p}}
	if p.kind == pointFirst {
		q = Query{Axis: Known}
	}
	for l, err := range s.Log(ctx, q) {
		if err != nil {
			return events.ID{}, err
		}
		return l.Event.ID(), nil
	}
	return events.ID{}, ErrNotFound
}

// link checks the chain between an event and the one before it in its log.
func (s *Source) link(ctx context.Context, x *Exhibit) {
	x.Before = events.Genesis(x.ID.Log)
	if x.ID.Seq > 1 {
		before, err := s.find(ctx, events.ID{Log: x.ID.Log, Seq: x.ID.Seq - 1})
		if err != nil {
			x.Before = events.Chain{}
			return
		}
		x.Before = before.Event.Chain
	}
	if x.Links = Fail; x.event.Links(x.Before) {
		x.Links = Pass
	}
}

// effects finds the events that name this one as their cause. They come after
// it wherever both are.
func (s *Source) effects(ctx context.Context, e *Entry, x *Exhibit) error {
	segments := s.feed.segments()
	caused := func(e *Entry, d *events.Decoder) (bool, error) {
		if err := e.loaded(d); err != nil {
			return false, err
		}
		return e.Event.Cause == x.ID, nil
	}
	var decoder events.Decoder
	for e, err := range s.sweep(ctx, segmentOf(segments, e.Index), len(segments), true, caused) {
		if err == nil {
			err = e.load(&decoder)
		}
		if damage := isDamage(err); damage != nil {
			x.Damage = append(x.Damage, *damage)
			continue
		}
		if err != nil {
			return err
		}
		if len(x.Effects) == maxEffects {
			x.More++
			continue
		}
		x.Effects = append(x.Effects, reasonOf(&e.Event, x.Names))
	}
	return nil
}

// holding says whether a LOG has the event.
func (s *Source) holding(ctx context.Context, x *Exhibit) Holding {
	h := Holding{Log: s.Name}
	e, err := s.find(ctx, x.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		h.Note = "not held"
	case errors.Is(err, ErrNotKept):
		h.Note = "no longer kept, or received as a state only"
	case err != nil:
		h.Note = err.Error()
	default:
		h = Holding{Log: s.Name, Held: true, Same: string(e.Event.Raw()) == string(x.event.Raw()),
			Index: e.Index, File: e.File, Offset: e.Offset, Size: e.Size}
		if e.Received > 0 {
			h.Received, h.Late = events.NewTimestamp(e.Received, 0), e.Received-x.Time.Millis()
		}
	}
	return h
}
