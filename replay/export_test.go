package replay

import "context"

// EndingOf returns where a log ends, as it is told without folding; false when
// that cannot be done.
func EndingOf(s *Source) (m Mark, owners int, ok bool) {
	t := s.ending(context.Background())
	if t == nil || !t.sum() {
		return m, 0, false
	}
	return t.mark(s.Name), len(t.owners), true
}
