package events

import (
	"encoding/hex"
	"strconv"
)

// MarshalJSON returns the human form of e, from which UnmarshalJSON makes
// exactly the same bytes. Where speed counts call AppendJSON: json.Marshal
// reads again what this returns.
func (e Event) MarshalJSON() ([]byte, error) {
	return e.AppendJSON(make([]byte, 0, 320+3*len(e.Body)))
}

// AppendJSON appends the human form of e, on one line:
//
//	{"id":"01M3ZJ...:4711","time":"2026-09-21T13:35:23.456Z+3","type":"PartitionAssigned",
//	 "register":"partition/17","version":30064771084,"actor":"node-1","cause":"01M3ZJ...:4700",
//	 "body":{"partition":17,"replicas":["node-1","node-2"]},"chain":"9b0c..."}
//
// It makes the bytes that encoding/json makes of the same form, HTML escaping
// included. The error is always nil; it is there because such methods have one.
func (e *Event) AppendJSON(dst []byte) ([]byte, error) {
	dst = e.ID().appendQuoted(append(dst, `{"id":`...))
	dst = append(e.Time.appendText(append(dst, `,"time":"`...)), '"')
	dst = appendQuoted(append(dst, `,"type":`...), []byte(e.Type))
	if e.Register != "" {
		dst = appendQuoted(append(dst, `,"register":`...), []byte(e.Register))
	}
	if e.Version != 0 {
		dst = strconv.AppendUint(append(dst, `,"version":`...), e.Version, 10)
	}
	if e.Rank != 0 {
		dst = strconv.AppendUint(append(dst, `,"rank":`...), uint64(e.Rank), 10)
	}
	if e.Actor != "" {
		dst = appendQuoted(append(dst, `,"actor":`...), []byte(e.Actor))
	}
	if !e.Cause.IsZero() {
		dst = e.Cause.appendQuoted(append(dst, `,"cause":`...))
	}
	whole := e.isWhole()
	if whole {
		dst = e.appendBody(dst)
	}
	dst = hex.AppendEncode(append(dst, `,"chain":"`...), e.Chain[:])
	dst = append(dst, '"')
	if !whole && len(e.raw) > 0 {
		dst = appendBase64(append(dst, `,"raw":`...), e.raw)
	}
	return append(dst, '}'), nil
}

// appendBody appends the body in the form from which the same bytes can be
// made again: its fields, or else base64.
func (e *Event) appendBody(dst []byte) []byte {
	if p := payloadOf(e.Type); p != nil {
		if b, ok := p.appendJSON(append(dst, `,"body":`...), e.Body); ok {
			return b
		}
	}
	if len(e.Body) == 0 {
		return dst
	}
	return appendBase64(append(dst, `,"body_base64":`...), e.Body)
}

// appendQuoted appends the text form in quotes.
func (id ID) appendQuoted(b []byte) []byte {
	if b = append(b, '"'); !id.IsZero() {
		b = id.appendText(b)
	}
	return append(b, '"')
}
