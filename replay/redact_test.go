package replay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestRedactionLeavesNoName makes up histories in which every name, address,
// key, value and word is a random one, and finds none of them in the bytes of
// the redacted bundle; its chains hold, and its logs agree.
func TestRedactionLeavesNoName(t *testing.T) {
	seed := seedOf(t)
	for round := range uint64(8) {
		dir := t.TempDir()
		var secrets, ids []string
		r := rand.New(rand.NewPCG(seed, 200+round))
		secret := func() string {
			s := fmt.Sprintf("q%012x", r.Uint64()>>16)
			secrets = append(secrets, s)
			return s
		}
		synctest.Test(t, func(t *testing.T) {
			h := replaytest.New(t, dir)
			h.Cluster = secret()
			for range 3 {
				ids = append(ids, secret())
			}
			n := h.Node(ids[0])
			for _, id := range ids {
				h.Node(id).Join("moved from " + secret() + ":" + secret())
				n.Sync(h.Node(id))
			}
			first := n.Claim("because of " + secret())
			n.Configure(4, 2, first.ID())
			for i := range 40 {
				tellSecrets(n, i, ids, r, secret)
			}
			h.SyncAll(ids...)
			h.Close()
		})
		var dirs []string
		for _, id := range ids {
			dirs = append(dirs, filepath.Join(dir, id))
		}
		_, logs := bundleOf(t, []byte("a key of some length"), dirs...)
		c, err := replay.Converge(context.Background(), logs...)
		if err != nil || c.Verdict != replay.Equal {
			t.Errorf("round %d: converge: %+v, %v", round, c, err)
		}
		for _, s := range logs {
			if v, err := replay.Verify(context.Background(), s); err != nil || v.Result != replay.Pass {
				t.Errorf("round %d: verify: %+v, %v", round, v, err)
			}
			visible := strings.Join(records(t, s), "") + s.Name + s.Node() + s.ClusterName()
			for _, e := range all(t, s) {
				visible += string(e.Event.Raw())
			}
			for _, name := range secrets {
				if strings.Contains(visible, name) {
					t.Fatalf("round %d (-seed %d): %s is still there", round, seed, name)
				}
			}
		}
	}
}

// tellSecrets emits one of the events that carry names.
func tellSecrets(n *replaytest.Node, i int, ids []string, r *rand.Rand, secret func() string) {
	other := ids[r.IntN(len(ids))]
	switch i % 6 {
	case 0:
		stamp, _ := n.State.Stamp(events.NodeRegister(n.ID))
		n.Emit(events.Event{Type: events.NodeUpdated, Register: events.NodeRegister(n.ID), Version: stamp.Version,
			Body: events.Encode(&events.NodeRecord{ID: n.ID, Name: secret(), Addr: secret() + ":7001", Zone: secret(),
				Services: map[string]string{secret(): secret() + ":80"}, Metadata: map[string]string{secret(): secret()}, Reason: secret(), Degraded: "no room in " + secret()})})
	case 1:
		n.Set(secret(), secret())
	case 2:
		n.Emit(events.Event{Type: events.AppPrefix + events.Type(secret()), Actor: "operator:" + secret(), Body: []byte(secret())})
	case 3:
		n.Accuse(events.NodeSuspected, other, events.ID{}, "no answer from "+other+" at "+secret()+":80, said "+secret())
	case 4:
		n.Assign(r.IntN(4), []string{other}, secret(), "moved for "+secret(), events.ID{})
	case 5:
		n.Emit(events.Event{Type: events.NodeDrained, Register: events.AdminRegister(other), Actor: "operator:" + secret(),
			Body: events.Encode(&events.NodeOrder{Node: other, Reason: secret()})})
	}
}
