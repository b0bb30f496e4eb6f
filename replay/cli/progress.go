package cli

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
)

// progress shows on a terminal how far a long command has come. It says nothing
// in the first second, and takes itself back at the end.
//
//	verify   61%  2.3M records/s  2s left
type progress struct {
	out   io.Writer
	name  string
	count *replay.Counter
	stop  context.CancelFunc
	done  sync.WaitGroup
	shown bool
}

// watch begins to show how far the sources have been read. It does nothing
// unless stderr is a terminal. The caller ends it.
func (a *app) watch(name string, sources ...*replay.Source) *progress {
	p := &progress{out: a.errs, name: name, count: new(replay.Counter)}
	if a.quiet || !isTerminal(a.errs) {
		return p
	}
	for _, s := range sources {
		s.Count(p.count)
	}
	ctx, stop := context.WithCancel(a.ctx)
	p.stop = stop
	p.done.Go(func() { p.run(ctx) }) // ends with end or the run
	return p
}

func (p *progress) run(ctx context.Context) {
	begin := time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if took := time.Since(begin); took > time.Second {
				fmt.Fprint(p.out, "\r\x1b[K"+p.line(took))
				p.shown = true
			}
		}
	}
}

// line says how far, how fast, and how long it will take from here.
func (p *progress) line(took time.Duration) string {
	read, of := p.count.Records.Load(), p.count.Of.Load()
	text := fmt.Sprintf("%-8s", p.name)
	rate := float64(read) / took.Seconds()
	if of > 0 {
		text += fmt.Sprintf(" %3.0f%%", 100*min(float64(read)/float64(of), 1))
	}
	text += fmt.Sprintf("  %s records/s", short(rate))
	if left := float64(of) - float64(read); of > 0 && rate > 0 && left > 0 {
		text += fmt.Sprintf("  %s left", replay.Span(int64(1000*left/rate)))
	}
	return text
}

func short(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1fM", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0fk", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}

// end takes the line away.
func (p *progress) end() {
	if p.stop == nil {
		return
	}
	p.stop()
	p.done.Wait()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
