package events_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skshohagmiah/clusterkit/events"
)

// part is one field of a hand-made event.
type part struct {
	num  protowire.Number
	data []byte // tag included
}

func varint(num protowire.Number, v uint64) part {
	return part{num, protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)}
}

func fixed64(num protowire.Number, v uint64) part {
	return part{num, protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), v)}
}

func fixed32(num protowire.Number, v uint32) part {
	return part{num, protowire.AppendFixed32(protowire.AppendTag(nil, num, protowire.Fixed32Type), v)}
}

func data(num protowire.Number, v string) part {
	return part{num, protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), v)}
}

var (
	logA  = strings.Repeat("A", 16)
	logB  = strings.Repeat("B", 16)
	chain = data(15, strings.Repeat("C", 16))
)

// fields returns the parts of an event that has all of them.
func fields() []part {
	return []part{data(1, logA), varint(2, 9), fixed64(3, 1<<40), data(4, "app/x"), data(5, "value/k"), varint(6, 3),
		varint(7, 2), data(8, "app"), data(9, logB), varint(10, 5), data(11, "body"), chain}
}

func join(parts []part) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p.data...)
	}
	return b
}

// with returns fields with those of the same numbers replaced or, when they
// are new, put where they belong.
func with(changed ...part) []byte {
	parts := fields()
	for _, c := range changed {
		at := 0
		for at < len(parts) && parts[at].num < c.num {
			at++
		}
		if at < len(parts) && parts[at].num == c.num {
			parts[at] = c
		} else {
			parts = append(parts[:at], append([]part{c}, parts[at:]...)...)
		}
	}
	return join(parts)
}

func TestDecodeAccepts(t *testing.T) {
	for name, b := range map[string][]byte{
		"all fields":              with(),
		"rank 255":                with(varint(7, 255)),
		"a later varint":          with(varint(12, 0)),
		"a later fixed64":         with(fixed64(13, 7)),
		"a later fixed32":         with(fixed32(13, 7)),
		"later bytes":             with(data(14, "later")),
		"three later fields":      with(varint(12, 1), data(13, ""), data(14, "later")),
		"cause in the same log":   join(append(fields()[:8:8], varint(10, 5), chain)),
		"no register":             join(append(fields()[:4:4], chain)),
		"the largest cause":       with(varint(10, 1<<64-1)),
		"cause just before":       join(append(fields()[:8:8], varint(10, 8), chain)),
		"a body that is no field": with(data(11, "\xff\xff")),
	} {
		e, err := events.Decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(e.Raw(), b) {
			t.Errorf("%s: the bytes are not kept", name)
		}
		checkJSON(t, &e)
	}
}

