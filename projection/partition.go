package projection

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// PartitionMap says which nodes hold which partitions.
type PartitionMap struct {
	Partitions []Partition `json:"partitions"` // partition p is at index p
}

// Partition is one partition and the nodes that hold it. It is part of an
// immutable [Cluster]: its slice is shared and must not be changed.
type Partition struct {
	ID       int      `json:"id"`
	Primary  string   `json:"primary_node"`  // "" while nobody owns it
	Replicas []string `json:"replica_nodes"` // the other holders, in the order in which they would take over
	Epoch    uint64   `json:"epoch"`         // coordinator term << 32 | counter; 0 when never assigned

	time  events.Timestamp
	event events.ID
}

// HeldBy reports whether node holds a copy, as primary or replica. It
// allocates nothing.
func (p *Partition) HeldBy(node string) bool {
	return node != "" && (p.Primary == node || slices.Contains(p.Replicas, node))
}

// Event returns the event that owns the partition's register, normally its
// assignment. It is zero when there is none, and in a Partition that was read
// from JSON.
func (p *Partition) Event() events.ID { return p.event }

// Token is a fencing token (Kleppmann, "How to do distributed locking", 2016):
//
//	epoch 8 | time 8 | log 16 | seq 8      all big endian
//
// Tokens of one partition are ordered by their bytes as its register orders
// assignments. A resource that stores the largest token it has seen, in the
// same transaction as the write, and refuses smaller ones, refuses an owner
// that has been replaced and does not know it yet.
type Token [40]byte

// Token returns the fencing token of the present assignment. It is zero when
// there is none; one of a Partition that was read from JSON has only its
// epoch.
func (p *Partition) Token() Token {
	var t Token
	binary.BigEndian.PutUint64(t[:], p.Epoch)
	binary.BigEndian.PutUint64(t[8:], uint64(p.time))
	copy(t[16:], p.event.Log[:])
	binary.BigEndian.PutUint64(t[32:], p.event.Seq)
	return t
}

// Compare orders tokens of one partition.
func (t Token) Compare(o Token) int { return bytes.Compare(t[:], o[:]) }

// String returns the token as 80 hexadecimal characters.
func (t Token) String() string { return hex.EncodeToString(t[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (t Token) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, t[:]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Token) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(t) {
		return fmt.Errorf("projection: fencing token of %d characters, want %d hexadecimal ones", len(text), 2*len(t))
	}
	*t = Token(b)
	return nil
}

// Partition derives one partition from its register, as Cluster would, without
// building a view. It is false for one that was never assigned.
func (s *State) Partition(i int) (Partition, bool) {
	r := s.registers[events.PartitionRegister(i)]
	if r == nil || r.partition < 0 {
		return Partition{ID: i, Replicas: []string{}}, false
	}
	return r.assignment(), true
}

// assignment derives a partition from its register. When the owner of the
// register makes no sense the partition has no owner, but keeps the epoch, so
// that the next assignment goes beyond it.
func (r *register) assignment() Partition {
	e := &r.event
	a := Partition{ID: int(r.partition), Replicas: []string{}, Epoch: e.Version, time: e.Time, event: e.ID()}
	p, err := r.read()
	if assigned, ok := p.(*events.Assignment); err == nil && ok && len(assigned.Replicas) > 0 {
		a.Primary, a.Replicas = assigned.Replicas[0], slices.Clip(assigned.Replicas[1:])
	}
	return a
}
