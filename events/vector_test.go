package events_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/events"
)

func (r *random) vector(logs []events.LogID) events.Vector {
	v := events.Vector{}
	for _, log := range logs {
		if n := r.Uint64N(4); n > 0 || r.IntN(2) == 0 { // a zero entry holds nothing
			v[log] = n
		}
	}
	return v
}

// TestVectorLattice: Merge is the least upper bound of Dominates.
func TestVectorLattice(t *testing.T) {
	r := chance(t)
	logs := []events.LogID{r.logID(), r.logID(), r.logID()}
	join := func(a, b events.Vector) events.Vector {
		c := a.Clone()
		c.Merge(b)
		return c
	}
	for range 3000 {
		a, b, c := r.vector(logs), r.vector(logs), r.vector(logs)
		ab := join(a, b)
		switch {
		case !ab.Equal(join(b, a)), !join(ab, c).Equal(join(a, join(b, c))), !join(a, a).Equal(a):
			t.Fatalf("Merge is not a join: %s, %s, %s", a, b, c)
		case !ab.Dominates(a), !ab.Dominates(b):
			t.Fatalf("%s does not dominate %s and %s", ab, a, b)
		case c.Dominates(a) && c.Dominates(b) && !c.Dominates(ab):
			t.Fatalf("%s is not the least bound of %s and %s", ab, a, b)
		case a.Dominates(b) != join(a, b).Equal(a), a.Equal(b) != (a.Dominates(b) && b.Dominates(a)):
			t.Fatalf("%s and %s", a, b)
		case a.Equal(b) != (a.String() == b.String()), a.Equal(b) != (toJSON(t, a) == toJSON(t, b)):
			t.Fatalf("%s and %s: text and Equal disagree", a, b)
		}
		id := events.ID{Log: pick(r, logs...), Seq: 1 + r.Uint64N(4)}
		if ab.Covers(id) != (a.Covers(id) || b.Covers(id)) {
			t.Fatalf("%s in %s and %s", id, a, b)
		}
	}
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestVectorText(t *testing.T) {
	r := chance(t)
	for range 500 {
		v := events.Vector{}
		for range r.IntN(6) {
			v[r.logID()] = r.number(1<<64 - 1)
		}
		fromText, err := events.ParseVector(v.String())
		if err != nil || !fromText.Equal(v) || fromText.String() != v.String() {
			t.Fatalf("%s comes back as %s, %v", v, fromText, err)
		}
		var fromJSON events.Vector
		if err := json.Unmarshal([]byte(toJSON(t, v)), &fromJSON); err != nil || !fromJSON.Equal(v) {
			t.Fatalf("%s comes back as %s, %v", toJSON(t, v), fromJSON, err)
		}
		if want := maps.Clone(v); cmp.Diff(want, v.Clone()) != "" {
			t.Fatal("Clone is not equal")
		}
		if logs := v.Logs(); len(logs) != len(v) {
			t.Fatalf("%d logs of %d", len(logs), len(v))
		}
	}
}

func TestVectorForms(t *testing.T) {
	a, b := events.LogID{15: 1}, events.LogID{15: 2}
	v := events.Vector{b: 7, a: 1<<64 - 1, {15: 3}: 0}
	const text = "00000000000000000000000001:18446744073709551615,00000000000000000000000002:7"
	if got := v.String(); got != text {
		t.Errorf("%s, want %s", got, text)
	}
	const object = `{"00000000000000000000000001":18446744073709551615,"00000000000000000000000002":7}`
	if got := toJSON(t, v); got != object {
		t.Errorf("%s, want %s", got, object)
	}
	for _, bad := range []string{",", text + ",", "," + text, text + ",00000000000000000000000002:8", "x:1",
		"00000000000000000000000001:0", "00000000000000000000000001", text + ", 00000000000000000000000003:1"} {
		if v, err := events.ParseVector(bad); err == nil {
			t.Errorf("%q is read as %s", bad, v)
		}
	}
	for _, bad := range []string{`[]`, `7`, `{"x":1}`, `{"00000000000000000000000001":-1}`, `{"00000000000000000000000001":1.5}`,
		`{"00000000000000000000000001":"1"}`, `{"00000000000000000000000001":18446744073709551616}`, `{`} {
		before := events.Vector{a: 1}
		if err := before.UnmarshalJSON([]byte(bad)); err == nil || before[a] != 1 {
			t.Errorf("%s is read as %s", bad, before)
		}
	}
}

// TestNilVector: the nil Vector holds nothing and may be read.
func TestNilVector(t *testing.T) {
	var v events.Vector
	if v.Covers(events.ID{Log: events.LogID{1}, Seq: 1}) || !v.Equal(events.Vector{}) || !v.Dominates(nil) || v.String() != "" ||
		len(v.Logs()) != 0 || toJSON(t, v) != "{}" {
		t.Error("nil is not the empty vector")
	}
	c := v.Clone()
	c[events.LogID{1}] = 1 // a clone may be written
	if err := json.Unmarshal([]byte("null"), &v); err != nil || len(v) != 0 {
		t.Error(v, err)
	}
}
