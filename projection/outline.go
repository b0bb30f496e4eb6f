package projection

import (
	"errors"
	"fmt"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
	"google.golang.org/protobuf/encoding/protowire"
)

// Outline is what a snapshot consists of, read where it lies, for those who need
// less than the state, or cannot wait for it.
type Outline struct {
	heads  []byte
	owners []byte
}

// OutlineOf finds the parts of a snapshot, which the Outline shares. It checks that
// they are there, in their order and with their sizes. It does not check what they
// say, nor that the checksum and the digest match: only [ReadSnapshot] does.
func OutlineOf(b []byte) (Outline, error) {
	records, _, err := openSnapshot(b)
	if err != nil {
		return Outline{}, fmt.Errorf("projection: %w: %w", ErrSnapshot, err)
	}
	heads, _, err := countRecords(records)
	if err != nil {
		return Outline{}, fmt.Errorf("projection: %w: %w", ErrSnapshot, err)
	}
	const size = 2 + headSize
	return Outline{heads: records[:heads*size], owners: records[heads*size:]}, nil
}

// Size is that of the owners in bytes, with a few more of each.
func (o Outline) Size() int { return len(o.owners) }

// Heads returns the heads, ascending by log in what AppendSnapshot wrote.
func (o Outline) Heads() []LogHead {
	const size = 2 + headSize
	heads := make([]LogHead, 0, len(o.heads)/size)
	for b := o.heads; len(b) > 0; b = b[size:] {
		h := readHead(b[2:size])
		heads = append(heads, LogHead{Head: h.Head, Time: h.time})
	}
	return heads
}

// Owners yields the bytes of the events that own the registers, ascending by
// register in what AppendSnapshot wrote.
func (o Outline) Owners() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for b := o.owners; len(b) > 0; {
			size, k := protowire.ConsumeVarint(b[1:]) // OutlineOf checked both
			end := 1 + k + int(size)
			if !yield(b[1+k : end : end]) {
				return
			}
			b = b[end:]
		}
	}
}

// openSnapshot returns the records of a snapshot, and the digest that follows
// them.
func openSnapshot(b []byte) (records []byte, digest events.Digest, err error) {
	const tail = 2 + events.DigestSize
	end := len(b) - 2 - checksumSize
	if end < 2+tail {
		return nil, digest, fmt.Errorf("%d bytes are too few", len(b))
	}
	if b[0] != byte(fieldVersion<<3) || b[1] != snapshotVersion {
		return nil, digest, errors.New("of a version that this one cannot read")
	}
	if b[end-tail] != byte(fieldDigest<<3)|2 || b[end-tail+1] != events.DigestSize {
		return nil, digest, errors.New("no digest at the end")
	}
	err = digest.UnmarshalBinary(b[end-tail+2 : end])
	return b[2 : end-tail], digest, err
}
