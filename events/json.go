package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// jsonEvent is the human form of an event. Exactly one of Body, BodyBase64 and
// Raw carries the content: Body when this version can build the same bytes
// from it again, BodyBase64 when it does not know the type or a field of the
// body, Raw (the whole event) when it does not know a field of the event.
type jsonEvent struct {
	ID         ID              `json:"id"`
	Time       Timestamp       `json:"time"`
	Type       Type            `json:"type"`
	Register   string          `json:"register,omitempty"`
	Version    uint64          `json:"version,omitempty"`
	Rank       uint8           `json:"rank,omitempty"`
	Actor      string          `json:"actor,omitempty"`
	Cause      *ID             `json:"cause,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`
	BodyBase64 []byte          `json:"body_base64,omitempty"`
	Chain      Chain           `json:"chain"`
	Raw        []byte          `json:"raw,omitempty"`
}

// MarshalJSON returns the human form of e, from which UnmarshalJSON makes
// exactly the same bytes.
func (e Event) MarshalJSON() ([]byte, error) {
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

// UnmarshalJSON reads the human form. Unknown fields are refused, as they
// could not be kept. The chain is taken as it stands; who receives the event
// checks that it links.
func (e *Event) UnmarshalJSON(b []byte) error {
	var j jsonEvent
	if err := strictJSON(b, &j); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if j.Raw != nil {
		v, err := Decode(j.Raw)
		if err == nil {
			*e = v
		}
		return err
	}
	v := Event{Log: j.ID.Log, Seq: j.ID.Seq, Time: j.Time, Type: j.Type, Register: j.Register,
		Version: j.Version, Rank: j.Rank, Actor: j.Actor, Chain: j.Chain, Body: j.BodyBase64}
	if j.Cause != nil {
		v.Cause = *j.Cause
	}
	if j.Body != nil {
		if err := v.setBody(j.Body, j.BodyBase64); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	raw := appendBytes(v.appendFields(nil), fieldChain, v.Chain[:])
	v, err := Decode(raw)
	if err == nil {
		*e = v
	}
	return err
}

func (e *Event) setBody(body json.RawMessage, other []byte) error {
	if other != nil {
		return errors.New("both body and body_base64")
	}
	p := newPayload(e.Type)
	if p == nil {
		return fmt.Errorf("type %q has no known body, want body_base64", clip(string(e.Type)))
	}
	if err := strictJSON(body, p); err != nil {
		return err
	}
	e.Body = Encode(p)
	return nil
}

func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
