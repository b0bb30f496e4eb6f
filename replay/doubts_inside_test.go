package replay

import "context"

// CheckInParts is Check with no more than so many doubts at once.
func (s *Source) CheckInParts(ctx context.Context, q Query, rules Rules, most int) (*Checkup, error) {
	return s.check(ctx, q, rules, most)
}
