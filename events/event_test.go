package events_test

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skshohagmiah/clusterkit/events"
)

var ignoreRaw = cmpopts.IgnoreUnexported(events.Event{})

// TestSealIsDecode: what Seal returns is what everybody else decodes.
func TestSealIsDecode(t *testing.T) {
	r := chance(t)
	var decoder events.Decoder
	for range 100 {
		draft := r.draft()
		prev := events.Chain(r.bytes(16))
		e, err := events.Seal(draft, prev)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(draft, e, ignoreRaw, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(events.Event{}, "Chain")); diff != "" {
			t.Fatalf("Seal changes fields (-want +got):\n%s", diff)
		}
		for _, decode := range []func([]byte) (events.Event, error){events.Decode, decoder.Decode} {
			d, err := decode(e.Raw())
			if err != nil {
				t.Fatalf("%v: %x", err, e.Raw())
			}
			if diff := cmp.Diff(e, d, cmp.AllowUnexported(events.Event{})); diff != "" {
				t.Fatalf("Decode of what Seal made (-sealed +decoded):\n%s", diff)
			}
		}
		if !bytes.Equal(events.Reencode(&e), e.Raw()) {
			t.Fatalf("%x is not encoded again", e.Raw())
		}
		if !e.Links(prev) {
			t.Fatal("a sealed event does not link to what it was sealed to")
		}
	}
}

// TestSealCopiesTheBody: the caller may reuse its buffer.
func TestSealCopiesTheBody(t *testing.T) {
	body := []byte("before")
	e, err := events.Seal(events.Event{Log: events.LogID{1}, Seq: 1, Time: 1, Type: "app/x", Body: body}, events.Chain{})
	if err != nil {
		t.Fatal(err)
	}
	copy(body, "after!")
	if string(e.Body) != "before" || !e.Links(events.Chain{}) {
		t.Errorf("the body is %q now", e.Body)
	}
	decoded, err := events.Decode(bytes.Clone(e.Raw()))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []events.Event{e, decoded, decoded.Clone()} {
		before := bytes.Clone(e.Raw())
		if _ = append(e.Body, "more"...); !bytes.Equal(e.Raw(), before) {
			t.Error("appending to the body writes into the event")
		}
	}
}

func TestSealRefuses(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, change := range map[string]func(*events.Event){
		"no log":                      func(e *events.Event) { e.Log = events.LogID{} },
		"no sequence":                 func(e *events.Event) { e.Seq = 0 },
		"no time":                     func(e *events.Event) { e.Time = 0 },
		"time too large":              func(e *events.Event) { e.Time = events.MaxTimestamp + 1 },
		"version too large":           func(e *events.Event) { e.Version = events.MaxVersion + 1 },
		"version without register":    func(e *events.Event) { e.Register, e.Rank = "", 0 },
		"rank without register":       func(e *events.Event) { e.Register, e.Version = "", 0 },
		"no type":                     func(e *events.Event) { e.Type = "" },
		"long type":                   func(e *events.Event) { e.Type = events.Type(long[:events.MaxTypeLength+1]) },
		"long register":               func(e *events.Event) { e.Register = long[:events.MaxRegister+1] },
		"long actor":                  func(e *events.Event) { e.Actor = long[:events.MaxActorLength+1] },
		"control character in type":   func(e *events.Event) { e.Type = "app/\n" },
		"escape in register":          func(e *events.Event) { e.Register = "value/\x1b[31m" },
		"delete in actor":             func(e *events.Event) { e.Actor = "\x7f" },
		"C1 control in actor":         func(e *events.Event) { e.Actor = "\u009b31m" },
		"invalid UTF-8 in register":   func(e *events.Event) { e.Register = "value/\xff" },
		"a surrogate in actor":        func(e *events.Event) { e.Actor = "\xed\xa0\x80" },
		"cause without log":           func(e *events.Event) { e.Cause = events.ID{Seq: 1} },
		"cause without sequence":      func(e *events.Event) { e.Cause = events.ID{Log: events.LogID{9}} },
		"caused by itself":            func(e *events.Event) { e.Cause = e.ID() },
		"caused by a later event":     func(e *events.Event) { e.Cause = events.ID{Log: e.Log, Seq: e.Seq + 1} },
		"one byte more than an event": func(e *events.Event) { e.Body = make([]byte, bodyRoom(*e)+1) },
		"a gigantic body":             func(e *events.Event) { e.Body = make([]byte, 1<<24) },
	} {
		t.Run(name, func(t *testing.T) {
			e := largest()
			change(&e)
			if s, err := events.Seal(e, events.Chain{}); err == nil || s.Raw() != nil {
				t.Errorf("sealed: %v", s.ID())
			} else if len(err.Error()) > 300 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			// What Seal refuses, Decode does, too: the limits are a function
			// of the bytes. (A cause without a sequence has no bytes.)
			if d, err := events.Decode(events.Forge(e, events.Chain{})); err == nil && name != "cause without sequence" &&
				name != "cause without log" {
				t.Errorf("decoded: %v", d.ID())
			}
		})
	}
}

