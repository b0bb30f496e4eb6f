package events

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Chain links an event to all that came before it in its log: the first 16
// bytes of SHA-256 over the previous chain and the event's bytes without its
// own chain. Two logs with the same chain at the same sequence hold the same
// events up to there.
type Chain [16]byte

// Genesis returns the chain that the first event of a log links to.
func Genesis(log LogID) Chain {
	sum := sha256.Sum256(log[:])
	return Chain(sum[:16])
}

// link returns the chain of the event whose bytes, without its chain, are body.
func (c Chain) link(body []byte) Chain {
	var buf [1024]byte // most events fit: one piece is hashed faster than two
	if len(c)+len(body) <= len(buf) {
		copy(buf[:], c[:])
		sum := sha256.Sum256(buf[:len(c)+copy(buf[len(c):], body)])
		return Chain(sum[:16])
	}
	h := sha256.New()
	h.Write(c[:])
	h.Write(body)
	var sum [sha256.Size]byte
	return Chain(h.Sum(sum[:0])[:16])
}

// String returns the chain as 32 hexadecimal characters.
func (c Chain) String() string { return hex.EncodeToString(c[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (c Chain) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Chain) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(c) {
		return fmt.Errorf("events: chain %q: want %d hexadecimal characters", clip(string(text)), 2*len(c))
	}
	*c = Chain(b)
	return nil
}

// Links reports whether e is the event that follows prev: its chain is right,
// so nothing before or in it was changed.
func (e *Event) Links(prev Chain) bool {
	return len(e.raw) >= chainSize && prev.link(e.raw[:len(e.raw)-chainSize]) == e.Chain
}
