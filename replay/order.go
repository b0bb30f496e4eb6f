package replay

import (
	"context"
	"errors"
	"slices"
	"sort"
)

// A log is nearly in the order of the axis true: what other nodes wrote comes
// a little later than its time says, and much later when they could not be
// reached. ordered sorts it in two passes, holding only a window of events:
//
//	pass 1   keys only: a window that slides over the log puts right what came
//	         a little late; what comes even later is listed as late
//	pass 2   the window again, merged with the late ones, which are sorted by
//	         their keys and fetched in batches
const (
	fewEvents    = 8192 // how many are gathered and sorted at once
	windowEvents = 2048 // how far an event may be out of its place without being late
	givenAtOnce  = 256  // how many leave the window together
	lateBatch    = 4096 // how many late events are held at once
)

// lateEvent is an event that the window cannot put into its place.
type lateEvent struct {
	key   Key
	index uint64
}

// errStop ends a sequence of which nobody wants more.
var errStop = errors.New("stop")

// ordered yields the events asked for along the axis true, oldest first unless it
// goes backward. When they are few it sorts them in memory.
func (w *window) ordered(ctx context.Context, yield func(*Entry, error) bool) {
	few, all, ok := w.gather(ctx, yield)
	if !ok {
		return
	}
	if all {
		for _, e := range few {
			if !yield(e, nil) {
				return
			}
		}
		return
	}
	late, sorted, err := w.findLate(ctx)
	if err != nil {
		yield(nil, err)
		return
	}
	if sorted {
		for e, err := range w.asKept(ctx, true) {
			if !yield(e, err) {
				return
			}
		}
		return
	}
	skip := make([]uint64, len(late))
	for i := range late {
		skip[i] = late[i].index
	}
	if slices.Sort(skip); w.backward {
		slices.Reverse(skip)
	}
	slices.SortFunc(late, func(a, b lateEvent) int { return w.compare(a.key, b.key) })
	m := merger{window: w, late: late, yield: yield}
	for e, err := range w.asKept(ctx, true) {
		if err != nil {
			if !yield(nil, err) {
				return
			}
			continue
		}
		if len(skip) > 0 && skip[0] == e.Index {
			skip = skip[1:]
			continue
		}
		if err := m.push(ctx, e); err != nil {
			m.stop(err)
			return
		}
	}
	m.stop(m.drain(ctx))
}

// gather collects the events asked for and sorts them, unless they are more
// than the window holds. Only then all is false and nothing was yielded.
func (w *window) gather(ctx context.Context, yield func(*Entry, error) bool) (few []*Entry, all, ok bool) {
	var met []error
	for e, err := range w.asKept(ctx, true) {
		if err != nil {
			met = append(met, err)
			continue
		}
		if len(few) == fewEvents {
			return nil, false, true
		}
		kept := e.keep(nil)
		few = append(few, &kept)
	}
	for _, err := range met {
		if !yield(nil, err) {
			return nil, true, false
		}
	}
	slices.SortFunc(few, func(a, b *Entry) int { return w.compare(a.key(), b.key()) })
	return few, true, true
}

