package clusterkit

import (
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// largeVector is of how many logs at most a vector travels whole. A larger one
// travels as sums of buckets first (512 bytes), and then only as the heads of
// the buckets that differ:
//
//	caller                               answering node
//	digest, sums of the buckets    -->
//	                               <--   need_vector, its heads in the buckets that differ
//	its heads in these, events     -->
//	                               <--   data: events, its heads in these
//
// Who has a small vector sends it whole, and gets a whole one. When the digests
// differ and no bucket does, whole vectors travel.
const largeVector = 512

// claim is what a request says of what its sender holds.
type claim struct {
	digest  events.Digest
	given   bool             // there is a vector, even when it is empty
	heads   []events.Head    // sorted by log
	within  events.BucketSet // heads are of these buckets only; 0: of all
	buckets *events.Buckets  // without a vector: where do ours differ?
}

// part is which heads of a large vector a peer was found to need.
type part struct {
	known  bool             // it has been asked
	within events.BucketSet // those of these buckets; 0: all
}

// large reports whether the vector is one that does not travel whole.
func (k *knowledge) large() bool { return len(k.heads) > largeVector }

// claim says what is known here: by the digest alone, or more when asking.
func (k *knowledge) claim(asking bool, p part) claim {
	c := claim{digest: k.digest}
	switch {
	case asking && p.known && p.within != 0:
		c.given, c.heads, c.within = true, k.headsWithin(p.within), p.within
	case asking && (p.known || !k.large()):
		c.given, c.heads = true, k.heads
	case k.large():
		c.buckets = &k.buckets
	}
	return c
}

// headsWithin returns the heads of some buckets.
func (k *knowledge) headsWithin(s events.BucketSet) []events.Head {
	var some []events.Head
	for _, h := range k.heads {
		if s.Has(h.Log) {
			some = append(some, h)
		}
	}
	return some
}

// reply returns the heads that answer a claim, and of which buckets they are; 0
// for all.
func (k *knowledge) reply(c *claim) ([]events.Head, events.BucketSet) {
	within := c.within
	if c.buckets != nil && !c.given {
		within = k.buckets.Unequal(c.buckets)
	}
	if within == 0 {
		return k.heads, 0
	}
	return k.headsWithin(within), within
}

// heldBy returns what a peer holds that answered a claim made from k with some
// heads; or false when that cannot be said, because the claim did not cover all
// logs.
func (k *knowledge) heldBy(c *claim, heads []events.Head, within events.BucketSet) ([]events.Head, bool) {
	if within == 0 {
		return heads, true
	}
	if c.buckets == nil {
		return nil, false
	}
	// Outside of these buckets the peer holds what k does.
	all := make([]events.Head, 0, len(k.heads)+len(heads))
	for _, h := range k.heads {
		if !within.Has(h.Log) {
			all = append(all, h)
		}
	}
	all = append(all, heads...)
	slices.SortFunc(all, func(a, b events.Head) int { return a.Log.Compare(b.Log) })
	return all, true
}
