package events_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/events"
)

// checkJSON holds AppendJSON to the struct form, and the struct form to being
// lossless.
func checkJSON(t *testing.T, e *events.Event) {
	t.Helper()
	want, err := events.ReferenceJSON(*e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.AppendJSON([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append([]byte("before"), want...), got) {
		t.Fatalf("AppendJSON of %x (-want +got):\n%s", e.Raw(), cmp.Diff("before"+string(want), string(got)))
	}
	if len(e.Raw()) == 0 {
		return
	}
	var back events.Event
	if err := json.Unmarshal(want, &back); err != nil {
		t.Fatalf("%v\n%s", err, want)
	}
	if !bytes.Equal(back.Raw(), e.Raw()) {
		t.Fatalf("JSON loses bytes:\n%s\nhave %x\nwant %x", want, back.Raw(), e.Raw())
	}
}

func TestJSONOfRandomEvents(t *testing.T) {
	r := chance(t)
	for range 3000 {
		e, _ := r.sealed(t)
		checkJSON(t, &e)
	}
}
