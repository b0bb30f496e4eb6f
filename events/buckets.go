package events

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// BucketCount is in how many buckets the logs of a large vector are put.
const BucketCount = 64

// BucketsSize is the length of Buckets in bytes.
const BucketsSize = 8 * BucketCount

// Buckets is a vector condensed to one sum per bucket of logs, so that two
// nodes who know thousands of logs find out where they differ for 512 bytes.
// Each is the lower half of the sum that Digest.Vector makes over all logs.
// Equal sums may, with a chance of 2^-64, hide a difference; the digest does
// not, and who finds unequal digests and equal buckets exchanges the vectors.
type Buckets [BucketCount]uint64

// BucketOf returns the bucket of a log: the lowest bits of its random part.
func BucketOf(log LogID) int { return int(log[len(log)-1] % BucketCount) }

// Move replaces what a head adds to the sum of its bucket.
func (b *Buckets) Move(log LogID, from, to Sum) { b[BucketOf(log)] += to.Lo - from.Lo }

// Unequal returns the buckets in which b and o differ.
func (b *Buckets) Unequal(o *Buckets) (s BucketSet) {
	for i := range b {
		if b[i] != o[i] {
			s |= 1 << i
		}
	}
	return s
}

// AppendBinary appends the 512 bytes of b, big endian.
func (b *Buckets) AppendBinary(to []byte) ([]byte, error) {
	for _, v := range b {
		to = binary.BigEndian.AppendUint64(to, v)
	}
	return to, nil
}

// UnmarshalBinary reads 512 bytes.
func (b *Buckets) UnmarshalBinary(from []byte) error {
	if len(from) != BucketsSize {
		return fmt.Errorf("events: buckets of %d bytes, want %d", len(from), BucketsSize)
	}
	for i := range b {
		b[i] = binary.BigEndian.Uint64(from[8*i:])
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler]: 1024 hexadecimal characters.
func (b *Buckets) MarshalText() ([]byte, error) {
	raw, _ := b.AppendBinary(make([]byte, 0, BucketsSize)) // never fails
	return hex.AppendEncode(nil, raw), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *Buckets) UnmarshalText(text []byte) error {
	if len(text) != 2*BucketsSize {
		return fmt.Errorf("events: buckets of %d characters, want %d", len(text), 2*BucketsSize)
	}
	raw, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("events: buckets: %w", err)
	}
	return b.UnmarshalBinary(raw)
}

// BucketSet is a set of buckets, bit i for bucket i. The zero BucketSet is
// empty.
type BucketSet uint64

// Has reports whether a log's bucket is in the set.
func (s BucketSet) Has(log LogID) bool { return s>>BucketOf(log)&1 == 1 }

// MarshalText implements [encoding.TextMarshaler]: 16 hexadecimal characters.
func (s BucketSet) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(s)), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *BucketSet) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != 8 {
		return fmt.Errorf("events: set of buckets %q, want 16 hexadecimal characters", text[:min(len(text), 32)])
	}
	*s = BucketSet(binary.BigEndian.Uint64(raw))
	return nil
}
