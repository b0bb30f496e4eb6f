package clusterkit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// TestForkedLogsTravel lets two nodes compare by turns until they know the
// same. Each holds a part of the events, and each was told of other forks, in
// logs that may have forked themselves: no range brings that. Each case has its
// seed for a name.
func TestForkedLogsTravel(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 4))
			all := rumours(t, r)
			a, b := listener(), listener()
			for i := range all {
				for _, n := range []*replica{a, b} {
					if r.IntN(3) > 0 {
						n.state.Apply(&all[i]) // refused when it leaves a gap
					}
				}
			}
			states := 0
			for round := range 6 {
				if a.know().digest == b.know().digest {
					if again := a.know().answer(claimOf(b), events.LogID{}); !again.equal {
						t.Errorf("who knows the same is answered with %+v", again)
					}
					return
				}
				states += compareWith(t, a, b, all)
				if a, b = b, a; states > 4 {
					t.Fatalf("%d states in %d rounds", states, round)
				}
			}
			t.Fatalf("after six comparisons %s and %s", a.know().digest, b.know().digest)
		})
	}
}

func listener() *replica {
	return newReplica("n", events.LogID{}, projection.Config{}, coordination.Options{})
}

func claimOf(n *replica) *claim {
	k := n.know()
	return &claim{digest: k.digest, given: true, heads: k.heads}
}

// rumours are the events of some logs, of which each may say that another one
// has forked.
func rumours(t *testing.T, r *rand.Rand) []events.Event {
	t.Helper()
	var all []events.Event
	logs := make([]events.LogID, 5)
	for i := range logs {
		logs[i] = events.NewLogID(1_700_000_000_000, [10]byte{9: byte(i)})
	}
	for i, log := range logs {
		chain := events.Genesis(log)
		for seq := range uint64(1 + r.IntN(4)) {
			e := events.Event{Log: log, Seq: seq + 1, Time: events.NewTimestamp(1_700_000_000_000+int64(seq), 0), Type: "app/x", Actor: "x"}
			if at := logs[r.IntN(len(logs))]; at != log && r.IntN(3) == 0 {
				e.Type, e.Register, e.Version, e.Rank = events.LogForked, events.LogRegister(at), 1, 1
				e.Body = events.Encode(&events.LogOwner{Node: fmt.Sprint(i), Seq: 1, Reason: "rumour"})
			}
			sealed, err := events.Seal(e, chain)
			if err != nil {
				t.Fatal(err)
			}
			all, chain = append(all, sealed), sealed.Chain
		}
	}
	return all
}

// compareWith has a ask b, and bring what b lacks, as an exchange does. It
// returns how many states travelled.
func compareWith(t *testing.T, a, b *replica, all []events.Event) int {
	t.Helper()
	bring := func(spans []span, to *replica) {
		for _, s := range spans {
			for i := range all {
				if e := &all[i]; e.Log == s.log && e.Seq >= s.from && e.Seq < s.to {
					to.state.Apply(e)
				}
			}
		}
	}
	answer := b.know().answer(claimOf(a), events.LogID{})
	theirs := b.know().heads
	switch {
	case answer.needVector:
		t.Fatal("a vector was given")
	case answer.merge:
		a.state.Merge(b.state.Clone())
	default:
		bring(answer.spans, a)
	}
	bring(a.know().beyond(theirs, events.LogID{}), b)
	if answer.merge {
		return 1
	}
	return 0
}

// TestVoidEvents: what comes of a log that is known as forked is neither kept
// nor taken for news of a fork or a gap.
func TestVoidEvents(t *testing.T) {
	void := 0
	for seed := range uint64(20) {
		all, n := rumours(t, rand.New(rand.NewPCG(seed, 4))), listener()
		for i := range all {
			if all[i].Type == events.LogForked {
				n.state.Apply(&all[i])
			}
		}
		for i := range all {
			e := &all[i]
			if !n.state.Forked(e.Log) || e.Seq <= n.state.Head(e.Log).Seq {
				continue
			}
			void++
			if in := n.ingest(0, all[i:i+1]); in.void != 1 || in.accepted+in.gaps+len(in.broken) != 0 {
				t.Errorf("seed %d, %s: %+v", seed, e.ID(), in)
			}
		}
	}
	if void == 0 {
		t.Error("no event was void")
	}
}

// TestForkToldByTheOneWhoAsks: a node whose log has forked is told so also when
// it can reach nobody, and who knows of it can only ask. What says that the log
// has forked stands itself in a log that has, which no range brings.
func TestForkToldByTheOneWhoAsks(t *testing.T) {
	pair := startPair(t)
	forked := pair[1].log.Identity().Log
	pair[0].server.Close()
	rumour := projection.NewState()
	log := events.NewLogID(time.Now().UnixMilli(), [10]byte{42})
	chain := events.Genesis(log)
	for seq, at := range []events.LogID{forked, log} {
		e, err := events.Seal(events.Event{Log: log, Seq: uint64(seq) + 1, Time: events.NewTimestamp(time.Now().UnixMilli(), uint16(seq)),
			Type: events.LogForked, Register: events.LogRegister(at), Version: 1, Rank: 1,
			Body: events.Encode(&events.LogOwner{Node: "n1", Seq: 1, Reason: "seen elsewhere"})}, chain)
		if err != nil {
			t.Fatal(err)
		}
		rumour.Apply(&e)
		chain = e.Chain
	}
	if !rumour.Forked(forked) || !rumour.Forked(log) {
		t.Fatal("the rumour does not say what it should")
	}
	if err := pair[0].merge(t.Context(), rumour.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := pair[1].Set(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	awaitEqual(t, pair, func(c *Cluster) bool {
		n, _ := c.Node("n1")
		return n.Log != forked && pair[1].known().forked[forked]
	})
}
