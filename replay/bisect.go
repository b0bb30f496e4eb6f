package replay

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/skshohagmiah/clusterkit/projection"
)

// Bisection tells when a condition on the state began and ceased to hold.
type Bisection struct {
	Where  string   `json:"where"`
	From   string   `json:"from"`
	To     string   `json:"to"`
	Axis   Axis     `json:"axis"`
	Before bool     `json:"before"` // whether it held where the range begins
	After  bool     `json:"after"`  // and where it ends
	Flips  []Flip   `json:"flips"`
	More   int      `json:"more,omitempty"` // further flips that were chosen and are not listed
	Events uint64   `json:"events"`         // that were looked at
	Damage []Damage `json:"damage,omitempty"`
	Names  *Names   `json:"-"`
}

// Flip is an event that made a condition true or false.
type Flip struct {
	Holds bool   `json:"holds"` // from here on
	Index uint64 `json:"index"`
	Reason
}

// maxFlips is how many flips are listed when no limit is given: the newest.
const maxFlips = 10_000

// Bisect finds every event in a range after which the condition q.Where holds and
// before which it did not, or the other way round. Nothing is assumed about how
// often that happens: all flips are found in one pass. The filter chooses which of
// them are listed, Limit only the newest of these and Reverse lists them newest
// first; what is folded and counted is all there is in the range.
func (s *Source) Bisect(ctx context.Context, q Query) (*Bisection, error) {
	if q.Where == nil {
		return nil, errors.New("bisect: there is no condition")
	}
	w, err := s.window(ctx, &q)
	if err != nil {
		return nil, err
	}
	b := &Bisection{Where: q.Where.String(), From: or(q.Range.From, or(q.Since, "first")), To: or(q.Range.To, or(q.Until, "head")),
		Axis: w.axis, Names: w.names}
	flips := newest[Flip]{limit: cmp.Or(q.Limit, maxFlips)}
	holds, known := false, false
	before := func(e *Entry, s *projection.State) error {
		if !known && w.within(e) {
			holds, known = q.Where.Holds(e, s, w.names), true
			b.Before, b.After = holds, holds
		}
		return nil
	}
	after := func(e *Entry, s *projection.State, _ projection.Outcome) error {
		if !known {
			return nil
		}
		now, was := q.Where.Holds(e, s, w.names), holds
		if holds = now; !w.within(e) {
			return nil // it came later, along the axis, than some of the range
		}
		b.Events++
		b.After = now
		if now != was && w.Filter.Match(&e.Event, w.names) {
			b.More++
			flips.add(Flip{Holds: now, Index: e.Index, Reason: reasonOf(&e.Event, w.names)})
		}
		return nil
	}
	if _, err := w.walk(ctx, before, after, func(d *Damage) { b.Damage = append(b.Damage, *d) }); err != nil {
		return nil, err
	}
	b.Flips = slices.AppendSeq([]Flip{}, flips.all(q.Reverse))
	b.More -= len(b.Flips)
	return b, nil
}

func or(p Point, text string) string {
	if p.IsZero() {
		return text
	}
	return p.String()
}
