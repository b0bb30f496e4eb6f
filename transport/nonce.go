package transport

import (
	"net/http"
	"sync"
	"time"
)

// maxNonces bounds the memory of nonces: two generations of so many.
const maxNonces = 1 << 16

// nonces remembers which signatures were used, for as long as they could be
// used again. The zero value is ready and safe for concurrent use.
type nonces struct {
	mu      sync.Mutex // guards the fields below
	began   time.Time  // of the current generation
	current map[[stampSize]byte]struct{}
	before  map[[stampSize]byte]struct{}
}

// use fails when n was used before, or when there is no room to remember it:
// then it is better to refuse than to forget. Only who has the secret can fill
// it.
func (s *nonces) use(n [stampSize]byte, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A signature is accepted for 2 windows at most, from one window before
	// its time to one after it.
	if age := now.Sub(s.began); age > 2*window || s.current == nil {
		if s.before = s.current; age > 4*window {
			s.before = nil
		}
		s.current, s.began = make(map[[stampSize]byte]struct{}), now
	}
	_, used := s.current[n]
	if !used {
		_, used = s.before[n]
	}
	if used {
		return unauthorized("the signature was used before")
	}
	if len(s.current) >= maxNonces {
		return Errorf(http.StatusServiceUnavailable, ErrorBusy, "too many joins")
	}
	s.current[n] = struct{}{}
	return nil
}
