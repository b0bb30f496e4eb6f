package events_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skshohagmiah/clusterkit/events"
)

// payloadTypes lists one event type for each type of payload, sorted by name.
var payloadTypes = []events.Type{events.NodeSuspected, events.PartitionAssigned, events.ClusterConfigured,
	events.CoordinatorClaimed, events.LogStarted, events.NodeDrained, events.NodeJoined, events.RebalanceStarted, events.ValueSet,
	events.FloorRaised}

// TestPayloadRoundTrip: what Encode writes, Payload reads, with the same bytes.
func TestPayloadRoundTrip(t *testing.T) {
	r := chance(t)
	for range 300 {
		for _, typ := range payloadTypes {
			want := r.fill(events.NewPayload(typ))
			body := events.Encode(want)
			got, err := (&events.Event{Type: typ, Body: body}).Payload()
			if err != nil {
				t.Fatalf("%s: %v: %+v", typ, err, want)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", typ, diff)
			}
			if again := events.Encode(got); !bytes.Equal(again, body) {
				t.Fatalf("%s: %x is encoded again as %x", typ, body, again)
			}
		}
	}
}

// TestPayloadShares: a payload shares nothing with the event it came from.
func TestPayloadShares(t *testing.T) {
	r := chance(t)
	for range 200 {
		typ := pick(r, payloadTypes...)
		want := r.fill(events.NewPayload(typ))
		body := events.Encode(want)
		got := events.NewPayload(typ)
		if err := events.DecodePayload(got, body); err != nil {
			t.Fatal(err)
		}
		for i := range body {
			body[i] = 0xee
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s changes with its body (-want +got):\n%s", typ, diff)
		}
	}
}

// TestPayloadIgnoresLaterFields: a later version's field does not disturb, and
// is not lost, as the body is kept.
func TestPayloadIgnoresLaterFields(t *testing.T) {
	r := chance(t)
	for range 500 {
		typ := pick(r, payloadTypes...)
		want := r.fill(events.NewPayload(typ))
		body := events.Encode(want)
		num := protowire.Number(50 + r.IntN(1000))
		later := pick(r, varint(num, r.Uint64()), fixed64(num, r.Uint64()), fixed32(num, r.Uint32()), data(num, r.text(40)))
		if r.IntN(2) == 0 {
			body = append(body, later.data...)
		} else {
			body = append(later.data, body...)
		}
		got := events.NewPayload(typ)
		if err := events.DecodePayload(got, body); err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", typ, diff)
		}
	}
}

