package events_test

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/skshohagmiah/clusterkit/events"
)

// The tests of this file hold the hand-written codec to the official protobuf
// implementation, by way of event.proto. A Go field and a proto field belong
// together by their place: the n-th field of a payload has number n.

// payloadOfMessage maps each message of event.proto, but Event, to an event
// type that carries it.
func payloadOfMessage(t testing.TB) map[protoreflect.Name]events.Type {
	t.Helper()
	types := map[protoreflect.Name]events.Type{}
	for _, typ := range payloadTypes {
		types[nameOf(events.NewPayload(typ))] = typ
	}
	return types
}

func nameOf(p events.Payload) protoreflect.Name {
	return protoreflect.Name(reflect.TypeOf(p).Elem().Name())
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dynamic decodes b as the official implementation does.
func dynamic(t testing.TB, desc protoreflect.MessageDescriptor, b []byte) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(desc)
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatalf("%s: the official implementation refuses %x: %v", desc.Name(), b, err)
	}
	if len(m.GetUnknown()) > 0 {
		t.Fatalf("%s: a field that event.proto does not have: %x", desc.Name(), m.GetUnknown())
	}
	return m
}

// TestProtoFileIsComplete: event.proto has a message for each payload, no
// other, with the same fields at the same numbers.
func TestProtoFileIsComplete(t *testing.T) {
	messages, types := protoFile(t).Messages(), payloadOfMessage(t)
	if messages.Len() != 1+len(types) || messages.ByName("Event") == nil {
		t.Errorf("event.proto has %d messages, want Event and %d payloads", messages.Len(), len(types))
	}
	kinds := map[reflect.Type]string{reflect.TypeFor[string](): "string", reflect.TypeFor[uint32](): "uint32",
		reflect.TypeFor[uint64](): "uint64", reflect.TypeFor[events.Timestamp](): "fixed64", reflect.TypeFor[[]byte](): "bytes",
		reflect.TypeFor[[]string](): "repeated string", reflect.TypeFor[map[string]string](): "map"}
	for name, typ := range types {
		m := messages.ByName(name)
		if m == nil {
			t.Errorf("event.proto has no message %s", name)
			continue
		}
		goType := reflect.TypeOf(events.NewPayload(typ)).Elem()
		if goType.NumField() != m.Fields().Len() {
			t.Errorf("%s: %d fields in Go, %d in event.proto", name, goType.NumField(), m.Fields().Len())
			continue
		}
		for i := range goType.NumField() {
			f := m.Fields().ByNumber(protoreflect.FieldNumber(i + 1))
			if f == nil {
				t.Errorf("%s has no field %d", name, i+1)
				continue
			}
			kind := f.Kind().String()
			if f.IsMap() {
				kind = "map"
			} else if f.IsList() {
				kind = "repeated " + kind
			}
			if want := kinds[goType.Field(i).Type]; kind != want {
				t.Errorf("%s.%s is %s in event.proto, want %s", name, f.Name(), kind, want)
			}
		}
	}
}

// differs says in which field p and m differ, or nothing.
func differs(p events.Payload, m protoreflect.Message) string {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f := m.Descriptor().Fields().ByNumber(protoreflect.FieldNumber(i + 1))
		var want any
		switch got := m.Get(f); {
		case f.IsMap():
			dict := map[string]string{}
			got.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				dict[k.String()] = v.String()
				return true
			})
			if !maps.Equal(dict, v.Field(i).Interface().(map[string]string)) {
				return fmt.Sprintf("%s: %v, want %v", f.Name(), v.Field(i), dict)
			}
			continue
		case f.IsList():
			var list []string
			for n := range got.List().Len() {
				list = append(list, got.List().Get(n).String())
			}
			if !slices.Equal(list, v.Field(i).Interface().([]string)) {
				return fmt.Sprintf("%s: %q, want %q", f.Name(), v.Field(i), list)
			}
			continue
		default:
			want = got.Interface()
		}
		have := v.Field(i).Interface()
		switch h := have.(type) {
		case events.Timestamp:
			have = uint64(h)
		case []byte:
			have, want = string(h), string(want.([]byte))
		}
		if have != want {
			return fmt.Sprintf("%s: %v, want %v", f.Name(), have, want)
		}
	}
	return ""
}

// TestPayloadsForOthers: what we encode, the official implementation reads as
// the same fields and writes as the same bytes.
func TestPayloadsForOthers(t *testing.T) {
	r, messages := chance(t), protoFile(t).Messages()
	for name, typ := range payloadOfMessage(t) {
		for range 500 {
			p := r.fill(events.NewPayload(typ))
			body := events.Encode(p)
			m := dynamic(t, messages.ByName(name), body)
			if d := differs(p, m); d != "" {
				t.Fatalf("%s: ours is read as other fields: %s", name, d)
			}
			if again := marshal(t, m); !bytes.Equal(again, body) {
				t.Fatalf("%s:\nours   %x\ntheirs %x", name, body, again)
			}
		}
	}
}

// TestPayloadsFromOthers: what the official implementation encodes, in its
// deterministic order or in any other, we read as the same fields.
func TestPayloadsFromOthers(t *testing.T) {
	r, messages := chance(t), protoFile(t).Messages()
	for name, typ := range payloadOfMessage(t) {
		for range 500 {
			m := dynamicpb.NewMessage(messages.ByName(name))
			r.fillMessage(m)
			sorted := marshal(t, m)
			shuffled, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, body := range [][]byte{sorted, shuffled} {
				p := events.NewPayload(typ)
				if err := events.DecodePayload(p, body); err != nil {
					t.Fatalf("%s: %v: %v", name, err, m)
				}
				if d := differs(p, m); d != "" {
					t.Fatalf("%s: theirs is read as other fields: %s", name, d)
				}
				if again := events.Encode(p); !bytes.Equal(again, sorted) {
					t.Fatalf("%s:\ntheirs %x\nours   %x", name, sorted, again)
				}
			}
		}
	}
}

