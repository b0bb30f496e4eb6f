package replay

import (
	"context"
	"iter"
	"runtime"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
)

// Render answers a query like [Source.Log], as text: it yields the lines in
// blocks, each the concatenation of what format appended for them. format runs
// in several goroutines at the same time, which end with the sequence; that is
// why printing a long log this way is faster. A block is valid until the next
// one. A *Damage does not end the sequence.
func (s *Source) Render(ctx context.Context, q Query, format func(b []byte, l *Line) []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if q.Changes || q.Where != nil || q.Limit > 0 {
			s.renderSmall(ctx, q, format, yield)
			return
		}
		w, err := s.window(ctx, &q)
		if err != nil {
			yield(nil, err)
			return
		}
		w.backward = q.Reverse
		r := renderer{window: w, format: format, order: make(chan *block, 4), work: make(chan *block, 4), free: make(chan *block, 8)}
		r.run(ctx, yield)
	}
}

// renderSmall renders what is folded or gathered before it is printed.
func (s *Source) renderSmall(ctx context.Context, q Query, format func([]byte, *Line) []byte, yield func([]byte, error) bool) {
	var b []byte
	for l, err := range s.Log(ctx, q) {
		if err != nil {
			if !yield(nil, err) {
				return
			}
			continue
		}
		if b = format(b[:0], l); !yield(b, nil) {
			return
		}
	}
}

// renderer decodes and formats blocks of entries side by side:
//
//	reader --- work --> workers
//	       --- order ------------> caller, who waits for each block in turn
type renderer struct {
	*window
	format            func([]byte, *Line) []byte
	order, work, free chan *block
}

// block is a chunk of entries and what becomes of it.
type block struct {
	chunk
	text []byte
	errs []error // of events that could not be loaded
	done chan struct{}
}

func (r *renderer) run(ctx context.Context, yield func([]byte, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { r.read(ctx) }) // ends with the entries or ctx
	for range runtime.GOMAXPROCS(0) {
		wg.Go(r.render) // ends when read closes work
	}
	for b := range r.order {
		<-b.done
		if len(b.text) > 0 && !yield(b.text, nil) {
			return
		}
		for _, err := range b.errs {
			if !yield(nil, err) {
				return
			}
		}
		if b.err != nil && !yield(nil, b.err) {
			return
		}
		select {
		case r.free <- b:
		default:
		}
	}
}

// read gathers entries into blocks.
func (r *renderer) read(ctx context.Context) {
	defer close(r.order)
	defer close(r.work)
	b := r.block()
	send := func() bool {
		select {
		case r.order <- b:
		case <-ctx.Done():
			return false
		}
		r.work <- b // has room, for order has
		b = r.block()
		return true
	}
	for e, err := range r.inOrder(ctx) {
		if err != nil {
			if b.err = err; !send() {
				return
			}
			continue
		}
		if len(b.items) > 0 && b.file != e.File && !send() {
			return
		}
		b.add(e, true)
		if len(b.items) == chunkEntries && !send() {
			return
		}
	}
	send()
}

func (r *renderer) block() *block {
	select {
	case b := <-r.free:
		b.clear()
		b.text, b.errs, b.done = b.text[:0], nil, make(chan struct{})
		return b
	default:
		return &block{done: make(chan struct{})}
	}
}

// render makes text of blocks.
func (r *renderer) render() {
	var decoder events.Decoder
	line := Line{Names: r.names}
	for b := range r.work {
		for i := range b.items {
			b.items[i].restore(&line.Entry, b.file, b.bytes)
			if err := line.load(&decoder); err != nil {
				b.errs = append(b.errs, err)
				continue
			}
			r.source.sign(&line)
			b.text = r.format(b.text, &line)
		}
		close(b.done)
	}
}