// findLate makes the first pass. sorted reports that nothing is out of place
// at all.
func (w *window) findLate(ctx context.Context) (late []lateEvent, sorted bool, err error) {
	held := make([]Key, 0, 2*windowEvents) // sorted; the window is held[from:]
	from, sorted := 0, true
	var gone Key  // the last that has left the window
	left := false // there is one
	for e, err := range w.asKept(ctx, false) {
		if isDamage(err) != nil {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		k := e.key()
		if n := len(held); n == from || w.compare(held[n-1], k) < 0 {
			held = append(held, k)
		} else if sorted = false; left && w.compare(k, gone) < 0 {
			late = append(late, lateEvent{k, e.Index})
			continue
		} else {
			i := sort.Search(n-from, func(i int) bool { return w.compare(held[from+i], k) > 0 })
			held = slices.Insert(held, from+i, k)
		}
		if len(held)-from > windowEvents {
			gone, left = held[from], true
			from++
		}
		if from == windowEvents {
			held, from = append(held[:0], held[from:]...), 0
		}
	}
	return late, sorted, nil
}

// merger makes the second pass.
type merger struct {
	window *window
	held   []*heldEvent // sorted
	late   []lateEvent
	batch  []*Entry // the next of the late ones, sorted
	yield  func(*Entry, error) bool
	free   []*heldEvent // given out, and no longer in use
	entry  Entry        // what is given out
}

// heldEvent is an entry in the window: no more of it than is needed, for there are
// many and each is looked at twice, with all the others between.
type heldEvent struct {
	swept
	file string
	raw  []byte
}

// stop reports the error that ended the pass, if it is one.
func (m *merger) stop(err error) {
	if err != nil && err != errStop {
		m.yield(nil, err)
	}
}

// push takes the next event of the log into the window, and gives out the
// oldest ones when the window is full.
func (m *merger) push(ctx context.Context, e *Entry) error {
	var h *heldEvent
	if n := len(m.free); n > 0 {
		h, m.free = m.free[n-1], m.free[:n-1]
	} else {
		h = new(heldEvent)
	}
	h.of(e)
	h.file, h.raw = e.File, append(h.raw[:0], e.raw...)
	h.end = len(h.raw)
	i := len(m.held)
	if i > 0 && m.window.compare(m.held[i-1].key, h.key) > 0 {
		i = sort.Search(i, func(i int) bool { return m.window.compare(m.held[i].key, h.key) > 0 })
	}
	m.held = slices.Insert(m.held, i, h)
	if len(m.held) < windowEvents+givenAtOnce {
		return nil
	}
	return m.give(ctx, givenAtOnce)
}

func (m *merger) drain(ctx context.Context) error {
	if err := m.give(ctx, len(m.held)); err != nil {
		return err
	}
	return m.giveLate(ctx, nil)
}

// give yields the n oldest events of the window, and the late ones between.
func (m *merger) give(ctx context.Context, n int) error {
	for _, h := range m.held[:n] {
		if err := m.giveLate(ctx, &h.key); err != nil {
			return err
		}
		if h.restore(&m.entry, h.file, h.raw); !m.yield(&m.entry, nil) {
			return errStop
		}
	}
	m.free = append(m.free, m.held[:n]...)
	m.held = append(m.held[:0], m.held[n:]...)
	return nil
}

// giveLate yields the late events that come before a key, or all of them.
func (m *merger) giveLate(ctx context.Context, before *Key) error {
	for len(m.batch)+len(m.late) > 0 {
		if len(m.batch) == 0 {
			if before != nil && m.window.compare(m.late[0].key, *before) > 0 {
				return nil
			}
			if err := m.fetch(ctx); err != nil {
				return err
			}
			continue
		}
		if before != nil && m.window.compare(m.batch[0].key(), *before) > 0 {
			return nil
		}
		if !m.yield(m.batch[0], nil) {
			return errStop
		}
		m.batch = m.batch[1:]
	}
	return nil
}

// fetch reads the next batch of late events from the log.
func (m *merger) fetch(ctx context.Context) error {
	n := min(len(m.late), lateBatch)
	wanted := make([]uint64, n)
	for i := range n {
		wanted[i] = m.late[i].index
	}
	m.late = m.late[n:]
	slices.Sort(wanted)
	m.batch = make([]*Entry, 0, n)
	for len(wanted) > 0 {
		var err error
		if wanted, err = m.fetchFrom(ctx, wanted); err != nil {
			return err
		}
	}
	slices.SortFunc(m.batch, func(a, b *Entry) int { return m.window.compare(a.key(), b.key()) })
	return nil
}

// fetchFrom reads on from the first wanted index while the next ones are near.
func (m *merger) fetchFrom(ctx context.Context, wanted []uint64) ([]uint64, error) {
	const near = 1 << 14
	for e, err := range m.window.source.feed.entries(ctx, wanted[0]) {
		if err != nil && isDamage(err) == nil {
			return nil, err
		}
		for len(wanted) > 0 && e != nil && wanted[0] < e.Index {
			wanted = wanted[1:] // gone since the first pass
		}
		if e != nil && len(wanted) > 0 && e.Index == wanted[0] {
			kept := e.keep(nil)
			m.batch, wanted = append(m.batch, &kept), wanted[1:]
		}
		if len(wanted) == 0 || e != nil && wanted[0] > e.Index+near {
			return wanted, nil
		}
	}
	return nil, nil
}
