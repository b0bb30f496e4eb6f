package placement_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

// TestRankIsXXH64 holds the hash against the library's, for names of every
// length around the bounds of its short form.
func TestRankIsXXH64(t *testing.T) {
	for length := range 65 {
		name := strings.Repeat("node-\xff7.example/", 8)[:length]
		for _, p := range []int{0, 1, 255, 256, 1023, 65535} {
			key := append(binary.LittleEndian.AppendUint64(nil, uint64(p)), name...)
			if got, want := placement.Rank(name, p), xxhash.Sum64(key); got != want {
				t.Fatalf("a name of %d bytes, partition %d: %x, want %x", length, p, got, want)
			}
		}
	}
}
