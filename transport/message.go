package transport

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/skshohagmiah/clusterkit/events"
)

// Limits on what a message may hold. Those of events are in package events.
const (
	MaxEvents     = 4096      // events in one message
	MaxHeads      = 65536     // logs in a vector
	MaxMembers    = 16384     // members in the answer to a join
	MaxAddrLength = 255       // bytes of a host:port
	MaxMetadata   = 4 << 10   // bytes of a node's services and metadata together
	MaxClusterLen = 64        // bytes of a cluster's name
	maxName       = 128       // bytes of a node's name or zone
	maxStatus     = 32        // bytes of a member's status
	maxDegraded   = 256       // bytes of the reason of a degraded node
	maxWall       = 1<<47 - 1 // Unix milliseconds, as far as events can tell
)

// Header begins every message. It says who speaks to whom, so that a recycled
// address never merges two clusters.
type Header struct {
	Cluster string       `json:"cluster,omitempty"`       // the cluster's name
	Config  uint64       `json:"config,string,omitempty"` // hash of what all its nodes agree on
	From    string       `json:"from,omitempty"`          // node id of the sender
	FromLog events.LogID `json:"from_log,omitzero"`       // the log that it writes now
	To      string       `json:"to,omitempty"`            // node id of the receiver; empty only in a join
	Wall    int64        `json:"wall,omitempty"`          // the sender's clock, Unix milliseconds
}

// lastHeaderField is the largest field number that belongs to the header;
// those of the message follow. 7 is free for a later version.
const lastHeaderField = 7

func (h *Header) appendFields(b []byte) []byte {
	b = appendString(b, 1, h.Cluster)
	b = appendFixed(b, 2, h.Config)
	b = appendString(b, 3, h.From)
	b = appendArray16(b, 4, h.FromLog)
	b = appendString(b, 5, h.To)
	return appendUint(b, 6, uint64(h.Wall))
}

func (h *Header) set(f *field) (bool, error) {
	switch f.num {
	case 1:
		return false, f.text(&h.Cluster)
	case 2:
		return false, f.fixed(&h.Config)
	case 3:
		return false, f.text(&h.From)
	case 4:
		return false, f.log(&h.FromLog)
	case 5:
		return false, f.text(&h.To)
	case 6:
		var wall uint64
		err := f.number(&wall)
		h.Wall = int64(min(wall, maxWall+1)) // check refuses what is beyond
		return false, err
	}
	return true, nil
}

// header returns h; it makes every message a Message.
func (h *Header) header() *Header { return h }

func (h *Header) check() error {
	if err := checkText("cluster", h.Cluster, 1, MaxClusterLen); err != nil {
		return err
	}
	if err := events.CheckNodeID(h.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	if h.FromLog.IsZero() {
		return errors.New("from_log is missing")
	}
	if h.To != "" {
		if err := events.CheckNodeID(h.To); err != nil {
			return fmt.Errorf("to: %w", err)
		}
	}
	if h.Wall < 0 || h.Wall > maxWall {
		return errors.New("wall is out of range")
	}
	return nil
}

// checkText accepts valid UTF-8 of a bounded length without control
// characters.
func checkText(what, s string, least, most int) error {
	if len(s) < least || len(s) > most {
		return fmt.Errorf("%s has %d bytes, want %d to %d", what, len(s), least, most)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not valid UTF-8", what)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("%s has a control character", what)
		}
	}
	return nil
}
