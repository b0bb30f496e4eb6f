package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Head is the newest event held of one log, without a gap before it: its
// sequence and its chain. Comparing chains finds a log that has forked.
type Head struct {
	Log   LogID
	Seq   uint64
	Chain Chain
}

// Vector says which events somebody holds: for each log the highest sequence
// that is held without a gap. It is also a cursor, a place in the history that
// means the same on every node. The nil Vector holds nothing and may be read.
//
// Its text form lists "log:seq" sorted by log and separated by commas.
type Vector map[LogID]uint64

// Covers reports whether the event named by id is held.
func (v Vector) Covers(id ID) bool { return id.Seq <= v[id.Log] }

// Clone returns a copy that can be changed.
func (v Vector) Clone() Vector {
	if v == nil {
		return Vector{}
	}
	return maps.Clone(v)
}

// Merge raises v to hold what either holds.
func (v Vector) Merge(o Vector) {
	for log, seq := range o {
		v[log] = max(v[log], seq)
	}
}

// Dominates reports whether v holds everything that o holds.
func (v Vector) Dominates(o Vector) bool {
	for log, seq := range o {
		if v[log] < seq {
			return false
		}
	}
	return true
}

// Equal reports whether both hold the same events.
func (v Vector) Equal(o Vector) bool { return v.Dominates(o) && o.Dominates(v) }

// Logs returns the logs of v, sorted.
func (v Vector) Logs() []LogID {
	return slices.SortedFunc(maps.Keys(v), LogID.Compare)
}

// String returns the text form of v.
func (v Vector) String() string {
	var b []byte
	for _, log := range v.Logs() {
		if v[log] == 0 {
			continue
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(append(log.appendText(b), ':'), v[log], 10)
	}
	return string(b)
}

// ParseVector reads the form that String writes. Empty text is a vector that
// holds nothing.
func ParseVector(text string) (Vector, error) {
	v := Vector{}
	if text == "" {
		return v, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		id, err := ParseID(part)
		if err != nil {
			return nil, err
		}
		if _, twice := v[id.Log]; twice {
			return nil, fmt.Errorf("events: vector names log %s twice", id.Log)
		}
		v[id.Log] = id.Seq
	}
	return v, nil
}

// MarshalJSON writes an object from log to sequence, sorted by log. Vectors
// that are Equal have the same bytes.
func (v Vector) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 2+40*len(v)), '{')
	for _, log := range v.Logs() {
		if v[log] == 0 {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(log.appendText(append(b, '"')), '"', ':')
		b = strconv.AppendUint(b, v[log], 10)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads the object that MarshalJSON writes. null is a vector
// that holds nothing.
func (v *Vector) UnmarshalJSON(b []byte) error {
	m := map[LogID]uint64{}
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("events: vector: %w", err)
	}
	maps.DeleteFunc(m, func(_ LogID, seq uint64) bool { return seq == 0 })
	*v = m
	return nil
}
