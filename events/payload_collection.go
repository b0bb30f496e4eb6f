package events

import "math"

// Collection is about forgetting the tombstones of a kind of registers. As
// FloorRaised it says from which version on new writes go, so that none can
// lose to a copy of what will be forgotten. As TombstonesCollected it forgets
// them; Settled and Stable are vectors, a list of the text of IDs that is
// sorted by log: what is old enough to be forgotten, and what everybody held
// by then.
type Collection struct {
	Kind    string   `json:"kind"`
	Floor   uint64   `json:"floor"`
	Settled []string `json:"settled,omitempty"`
	Stable  []string `json:"stable,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

func (p *Collection) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Kind)
	b = appendUint(b, 2, p.Floor)
	b = appendList(b, 3, p.Settled)
	b = appendList(b, 4, p.Stable)
	return appendString(b, 5, p.Reason)
}

func (*Collection) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "kind", always)
	w.number(2, "floor", always, math.MaxUint64)
	w.list(3, "settled", nonzero)
	w.list(4, "stable", nonzero)
	w.text(5, "reason", nonzero)
	return w.close()
}

func (*Collection) fresh() Payload { return new(Collection) }

func (p *Collection) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Kind, f)
	case 2:
		return number(&p.Floor, f)
	case 3:
		return texts(&p.Settled, f)
	case 4:
		return texts(&p.Stable, f)
	case 5:
		return text(&p.Reason, f)
	}
	return nil
}
