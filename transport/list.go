package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skshohagmiah/clusterkit/events"
)

// Heads is a list of heads. In JSON each is the text "log:seq:chain", or
// "log:seq" without a chain, as in an acknowledgement.
type Heads []events.Head

// MarshalJSON implements [json.Marshaler].
func (l Heads) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 2+84*len(l)), '[')
	for i := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, '"'), l[i].Log.String()...)
		b = strconv.AppendUint(append(b, ':'), l[i].Seq, 10)
		if l[i].Chain != (events.Chain{}) {
			b = append(append(b, ':'), l[i].Chain.String()...)
		}
		b = append(b, '"')
	}
	return append(b, ']'), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It stops at the first mistake
// and after MaxHeads.
func (l *Heads) UnmarshalJSON(b []byte) error {
	*l = nil
	return eachItem(b, func(d *json.Decoder) error {
		if len(*l) >= MaxHeads {
			return fmt.Errorf("more than %d heads", MaxHeads)
		}
		var text string
		if err := d.Decode(&text); err != nil {
			return err
		}
		h, err := parseHead(text)
		*l = append(*l, h)
		return err
	})
}

func parseHead(text string) (h events.Head, err error) {
	bad := fmt.Errorf("head %q: want log:seq:chain", clip(text))
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return h, bad
	}
	if h.Log, err = events.ParseLogID(parts[0]); err != nil {
		return h, err
	}
	if h.Seq, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return h, bad
	}
	if len(parts) == 3 {
		err = h.Chain.UnmarshalText([]byte(parts[2]))
	}
	return h, err
}

// check accepts a vector: ascending by log, none when it is not given, and
// when it is given only within some buckets, none of another.
func (l Heads) check(given bool, within events.BucketSet) error {
	if !given && (len(l) > 0 || within != 0) {
		return errors.New("is there and has_vector is not set")
	}
	if len(l) > MaxHeads {
		return fmt.Errorf("%d heads, at most %d", len(l), MaxHeads)
	}
	for i := 1; i < len(l); i++ {
		if l[i-1].Log.Compare(l[i].Log) >= 0 {
			return fmt.Errorf("log %s does not ascend", l[i].Log)
		}
	}
	for i := range l {
		if within != 0 && !within.Has(l[i].Log) {
			return fmt.Errorf("log %s is in none of its buckets", l[i].Log)
		}
	}
	return nil
}

// Events is a list of events, in JSON of their human forms. Events that were
// decoded from protobuf share the bytes of the message, which must not be
// changed.
type Events []events.Event

// UnmarshalJSON implements [json.Unmarshaler]. It stops at the first mistake
// and after MaxEvents.
func (l *Events) UnmarshalJSON(b []byte) error {
	*l = nil
	return eachItem(b, func(d *json.Decoder) error {
		if len(*l) >= MaxEvents {
			return fmt.Errorf("more than %d events", MaxEvents)
		}
		var e events.Event
		err := d.Decode(&e)
		*l = append(*l, e)
		return err
	})
}

func (l Events) check() error {
	if len(l) > MaxEvents {
		return fmt.Errorf("%d events, at most %d", len(l), MaxEvents)
	}
	for i := range l {
		if len(l[i].Raw()) == 0 {
			return fmt.Errorf("event %d was neither sealed nor decoded", i+1)
		}
	}
	return nil
}

func (l Events) size() (n int) {
	for i := range l {
		n += len(l[i].Raw()) + 4 // tag and length
	}
	return n
}

// event appends one event to a list.
func (f *field) event(list *Events) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if len(*list) >= MaxEvents {
		return fmt.Errorf("more than %d events", MaxEvents)
	}
	e, err := f.scratch.names.Decode(f.bytes)
	if err != nil {
		return err
	}
	if *list == nil {
		*list = make(Events, 0, f.room(MaxEvents))
	}
	*list = append(*list, e)
	return nil
}

func appendEvents(b []byte, num protowire.Number, list Events) []byte {
	for i := range list {
		b = appendBytes(b, num, list[i].Raw())
	}
	return b
}

// Members is a list of members.
type Members []Member

// UnmarshalJSON implements [json.Unmarshaler]. It stops at the first mistake
// and after MaxMembers.
func (l *Members) UnmarshalJSON(b []byte) error {
	*l = nil
	return eachItem(b, func(d *json.Decoder) error {
		if len(*l) >= MaxMembers {
			return fmt.Errorf("more than %d members", MaxMembers)
		}
		var m Member
		d.DisallowUnknownFields()
		if err := d.Decode(&m); err != nil {
			return err
		}
		*l = append(*l, m)
		return m.check()
	})
}

// eachItem calls item for each element of a JSON array.
func eachItem(b []byte, item func(*json.Decoder) error) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.Join(errors.New("want a list"), err)
	}
	for n := 1; d.More(); n++ {
		if err := item(d); err != nil {
			return fmt.Errorf("item %d: %w", n, err)
		}
	}
	_, err := d.Token()
	return err
}
