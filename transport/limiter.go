package transport

import "net/http"

// limiter bounds the requests of one class in flight: each holds a place.
// Nobody waits for one, since a node that is too busy should say so at once.
type limiter chan struct{}

func (l limiter) enter() error {
	select {
	case l <- struct{}{}:
		return nil
	default:
		return Errorf(http.StatusServiceUnavailable, ErrorBusy, "%d such requests are in flight; try again", cap(l))
	}
}

func (l limiter) leave() { <-l }

// guarded runs f while holding a place in l.
func (c *call) guarded(l limiter, f func() error) error {
	if err := l.enter(); err != nil {
		return err
	}
	defer l.leave()
	return f()
}