// largest returns an event with every field as long as it may be, but the body.
func largest() events.Event {
	long := strings.Repeat("x", 1000)
	return events.Event{Log: events.LogID{0: 1, 15: 1}, Seq: 1<<64 - 2, Time: events.MaxTimestamp,
		Type: events.Type(long[:events.MaxTypeLength]), Register: long[:events.MaxRegister], Version: events.MaxVersion,
		Rank: 255, Actor: long[:events.MaxActorLength], Cause: events.ID{Log: events.LogID{1}, Seq: 1<<64 - 1}}
}

// bodyRoom returns how long the body of e may be: its length takes three bytes.
func bodyRoom(e events.Event) int {
	e.Body = nil
	return events.MaxEventSize - len(events.Reencode(&e)) - 1 - 3
}

func TestSealAtTheLimits(t *testing.T) {
	e := largest()
	if _, err := events.Seal(e, events.Chain{}); err != nil {
		t.Error(err)
	}
	e.Body = make([]byte, bodyRoom(e))
	s, err := events.Seal(e, events.Chain{})
	if err != nil || len(s.Raw()) != events.MaxEventSize {
		t.Fatalf("%d bytes, want exactly %d: %v", len(s.Raw()), events.MaxEventSize, err)
	}
	if _, err := events.Decode(s.Raw()); err != nil {
		t.Error(err)
	}
	checkJSON(t, &s)
	least := events.Event{Log: events.LogID{15: 1}, Seq: 1, Time: 1, Type: "x"}
	if s, err = events.Seal(least, events.Chain{}); err != nil || s.Body != nil {
		t.Error(s.Body, err)
	}
	checkJSON(t, &s)
}

// TestChain: a change of any byte, and any other event before, is found.
func TestChain(t *testing.T) {
	r := chance(t)
	log := r.logID()
	prev := events.Genesis(log)
	for seq := range uint64(20) {
		draft := r.draft()
		draft.Log, draft.Seq, draft.Cause = log, seq+1, events.ID{}
		e, err := events.Seal(draft, prev)
		if err != nil {
			t.Fatal(err)
		}
		if !e.Links(prev) || e.Links(events.Chain{}) || e.Links(events.Genesis(r.logID())) {
			t.Fatal("links to something else than the event before")
		}
		if e.Links(e.Chain) {
			t.Fatal("links to itself")
		}
		raw := bytes.Clone(e.Raw())
		for i := range raw {
			raw[i] ^= 1 << r.IntN(8)
			if d, err := events.Decode(raw); err == nil && d.Links(prev) {
				t.Fatalf("byte %d was changed and nobody sees it", i)
			}
			copy(raw, e.Raw())
		}
		prev = e.Chain
	}
	if events.Genesis(log) == events.Genesis(r.logID()) {
		t.Error("two logs begin with one chain")
	}
	if (&events.Event{}).Links(events.Chain{}) {
		t.Error("an event without bytes links")
	}
}

