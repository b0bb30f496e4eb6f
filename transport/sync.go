package transport

import (
	"errors"
	"fmt"

	"github.com/skshohagmiah/clusterkit/events"
)

// SyncRequest brings events and asks for others. It is stateless: an exchange
// may be lost, repeated, reordered or cut off anywhere and begun again.
type SyncRequest struct {
	Header
	Digest    events.Digest `json:"digest,omitzero"`
	HasVector bool          `json:"has_vector,omitempty"` // Vector is given, even when it is empty
	Vector    Heads         `json:"vector,omitempty"`     // what the sender holds, ascending by log
	Events    Events        `json:"events,omitempty"`     // what the receiver is thought to lack

	// A large vector is not sent whole: Buckets asks where the vectors differ,
	// and a Vector with Within holds the heads of these buckets only.
	Buckets *events.Buckets  `json:"buckets,omitempty"`
	Within  events.BucketSet `json:"within,omitzero"`

	// Snapshot is the sender's whole state, to be merged: when what the receiver
	// lacks of the sender's own log is no longer kept, it may not know where the
	// sender is and so cannot ask.
	Snapshot []byte `json:"snapshot,omitempty"`
}

// SyncResponse answers with what the caller lacks.
type SyncResponse struct {
	Header
	Digest    events.Digest `json:"digest,omitzero"`
	Code      SyncCode      `json:"code"`
	HasVector bool          `json:"has_vector,omitempty"`
	Vector    Heads         `json:"vector,omitempty"`   // what the answering node holds, ascending by log
	Events    Events        `json:"events,omitempty"`   // contiguous per log
	Snapshot  []byte        `json:"snapshot,omitempty"` // a whole state, to be merged
	More      bool          `json:"more,omitempty"`     // there are more events than fit into Events
	Acks      Heads         `json:"acks,omitempty"`     // what it now holds of the logs that the request brought
	Spoken    bool          `json:"spoken,omitempty"`   // the answering node has itself joined

	Buckets *events.Buckets  `json:"buckets,omitempty"` // instead of a large vector: where do the vectors differ?
	Within  events.BucketSet `json:"within,omitzero"`   // Vector holds only the heads of these buckets
}

// SyncCode says what a SyncResponse holds.
type SyncCode uint8

// The codes of a SyncResponse.
const (
	CodeEqual      SyncCode = iota + 1 // digests are equal: nothing else travels
	CodeData                           // Events holds what the caller lacks, as far as it fits
	CodeNeedVector                     // ask again with a vector
	CodeSnapshot                       // ranges do not help: Snapshot holds the state
)

var syncCodes = [...]string{CodeEqual: "equal", CodeData: "data", CodeNeedVector: "need_vector", CodeSnapshot: "snapshot"}

// String returns the name of c, or "" when it has none.
func (c SyncCode) String() string {
	if int(c) < len(syncCodes) {
		return syncCodes[c]
	}
	return ""
}

// MarshalText implements [encoding.TextMarshaler].
func (c SyncCode) MarshalText() ([]byte, error) {
	if c.String() == "" {
		return nil, fmt.Errorf("sync code %d", uint8(c))
	}
	return []byte(c.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *SyncCode) UnmarshalText(text []byte) error {
	for i, name := range syncCodes {
		if name != "" && name == string(text) {
			*c = SyncCode(i)
			return nil
		}
	}
	return fmt.Errorf("sync code %q", clip(string(text)))
}

func (m *SyncRequest) appendFields(b []byte) []byte {
	b = m.Header.appendFields(b)
	b = appendDigest(b, 8, m.Digest)
	b = appendFlag(b, 9, m.HasVector)
	b = appendHeads(b, 10, m.Vector)
	b = appendEvents(b, 11, m.Events)
	b = appendBytes(b, 12, m.Snapshot)
	b = appendBuckets(b, 20, m.Buckets)
	return appendFixed(b, 21, uint64(m.Within))
}

func (m *SyncRequest) set(f *field) (bool, error) {
	if f.num <= lastHeaderField {
		return m.Header.set(f)
	}
	switch f.num {
	case 8:
		return false, f.digest(&m.Digest)
	case 9:
		return false, f.flag(&m.HasVector)
	case 10:
		return true, f.heads(&m.Vector, MaxHeads)
	case 11:
		return true, f.event(&m.Events)
	case 12:
		return false, f.raw(&m.Snapshot)
	case 20:
		return false, f.buckets(&m.Buckets)
	case 21:
		return false, f.fixed((*uint64)(&m.Within))
	}
	return true, nil
}

func (m *SyncRequest) check() error {
	if err := m.Header.check(); err != nil {
		return err
	}
	if err := m.Vector.check(m.HasVector, m.Within); err != nil {
		return fmt.Errorf("vector: %w", err)
	}
	return m.Events.check()
}

func (m *SyncResponse) appendFields(b []byte) []byte {
	b = m.Header.appendFields(b)
	b = appendDigest(b, 8, m.Digest)
	b = appendUint(b, 9, uint64(m.Code))
	b = appendFlag(b, 10, m.HasVector)
	b = appendHeads(b, 11, m.Vector)
	b = appendEvents(b, 12, m.Events)
	b = appendBytes(b, 13, m.Snapshot)
	b = appendFlag(b, 14, m.More)
	b = appendHeads(b, 15, m.Acks)
	b = appendFlag(b, 16, m.Spoken)
	b = appendBuckets(b, 20, m.Buckets)
	return appendFixed(b, 21, uint64(m.Within))
}

func (m *SyncResponse) set(f *field) (bool, error) {
	if f.num <= lastHeaderField {
		return m.Header.set(f)
	}
	switch f.num {
	case 8:
		return false, f.digest(&m.Digest)
	case 9:
		var code uint64
		err := f.number(&code)
		m.Code = SyncCode(min(code, 255))
		return false, err
	case 10:
		return false, f.flag(&m.HasVector)
	case 11:
		return true, f.heads(&m.Vector, MaxHeads)
	case 12:
		return true, f.event(&m.Events)
	case 13:
		if err := f.raw(&m.Snapshot); err != nil || len(m.Snapshot) > 0 {
			return false, err
		}
		return false, errors.New("is empty")
	case 14:
		return false, f.flag(&m.More)
	case 15:
		return true, f.heads(&m.Acks, MaxEvents)
	case 16:
		return false, f.flag(&m.Spoken)
	case 20:
		return false, f.buckets(&m.Buckets)
	case 21:
		return false, f.fixed((*uint64)(&m.Within))
	}
	return true, nil
}

func (m *SyncResponse) check() error {
	if err := m.Header.check(); err != nil {
		return err
	}
	if m.Code.String() == "" {
		return fmt.Errorf("sync code %d", uint8(m.Code))
	}
	if (m.Code == CodeSnapshot) != (len(m.Snapshot) > 0) {
		return fmt.Errorf("a snapshot of %d bytes in an answer of code %s", len(m.Snapshot), m.Code)
	}
	if err := m.Vector.check(m.HasVector, m.Within); err != nil {
		return fmt.Errorf("vector: %w", err)
	}
	if len(m.Acks) > MaxEvents {
		return fmt.Errorf("%d acks, at most %d", len(m.Acks), MaxEvents)
	}
	return m.Events.check()
}

// snapshotAhead reports whether the beginning of an encoded SyncResponse says
// that a snapshot follows. The code stands before everything that is large.
func snapshotAhead(b []byte) bool {
	var f field
	for {
		n := f.read(b)
		if n < 0 || f.num > 9 {
			return false
		}
		if f.num == 9 {
			return f.value == uint64(CodeSnapshot)
		}
		b = b[n:]
	}
}
