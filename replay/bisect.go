package replay

import (
	"context"

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
	More   int      `json:"more,omitempty"` // further flips that are not listed
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

// maxFlips is how many flips are listed.
const maxFlips = 10_000

// Bisect finds every event in a range after which the condition holds and
// before which it did not, or the other way round. Nothing is assumed about
// how often that happens: all flips are found in one pass.
func (s *Source) Bisect(ctx context.Context, where *Expression, r Range, axis Axis) (*Bisection, error) {
	w, err := s.window(ctx, &Query{Range: r, Axis: axis})
	if err != nil {
		return nil, err
	}
	b := &Bisection{Where: where.String(), From: or(r.From, "first"), To: or(r.To, "head"), Axis: w.axis, Names: w.names, Flips: []Flip{}}
	holds, known := false, false
	before := func(e *Entry, s *projection.State) error {
		if !known && w.within(e) {
			holds, known = where.Holds(e, s, w.names), true
			b.Before = holds
		}
		return nil
	}
	after := func(e *Entry, s *projection.State, _ projection.Outcome) error {
		if !known {
			return nil
		}
		b.Events++
		if now := where.Holds(e, s, w.names); now != holds {
			holds = now
			b.flip(e, now)
		}
		return nil
	}
	if _, err := w.walk(ctx, before, after, func(d *Damage) { b.Damage = append(b.Damage, *d) }); err != nil {
		return nil, err
	}
	b.After = holds
	return b, nil
}

func (b *Bisection) flip(e *Entry, holds bool) {
	if len(b.Flips) == maxFlips {
		b.More++
		return
	}
	b.Flips = append(b.Flips, Flip{Holds: holds, Index: e.Index, Reason: reasonOf(&e.Event, b.Names)})
}

func or(p Point, text string) string {
	if p.IsZero() {
		return text
	}
	return p.String()
}