func TestDecodeRefuses(t *testing.T) {
	all := fields()
	without := func(i int) []byte { return join(append(all[:i:i], all[i+1:]...)) }
	swapped := append([]part{all[1], all[0]}, all[2:]...)
	cases := map[string][]byte{
		"nothing":                    {},
		"only a chain":               chain.data,
		"no chain":                   without(11),
		"a short chain":              with(data(15, "CCCCCCCCCCCCCCC")),
		"a chain of wrong type":      with(varint(15, 1)),
		"two chains":                 join(append(fields(), chain)),
		"after the chain":            join(append(fields(), varint(16, 1))),
		"a large field number":       append(join([]part{varint(16, 1)}), with()...),
		"no log":                     without(0),
		"no sequence":                without(1),
		"no time":                    without(2),
		"no type":                    without(3),
		"version without register":   without(4),
		"cause log without sequence": without(9),
		"a log of 15 bytes":          with(data(1, logA[1:])),
		"a log of 17 bytes":          with(data(1, logA+"A")),
		"a zero log":                 with(data(1, strings.Repeat("\x00", 16))),
		"a cause log of 15 bytes":    with(data(9, logB[1:])),
		"a zero cause log":           with(data(9, strings.Repeat("\x00", 16))),
		"cause log said twice":       with(data(9, logA)),
		"caused by itself":           join(append(fields()[:8:8], varint(10, 9), chain)),
		"rank 256":                   with(varint(7, 256)),
		"rank 2^32":                  with(varint(7, 1<<32)),
		"version 2^62":               with(varint(6, 1<<62)),
		"time 2^63":                  with(fixed64(3, 1<<63)),
		"zero sequence":              with(varint(2, 0)),
		"zero time":                  with(fixed64(3, 0)),
		"empty type":                 with(data(4, "")),
		"empty register":             with(data(5, "")),
		"zero version":               with(varint(6, 0)),
		"zero rank":                  with(varint(7, 0)),
		"empty actor":                with(data(8, "")),
		"zero cause":                 with(varint(10, 0)),
		"empty body":                 with(data(11, "")),
		"sequence as fixed64":        with(fixed64(2, 9)),
		"sequence as fixed32":        with(fixed32(2, 9)),
		"time as varint":             with(varint(3, 9)),
		"type as varint":             with(varint(4, 9)),
		"control in type":            with(data(4, "app/\x00")),
		"UTF-8 in actor":             with(data(8, "\xc0\xaf")),
		"long type":                  with(data(4, strings.Repeat("x", events.MaxTypeLength+1))),
		"out of order":               join(swapped),
		"a field twice":              join(append([]part{all[0]}, all...)),
		"a group":                    with(part{12, []byte{12<<3 | 3, 12<<3 | 4}}),
		"a length beyond the end":    with(part{14, []byte{14<<3 | 2, 100}}),
		"a length near 2^64":         with(part{14, []byte{14<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}}),
		"a varint of 11 bytes":       with(part{12, append([]byte{12 << 3}, append(bytes.Repeat([]byte{0x80}, 10), 1)...)}),
		"a varint beyond 64 bits":    with(part{2, append([]byte{2 << 3}, append(bytes.Repeat([]byte{0xff}, 9), 2)...)}),
		"a varint too long":          with(part{2, []byte{2 << 3, 0x89, 0}}),
		"a length too long":          with(part{4, []byte{4<<3 | 2, 0x81, 0, 'x'}}),
		"a tag too long":             with(part{2, []byte{2<<3 | 0x80, 0, 9}}),
		"field number 0":             append([]byte{0, 1}, with()...),
		"more than 256 KiB":          with(data(11, strings.Repeat("x", events.MaxEventSize))),
	}
	var decoder events.Decoder
	for name, b := range cases {
		for _, decode := range []func([]byte) (events.Event, error){events.Decode, decoder.Decode} {
			e, err := decode(b)
			if err == nil {
				t.Errorf("%s: decoded", name)
			} else if !errors.Is(err, events.ErrMalformed) || len(err.Error()) > 200 {
				t.Errorf("%s: %v", name, err)
			}
			if e.Raw() != nil || e.Seq != 0 {
				t.Errorf("%s: an event comes with the error", name)
			}
		}
	}
	for i := range with() { // cut off anywhere
		if _, err := events.Decode(with()[:i]); err == nil {
			t.Errorf("decoded from its first %d bytes", i)
		}
	}
}

// TestDecodeHasOneEncoding: an event that decodes, and has no later field, is
// what its fields encode to. Random changes look for a second encoding.
func TestDecodeHasOneEncoding(t *testing.T) {
	r := chance(t)
	decoded := 0
	for range 10000 {
		e, _ := r.sealed(t)
		raw := bytes.Clone(e.Raw())
		switch i := r.IntN(len(raw)); r.IntN(3) {
		case 0:
			raw[i] = byte(r.Uint32())
		case 1:
			raw = append(raw[:i], raw[min(len(raw), i+1+r.IntN(3)):]...)
		case 2:
			raw = append(raw[:i:i], append(r.bytes(1+r.IntN(3)), raw[i:]...)...)
		}
		d, err := events.Decode(raw)
		if err != nil {
			continue
		}
		decoded++
		if again := events.Reencode(&d); !bytes.Equal(again, raw) && !hasLaterField(t, raw) {
			t.Fatalf("two encodings of one event:\n%x\n%x", raw, again)
		}
		checkJSON(t, &d)
	}
	if decoded < 500 {
		t.Errorf("only %d of the changed events decode; the test looks at too little", decoded)
	}
}

// hasLaterField reports whether raw has a field from 12 to 14.
func hasLaterField(t *testing.T, raw []byte) bool {
	t.Helper()
	for len(raw) > 0 {
		num, _, n := protowire.ConsumeField(raw)
		if n < 0 {
			t.Fatalf("decoded, but is no protobuf: %x", raw)
		}
		if num > 11 && num < 15 {
			return true
		}
		raw = raw[n:]
	}
	return false
}

