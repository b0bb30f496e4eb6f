package events

import "slices"

// Value is an application value; a deleted one has no bytes.
type Value struct {
	Key   string `json:"key"`
	Value []byte `json:"value,omitempty"`
}

func (p *Value) appendTo(b []byte) []byte {
	return appendBytes(appendString(b, 1, p.Key), 2, p.Value)
}

func (*Value) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.text(1, "key", always)
	w.base64(2, "value")
	return w.close()
}

func (*Value) fresh() Payload { return new(Value) }

func (p *Value) set(f field) error {
	switch f.num {
	case 1:
		return text(&p.Key, f)
	case 2:
		p.Value = slices.Clone(f.bytes)
		return wire(f, wireBytes)
	}
	return nil
}
