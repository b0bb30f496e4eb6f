package replaytest

import (
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// Incident makes up, in dir, the past of three nodes n1, n2 and n3 with four
// partitions in two copies: they find together, n3 fails and its partitions
// move, it returns, an operator removes it. Called in a bubble of
// testing/synctest it is the same in every run. It returns the history with
// its logs still open.
func Incident(t testing.TB, dir string) *History {
	h := New(t, dir)
	n1, n2 := h.Node("n1"), h.Node("n2")
	n1.Join("first node")
	claim := n1.Claim("no coordinator")
	n1.Configure(4, 2, claim.ID())
	for p := range 4 {
		n1.Assign(p, []string{"n1"}, "bootstrap", "never had an owner", claim.ID())
	}
	time.Sleep(2 * time.Second)
	n2.Sync(n1)
	joined := n2.Join("joins through 10.0.0.1:8080")
	time.Sleep(20 * time.Millisecond)
	n3 := h.Node("n3")
	n3.Sync(n2)
	n3.Join("joins through 10.0.0.2:8080")
	h.SyncAll("n1", "n2", "n3")
	n1.Emit(events.Event{Type: events.RebalanceStarted, Cause: joined.ID(),
		Body: events.Encode(&events.Rebalance{Moves: 4, Trigger: "balance", Reason: "n2 and n3 joined"})})
	for p, owners := range [][]string{{"n1", "n2"}, {"n2", "n3"}, {"n3", "n1"}, {"n1", "n3"}} {
		n1.Assign(p, owners, "balance", "n2 and n3 joined", joined.ID())
	}
	n1.Emit(events.Event{Type: events.RebalanceCompleted, Cause: joined.ID(),
		Body: events.Encode(&events.Rebalance{Moves: 4, Trigger: "balance", Reason: "n2 and n3 joined"})})
	h.SyncAll("n1", "n2", "n3")
	time.Sleep(time.Minute)
	n2.Set("greeting", "hello")
	n2.Emit(events.Event{Type: "app/order-shipped", Actor: "app", Body: []byte("order 4711")})
	h.SyncAll("n1", "n2", "n3")
	h.fail()
	h.comeBack()
	return h
}

// fail lets n3 crash. What n2 says about it reaches n1 late.
func (h *History) fail() {
	n1, n2 := h.Node("n1"), h.Node("n2")
	time.Sleep(10 * time.Second)
	n2.Accuse(events.NodeSuspected, "n3", events.ID{}, "no answer to 4 probes")
	time.Sleep(3 * time.Second)
	suspected := n1.Accuse(events.NodeSuspected, "n3", events.ID{}, "no answer to 4 probes")
	time.Sleep(2 * time.Second)
	failed := n1.Accuse(events.NodeFailed, "n3", suspected.ID(), "no refutation in 2 s")
	n1.Assign(2, []string{"n1"}, "failure", "n3 failed", failed.ID())
	n1.Sync(n2)
	n2.Sync(n1)
	time.Sleep(time.Minute)
	n1.Assign(1, []string{"n2", "n1"}, "replace", "n3 did not return", failed.ID())
	n1.Assign(2, []string{"n1", "n2"}, "replace", "n3 did not return", failed.ID())
	n1.Assign(3, []string{"n1", "n2"}, "replace", "n3 did not return", failed.ID())
	n2.Sync(n1)
}

// comeBack lets n3 start again, get its share, and be removed in the end.
func (h *History) comeBack() {
	n1, n2, n3 := h.Node("n1"), h.Node("n2"), h.Node("n3")
	time.Sleep(time.Minute)
	n3.Sync(n1)
	joined := n3.Join("started again")
	h.SyncAll("n1", "n2", "n3")
	n1.Assign(2, []string{"n3", "n1"}, "balance", "n3 returned", joined.ID())
	n2.Emit(events.Event{Type: events.ValueSet, Register: events.ValueRegister("greeting"), Actor: "app",
		Body: events.Encode(&events.Value{Key: "greeting", Value: []byte("hello again")})})
	h.SyncAll("n1", "n2", "n3")
	time.Sleep(time.Hour)
	stamp, _ := n1.State.Stamp(events.NodeRegister("n3"))
	removed := n1.Emit(events.Event{Type: events.NodeRemoved, Register: events.AdminRegister("n3"), Actor: "operator:ada",
		Body: events.Encode(&events.NodeOrder{Node: "n3", Incarnation: stamp.Version, Reason: "sold"})})
	n1.Assign(2, []string{"n1", "n2"}, "removal", "n3 was removed", removed.ID())
	n2.Sync(n1)
	n3.Sync(n1)
}