// fillMessage sets the fields of a payload message, each to zero now and then.
func (r *random) fillMessage(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if r.IntN(4) == 0 {
			continue
		}
		switch {
		case f.IsMap():
			for range r.IntN(6) {
				m.Mutable(f).Map().Set(protoreflect.ValueOf(r.text(20)).MapKey(), protoreflect.ValueOf(r.text(40)))
			}
		case f.IsList():
			for range r.IntN(6) {
				m.Mutable(f).List().Append(protoreflect.ValueOf(r.text(40)))
			}
		case f.Kind() == protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOf(r.text(200)))
		case f.Kind() == protoreflect.BytesKind:
			m.Set(f, protoreflect.ValueOf(r.bytes(r.IntN(50))))
		case f.Kind() == protoreflect.Uint32Kind:
			m.Set(f, protoreflect.ValueOf(uint32(r.number(events.MaxSmall))))
		case f.Kind() == protoreflect.Uint64Kind:
			m.Set(f, protoreflect.ValueOf(r.number(1<<64-1)))
		case f.Kind() == protoreflect.Fixed64Kind:
			m.Set(f, protoreflect.ValueOf(uint64(r.time())))
		default:
			panic("a field of a new kind: " + string(f.FullName()))
		}
	}
}

// message returns e as the official implementation holds it.
func message(desc protoreflect.MessageDescriptor, e *events.Event) *dynamicpb.Message {
	m := dynamicpb.NewMessage(desc)
	set := func(name protoreflect.Name, v any) {
		m.Set(desc.Fields().ByName(name), protoreflect.ValueOf(v))
	}
	set("log", e.Log[:])
	set("seq", e.Seq)
	set("time", uint64(e.Time))
	set("type", string(e.Type))
	set("register", e.Register)
	set("version", e.Version)
	set("rank", uint32(e.Rank))
	set("actor", e.Actor)
	if e.Cause.Log != e.Log && !e.Cause.IsZero() {
		set("cause_log", e.Cause.Log[:])
	}
	set("cause_seq", e.Cause.Seq)
	set("body", e.Body)
	set("chain", e.Chain[:])
	return m
}

// TestEventsForOthers: the bytes of a sealed event are those that the official
// implementation makes of the same message, and it reads them back.
func TestEventsForOthers(t *testing.T) {
	r, desc := chance(t), protoFile(t).Messages().ByName("Event")
	for range 3000 {
		e, _ := r.sealed(t)
		want := message(desc, &e)
		if got := dynamic(t, desc, e.Raw()); !proto.Equal(got, want) {
			t.Fatalf("ours is read as %v, want %v", got, want)
		}
		if b := marshal(t, want); !bytes.Equal(b, e.Raw()) {
			t.Fatalf("ours   %x\ntheirs %x", e.Raw(), b)
		}
	}
}

// TestEventsFromOthers: an event that was built and encoded by the official
// implementation decodes with the same fields.
func TestEventsFromOthers(t *testing.T) {
	r, desc := chance(t), protoFile(t).Messages().ByName("Event")
	for range 3000 {
		want := r.draft()
		copy(want.Chain[:], r.bytes(16))
		b := marshal(t, message(desc, &want))
		got, err := events.Decode(b)
		if err != nil {
			t.Fatalf("%v: %x", err, b)
		}
		if !bytes.Equal(marshal(t, message(desc, &got)), b) || got.Cause != want.Cause || got.Chain != want.Chain || got.Stamp() != want.Stamp() {
			t.Fatalf("have %+v\nwant %+v", got, want)
		}
	}
}

// TestWhatDecodesIsProtobuf: whatever Decode accepts, the official
// implementation accepts as well and sees the same. Random changes look for a
// counterexample.
func TestWhatDecodesIsProtobuf(t *testing.T) {
	r, messages := chance(t), protoFile(t).Messages()
	desc, types := messages.ByName("Event"), payloadOfMessage(t)
	for range 10000 {
		e, _ := r.sealed(t)
		raw := bytes.Clone(e.Raw())
		raw[r.IntN(len(raw))] = byte(r.Uint32())
		if d, err := events.Decode(raw); err == nil {
			m := dynamicpb.NewMessage(desc)
			if err := proto.Unmarshal(raw, m); err != nil {
				t.Fatalf("%x: only we decode it: %v", raw, err)
			}
			m.SetUnknown(nil)
			if want := message(desc, &d); !proto.Equal(m, want) {
				t.Fatalf("%x: we read %v, they %v", raw, want, m)
			}
		}
		for name, typ := range types {
			if len(e.Body) == 0 || e.Type != typ {
				continue
			}
			body := bytes.Clone(e.Body)
			body[r.IntN(len(body))] = byte(r.Uint32())
			p := events.NewPayload(typ)
			if events.DecodePayload(p, body) != nil {
				continue
			}
			m := dynamicpb.NewMessage(messages.ByName(name))
			if err := proto.Unmarshal(body, m); err != nil {
				t.Fatalf("%s %x: only we decode it: %v", name, body, err)
			}
			if d := differs(p, m); d != "" {
				t.Fatalf("%s %x: %s", name, body, d)
			}
		}
	}
}
