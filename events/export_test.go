package events

import (
	"bytes"
	"encoding/json"
)

// What the tests beside this file hold the package to from the inside.
const (
	MaxText  = maxText
	MaxSmall = maxSmall
	MaxItems = maxItems
	MaxNames = maxNames
)

// NewPayload returns an empty payload of a known type, or nil.
func NewPayload(t Type) Payload { return newPayload(t) }

// DecodePayload decodes any body into p.
func DecodePayload(p Payload, b []byte) error { return decodePayload(p, b) }

// Reencode builds the bytes of e again from its exported fields.
func Reencode(e *Event) []byte {
	return appendBytes(e.appendFields(nil), fieldChain, e.Chain[:])
}

// Forge encodes e without any check, linked to prev.
func Forge(e Event, prev Chain) []byte {
	b := e.appendFields(nil)
	chain := prev.link(b)
	return appendBytes(b, fieldChain, chain[:])
}

// NamesHeld returns how many names d remembers.
func NamesHeld(d *Decoder) int { return len(d.names) }

// ReferenceJSON is the human form as encoding/json makes it of jsonEvent: what
// AppendJSON must equal.
func ReferenceJSON(e Event) ([]byte, error) {
	j := jsonEvent{ID: e.ID(), Time: e.Time, Type: e.Type, Register: e.Register,
		Version: e.Version, Rank: e.Rank, Actor: e.Actor, Chain: e.Chain}
	if !e.Cause.IsZero() {
		j.Cause = &e.Cause
	}
	if known := e.appendFields(nil); !bytes.Equal(known, e.raw[:max(0, len(e.raw)-chainSize)]) {
		j.Raw = e.raw
		return json.Marshal(j)
	}
	if p, err := e.Payload(); err == nil && bytes.Equal(Encode(p), e.Body) {
		if j.Body, err = json.Marshal(p); err != nil {
			return nil, err
		}
	} else {
		j.BodyBase64 = e.Body
	}
	return json.Marshal(j)
}

// DecodeBothWays decodes b the way that most events go, which may decline, and
// the way that knows everything.
func DecodeBothWays(b []byte) (usual, full Event, ok bool, err error) {
	var d Decoder
	if d.decode(&usual, b) != nil {
		return Event{}, full, false, nil
	}
	end := len(b) - chainSize
	full = Event{raw: b, Chain: Chain(b[end+2:])}
	if err = d.decodeFields(&full, b[:end]); err == nil && full.Cause.Seq != 0 && full.Cause.Log.IsZero() {
		full.Cause.Log = full.Log
	}
	return usual, full, d.decodeUsual(&Event{}, b[:end]), err
}

// CheckAssignment is the shortcut of CheckPayload.
func CheckAssignment(b []byte) bool { return checkAssignment(b) }