// TestDecoderShares: names are made once, for ever new ones memory is bounded,
// and what is malformed leaves nothing behind.
func TestDecoderShares(t *testing.T) {
	var d events.Decoder
	e := sample(t)
	raw := e.Raw()
	if _, err := d.Decode(raw); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Decode(raw) }); n != 0 {
		t.Errorf("%v allocations for an event of known names", n)
	}
	if events.NamesHeld(&d) != 3 { // type, register, actor
		t.Errorf("holds %d names", events.NamesHeld(&d))
	}
	for _, bad := range []part{data(8, "bad\n"), data(8, strings.Repeat("x", 1000))} {
		if _, err := d.Decode(with(bad)); err == nil {
			t.Error("decoded")
		}
	}
	if n := events.NamesHeld(&d); n != 5 { // and the type and register of the hand-made one
		t.Errorf("holds %d names after malformed ones", n)
	}
	for i := range events.MaxNames + 10 {
		name := fmt.Sprintf("n%d", i)
		if e, err := d.Decode(with(data(8, name))); err != nil || e.Actor != name {
			t.Fatal(e.Actor, err)
		}
	}
	if n := events.NamesHeld(&d); n > events.MaxNames {
		t.Errorf("holds %d names, at most %d", n, events.MaxNames)
	}
	if _, err := d.Decode(raw); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Decode(raw) }); n != 0 {
		t.Errorf("%v allocations after having been full", n)
	}
}

// TestDecoderKeepsLimitsApart: a name that is short enough for one field may be
// too long for another.
func TestDecoderKeepsLimitsApart(t *testing.T) {
	var d events.Decoder
	name := strings.Repeat("x", events.MaxRegister)
	if _, err := d.Decode(with(data(5, name))); err != nil {
		t.Fatal(err)
	}
	for _, num := range []protowire.Number{4, 8} {
		if _, err := d.Decode(with(data(num, name))); err == nil {
			t.Errorf("field %d takes a name of %d bytes", num, len(name))
		}
	}
}

// chainAfter returns the encoded chain field of an event whose other fields are
// b, by the definition in the package doc.
func chainAfter(prev events.Chain, b []byte) []byte {
	sum := sha256.Sum256(append(prev[:], b...))
	return data(15, string(sum[:16])).data
}

// The quick way to decode must take nothing that the careful one refuses, and
// make the same of it, whatever bytes were changed.
func TestDecodeUsual(t *testing.T) {
	r := chance(t)
	took := 0
	for range 400 {
		e, _ := r.sealed(t)
		for range 40 {
			b := bytes.Clone(e.Raw())
			for range r.IntN(3) {
				b[r.IntN(len(b))] = byte(r.number(255))
			}
			usual, full, ok, err := events.DecodeBothWays(b)
			if ok {
				took++
			}
			if err == nil && !reflect.DeepEqual(usual, full) {
				t.Fatalf("%x: %+v, want %+v", b, usual, full)
			}
			if usual.Seq != 0 && err != nil {
				t.Fatalf("%x: taken, but %v", b, err)
			}
			var into events.Event
			if got := new(events.Decoder).DecodeInto(&into, b); (got == nil) != (usual.Seq != 0) || got != nil && into.Seq != 0 {
				t.Fatalf("%x: DecodeInto says %v and leaves %+v", b, got, into)
			}
		}
	}
	if took == 0 {
		t.Fatal("no event went the quick way")
	}
}

// What the shortcut for assignments lets pass Payload lets pass.
func TestCheckAssignmentShortcut(t *testing.T) {
	r := chance(t)
	passed := 0
	for range 4000 {
		b := r.body(events.PartitionAssigned)
		if r.IntN(2) == 0 && len(b) > 0 {
			b[r.IntN(len(b))] = byte(r.number(255))
		}
		if events.CheckAssignment(b) {
			passed++
			if err := events.DecodePayload(new(events.Assignment), b); err != nil {
				t.Fatalf("%x: %v", b, err)
			}
		}
	}
	if passed == 0 {
		t.Fatal("nothing passed")
	}
}

// CopyInto makes what CloneInto makes, in the buffer of what was there.
func TestCopyInto(t *testing.T) {
	r := chance(t)
	var kept events.Event
	for range 200 {
		e, _ := r.sealed(t)
		want := e.Clone()
		e.CopyInto(&kept)
		if !reflect.DeepEqual(kept, want) {
			t.Fatalf("%+v, want %+v", kept, want)
		}
		clear(e.Raw())
		if !reflect.DeepEqual(kept, want) {
			t.Fatal("the copy shares bytes")
		}
	}
}
