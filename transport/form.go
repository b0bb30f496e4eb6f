package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
)

// Form is one of the two forms that a message has, with the same fields.
type Form uint8

// The forms of a message, by media type. Nodes speak protobuf to each other;
// JSON is for people and for clients in other languages.
const (
	JSON     Form = iota // application/json
	Protobuf             // application/x-protobuf
)

const (
	mediaJSON     = "application/json"
	mediaProtobuf = "application/x-protobuf"
)

// ContentType returns the media type of f.
func (f Form) ContentType() string {
	if f == Protobuf {
		return mediaProtobuf
	}
	return mediaJSON
}

// formOf returns the form of a media type, parameters aside. None at all is
// JSON.
func formOf(contentType string) (Form, bool) {
	if contentType == mediaProtobuf {
		return Protobuf, true
	}
	if contentType == "" {
		return JSON, true
	}
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return 0, false
	case media == mediaProtobuf:
		return Protobuf, true
	}
	return JSON, media == mediaJSON
}

// ErrMalformed is wrapped by every error that Unmarshal returns.
var ErrMalformed = errors.New("malformed message")

// Message is one of the requests and responses of this package.
type Message interface {
	message
	header() *Header
	check() error
}

// Marshal encodes m. It refuses what Unmarshal would refuse.
func Marshal(form Form, m Message) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("transport: encode %T: %w", m, err)
	}
	if form == JSON {
		b, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("transport: encode %T: %w", m, err)
		}
		return append(b, '\n'), nil
	}
	return m.appendFields(make([]byte, 0, sizeHint(m))), nil
}

// sizeHint estimates the encoded size of what may be large.
func sizeHint(m Message) int {
	n := 512
	switch m := m.(type) {
	case *SyncRequest:
		n += 42*len(m.Vector) + m.Events.size()
	case *SyncResponse:
		n += 42*(len(m.Vector)+len(m.Acks)) + m.Events.size() + len(m.Snapshot)
	case *JoinResponse:
		n += 80 * len(m.Members)
	}
	return n
}

// Unmarshal decodes b into m, which must be empty. Every count and length is
// checked against the bytes that are there before memory is allocated for it;
// what is not exactly a message is refused. Protobuf may hold fields of a
// later version, which are skipped; JSON, which people write, may not. m keeps
// b, which must not be changed afterwards.
func Unmarshal(form Form, b []byte, m Message) error {
	var err error
	if form == JSON {
		err = readJSON(b, m)
	} else {
		err = readMessage(b, m)
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}
