package replay

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// ahead runs a sequence of entries in a goroutine of its own, a bounded number
// of events ahead of the caller, so that one core reads and orders while
// another folds. Entries come not loaded. The goroutine ends with the sequence.
func ahead(ctx context.Context, list func(context.Context) iter.Seq2[*Entry, error]) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		const most = 8
		full, free := make(chan *chunk, most), make(chan *chunk, most+2)
		wg.Go(func() { gatherChunks(ctx, list(ctx), full, free) })
		var entry Entry
		for c := range full {
			for i := range c.items {
				if c.items[i].restore(&entry, c.file, c.bytes); !yield(&entry, nil) {
					return
				}
			}
			var damage *Damage
			if c.err != nil && (!yield(nil, c.err) || !errors.As(c.err, &damage)) {
				return
			}
			free <- c // has room for all there are
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// gatherChunks copies entries into chunks, each of one file.
func gatherChunks(ctx context.Context, list iter.Seq2[*Entry, error], full chan<- *chunk, free <-chan *chunk) {
	defer close(full)
	made := 0
	next := func() *chunk {
		if made < cap(full)+2 {
			made++
			return &chunk{items: make([]swept, 0, chunkEntries)}
		}
		select {
		case c := <-free:
			c.clear()
			return c
		case <-ctx.Done():
			return nil
		}
	}
	c := next()
	send := func() bool {
		select {
		case full <- c:
			c = next()
			return c != nil
		case <-ctx.Done():
			return false
		}
	}
	for e, err := range list {
		if len(c.items) > 0 && (err != nil || e.File != c.file || len(c.items) == chunkEntries) && !send() {
			return
		}
		if err == nil {
			c.add(e, true)
		} else if c.err = err; !send() {
			return
		}
	}
	if len(c.items) > 0 {
		send()
	}
}
