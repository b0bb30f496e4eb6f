package swim

import "slices"

// ring visits its members in an order that is shuffled anew for every round,
// so each is visited once a round, and two visits of one member are at most
// two rounds apart. The zero value is an empty ring.
type ring struct {
	order []*member
	turn  int // index of the next in order
}

// add gives m a random place in the round.
func (r *ring) add(m *member, rnd *random) {
	at := int(rnd.below(int64(len(r.order) + 1)))
	r.order = slices.Insert(r.order, at, m)
	if at < r.turn {
		r.turn++ // those whose turn is over stay so
	}
}

func (r *ring) remove(m *member) {
	at := slices.Index(r.order, m)
	if at < 0 {
		return
	}
	r.order = slices.Delete(r.order, at, at+1)
	if at < r.turn {
		r.turn--
	}
}

// take returns the next member that is wanted, nil if there is none.
func (r *ring) take(rnd *random, wanted func(*member) bool) *member {
	for range 2 * len(r.order) {
		if r.turn >= len(r.order) {
			shuffle(r.order, rnd)
			r.turn = 0
		}
		m := r.order[r.turn]
		r.turn++
		if wanted(m) {
			return m
		}
	}
	return nil
}

func shuffle(list []*member, rnd *random) {
	for i := len(list) - 1; i > 0; i-- {
		j := rnd.below(int64(i + 1))
		list[i], list[j] = list[j], list[i]
	}
}
