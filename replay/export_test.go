package replay

import (
	"context"

	"github.com/skshohagmiah/clusterkit/events"
)

// EndingOf returns where a log ends, as it is told without folding; false when
// that cannot be done.
func EndingOf(s *Source) (m Mark, owners int, ok bool) {
	t := s.ending(context.Background())
	if t == nil || !t.sum() {
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
