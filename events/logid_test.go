package events_test

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// slowULID writes 16 bytes as base 32 with a big integer: the definition of
// the ULID text form, and not how the package does it.
func slowULID(id events.LogID) string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	n, d := new(big.Int).SetBytes(id[:]), new(big.Int)
	text := make([]byte, 26)
	for i := 25; i >= 0; i-- {
		n.DivMod(n, big.NewInt(32), d)
		text[i] = digits[d.Int64()]
	}
	return string(text)
}

func TestLogIDText(t *testing.T) {
	// The example of the ULID specification (time 1469918176385 there) and
	// both ends of the range.
	for _, test := range []struct {
		id   events.LogID
		text string
	}{
		{events.LogID{}, "00000000000000000000000000"},
		{events.LogID(bytes.Repeat([]byte{0xff}, 16)), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
		{events.LogID{15: 1}, "00000000000000000000000001"},
		{events.LogID{0: 0x80}, "40000000000000000000000000"},
		{events.NewLogID(1469918176385, [10]byte{}), "01ARYZ6S410000000000000000"},
	} {
		if got := test.id.String(); got != test.text {
			t.Errorf("%x: %s, want %s", test.id[:], got, test.text)
		}
		for _, text := range []string{test.text, strings.ToLower(test.text)} {
			if back, err := events.ParseLogID(text); err != nil || back != test.id {
				t.Errorf("%s: %x, %v", text, back[:], err)
			}
		}
	}
	r := chance(t)
	for range 2000 {
		id := r.logID()
		if got, want := id.String(), slowULID(id); got != want {
			t.Fatalf("%x: %s, want %s", id[:], got, want)
		}
		if back, err := events.ParseLogID(id.String()); err != nil || back != id {
			t.Fatalf("%s comes back as %s, %v", id, back, err)
		}
	}
}

func TestLogIDRefuses(t *testing.T) {
	for _, text := range []string{
		"", "0", strings.Repeat("0", 25), strings.Repeat("0", 27), strings.Repeat("0", 1000),
		"80000000000000000000000000", // 131 bits
		"ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
		"0000000000000000000000000I", "0000000000000000000000000L", "0000000000000000000000000O",
		"0000000000000000000000000U", "0000000000000000000000000-", "0000000000000000000000000\x00",
		" 0000000000000000000000000", "000000000000000000000000é", "0000000000000000000000000@",
		"0000000000000000000000000[", "0000000000000000000000000`", "0000000000000000000000000{",
	} {
		id, err := events.ParseLogID(text)
		if err == nil {
			t.Errorf("%q is read as %s", text, id)
		} else if len(err.Error()) > 200 {
			t.Errorf("%q: an error of %d bytes", text[:10], len(err.Error()))
		}
	}
	id := events.LogID{1}
	if id.UnmarshalText([]byte("bad")) == nil || id != (events.LogID{1}) {
		t.Error("bad text must leave the id as it was")
	}
}

func TestLogIDSortsByAge(t *testing.T) {
	r := chance(t)
	for range 2000 {
		a, b := int64(r.Uint64N(1<<48)), int64(r.Uint64N(1<<48))
		x, y := events.NewLogID(a, [10]byte(r.bytes(10))), events.NewLogID(b, [10]byte(r.bytes(10)))
		if x.Millis() != a {
			t.Fatalf("made at %d, says %d", a, x.Millis())
		}
		if a != b && (x.Compare(y) < 0) != (a < b) {
			t.Fatalf("%s (%d) and %s (%d) do not sort by age", x, a, y, b)
		}
		if strings.Compare(x.String(), y.String()) != x.Compare(y) {
			t.Fatalf("%s and %s: text and bytes sort differently", x, y)
		}
	}
	for wall, want := range map[int64]int64{-1: 0, -1 << 63: 0, 1 << 48: 1<<48 - 1, 1<<63 - 1: 1<<48 - 1} {
		if got := events.NewLogID(wall, [10]byte{}).Millis(); got != want {
			t.Errorf("NewLogID(%d).Millis() = %d, want %d", wall, got, want)
		}
	}
}

func TestID(t *testing.T) {
	log := events.NewLogID(1469918176385, [10]byte{9: 7})
	id := events.ID{Log: log, Seq: 1<<64 - 1}
	if got := id.String(); got != "01ARYZ6S410000000000000007:18446744073709551615" {
		t.Error(got)
	}
	if !(events.ID{Log: log}).IsZero() || id.IsZero() || (events.ID{}).String() != "" {
		t.Error("an ID without a sequence names no event")
	}
	r := chance(t)
	for range 1000 {
		a := events.ID{Log: r.logID(), Seq: 1 + r.number(1<<64-2)}
		text, _ := a.MarshalText()
		var back events.ID
		if err := back.UnmarshalText(text); err != nil || back != a {
			t.Fatalf("%s comes back as %s, %v", text, back, err)
		}
		b := pick(r, a, events.ID{Log: a.Log, Seq: r.number(1<<64 - 1)}, events.ID{Log: r.logID(), Seq: a.Seq})
		if c := a.Compare(b); c != -b.Compare(a) || (c == 0) != (a == b) {
			t.Fatalf("%s and %s compare as %d", a, b, c)
		}
		if a.Log == b.Log && (a.Compare(b) < 0) != (a.Seq < b.Seq) {
			t.Fatalf("%s and %s are not ordered by sequence", a, b)
		}
	}
	for _, text := range []string{":", ":1", "1", log.String(), log.String() + ":", log.String() + ":0",
		log.String() + ":01", log.String() + ":+1", log.String() + ":-1", log.String() + ": 1", log.String() + ":1:1",
		log.String() + ":1_0", log.String() + ":0x1", log.String() + ":18446744073709551616", "x" + id.String(), ""} {
		if id, err := events.ParseID(text); err == nil {
			t.Errorf("%q is read as %s", text, id)
		}
	}
	if err := id.UnmarshalText(nil); err != nil || id != (events.ID{}) {
		t.Error("empty text is the zero ID")
	}
}