// TestChainDefinition: the chain is what the package doc says.
func TestChainDefinition(t *testing.T) {
	r := chance(t)
	log := r.logID()
	if sum := sha256.Sum256(log[:]); events.Genesis(log) != events.Chain(sum[:16]) {
		t.Error("Genesis is not SHA-256 of the log id")
	}
	for range 200 {
		e, prev := r.sealed(t)
		if body, ok := bytes.CutSuffix(e.Raw(), chainAfter(prev, e.Raw()[:len(e.Raw())-18])); !ok || len(body) != len(e.Raw())-18 {
			t.Fatalf("%x does not end with its chain", e.Raw())
		}
	}
}

func TestChainText(t *testing.T) {
	c := events.Chain{0: 0xab, 15: 1}
	const text = "ab000000000000000000000000000001"
	if c.String() != text {
		t.Error(c)
	}
	var back events.Chain
	if err := back.UnmarshalText([]byte(text)); err != nil || back != c {
		t.Error(back, err)
	}
	for _, bad := range []string{"", text[1:], text + "00", "zz" + text[2:], strings.Repeat("a", 10000)} {
		if err := back.UnmarshalText([]byte(bad)); err == nil || back != c {
			t.Errorf("%.40q is read as %s", bad, back)
		}
	}
}

func TestClone(t *testing.T) {
	r := chance(t)
	var buf []byte
	for range 60 {
		e, prev := r.sealed(t)
		buf = append(buf, e.Raw()...)[:r.IntN(len(e.Raw())+1)] // sometimes too small
		source, err := events.Decode(bytes.Clone(e.Raw()))
		if err != nil {
			t.Fatal(err)
		}
		into, fresh := source.CloneInto(buf), source.Clone()
		for i := range source.Raw() {
			source.Raw()[i] = 0xee // the bytes of the original are reused for something else
		}
		for _, c := range []events.Event{into, fresh} {
			if diff := cmp.Diff(e, c, cmp.AllowUnexported(events.Event{})); diff != "" {
				t.Fatalf("a clone differs (-want +got):\n%s", diff)
			}
			if !c.Links(prev) {
				t.Fatal("a clone shares bytes")
			}
		}
		buf = into.Raw()
	}
}

// TestCloneReuses: no allocation when the buffer suffices.
func TestCloneReuses(t *testing.T) {
	e := sample(t)
	buf := make([]byte, 0, len(e.Raw()))
	if n := testing.AllocsPerRun(100, func() { _ = e.CloneInto(buf) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestCloneOfDraft: what was never sealed can be cloned all the same.
func TestCloneOfDraft(t *testing.T) {
	e := events.Event{Type: "app/x", Body: []byte("abc")}
	c := e.Clone()
	e.Body[0] = 'z'
	if string(c.Body) != "abc" || c.Raw() != nil || (&events.Event{}).Clone().Body != nil {
		t.Errorf("%q", c.Body)
	}
}

func TestCheckNames(t *testing.T) {
	for id, good := range map[string]bool{"n": true, "node-1": true, "a.b_c-D9": true, strings.Repeat("n", 64): true,
		"": false, strings.Repeat("n", 65): false, "a b": false, "a/b": false, "é": false, "a\n": false, "a:1": false, "a\x00": false} {
		if err := events.CheckNodeID(id); (err == nil) != good {
			t.Errorf("node id %q: %v", id, err)
		}
	}
	for key, good := range map[string]bool{"k": true, "a/b c é \u2028 世": true, strings.Repeat("k", 128): true,
		"": false, strings.Repeat("k", 129): false, "a\tb": false, "\u0085": false, "\x7f": false, "\xc2": false, "\u00a0": true} {
		if err := events.CheckKey(key); (err == nil) != good {
			t.Errorf("key %q: %v", key, err)
		}
	}
}
