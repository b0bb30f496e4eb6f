package events_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

func (r *random) sum() events.Sum {
	return events.Sum{Hi: pick(r, r.Uint64(), 0, 1<<64-1), Lo: pick(r, r.Uint64(), 0, 1, 1<<64-1)}
}

// TestSumIsAGroup: against big integers modulo 2^128.
func TestSumIsAGroup(t *testing.T) {
	mod := new(big.Int).Lsh(big.NewInt(1), 128)
	number := func(s events.Sum) *big.Int {
		n := new(big.Int).SetUint64(s.Hi)
		return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(s.Lo))
	}
	r := chance(t)
	for range 5000 {
		a, b, c := r.sum(), r.sum(), r.sum()
		if want := new(big.Int).Add(number(a), number(b)); number(a.Add(b)).Cmp(want.Mod(want, mod)) != 0 {
			t.Fatalf("%x + %x = %x", a, b, a.Add(b))
		}
		if want := new(big.Int).Sub(number(a), number(b)); number(a.Sub(b)).Cmp(want.Mod(want, mod)) != 0 {
			t.Fatalf("%x - %x = %x", a, b, a.Sub(b))
		}
		if a.Add(b) != b.Add(a) || a.Add(b).Add(c) != a.Add(b.Add(c)) || a.Add(b).Sub(b) != a || a.Add(events.Sum{}) != a {
			t.Fatalf("%x, %x, %x", a, b, c)
		}
	}
}

// TestSumFollowsASet: changing one member at a time gives the sum of the set,
// in whatever order it was built.
func TestSumFollowsASet(t *testing.T) {
	r := chance(t)
	set := make([]events.Sum, 50)
	var running events.Sum
	for range 1000 {
		i := r.IntN(len(set))
		next := events.SumOf(r.bytes(32))
		running = running.Sub(set[i]).Add(next)
		set[i] = next
	}
	r.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
	var fresh events.Sum
	for _, s := range set {
		fresh = fresh.Add(s)
	}
	if fresh != running {
		t.Fatalf("%x, want %x", running, fresh)
	}
}

func TestSumOf(t *testing.T) {
	hash := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 99}
	if got, want := events.SumOf(hash), (events.Sum{Hi: 0x0001020304050607, Lo: 0x08090a0b0c0d0e0f}); got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestDigestForms(t *testing.T) {
	d := events.Digest{Vector: events.Sum{Hi: 1, Lo: 2}, State: events.Sum{Hi: 3, Lo: 4}, Logs: 5, Forked: 6}
	const text = "0000000000000001" + "0000000000000002" + "0000000000000003" + "0000000000000004" + "00000005" + "00000006"
	if d.String() != text {
		t.Errorf("%s, want %s", d, text)
	}
	r := chance(t)
	for range 500 {
		d := events.Digest{Vector: r.sum(), State: r.sum(), Logs: r.Uint32(), Forked: r.Uint32()}
		b, err := d.AppendBinary([]byte("x"))
		if err != nil || len(b) != 1+events.DigestSize {
			t.Fatal(len(b), err)
		}
		var fromBinary, fromText events.Digest
		if err := fromBinary.UnmarshalBinary(b[1:]); err != nil || fromBinary != d {
			t.Fatalf("%s comes back as %s, %v", d, fromBinary, err)
		}
		m, _ := d.MarshalText()
		if err := fromText.UnmarshalText(m); err != nil || fromText != d {
			t.Fatalf("%s comes back as %s, %v", d, fromText, err)
		}
	}
	for _, bad := range []string{"", text[:79], text + "0", strings.Replace(text, "1", "g", 1), strings.Repeat("é", 40)} {
		before := d
		if err := before.UnmarshalText([]byte(bad)); err == nil || before != d {
			t.Errorf("%q is read as %s", bad, before)
		}
	}
	for _, n := range []int{0, 39, 41} {
		if err := d.UnmarshalBinary(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are read", n)
		}
	}
}
