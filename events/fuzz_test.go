package events_test

import (
	"bytes"
	"reflect"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/skshohagmiah/clusterkit/events"
)

// FuzzDecode: no input makes Decode panic or keep more than it was given; what
// decodes is protobuf, has one encoding, survives JSON and a clone.
func FuzzDecode(f *testing.F) {
	for _, e := range history(f) {
		f.Add(e.Raw())
	}
	desc := protoFile(f).Messages().ByName("Event")
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := events.Decode(b)
		var d events.Decoder
		for range 2 { // the second time with names that are known
			again, err2 := d.Decode(b)
			if (err == nil) != (err2 == nil) || !reflect.DeepEqual(e, again) {
				t.Fatalf("Decode: %+v, %v\nDecoder: %+v, %v", e, err, again, err2)
			}
		}
		if err != nil {
			return
		}
		if len(b) > events.MaxEventSize || len(e.Type)+len(e.Register)+len(e.Actor)+len(e.Body) > len(b) {
			t.Fatal("more came out than went in")
		}
		later := hasLaterField(t, b)
		if again := events.Reencode(&e); !later && !bytes.Equal(again, b) {
			t.Fatalf("two encodings:\n%x\n%x", b, again)
		}
		m := dynamicpb.NewMessage(desc)
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatalf("not protobuf: %v", err)
		}
		if m.SetUnknown(nil); !proto.Equal(m, message(desc, &e)) {
			t.Fatalf("the official implementation reads %v", m)
		}
		if c := e.Clone(); !reflect.DeepEqual(c, e) {
			t.Fatalf("clone %+v\nof %+v", c, e)
		}
		checkJSON(t, &e)
	})
}

// FuzzUnmarshalJSON: no input makes UnmarshalJSON panic; what it reads is an
// event like any other.
func FuzzUnmarshalJSON(f *testing.F) {
	for _, e := range history(f) {
		f.Add([]byte(toJSON(f, e)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e events.Event
		if e.UnmarshalJSON(b) != nil {
			if e.Raw() != nil {
				t.Fatal("an event comes with the error")
			}
			return
		}
		if d, err := events.Decode(e.Raw()); err != nil || !reflect.DeepEqual(d, e) {
			t.Fatalf("%+v\ndecodes as %+v, %v", e, d, err)
		}
		checkJSON(t, &e)
	})
}

// FuzzPayload decodes the body of each type: no panic, memory bounded by the
// input, no text that lies, and the same as the official implementation reads.
// What it decodes, it encodes to a fixed point.
func FuzzPayload(f *testing.F) {
	for _, e := range history(f) {
		for i, typ := range payloadTypes {
			if reflect.TypeOf(events.NewPayload(e.Type)) == reflect.TypeOf(events.NewPayload(typ)) {
				f.Add(uint8(i), e.Body)
			}
		}
	}
	messages := protoFile(f).Messages()
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		typ := payloadTypes[int(kind)%len(payloadTypes)]
		p := events.NewPayload(typ)
		err := events.DecodePayload(p, body)
		if text, items := weigh(p); text > len(body) || items > events.MaxItems*2 {
			t.Fatalf("%d bytes make %d of text and %d items", len(body), text, items)
		}
		if err == nil {
			m := dynamicpb.NewMessage(messages.ByName(nameOf(p)))
			if err := proto.Unmarshal(body, m); err != nil {
				t.Fatalf("not protobuf: %v", err)
			}
			if d := differs(p, m); d != "" {
				t.Fatal(d)
			}
			again, canonical := events.NewPayload(typ), events.Encode(p)
			if err := events.DecodePayload(again, canonical); err != nil || !bytes.Equal(events.Encode(again), canonical) {
				t.Fatalf("%x is not a fixed point: %v", canonical, err)
			}
		}
		if e, err := events.Seal(events.Event{Log: events.LogID{1}, Seq: 1, Time: 1, Type: typ, Body: body}, events.Chain{}); err == nil {
			checkJSON(t, &e)
		}
	})
}

// weigh counts what a payload holds.
func weigh(p events.Payload) (text, items int) {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i).Interface().(type) {
		case string:
			text += len(f)
		case []byte:
			text += len(f)
		case []string:
			items += len(f)
			for _, s := range f {
				text += len(s)
			}
		case map[string]string:
			items += len(f)
			for k, s := range f {
				text += len(k) + len(s)
			}
		}
	}
	return text, items
}

// FuzzAppendJSON writes events that were never sealed, with any text at all:
// AppendJSON equals encoding/json even where no event can come from.
func FuzzAppendJSON(f *testing.F) {
	f.Add("PartitionAssigned", "partition/1", "n1", []byte("\x08\x01"), uint64(7), uint8(1), uint64(3))
	f.Add("\u2028\xff<&>", "\"\\/", "\b\f\n\r\t\x00\x7f\u0080", []byte(nil), uint64(0), uint8(0), uint64(0))
	f.Fuzz(func(t *testing.T, typ, register, actor string, body []byte, n uint64, rank uint8, cause uint64) {
		e := events.Event{Log: events.LogID{1}, Seq: n, Time: events.Timestamp(n), Type: events.Type(typ), Register: register,
			Version: n, Rank: rank, Actor: actor, Cause: events.ID{Log: events.LogID{2}, Seq: cause}, Body: body}
		checkJSON(t, &e)
		if s, err := events.Seal(e, events.Chain{}); err == nil {
			checkJSON(t, &s)
		}
	})
}

// FuzzParseLogID: what is read is written the same, but for its case.
func FuzzParseLogID(f *testing.F) {
	f.Add("01ARYZ6S410000000000000000")
	f.Add("7zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := events.ParseLogID(text); err == nil && id.String() != string(bytes.ToUpper([]byte(text))) {
			t.Fatalf("%q is %s", text, id)
		}
		if id, err := events.ParseID(text + ":1"); err == nil && id.Log.String() != string(bytes.ToUpper([]byte(text))) {
			t.Fatalf("%q is %s", text, id)
		}
	})
}

// FuzzParseTimestamp: each time has one spelling.
func FuzzParseTimestamp(f *testing.F) {
	f.Add("2026-11-22T14:03:05.120Z+3")
	f.Add("1970-01-01T00:00:00.000Z")
	f.Add("6429-10-17T02:45:55.327Z+65535")
	f.Fuzz(func(t *testing.T, text string) {
		if ts, err := events.ParseTimestamp(text); err == nil && (ts.String() != text || ts > events.MaxTimestamp) {
			t.Fatalf("%q is %s", text, ts)
		}
	})
}

// FuzzParseVector: what is read comes back, from text and from JSON.
func FuzzParseVector(f *testing.F) {
	f.Add("")
	f.Add("00000000000000000000000001:18446744073709551615,00000000000000000000000002:7")
	f.Add(`{"00000000000000000000000001":18446744073709551615,"00000000000000000000000002":0}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := events.ParseVector(text)
		if err != nil {
			if v.UnmarshalJSON([]byte(text)) != nil {
				return
			}
		}
		back, err := events.ParseVector(v.String())
		if err != nil || !back.Equal(v) {
			t.Fatalf("%q is %s and comes back as %s, %v", text, v, back, err)
		}
		var again events.Vector
		if err := again.UnmarshalJSON([]byte(toJSON(t, v))); err != nil || !again.Equal(v) || !utf8.ValidString(v.String()) {
			t.Fatalf("%q comes back from JSON as %s, %v", text, again, err)
		}
	})
}
