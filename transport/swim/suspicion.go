package swim

import (
	"fmt"
	"slices"
	"strings"
)

// maxAccusers bounds the accusers that are remembered by name; only the first
// few count.
const maxAccusers = 8

// suspicion is what one node knows of the accusation of one incarnation of a
// member.
type suspicion struct {
	incarnation uint64
	since       int64
	low, high   int64 // the timer with all confirmations, and with none
	need        int   // confirmations that make it the shortest: k

	accusers []string // in the order they became known; "" is somebody
	mine     bool     // this node is one of them
	doubt    int64    // 1 + health of this node when it suspected

	resting   bool // the member answered this node since
	convicted bool // the verdict of this node was given

	chance int64 // 0..1023, where in the jitter this node convicts
}

// newSuspicion returns the suspicion of a member of a cluster in which live
// members run.
func (d *Detector) newSuspicion(incarnation uint64, since int64) *suspicion {
	low := d.opt.Interval * int64(d.opt.SuspicionMult) * max(log2One, log10(uint64(max(d.live, 1)))) >> 16
	s := &suspicion{
		incarnation: incarnation, since: since,
		low: low, high: low * int64(d.opt.SuspicionMaxMult),
		need: confirmations, doubt: 1, chance: d.random.below(1024),
	}
	if d.live-2 < confirmations {
		s.need = 0
	}
	return s
}

// accuse adds an accuser and reports whether it is a new one.
func (s *suspicion) accuse(accuser string) bool {
	if slices.Contains(s.accusers, accuser) {
		return false
	}
	if i := slices.Index(s.accusers, ""); i >= 0 {
		s.accusers[i] = accuser // so it was this one
		return true
	}
	if len(s.accusers) < maxAccusers {
		s.accusers = append(s.accusers, accuser)
	}
	return true
}

// confirmed reports whether another accuser would change nothing.
func (s *suspicion) confirmed() bool { return len(s.accusers) > s.need }

// timer is how long the suspicion lasts with the accusers known now.
func (s *suspicion) timer() int64 {
	c := min(max(len(s.accusers)-1, 0), s.need)
	if s.need == 0 || c == s.need {
		return s.low
	}
	return s.high - (s.high-s.low)*log2(uint64(c+1))/log2(uint64(s.need+1))
}

// verdictAt is when this node convicts, if nobody did before.
func (s *suspicion) verdictAt(interval int64, self string) int64 {
	timer := s.timer()
	mine := min(timer*s.doubt, s.high) // an accuser that was unwell waits longer
	switch {
	case s.resting || s.convicted:
		return Never
	case s.mine && s.accusers[0] == self:
		return s.since + mine
	case s.mine:
		return s.since + mine + interval/jitterDiv*s.chance>>10
	}
	return s.since + 2*timer + timer/2*s.chance>>10
}

// reason says in words why a verdict is due.
func (s *suspicion) reason(now int64) string {
	names := make([]string, 0, len(s.accusers))
	for _, a := range s.accusers {
		if a == "" {
			a = "a member"
		}
		names = append(names, a)
	}
	slices.Sort(names)
	if len(names) == 0 {
		names = append(names, "a member")
	}
	return fmt.Sprintf("suspected for %d ms by %s and did not refute", now-s.since, strings.Join(names, ", "))
}
