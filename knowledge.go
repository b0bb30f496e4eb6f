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
	forked  map[events.LogID]bool
	spoken  bool
}

// know returns what the replica knows now.
func (r *replica) know() *knowledge {
	k := &knowledge{cluster: r.state.Cluster(), heads: r.state.Heads(), digest: r.state.Digest(), spoken: r.spoken}
	if k.digest.Forked > 0 {
		k.forked = make(map[events.LogID]bool)
		for _, h := range k.heads {
			if r.state.Forked(h.Log) {
				k.forked[h.Log] = true
			}
		}
	}
	return k
}

// seq returns the highest sequence known of a log.
func (k *knowledge) seq(log events.LogID) uint64 {
	i, ok := slices.BinarySearchFunc(k.heads, log, func(h events.Head, l events.LogID) int { return h.Log.Compare(l) })
	if !ok {
		return 0
	}
	return k.heads[i].Seq
}

// span is a contiguous range [From, To) of one log.
type span struct {
	log      events.LogID
	from, to uint64
}

// beyond returns what is known here and not by somebody who holds have, first
// the log that the caller names, then by age of the log. A forked log has no
// ranges: its states are merged instead.
func (k *knowledge) beyond(have events.Vector, first events.LogID) []span {
	var spans []span
	for _, h := range k.heads {
		if seq := have[h.Log]; seq < h.Seq && !k.forked[h.Log] {
			spans = append(spans, span{h.Log, seq + 1, h.Seq + 1})
		}
	}
	if i := slices.IndexFunc(spans, func(s span) bool { return s.log == first }); i > 0 {
		s := spans[i]
		spans = slices.Insert(slices.Delete(spans, i, i+1), 0, s)
	}
	return spans
}

// lacks reports whether somebody who holds have knows an event that is not
// known here.
func (k *knowledge) lacks(have events.Vector) bool {
	for log, seq := range have {
		if k.seq(log) < seq && !k.forked[log] {
			return true
		}
	}
	return false
}

// forks returns the logs of which the same sequence is held with another
// chain: somebody wrote two histories under one name.
func (k *knowledge) forks(theirs []events.Head) []events.Head {
	var forks []events.Head
	for _, h := range theirs {
		i, ok := slices.BinarySearchFunc(k.heads, h.Log, func(m events.Head, l events.LogID) int { return m.Log.Compare(l) })
		if ok && k.heads[i].Seq == h.Seq && k.heads[i].Chain != h.Chain && !k.forked[h.Log] {
			forks = append(forks, h)
		}
	}
	return forks
}

// answer is what a node has to say to a peer that asked with this digest and,
// if it gave one, this vector.
type answer struct {
	equal      bool   // nothing to say
	needVector bool   // tell me what you hold
	merge      bool   // ranges do not help: take the whole state
	spans      []span // what the peer lacks
}

// answer decides what a peer needs. The vectors being equal and the states
// not must never happen; it is answered with the whole state, which repairs
// it, and is counted as a divergence.
func (k *knowledge) answer(digest events.Digest, vector []events.Head, hasVector bool, log events.LogID) answer {
	switch {
	case digest == k.digest:
		return answer{equal: true}
	case digest.Vector == k.digest.Vector && digest.Logs == k.digest.Logs:
		return answer{merge: true}
	case !hasVector:
		return answer{needVector: true}
	}
	return answer{spans: k.beyond(vectorOf(vector), log)}
}

func vectorOf(heads []events.Head) events.Vector {
	v := make(events.Vector, len(heads))
	for _, h := range heads {
		v[h.Log] = max(v[h.Log], h.Seq)
	}
	return v
}
