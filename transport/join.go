package transport

import (
	"errors"
	"fmt"
	"net"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skshohagmiah/clusterkit/events"
)

// JoinRequest introduces a new or returning node. Its Header may leave To
// empty: who joins knows an address and not who is there.
type JoinRequest struct {
	Header
	Node     *events.NodeRecord   `json:"node,omitempty"`     // what the sender says of itself
	Settings events.ClusterConfig `json:"settings,omitzero"`  // so that a mismatch can name fields
	Protocol uint32               `json:"protocol,omitempty"` // version of the conversation
}

// JoinResponse tells a node whom it can talk to.
type JoinResponse struct {
	Header
	Members Members       `json:"members,omitempty"`
	Digest  events.Digest `json:"digest,omitzero"`
	Spoken  bool          `json:"spoken,omitempty"` // the answering node has itself joined
}

// Member is one node as the answering one sees it.
type Member struct {
	ID          string       `json:"id"`
	Addr        string       `json:"addr,omitempty"`
	Status      string       `json:"status,omitempty"`
	Incarnation uint64       `json:"incarnation,omitempty"`
	Log         events.LogID `json:"log,omitzero"` // which it writes; zero when unknown
}

func (m *JoinRequest) appendFields(b []byte) []byte {
	b = m.Header.appendFields(b)
	if m.Node != nil {
		b = appendBytes(b, 8, events.Encode(m.Node))
	}
	b = appendBytes(b, 9, events.Encode(&m.Settings))
	return appendUint(b, 10, uint64(m.Protocol))
}

func (m *JoinRequest) set(f *field) (bool, error) {
	if f.num <= lastHeaderField {
		return m.Header.set(f)
	}
	switch f.num {
	case 8:
		var node []byte
		if err := f.raw(&node); err != nil {
			return false, err
		}
		p, err := (&events.Event{Type: events.NodeJoined, Body: node}).Payload()
		if err == nil {
			m.Node = p.(*events.NodeRecord)
		}
		return false, err
	case 9:
		var settings []byte
		if err := f.raw(&settings); err != nil {
			return false, err
		}
		p, err := (&events.Event{Type: events.ClusterConfigured, Body: settings}).Payload()
		if err == nil {
			m.Settings = *p.(*events.ClusterConfig)
		}
		return false, err
	case 10:
		if f.value > 1<<31-1 {
			return false, errors.New("protocol out of range")
		}
		m.Protocol = uint32(f.value)
		var v uint64
		return false, f.number(&v)
	}
	return true, nil
}

func (m *JoinRequest) check() error {
	if err := m.Header.check(); err != nil {
		return err
	}
	if m.Node == nil {
		return errors.New("node is missing")
	}
	if m.Node.ID != m.From {
		return fmt.Errorf("node is %q and from is %q", clip(m.Node.ID), clip(m.From))
	}
	// What JSON brought must be what events may hold.
	if _, err := (&events.Event{Type: events.NodeJoined, Body: events.Encode(m.Node)}).Payload(); err != nil {
		return err
	}
	if _, err := (&events.Event{Type: events.ClusterConfigured, Body: events.Encode(&m.Settings)}).Payload(); err != nil {
		return err
	}
	if err := checkText("node.addr", m.Node.Addr, 0, MaxAddrLength); err != nil {
		return err // who listens on all interfaces may not know its address yet
	}
	if err := checkText("node.name", m.Node.Name, 0, maxName); err != nil {
		return err
	}
	if err := checkText("node.zone", m.Node.Zone, 0, maxName); err != nil {
		return err
	}
	if n := sizeOf(m.Node.Services) + sizeOf(m.Node.Metadata); n > MaxMetadata {
		return fmt.Errorf("node.services and node.metadata hold %d bytes, at most %d", n, MaxMetadata)
	}
	return nil
}

func (m *JoinResponse) appendFields(b []byte) []byte {
	b = m.Header.appendFields(b)
	var buf []byte
	for i := range m.Members {
		buf = m.Members[i].appendFields(buf[:0])
		b = protowire.AppendBytes(protowire.AppendTag(b, 8, protowire.BytesType), buf)
	}
	b = appendDigest(b, 9, m.Digest)
	return appendFlag(b, 10, m.Spoken)
}

func (m *JoinResponse) set(f *field) (bool, error) {
	if f.num <= lastHeaderField {
		return m.Header.set(f)
	}
	switch f.num {
	case 8:
		if f.typ != protowire.BytesType {
			return true, f.want(protowire.BytesType)
		}
		if len(m.Members) >= MaxMembers {
			return true, fmt.Errorf("more than %d members", MaxMembers)
		}
		if m.Members == nil {
			m.Members = make(Members, 0, f.room(MaxMembers))
		}
		m.Members = append(m.Members, Member{})
		member := &m.Members[len(m.Members)-1]
		if err := f.within(member); err != nil {
			return true, err
		}
		return true, member.check() // before the next one takes memory
	case 9:
		return false, f.digest(&m.Digest)
	case 10:
		return false, f.flag(&m.Spoken)
	}
	return true, nil
}

func (m *JoinResponse) check() error {
	if err := m.Header.check(); err != nil {
		return err
	}
	if len(m.Members) > MaxMembers {
		return fmt.Errorf("%d members, at most %d", len(m.Members), MaxMembers)
	}
	for i := range m.Members {
		if err := m.Members[i].check(); err != nil {
			return fmt.Errorf("member %d: %w", i+1, err)
		}
	}
	return nil
}

func (m *Member) appendFields(b []byte) []byte {
	b = appendString(b, 1, m.ID)
	b = appendString(b, 2, m.Addr)
	b = appendString(b, 3, m.Status)
	b = appendUint(b, 4, m.Incarnation)
	return appendArray16(b, 5, m.Log)
}

func (m *Member) set(f *field) (bool, error) {
	switch f.num {
	case 1:
		return false, f.text(&m.ID)
	case 2:
		return false, f.text(&m.Addr)
	case 3:
		return false, f.text(&m.Status)
	case 4:
		return false, f.number(&m.Incarnation)
	case 5:
		return false, f.log(&m.Log)
	}
	return true, nil
}

func (m *Member) check() error {
	if err := events.CheckNodeID(m.ID); err != nil {
		return err
	}
	if err := checkText("addr", m.Addr, 0, MaxAddrLength); err != nil {
		return err
	}
	return checkText("status", m.Status, 0, maxStatus)
}

// checkAddr accepts what can be dialled: a host and a port.
func checkAddr(what, addr string) error {
	if err := checkText(what, addr, 1, MaxAddrLength); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("%s %q is not host:port", what, addr)
	}
	return nil
}

func sizeOf(m map[string]string) int {
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
	}
	return n
}

// clip shortens hostile input for an error message.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
