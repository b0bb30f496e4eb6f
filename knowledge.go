package clusterkit

import (
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// knowledge is what a node knows at one instant: the vector and the state that
// belong together. It is immutable; readers share it without a lock.
type knowledge struct {
	cluster *projection.Cluster
	heads   []events.Head // sorted by log
	digest  events.Digest
	buckets events.Buckets        // of the vector
	forked  map[events.LogID]bool // held or not
	spoken  bool
}

// know returns what the replica knows now.
func (r *replica) know() *knowledge {
	k := &knowledge{cluster: r.state.Cluster(), heads: r.state.Heads(), digest: r.state.Digest(), buckets: r.state.Buckets(), spoken: r.spoken}
	if k.digest.Forked > 0 {
		k.forked = make(map[events.LogID]bool, k.digest.Forked)
		for log := range r.state.ForkedLogs() {
			k.forked[log] = true
		}
	}
	return k
}

// seq returns the highest sequence known of a log.
func (k *knowledge) seq(log events.LogID) uint64 { return seqIn(k.heads, log) }

// member reports whether a node has ever been heard to speak. Its log does not
// tell: it may have begun a new one and died before it wrote to it.
func (k *knowledge) member(node string) bool {
	_, ok := k.cluster.Node(node)
	return ok
}

// seqIn returns the sequence of a log in heads that are sorted by log, 0 when
// it is not among them.
func seqIn(heads []events.Head, log events.LogID) uint64 {
	if i, ok := find(heads, log); ok {
		return heads[i].Seq
	}
	return 0
}

func find(heads []events.Head, log events.LogID) (int, bool) {
	return slices.BinarySearchFunc(heads, log, func(h events.Head, l events.LogID) int { return h.Log.Compare(l) })
}

// raise returns heads with those of more that are higher, sorted by log. The
// heads that it was given are shared and stay as they are; what it changes
// knows no chain.
func raise(heads, more []events.Head) []events.Head {
	own := false
	for _, m := range more {
		i, ok := find(heads, m.Log)
		if ok && heads[i].Seq >= m.Seq {
			continue
		}
		if !own {
			heads, own = slices.Clone(heads), true
		}
		if ok {
			heads[i] = events.Head{Log: m.Log, Seq: m.Seq}
		} else {
			heads = slices.Insert(heads, i, events.Head{Log: m.Log, Seq: m.Seq})
		}
	}
	return heads
}

// after returns heads without those of logs that come before log, when heads
// and the logs one asks for are sorted alike: to go through two lists at once.
func after(heads []events.Head, log events.LogID) (rest []events.Head, seq uint64) {
	for len(heads) > 0 && heads[0].Log.Compare(log) < 0 {
		heads = heads[1:]
	}
	if len(heads) > 0 && heads[0].Log == log {
		seq = heads[0].Seq
	}
	return heads, seq
}

// span is a contiguous range [From, To) of one log.
type span struct {
	log      events.LogID
	from, to uint64
}

// count returns how many events are in spans.
func count(spans []span) (n uint64) {
	for _, s := range spans {
		n += s.to - s.from
	}
	return n
}

// beyond returns what is known here and not by somebody who holds have, first
// the log that the caller names, then by age of the log. A forked log has no
// ranges: its states are merged instead. What is had is sorted by log.
func (k *knowledge) beyond(have []events.Head, first events.LogID) []span {
	var spans []span
	var seq uint64
	for _, h := range k.heads {
		if have, seq = after(have, h.Log); seq < h.Seq && !k.forked[h.Log] {
			spans = append(spans, span{h.Log, seq + 1, h.Seq + 1})
		}
	}
	if i := slices.IndexFunc(spans, func(s span) bool { return s.log == first }); i > 0 {
		s := spans[i]
		spans = slices.Insert(slices.Delete(spans, i, i+1), 0, s)
	}
	return spans
}

// unheard reports whether somebody who holds have has not heard all that the
// node says that writes this log, and so may not know where it is.
func (k *knowledge) unheard(have []events.Head, own events.LogID) bool {
	return k.seq(own) > seqIn(have, own)
}

// lacks reports whether somebody who holds have knows an event that is not
// known here.
func (k *knowledge) lacks(have []events.Head) bool {
	mine, seq := k.heads, uint64(0)
	for _, h := range have {
		if mine, seq = after(mine, h.Log); seq < h.Seq && !k.forked[h.Log] {
			return true
		}
	}
	return false
}

// mayFork reports whether who differs from this knowledge by a digest may do so
// by what no range brings: see forkedBeyond.
func (k *knowledge) mayFork(theirs events.Digest) bool {
	return theirs != k.digest && (theirs.Forked > 0 || k.digest.Forked > 0)
}

// justLearnt reports whether who writes this log has never spoken and learns, so
// that it has learnt just now of the forks that are known here: by ranges, and the
// state has yet to follow.
func (k *knowledge) justLearnt(log events.LogID) bool { return k.digest.Forked > 0 && k.seq(log) == 0 }

// forks returns the logs of which the same sequence is held with another
// chain: somebody wrote two histories under one name.
func (k *knowledge) forks(theirs []events.Head) []events.Head {
	var forks []events.Head
	for _, h := range theirs {
		i, ok := find(k.heads, h.Log)
		if ok && k.heads[i].Seq == h.Seq && k.heads[i].Chain != h.Chain && !k.forked[h.Log] {
			forks = append(forks, h)
		}
	}
	return forks
}

// forksOf returns those of one log.
func forksOf(log events.LogID, forks []events.Head) []events.Head {
	return slices.DeleteFunc(forks, func(h events.Head) bool { return h.Log != log })
}

// severed returns where events that a peer is sent do not go on from what it says
// it holds: it has another branch of that log. Who has not spoken yet cannot
// record that, and takes nothing of such a range.
func severed(batch []events.Event, held []events.Head) []events.Head {
	var forks []events.Head
	for i := range batch {
		e := &batch[i]
		at, ok := find(held, e.Log)
		if ok && held[at].Seq+1 == e.Seq && !e.Links(held[at].Chain) {
			forks = append(forks, held[at])
		}
	}
	return forks
}

// answer is what a node has to say to the claim of a peer.
type answer struct {
	equal      bool   // nothing to say
	needVector bool   // tell me what you hold
	merge      bool   // ranges do not help: take the whole state
	spans      []span // what the peer lacks
}

// answer decides what a peer needs. The vectors being equal and the states
// not must never happen; it is answered with the whole state, which repairs
// it, and is counted as a divergence. What is only known through a forked log
// has no ranges, and travels with the state too.
func (k *knowledge) answer(c *claim, log events.LogID) answer {
	switch {
	case c.digest == k.digest:
		return answer{equal: true}
	case c.digest.Vector == k.digest.Vector && c.digest.Logs == k.digest.Logs:
		return answer{merge: true}
	case !c.given:
		return answer{needVector: true}
	}
	spans := k.beyond(c.heads, log)
	if c.within != 0 {
		spans = slices.DeleteFunc(spans, func(s span) bool { return !c.within.Has(s.log) })
	}
	return answer{spans: spans, merge: len(spans) == 0 && k.forkedBeyond(c)}
}

// forkedBeyond reports whether something may be known here and not to the
// claimant that no range will ever bring: what was written in a log that is
// known here as forked.
//
// That is so when less of such a log is held there, or when not the same logs
// are known there as forked. A claim does not say which are, but its sum does:
// forked logs are not in it.
func (k *knowledge) forkedBeyond(c *claim) bool {
	if len(k.forked) == 0 {
		return false
	}
	var mine, theirs events.Sum
	rest, seq := c.heads, uint64(0)
	for _, h := range k.heads {
		switch {
		case c.within != 0 && !c.within.Has(h.Log):
		case !k.forked[h.Log]:
			mine = mine.Add(h.Sum())
		default:
			if rest, seq = after(rest, h.Log); seq < h.Seq {
				return true
			}
		}
	}
	for _, h := range c.heads {
		if !k.forked[h.Log] {
			theirs = theirs.Add(h.Sum())
		}
	}
	return theirs.Sub(mine) != c.digest.Vector.Sub(k.digest.Vector)
}
