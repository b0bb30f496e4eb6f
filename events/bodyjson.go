package events

import (
	"encoding/base64"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// bodyJSON writes the JSON form of a body straight from its protobuf form,
// without the payload between them, and finds out on the way whether appendTo
// would make the same bytes from the payload. Each payload type names its
// fields in ascending order, which is their order in both forms; whatever is
// left over then was out of order, unknown, repeated or zero.
//
// It gives what encoding/json gives for the payload. A test holds them to each
// other.
type bodyJSON struct {
	dst  []byte
	body []byte
	next int  // where the field after this one begins in body
	bad  bool // appendTo does not make such a body

	num   protowire.Number // of this field; 0 when there is none
	typ   uint8
	value uint64
	data  []byte
}

// Whether a field of JSON stands there when it is zero.
const (
	always  = true
	nonzero = false
)

func openBody(dst, body []byte) bodyJSON {
	w := bodyJSON{dst: append(dst, '{'), body: body}
	w.advance()
	return w
}

// close ends the object and reports whether the body is what appendTo makes.
func (w *bodyJSON) close() ([]byte, bool) {
	return append(w.dst, '}'), !w.bad && w.num == 0
}

func (w *bodyJSON) text(num protowire.Number, name string, zero bool) {
	if w.is(num, wireBytes) {
		w.key(name)
		w.quote(w.data, 1)
		w.advance()
	} else if zero {
		w.key(name)
		w.dst = append(w.dst, '"', '"')
	}
}

func (w *bodyJSON) number(num protowire.Number, name string, zero bool, most uint64) {
	if w.is(num, wireVarint) {
		w.bad = w.bad || w.value == 0 || w.value > most
		w.key(name)
		w.dst = strconv.AppendUint(w.dst, w.value, 10)
		w.advance()
	} else if zero {
		w.key(name)
		w.dst = append(w.dst, '0')
	}
}

func (w *bodyJSON) time(num protowire.Number, name string) {
	if w.is(num, wireFixed64) {
		t := Timestamp(w.value)
		w.bad = w.bad || t == 0 || t > MaxTimestamp
		w.key(name)
		w.dst = append(t.appendText(append(w.dst, '"')), '"')
		w.advance()
	}
}

func (w *bodyJSON) base64(num protowire.Number, name string) {
	if w.is(num, wireBytes) {
		w.bad = w.bad || len(w.data) == 0
		w.key(name)
		w.dst = appendBase64(w.dst, w.data)
		w.advance()
	}
}

// list writes a repeated string; its items may be empty.
func (w *bodyJSON) list(num protowire.Number, name string, zero bool) {
	if !w.is(num, wireBytes) {
		if zero {
			w.key(name)
			w.dst = append(w.dst, "null"...)
		}
		return
	}
	w.key(name)
	open := byte('[')
	for n := 0; w.is(num, wireBytes); n++ {
		w.bad = w.bad || n >= maxItems
		w.dst = append(w.dst, open)
		w.quote(w.data, 0)
		open = ','
		w.advance()
	}
	w.dst = append(w.dst, ']')
}

// dict writes a map of strings, whose entries come sorted by key. It is never
// written when it is empty.
func (w *bodyJSON) dict(num protowire.Number, name string) {
	if !w.is(num, wireBytes) {
		return
	}
	w.key(name)
	open, last := byte('{'), []byte(nil)
	for n := 0; w.is(num, wireBytes); n++ {
		k, kn := nextField(w.data)
		if kn < 0 {
			w.bad = true
			break
		}
		v, vn := nextField(w.data[kn:])
		w.bad = w.bad || n >= maxItems || n > 0 && slices.Compare(k.bytes, last) <= 0 ||
			k.num != 1 || k.typ != wireBytes || v.num != 2 || v.typ != wireBytes || kn+vn != len(w.data)
		w.dst = append(w.dst, open)
		w.quote(k.bytes, 0)
		w.dst = append(w.dst, ':')
		w.quote(v.bytes, 0)
		open, last = ',', k.bytes
		w.advance()
	}
	w.dst = append(w.dst, '}')
}

// is reports whether the next field has this number and this wire type.
func (w *bodyJSON) is(num protowire.Number, typ uint8) bool {
	return w.num == num && w.typ == typ
}

// advance reads the next field. After one that is not protobuf, or has a
// number beyond those of one byte, there is none.
func (w *bodyJSON) advance() {
	at := w.next
	w.num, w.value, w.data = 0, 0, nil
	if w.bad || at >= len(w.body) {
		return
	}
	tag := w.body[at]
	if tag < 1<<3 || tag >= 0x80 {
		w.bad = true
		return
	}
	w.typ = tag & 7
	if w.value, w.data, w.next = readValue(w.body, at+1, w.typ); w.next < 0 {
		w.bad = true
		return
	}
	w.num = protowire.Number(tag >> 3)
}

// key writes the name of a field, which needs no escape.
func (w *bodyJSON) key(name string) {
	if w.dst[len(w.dst)-1] != '{' {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(append(append(w.dst, '"'), name...), '"', ':')
}

// quote writes a string of at least so many bytes.
func (w *bodyJSON) quote(s []byte, least int) {
	w.bad = w.bad || checkText("text", s, least, maxText) != nil
	w.dst = appendQuoted(w.dst, s)
}

func appendBase64(b, v []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), v), '"')
}
