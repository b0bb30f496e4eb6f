package transport

import (
	"errors"

	"github.com/skshohagmiah/clusterkit/events"
)

// ProbeRequest asks a node whether it is there or, with a Target, whether it
// can reach another one. It carries the digest, so that the failure detector
// and the comparison of knowledge are one message.
type ProbeRequest struct {
	Header
	Digest     events.Digest `json:"digest,omitzero"`
	Target     string        `json:"target,omitempty"`      // node id; empty for a direct probe
	TargetAddr string        `json:"target_addr,omitempty"` // host:port
	Accused    uint64        `json:"accused,omitempty"`     // incarnation of the receiver that the sender believes suspected or failed
	Reach      uint64        `json:"reach,omitempty"`       // milliseconds for which the Target is tried; 0: as the receiver likes
}

// ProbeResponse says that a node is there.
type ProbeResponse struct {
	Header
	Digest      events.Digest `json:"digest,omitzero"`
	Equal       bool          `json:"equal,omitempty"` // Digest is that of the request
	Incarnation uint64        `json:"incarnation,omitempty"`
	Reached     bool          `json:"reached,omitempty"`  // the target of an indirect probe answered
	Degraded    string        `json:"degraded,omitempty"` // why this node is there and of no use; empty when it is well

	// Process names the process that answers among all that bear its node id;
	// it is the StartedAt of the record with which that process introduces
	// itself.
	Process events.Timestamp `json:"process,omitzero"`
}

func (m *ProbeRequest) appendFields(b []byte) []byte {
	b = m.Header.appendFields(b)
	b = appendDigest(b, 8, m.Digest)
	b = appendString(b, 9, m.Target)
	b = appendString(b, 10, m.TargetAddr)
	b = appendUint(b, 11, m.Accused)
	return appendUint(b, 12, m.Reach)
}

func (m *ProbeRequest) set(f *field) (bool, error) {
	if f.num <= lastHeaderField {
		return m.Header.set(f)
	}
	switch f.num {
	case 8:
		return false, f.digest(&m.Digest)
	case 9:
		return false, f.text(&m.Target)
	case 10:
		return false, f.text(&m.TargetAddr)
	case 11:
		return false, f.number(&m.Accused)
	case 12:
		return false, f.number(&m.Reach)
	}
	return true, nil
}

func (m *ProbeRequest) check() error {
	if err := m.Header.check(); err != nil {
		return err
	}
	if m.Target == "" && m.TargetAddr == "" {
		return nil
	}
	if err := events.CheckNodeID(m.Target); err != nil {
		return errors.Join(errors.New("target"), err)
	}
	return checkAddr("target_addr", m.TargetAddr)
}

func (m *ProbeResponse) appendFields(b []byte) []byte {
	b = m.Header.appendFields(b)
	b = appendDigest(b, 8, m.Digest)
	b = appendFlag(b, 9, m.Equal)
	b = appendUint(b, 10, m.Incarnation)
	b = appendFlag(b, 11, m.Reached)
	b = appendString(b, 12, m.Degraded)
	return appendFixed(b, 13, uint64(m.Process))
}

func (m *ProbeResponse) set(f *field) (bool, error) {
	if f.num <= lastHeaderField {
		return m.Header.set(f)
	}
	switch f.num {
	case 8:
		return false, f.digest(&m.Digest)
	case 9:
		return false, f.flag(&m.Equal)
	case 10:
		return false, f.number(&m.Incarnation)
	case 11:
		return false, f.flag(&m.Reached)
	case 12:
		return false, f.text(&m.Degraded)
	case 13:
		return false, f.fixed((*uint64)(&m.Process))
	}
	return true, nil
}

func (m *ProbeResponse) check() error {
	if err := m.Header.check(); err != nil {
		return err
	}
	if m.Process > events.MaxTimestamp {
		return errors.New("process is out of range")
	}
	return checkText("degraded", m.Degraded, 0, maxDegraded)
}
