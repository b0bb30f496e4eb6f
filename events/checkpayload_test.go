package events

import (
	"math/rand/v2"
	"testing"
)

// TestCheckPayload changes the bodies of assignments in every way and holds
// CheckPayload against Payload.
func TestCheckPayload(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	whole := Encode(&Assignment{Partition: 17, Replicas: []string{"n1", "n2"}, Previous: []string{"n3"}, Trigger: "balance", Reason: "n\u00fcchtern"})
	accepted := 0
	for range 200_000 {
		b := append([]byte(nil), whole...)
		for range r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		e := Event{Type: PartitionAssigned, Body: b[:r.IntN(len(b)+1)]}
		_, want := e.Payload()
		if got := e.CheckPayload(); (got == nil) != (want == nil) {
			t.Fatalf("%x: %v, want %v", e.Body, got, want)
		}
		if checkAssignment(e.Body) {
			accepted++
			if want != nil {
				t.Fatalf("%x is accepted: %v", e.Body, want)
			}
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d accepted", accepted)
	}
}
