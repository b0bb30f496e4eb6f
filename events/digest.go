package events

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
)

// Sum is an order-free sum modulo 2^128 of hashes: adding and taking away cost
// the same, so a sum over a large set follows each change of it. The zero Sum
// is the sum of nothing.
type Sum struct{ Hi, Lo uint64 }

// SumOf reads the first 16 bytes of a hash, big endian.
func SumOf(hash []byte) Sum {
	return Sum{binary.BigEndian.Uint64(hash), binary.BigEndian.Uint64(hash[8:])}
}

// Add returns s + o.
func (s Sum) Add(o Sum) Sum {
	lo, carry := bits.Add64(s.Lo, o.Lo, 0)
	hi, _ := bits.Add64(s.Hi, o.Hi, carry)
	return Sum{hi, lo}
}

// Sub returns s - o.
func (s Sum) Sub(o Sum) Sum {
	lo, borrow := bits.Sub64(s.Lo, o.Lo, 0)
	hi, _ := bits.Sub64(s.Hi, o.Hi, borrow)
	return Sum{hi, lo}
}

// Sum returns what a head adds to Digest.Vector: the first 16 bytes of
// SHA-256(log || sequence as 8 bytes, big endian || chain).
func (h Head) Sum() Sum {
	var b [len(h.Log) + 8 + len(h.Chain)]byte
	copy(b[:], h.Log[:])
	binary.BigEndian.PutUint64(b[len(h.Log):], h.Seq)
	copy(b[len(h.Log)+8:], h.Chain[:])
	hash := sha256.Sum256(b[:])
	return SumOf(hash[:])
}

// DigestSize is the length of a digest in bytes.
const DigestSize = 40

// Digest is equal on two nodes exactly when they know the same. Vector sums
// what events a node holds, State what it concludes from them; equal vectors
// must mean equal states, and anything else is an alarm.
type Digest struct {
	Vector Sum    // over (log, head sequence, head chain)
	State  Sum    // over the registers and the events that own them
	Logs   uint32 // how many logs
	Forked uint32 // how many of them are known to have forked
}

// AppendBinary appends the 40 bytes of d, big endian.
func (d Digest) AppendBinary(b []byte) ([]byte, error) {
	for _, v := range [...]uint64{d.Vector.Hi, d.Vector.Lo, d.State.Hi, d.State.Lo} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = binary.BigEndian.AppendUint32(b, d.Logs)
	return binary.BigEndian.AppendUint32(b, d.Forked), nil
}

// UnmarshalBinary reads 40 bytes.
func (d *Digest) UnmarshalBinary(b []byte) error {
	if len(b) != DigestSize {
		return fmt.Errorf("events: digest of %d bytes, want %d", len(b), DigestSize)
	}
	*d = Digest{
		Vector: SumOf(b), State: SumOf(b[16:]),
		Logs: binary.BigEndian.Uint32(b[32:]), Forked: binary.BigEndian.Uint32(b[36:]),
	}
	return nil
}

// String returns the digest as 80 hexadecimal characters.
func (d Digest) String() string {
	b, _ := d.AppendBinary(make([]byte, 0, DigestSize))
	return hex.EncodeToString(b)
}

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*DigestSize {
		return fmt.Errorf("events: digest of %d characters, want %d", len(text), 2*DigestSize)
	}
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("events: digest: %w", err)
	}
	return d.UnmarshalBinary(b)
}
