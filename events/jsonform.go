package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// jsonEvent is the human form of an event. Exactly one of Body, BodyBase64 and
// Raw carries the content: Body when this version can build the same bytes
// from it again, BodyBase64 when it does not know the type or a field of the
// body, Raw (the whole event) when it does not know a field of the event. An
// unknown type without a body has none of them.
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

// UnmarshalJSON reads the human form. Unknown fields are refused, as they
// could not be kept, and so is a body that its own type could not read back.
// The chain is taken as it stands; who receives the event checks that it
// links. Every error wraps [ErrMalformed].
func (e *Event) UnmarshalJSON(b []byte) error {
	var j jsonEvent
	err := strictJSON(b, &j)
	if err == nil {
		var v Event
		if v, err = j.event(); err == nil {
			*e = v
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

// event makes the event that j tells of.
func (j *jsonEvent) event() (Event, error) {
	told := Event{Log: j.ID.Log, Seq: j.ID.Seq, Time: j.Time, Type: j.Type, Register: j.Register,
		Version: j.Version, Rank: j.Rank, Actor: j.Actor, Chain: j.Chain, Body: j.BodyBase64}
	if j.Cause != nil {
		told.Cause = *j.Cause
	}
	if j.Raw != nil {
		return j.whole(&told)
	}
	if j.Body != nil {
		if err := told.setBody(j.Body, j.BodyBase64); err != nil {
			return Event{}, err
		}
	}
	var e Event
	err := (*Decoder)(nil).decode(&e, appendBytes(told.appendFields(nil), fieldChain, told.Chain[:]))
	return e, err
}

// whole returns the event whose bytes j carries. The other fields are there
// for people, who must not be told another story.
func (j *jsonEvent) whole(told *Event) (Event, error) {
	if j.Body != nil || j.BodyBase64 != nil {
		return Event{}, errors.New("both a body and raw")
	}
	var e Event
	if err := (*Decoder)(nil).decode(&e, j.Raw); err != nil {
		return e, err
	}
	if e.Stamp() != told.Stamp() || e.Type != told.Type || e.Register != told.Register ||
		e.Actor != told.Actor || e.Cause != told.Cause || e.Chain != told.Chain {
		return Event{}, errors.New("raw is another event than the fields say")
	}
	return e, nil
}

// setBody makes the body from its JSON form.
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
	return decodePayload(p.fresh(), e.Body)
}

func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more after the end")
	}
	return nil
}
