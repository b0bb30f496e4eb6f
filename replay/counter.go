package replay

import (
	"context"
	"iter"
	"sync/atomic"
)

// Counter says how far the reading of sources has come. Its numbers may be read
// at any time, from any goroutine.
type Counter struct {
	Records atomic.Uint64 // that were read; what is read twice counts twice
	Of      atomic.Uint64 // that there are, by what is known of their indexes
}

// counted is a feed that counts.
type counted struct {
	feed
	counter *Counter
}

// countEvery is how many records are counted at once.
const countEvery = 1024

// Count makes the source count in c what it reads from now on. Call it before
// anything is asked.
func (s *Source) Count(c *Counter) {
	if u, ok := s.feed.(*union); ok {
		for _, part := range u.sources {
			part.Count(c)
		}
		return
	}
	segments := s.feed.segments()
	if n := len(segments); n > 1 { // the last segment is about as long as those before
		spread := segments[n-1].first - segments[0].first
		c.Of.Add(spread + spread/uint64(n-1)/2)
	}
	s.feed = &counted{s.feed, c}
}

func (c *counted) entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		n := uint64(0)
		defer func() { c.counter.Records.Add(n) }()
		for e, err := range c.feed.entries(ctx, from) {
			if n++; n == countEvery {
				c.counter.Records.Add(n)
				n = 0
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
