package replay

import "sync"

// shares divides segments among workers, each of which takes those of its own in
// order, so that it can go on with the state it has. Whoever has none left takes the
// second half of what another one has not begun: all end together, and few begin
// anew.
type shares struct {
	mu   sync.Mutex // guards left
	left []span     // of each worker: what it has not begun
}

// span is the segments from to to-1.
type span struct{ from, to int }

func share(segments, workers int) *shares {
	s := &shares{left: make([]span, workers)}
	for w := range s.left {
		s.left[w] = span{segments * w / workers, segments * (w + 1) / workers}
	}
	return s
}

// begin returns the segment with which a worker begins; false when none is left.
func (s *shares) begin(worker int) (segment int, ok bool) {
	if !s.goOn(worker) {
		s.mu.Lock()
		own, most := &s.left[worker], &s.left[0]
		for w := range s.left {
			if other := &s.left[w]; other.to-other.from > most.to-most.from {
				most = other
			}
		}
		half := most.from + (most.to-most.from)/2
		*own, most.to = span{half, most.to}, half
		s.mu.Unlock()
		if !s.goOn(worker) {
			return 0, false
		}
	}
	return s.left[worker].from - 1, true
}

// goOn reports whether a worker goes on with the next segment of its own.
func (s *shares) goOn(worker int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := &s.left[worker]
	if own.from == own.to {
		return false
	}
	own.from++
	return true
}