// TestPayloadMergesLikeProtobuf: fields in any order, the last one wins, lists
// and maps grow.
func TestPayloadMergesLikeProtobuf(t *testing.T) {
	body := join([]part{data(10, "x"), data(1, "old"), data(6, "\x0a\x01a\x12\x011"), data(1, "new"), data(6, "\x12\x012\x0a\x01b"),
		data(6, "\x0a\x01a\x12\x013"), data(6, ""), data(6, "\x1a\x01?\x0a\x01c")})
	var got events.NodeRecord
	if err := events.DecodePayload(&got, body); err != nil {
		t.Fatal(err)
	}
	want := events.NodeRecord{ID: "new", Reason: "x", Services: map[string]string{"a": "3", "b": "2", "": "", "c": ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPayloadRefuses(t *testing.T) {
	entry := func(parts ...part) string { return string(join(parts)) }
	for name, test := range map[string]struct {
		typ  events.Type
		part part
	}{
		"text as varint":            {events.NodeSuspected, varint(1, 1)},
		"text with newline":         {events.NodeSuspected, data(3, "two\nlines")},
		"text with C1 control":      {events.NodeSuspected, data(3, "\u0080")},
		"text that is not UTF-8":    {events.NodeSuspected, data(3, "\xff")},
		"long text":                 {events.NodeSuspected, data(3, strings.Repeat("x", events.MaxText+1))},
		"number as text":            {events.NodeSuspected, data(2, "1")},
		"number as fixed32":         {events.NodeSuspected, fixed32(2, 1)},
		"small number of 31 bits":   {events.PartitionAssigned, varint(1, 1<<31)},
		"small number of 64 bits":   {events.PartitionAssigned, varint(1, 1<<64-1)},
		"time out of range":         {events.NodeJoined, fixed64(8, 1<<63)},
		"time as varint":            {events.NodeJoined, varint(9, 1)},
		"list item as varint":       {events.PartitionAssigned, varint(2, 1)},
		"list item with newline":    {events.PartitionAssigned, data(3, "\n")},
		"map entry as varint":       {events.NodeJoined, varint(6, 1)},
		"map entry cut off":         {events.NodeJoined, data(6, "\x0a\x05a")},
		"map key as varint":         {events.NodeJoined, data(6, entry(varint(1, 1)))},
		"map value with newline":    {events.NodeJoined, data(7, entry(data(1, "a"), data(2, "\n")))},
		"value as varint":           {events.ValueSet, varint(2, 1)},
		"a group":                   {events.ValueSet, part{9, []byte{9<<3 | 3, 9<<3 | 4}}},
		"field number 0":            {events.ValueSet, part{0, []byte{0, 0}}},
		"field number beyond 2^29":  {events.ValueSet, part{9, append(protowire.AppendVarint(nil, 1<<32), 1)}},
		"a varint that has no end":  {events.ValueSet, part{9, []byte{9 << 3, 0x80}}},
		"a varint longer than need": {events.ValueSet, part{9, []byte{9 << 3, 0x80, 0}}},
		"fixed64 cut off":           {events.ValueSet, part{9, []byte{9<<3 | 1, 1, 2, 3, 4, 5, 6, 7}}},
		"fixed32 cut off":           {events.ValueSet, part{9, []byte{9<<3 | 5, 1, 2, 3}}},
		"bytes cut off":             {events.ValueSet, part{9, []byte{9<<3 | 2, 2, 1}}},
	} {
		e := events.Event{Type: test.typ, Body: test.part.data}
		if p, err := e.Payload(); err == nil || p != nil {
			t.Errorf("%s: %+v", name, p)
		} else if len(err.Error()) > 200 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestPayloadBounds(t *testing.T) {
	dict := map[string]string{}
	for i := range events.MaxItems {
		dict[string(rune('一'+i))] = ""
	}
	for name, test := range map[string]struct {
		typ  events.Type
		full events.Payload
		more part
	}{
		"list": {events.PartitionAssigned, &events.Assignment{Previous: make([]string, events.MaxItems)}, data(3, "")},
		"map":  {events.NodeJoined, &events.NodeRecord{Metadata: dict}, data(7, "\x0a\x01~\x12\x00")},
	} {
		e := events.Event{Type: test.typ, Body: events.Encode(test.full)}
		if p, err := e.Payload(); err != nil || !bytes.Equal(events.Encode(p), e.Body) {
			t.Errorf("a %s of %d items: %v", name, events.MaxItems, err)
		}
		e.Body = append(e.Body, test.more.data...)
		if _, err := e.Payload(); err == nil {
			t.Errorf("a %s of %d items is accepted", name, events.MaxItems+1)
		}
	}
}

func TestNodeRecordClone(t *testing.T) {
	p := &events.NodeRecord{ID: "n", Services: map[string]string{"a": "1"}, Metadata: map[string]string{"b": "2"}}
	c := p.Clone()
	if diff := cmp.Diff(p, c); diff != "" {
		t.Error(diff)
	}
	c.Services["a"], c.Metadata["b"] = "x", "x"
	if !maps.Equal(p.Services, map[string]string{"a": "1"}) || !maps.Equal(p.Metadata, map[string]string{"b": "2"}) {
		t.Error("a clone shares its maps")
	}
}
