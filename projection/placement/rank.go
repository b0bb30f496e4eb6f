package placement

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// ranker computes the rendezvous hash of partitions with one node: XXH64, with
// the seed zero, of the partition's eight bytes and the node's name. Placing
// from nothing takes one for every partition and node and little else, so what
// depends on one of the two only is computed once.
//
// XXH64 takes less than 32 bytes in lanes of 8, one of 4 and single bytes, and
// stirs each into the state (Collet, "xxHash fast digest algorithm", the
// section on short input). The partition is the first lane.
type ranker struct {
	begin uint64    // the state that the partition is stirred into
	long  [2]uint64 // lanes of 8 bytes, ready to be stirred in
	longs int
	mid   uint64 // the lane of 4 bytes, if hasMid
	tail  [3]uint64
	tails int

	hasMid bool
	whole  []byte // room for the partition, then the name: of names that are too long for this
}

// The primes of XXH64.
const (
	prime1 = 0x9E3779B185EBCA87
	prime2 = 0xC2B2AE3D27D4EB4F
	prime3 = 0x165667B19E3779F9
	prime4 = 0x85EBCA77C2B2AE63
	prime5 = 0x27D4EB2F165667C5
)

func newRanker(name string) ranker {
	size := 8 + len(name)
	if size >= 32 {
		return ranker{whole: append(make([]byte, 8, size), name...)}
	}
	r := ranker{begin: prime5 + uint64(size)}
	rest := []byte(name)
	for ; len(rest) >= 8; rest = rest[8:] {
		r.long[r.longs] = lane(binary.LittleEndian.Uint64(rest))
		r.longs++
	}
	if len(rest) >= 4 {
		r.mid, r.hasMid = uint64(binary.LittleEndian.Uint32(rest))*prime1, true
		rest = rest[4:]
	}
	for _, b := range rest {
		r.tail[r.tails] = uint64(b) * prime5
		r.tails++
	}
	return r
}

// lane prepares eight bytes to be stirred in.
func lane(v uint64) uint64 {
	v *= prime2
	return bits.RotateLeft64(v, 31) * prime1
}

// rank returns the hash; first is the partition's lane.
func (r *ranker) rank(p int, first uint64) uint64 {
	if r.whole != nil {
		binary.LittleEndian.PutUint64(r.whole, uint64(p))
		return xxhash.Sum64(r.whole)
	}
	h := bits.RotateLeft64(r.begin^first, 27)*prime1 + prime4
	if r.longs > 0 { // no loops here: this is the innermost of placing
		h = bits.RotateLeft64(h^r.long[0], 27)*prime1 + prime4
		if r.longs > 1 {
			h = bits.RotateLeft64(h^r.long[1], 27)*prime1 + prime4
		}
	}
	if r.hasMid {
		h = bits.RotateLeft64(h^r.mid, 23)*prime2 + prime3
	}
	if r.tails > 0 {
		h = bits.RotateLeft64(h^r.tail[0], 11) * prime1
		if r.tails > 1 {
			h = bits.RotateLeft64(h^r.tail[1], 11) * prime1
			if r.tails > 2 {
				h = bits.RotateLeft64(h^r.tail[2], 11) * prime1
			}
		}
	}
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}
