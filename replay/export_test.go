package replay

import (
	"context"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// EndingOf returns where a log ends, as it is told without folding; false when
// that cannot be done.
func EndingOf(s *Source) (m Mark, owners int, ok bool) {
	t := s.ending(context.Background())
	if t == nil || !agree([]*ending{t}) {
		return m, 0, false
	}
	return t.mark(s.Name), len(t.owners), true
}

// SketchOf returns what is read of an encoded event without decoding it.
func SketchOf(b []byte) (stamp events.Stamp, register string, chain events.Chain, ok bool) {
	var k sketch
	ok = k.read(b)
	return k.stamp(), string(k.register), k.chain, ok
}

// WarpView makes a source spoil, behind the back of each state that is folded from
// it, the view that this state has built so far.
func WarpView(s *Source, spoil func(*projection.Cluster)) {
	s.feed = &warped{feed: s.feed, spoil: spoil}
}

type warped struct {
	feed
	spoil func(*projection.Cluster)
	state *projection.State // the one that was begun last
}

func (w *warped) base(ctx context.Context, i int) (s *projection.State, err error) {
	s, err = w.feed.base(ctx, i)
	w.state = s
	return s, err
}

func (w *warped) entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for e, err := range w.feed.entries(ctx, from) {
			if !yield(e, err) {
				return
			}
		}
		if len(w.state.Heads()) > 0 {
			w.spoil(w.state.Cluster())
		}
	}
}

// ShareSegments lets workers take segments, one each time that next names one, and
// returns who took each and how many times somebody began anew.
func ShareSegments(segments, workers int, next func() int) (taken [][]int, begun int) {
	s, at, busy := share(segments, workers), make([]int, workers), make([]bool, workers)
	taken = make([][]int, segments)
	for left := workers; left > 0; {
		w := next()
		switch {
		case at[w] < 0:
			continue
		case busy[w] && s.goOn(w):
			at[w]++
		default:
			if at[w], busy[w] = s.begin(w); !busy[w] {
				at[w] = -1
				left--
				continue
			}
			begun++
		}
		taken[at[w]] = append(taken[at[w]], w)
	}
	return taken, begun
}
