package coordination

import (
	"math"
	"time"
)

// Options say how patient coordination is. The zero value of each field is its
// default; a negative one is no wait at all.
type Options struct {
	// RebalanceDelay is how long the copies on a failed or stopped node wait
	// for it before they are replaced. Default: 60 s.
	RebalanceDelay time.Duration
	// StableFor is how long membership must not have changed before copies
	// move for balance. Default: the larger of 5 s and 10 s times the decimal
	// logarithm of the number of nodes.
	StableFor time.Duration
	// ClaimDelay is how long membership must not have changed before the first
	// coordinator of a cluster claims the role, and before a process that has
	// just started acts. It waits for at most 25 times as long. Default: 200 ms.
	ClaimDelay time.Duration
	// RankDelay is how much longer each node waits with its claim than the one
	// before it in rank. Default: 2 s.
	RankDelay time.Duration
	// RemoveAfter is how long a node must have been seen failed, by a coordinator
	// that ran all the while, before it is removed. Default: 72 h. Negative:
	// never.
	RemoveAfter time.Duration
	// DegradedDelay is how long a node must have called itself degraded before
	// it is treated as a draining one. Default: 60 s. Negative: at once.
	DegradedDelay time.Duration
	// Manual says that nothing moves for balance unless an operator applies a
	// plan. What is missing or lost is replaced all the same.
	Manual bool
	// HoldDown is how long a node that did not see a majority and sees one again
	// neither claims nor assigns: what the others did meanwhile is on its way.
	// Default: 5 s.
	HoldDown time.Duration
	// RefuteDelay is how long a node must have been suspected or failed, in the
	// eyes of this one, before its failure has consequences. Default: 1 s, which
	// suspicion takes anyway: only a verdict that comes out of the blue waits.
	RefuteDelay time.Duration
	// Alone says that this process was started without knowing of other nodes:
	// it is the first of a new cluster, unless its data says otherwise.
	Alone bool
}

// patience bounds the wait for membership to settle, in ClaimDelays.
const patience = 25

// millis returns d in milliseconds, or the default.
func millis(d, byDefault time.Duration) int64 {
	switch {
	case d < 0:
		return 0
	case d == 0:
		d = byDefault
	}
	return max(d.Milliseconds(), 1)
}

// stableFor returns the wait before a move for balance among n nodes.
func (o *Options) stableFor(n int) int64 {
	byDefault := time.Duration(10 * math.Log10(float64(max(n, 1))) * float64(time.Second))
	return millis(o.StableFor, max(5*time.Second, byDefault))
}
