package events

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// TestLink holds the chain against its definition, for bodies of every size
// around the one up to which they are hashed in one piece.
func TestLink(t *testing.T) {
	prev := Chain(bytes.Repeat([]byte{7}, 16))
	for n := range 1100 {
		body := bytes.Repeat([]byte{byte(n)}, n)
		sum := sha256.Sum256(append(prev[:], body...))
		if got := prev.link(body); got != Chain(sum[:16]) {
			t.Fatalf("%d bytes: %s", n, got)
		}
	}
}
