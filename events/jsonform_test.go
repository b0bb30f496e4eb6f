package events_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// content says which of the three carries the content of an event.
func content(t *testing.T, e *events.Event) string {
	t.Helper()
	text, err := e.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var has []string
	for _, key := range []string{"body", "body_base64", "raw"} {
		if keys[key] != nil {
			has = append(has, key)
		}
	}
	return strings.Join(has, "+")
}

// TestJSONContent: the most readable form from which the same bytes can be
// made again, and nothing is lost in any of them.
func TestJSONContent(t *testing.T) {
	accused := string(events.Encode(&events.Accusation{Node: "n1", Incarnation: 3, Reason: "no answer"}))
	empty := string(events.Encode(&events.Assignment{Replicas: []string{""}}))
	node := string(events.Encode(&events.NodeRecord{ID: "n1", Services: map[string]string{"a": "1", "b": "2"}}))
	for name, test := range map[string]struct {
		typ   events.Type
		body  string
		later part
		want  string
	}{
		"known":                      {events.NodeSuspected, accused, part{}, "body"},
		"known, no body":             {events.NodeSuspected, "", part{}, "body"},
		"known, one empty replica":   {events.PartitionAssigned, empty, part{}, "body"},
		"known, maps":                {events.NodeJoined, node, part{}, "body"},
		"unknown type":               {"NodeDreamt", accused, part{}, "body_base64"},
		"unknown type, no body":      {"NodeDreamt", "", part{}, ""},
		"application":                {"app/order-shipped", "anything", part{}, "body_base64"},
		"later field in the body":    {events.NodeSuspected, accused + string(varint(4, 1).data), part{}, "body_base64"},
		"far field in the body":      {events.NodeSuspected, accused + string(varint(400, 1).data), part{}, "body_base64"},
		"body out of order":          {events.NodeSuspected, string(varint(2, 1).data) + string(data(1, "n").data), part{}, "body_base64"},
		"body with a zero":           {events.NodeSuspected, string(data(1, "n").data) + string(varint(2, 0).data), part{}, "body_base64"},
		"body with an empty text":    {events.NodeSuspected, string(data(1, "").data), part{}, "body_base64"},
		"body with a field twice":    {events.NodeSuspected, string(data(1, "n").data) + string(data(1, "n").data), part{}, "body_base64"},
		"body with an empty value":   {events.ValueSet, string(data(2, "").data), part{}, "body_base64"},
		"wrong wire type":            {events.NodeSuspected, string(varint(1, 1).data), part{}, "body_base64"},
		"not protobuf":               {events.NodeSuspected, "\xff\xff", part{}, "body_base64"},
		"cut off":                    {events.NodeSuspected, accused[:len(accused)-1], part{}, "body_base64"},
		"text with a newline":        {events.NodeSuspected, string(data(1, "a\nb").data), part{}, "body_base64"},
		"a time that has no text":    {events.NodeJoined, string(fixed64(8, 1<<63).data), part{}, "body_base64"},
		"a time that is zero":        {events.NodeJoined, string(fixed64(8, 0).data), part{}, "body_base64"},
		"as many replicas as may be": {events.PartitionAssigned, strings.Repeat("\x12\x00", events.MaxItems), part{}, "body"},
		"too many replicas":          {events.PartitionAssigned, strings.Repeat("\x12\x00", events.MaxItems+1), part{}, "body_base64"},
		"as many services as may be": {events.NodeJoined, services(events.MaxItems), part{}, "body"},
		"too many services":          {events.NodeJoined, services(events.MaxItems + 1), part{}, "body_base64"},
		"map key that is a number":   {events.NodeJoined, string(data(6, "\x08\x01\x12\x01b").data), part{}, "body_base64"},
		"map entry with field 3":     {events.NodeJoined, string(data(6, "\x0a\x01a\x1a\x01b").data), part{}, "body_base64"},
		"map out of order":           {events.NodeJoined, string(data(6, "\x0a\x01b\x12\x00").data) + string(data(6, "\x0a\x01a\x12\x00").data), part{}, "body_base64"},
		"map key twice":              {events.NodeJoined, string(data(6, "\x0a\x01a\x12\x00").data) + string(data(6, "\x0a\x01a\x12\x00").data), part{}, "body_base64"},
		"map entry without value":    {events.NodeJoined, string(data(6, "\x0a\x01a").data), part{}, "body_base64"},
		"map entry without key":      {events.NodeJoined, string(data(6, "\x12\x01a").data), part{}, "body_base64"},
		"map entry value first":      {events.NodeJoined, string(data(6, "\x12\x01a\x0a\x01b").data), part{}, "body_base64"},
		"map entry with more":        {events.NodeJoined, string(data(6, "\x0a\x01a\x12\x01b\x18\x01").data), part{}, "body_base64"},
		"map entry with a number":    {events.NodeJoined, string(data(6, "\x0a\x01a\x10\x01").data), part{}, "body_base64"},
		"map entry not protobuf":     {events.NodeJoined, string(data(6, "\xff").data), part{}, "body_base64"},
		"map in two parts":           {events.NodeJoined, string(data(6, "\x0a\x01a\x12\x00").data) + string(data(7, "\x0a\x01a\x12\x00").data) + string(data(6, "\x0a\x01b\x12\x00").data), part{}, "body_base64"},
		"later field 12 (varint)":    {events.NodeSuspected, accused, varint(12, 1), "raw"},
		"later field 13 (bytes)":     {"app/x", "b", data(13, "later"), "raw"},
		"later field 14 (fixed32)":   {"NodeDreamt", "b", fixed32(14, 0), "raw"},
		"later field that is empty":  {events.NodeSuspected, accused, data(14, ""), "raw"},
		"later field and odd body":   {events.NodeSuspected, "\xff", varint(12, 1), "raw"},
		"later field without a body": {events.NodeSuspected, "", varint(12, 1), "raw"},
	} {
		parts := []part{data(1, logA), varint(2, 9), fixed64(3, 1<<40), data(4, string(test.typ))}
		if test.body != "" {
			parts = append(parts, data(11, test.body))
		}
		e, err := events.Decode(join(append(parts, test.later, chain)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := content(t, &e); got != test.want {
			t.Errorf("%s: carried by %q, want %q", name, got, test.want)
		}
		t.Run(name, func(t *testing.T) { checkJSON(t, &e) })
	}
}

// services returns the encoding of a map of n entries, sorted.
func services(n int) string {
	var b []byte
	for i := range n {
		b = append(b, data(6, string(join([]part{data(1, string(rune('一'+i))), data(2, "")}))).data...)
	}
	return string(b)
}

// TestJSONOfChangedBodies changes the bodies of known types at random: the two
// ways of writing JSON must agree on which of them are canonical.
func TestJSONOfChangedBodies(t *testing.T) {
	r := chance(t)
	counts := map[string]int{}
	for range 5000 {
		typ := pick(r, payloadTypes...)
		body := events.Encode(r.fill(events.NewPayload(typ)))
		if len(body) == 0 {
			continue
		}
		switch i := r.IntN(len(body)); r.IntN(4) {
		case 0:
			body[i] = byte(r.Uint32())
		case 1:
			body = append(body[:i], body[min(len(body), i+1+r.IntN(3)):]...)
		case 2:
			body = append(body[:i:i], append(r.bytes(1+r.IntN(3)), body[i:]...)...)
		case 3:
			body = append(body, events.Encode(r.fill(events.NewPayload(typ)))...)
		}
		e, err := events.Seal(events.Event{Log: events.LogID{1}, Seq: 1, Time: 1, Type: typ, Body: body}, events.Chain{})
		if err != nil {
			t.Fatal(err)
		}
		checkJSON(t, &e)
		counts[content(t, &e)]++
	}
	if counts["body"] < 300 || counts["body_base64"] < 300 {
		t.Errorf("the changes look at one side only: %v", counts)
	}
}

func TestUnmarshalJSONRefuses(t *testing.T) {
	e := sample(t)
	text := toJSON(t, e)
	later, err := events.Decode(with(varint(12, 1)))
	if err != nil {
		t.Fatal(err)
	}
	raw := toJSON(t, later)
	swap := func(text, from, to string) string {
		t.Helper()
		if !strings.Contains(text, from) {
			t.Fatalf("%s is not in %s", from, text)
		}
		return strings.Replace(text, from, to, 1)
	}
	for name, bad := range map[string]string{
		"nothing":                    ``,
		"null":                       `null`,
		"a list":                     `[]`,
		"an empty object":            `{}`,
		"cut off":                    text[:len(text)-1],
		"more after the end":         text + `{}`,
		"garbage after the end":      text + `x`,
		"an unknown field":           swap(text, `{"id"`, `{"extra":1,"id"`),
		"an unknown field in a body": swap(text, `{"partition"`, `{"extra":1,"partition"`),
		"a wrong type in a body":     swap(text, `"partition":17`, `"partition":"17"`),
		"a negative number":          swap(text, `"partition":17`, `"partition":-17`),
		"a number beyond 31 bits":    swap(text, `"partition":17`, `"partition":2147483648`),
		"control in a body":          swap(text, `"trigger":"failure"`, `"trigger":"fail\nure"`),
		"control in the actor":       swap(text, `"actor":"node-1"`, `"actor":"node\u0000"`),
		"no id":                      swap(text, `"id":"`+e.ID().String()+`"`, `"id":""`),
		"a bad id":                   swap(text, `"id":"`, `"id":"x`),
		"no time":                    swap(text, `"time":"`+e.Time.String()+`",`, ``),
		"a time spelt otherwise":     swap(text, `Z+3"`, `Z+03"`),
		"no type":                    swap(text, `"type":"PartitionAssigned"`, `"type":""`),
		"another type":               swap(text, `"type":"PartitionAssigned"`, `"type":"NodeJoined"`),
		"a type without a body form": swap(text, `"type":"PartitionAssigned"`, `"type":"app/x"`),
		"a rank that is too large":   swap(text, `"actor"`, `"rank":256,"actor"`),
		"version without register":   swap(text, `"register":"partition/17",`, ``),
		"a cause without need":       swap(text, `"cause":"`+e.Cause.String(), `"cause":"`+e.ID().String()),
		"a short chain":              swap(text, `"chain":"`+e.Chain.String(), `"chain":"`+e.Chain.String()[2:]),
		"two bodies":                 swap(text, `"chain"`, `"body_base64":"AAAA","chain"`),
		"base64 that is none":        swap(raw, `"raw":"`, `"raw":"!`),
		"raw and body":               swap(raw, `"raw":"`, `"body":{},"raw":"`),
		"raw and base64":             swap(raw, `"raw":"`, `"body_base64":"AAAA","raw":"`),
		"empty raw":                  raw[:strings.Index(raw, `"raw":"`)] + `"raw":""}`,
		"raw of another sequence":    swap(raw, `:9"`, `:8"`),
		"raw of another type":        swap(raw, `"app/x"`, `"app/y"`),
		"raw of another time":        swap(raw, `"time":"1970-01-01T04:39:37.216Z"`, `"time":"1970-01-01T04:39:37.217Z"`),
		"raw of another register":    swap(raw, `"value/k"`, `"value/l"`),
		"raw of another version":     swap(raw, `"version":3`, `"version":4`),
		"raw of another rank":        swap(raw, `"rank":2`, `"rank":1`),
		"raw of another actor":       swap(raw, `"actor":"app"`, `"actor":"operator:me"`),
		"raw of another cause":       swap(raw, `:5"`, `:6"`),
		"raw with another chain":     swap(raw, `"chain":"43`, `"chain":"44`),
		"raw that is malformed":      swap(raw, `"raw":"`, `"raw":"AAAA`),
		"a body of 300 KiB":          `{"id":"` + e.ID().String() + `","time":"` + e.Time.String() + `","type":"app/x","chain":"` + e.Chain.String() + `","body_base64":"` + strings.Repeat("AAAA", 100<<10) + `"}`,
		"a list of 4097":             swap(text, `"replicas":[`, `"replicas":[`+strings.Repeat(`"",`, events.MaxItems)),
	} {
		before := e
		err := before.UnmarshalJSON([]byte(bad))
		if err == nil {
			t.Errorf("%s: read as %s", name, before.ID())
		} else if !errors.Is(err, events.ErrMalformed) {
			t.Errorf("%s: %v does not say that the event is malformed", name, err)
		}
		if !bytes.Equal(before.Raw(), e.Raw()) || before.Seq != e.Seq {
			t.Errorf("%s: the event was changed", name)
		}
	}
}

// TestUnmarshalJSONAccepts what a person may write: spaces, fields in another
// order, base64 where the fields could stand, nothing for what is zero.
func TestUnmarshalJSONAccepts(t *testing.T) {
	e := sample(t)
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(toJSON(t, e)), &keys); err != nil {
		t.Fatal(err)
	}
	indented, err := json.MarshalIndent(keys, "", "  ") // sorted by name
	if err != nil {
		t.Fatal(err)
	}
	delete(keys, "body")
	keys["body_base64"], _ = json.Marshal(base64.StdEncoding.EncodeToString(e.Body))
	for _, text := range []string{string(indented), toJSON(t, keys), "  " + toJSON(t, e) + "\n"} {
		var back events.Event
		if err := back.UnmarshalJSON([]byte(text)); err != nil || !bytes.Equal(back.Raw(), e.Raw()) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestJSONOfDraft: an event that was never sealed can be printed, for a person.
func TestJSONOfDraft(t *testing.T) {
	for _, e := range []events.Event{{}, {Type: events.NodeJoined, Actor: "\x00\xff<"}, {Log: events.LogID{1}, Seq: 3, Body: []byte("x")}} {
		checkJSON(t, &e)
	}
	r := chance(t)
	for range 500 { // tampered with after it was sealed
		e, _ := r.sealed(t)
		switch r.IntN(4) {
		case 3:
			e.Time ^= 1 // as long as before
		case 0:
			e.Actor += "x"
		case 1:
			e.Body = r.bytes(9)
		case 2:
			e.Type = "\xff\n\u2028"
		}
		want, err := events.ReferenceJSON(e)
		got, _ := e.AppendJSON(nil)
		if err != nil || !bytes.Equal(want, got) {
			t.Fatalf("%v\nwant %s\nhave %s", err, want, got)
		}
	}
}

// TestJSONLines: MarshalJSON and AppendJSON are one, on one line.
func TestJSONLines(t *testing.T) {
	r := chance(t)
	for range 300 {
		e, _ := r.sealed(t)
		line, _ := e.AppendJSON(nil)
		if text, err := e.MarshalJSON(); err != nil || !bytes.Equal(text, line) {
			t.Fatalf("%s\n%s", text, line)
		}
		if bytes.ContainsAny(line, "\n\r") || !json.Valid(line) {
			t.Fatalf("%q", line)
		}
		var out bytes.Buffer // json.Marshal compacts and escapes; nothing is left for it to do
		if err := json.NewEncoder(&out).Encode(&e); err != nil || out.String() != fmt.Sprintf("%s\n", line) {
			t.Fatalf("%s\n%s", out.String(), line)
		}
	}
}
