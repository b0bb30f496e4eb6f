package projection

import (
	"crypto/sha256"

	"github.com/skshohagmiah/clusterkit/events"
)

// Digest returns what two nodes compare to learn whether they know the same:
//
//	Vector  sum of SHA-256(log || sequence as 8 bytes, big endian || chain)[:16]
//	        over the heads of logs that are not known as forked
//	State   sum of SHA-256(encoded event)[:16] over the registers; the event
//	        names its register
//	Logs    how many logs: those held that are not forked, and the forked ones
//	Forked  how many logs are known as forked, held here or not
//
// It is a function of the events alone, in whatever order they came. Only what
// has changed since the last call is hashed, so that replaying a long history
// costs one hash for each register and not for each event.
func (s *State) Digest() events.Digest {
	for _, r := range s.unsummed { // which sweep keeps free of what is gone
		hash := sha256.Sum256(r.event.Raw())
		sum := events.SumOf(hash[:])
		s.digest.State = s.digest.State.Sub(r.sum).Add(sum)
		r.sum, r.unsummed = sum, false
	}
	for _, h := range s.moved {
		var sum events.Sum
		if !s.Forked(h.Log) {
			sum = h.Head.Sum()
		}
		s.digest.Vector = s.digest.Vector.Sub(h.sum).Add(sum)
		s.buckets.Move(h.Log, h.sum, sum)
		h.sum, h.moved = sum, false
	}
	s.unsummed, s.moved = s.unsummed[:0], s.moved[:0]
	logs := len(s.logs)
	for log := range s.forked {
		if s.logs[log] == nil {
			logs++
		}
	}
	s.digest.Logs, s.digest.Forked = uint32(logs), uint32(len(s.forked))
	return s.digest
}

// Buckets returns the vector half of the digest by buckets of logs.
func (s *State) Buckets() events.Buckets {
	s.Digest()
	return s.buckets
}
