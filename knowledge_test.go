package clusterkit

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// randomHeads are those of some of a few logs, sorted.
func randomHeads(r *rand.Rand, most int) []events.Head {
	heads := []events.Head{}
	for i := range most {
		if r.IntN(3) > 0 {
			heads = append(heads, events.Head{Log: events.LogID{0: byte(i)}, Seq: 1 + r.Uint64N(5)})
		}
	}
	return heads
}

// headsOfLogs are those of exactly so many logs.
func headsOfLogs(n int) []events.Head {
	var heads []events.Head
	for i := range n {
		heads = append(heads, events.Head{Log: events.LogID{0: byte(i)}, Seq: 1})
	}
	return heads
}

func model(heads []events.Head) map[events.LogID]uint64 {
	m := make(map[events.LogID]uint64)
	for _, h := range heads {
		m[h.Log] = h.Seq
	}
	return m
}

// TestHeldHeads compares what is computed on sorted heads with the same on
// maps. Each case has its seed for a name: go test -run TestHeldHeads/17 .
func TestHeldHeads(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			k := &knowledge{heads: randomHeads(r, 8), forked: map[events.LogID]bool{{0: byte(r.IntN(8))}: true}}
			have := randomHeads(r, 8)
			mine, theirs := model(k.heads), model(have)

			want := make(map[events.LogID]span)
			for log, seq := range mine {
				if theirs[log] < seq && !k.forked[log] {
					want[log] = span{log, theirs[log] + 1, seq + 1}
				}
			}
			first := events.LogID{0: byte(r.IntN(8))}
			got := make(map[events.LogID]span)
			for i, s := range k.beyond(have, first) {
				got[s.log] = s
				if s.log == first && i > 0 {
					t.Errorf("the log that goes first comes at %d", i)
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("beyond: %v, want %v", got, want)
			}
			lacks := false
			for log, seq := range theirs {
				lacks = lacks || mine[log] < seq && !k.forked[log]
			}
			if k.lacks(have) != lacks {
				t.Errorf("lacks: %v, want %v", !lacks, lacks)
			}
			checkRaise(t, r, have)
		})
	}
}

func checkRaise(t *testing.T, r *rand.Rand, have []events.Head) {
	t.Helper()
	more := randomHeads(r, 8)
	r.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
	before, want := slices.Clone(have), model(have)
	for _, h := range more {
		want[h.Log] = max(want[h.Log], h.Seq)
	}
	raised := raise(have, more)
	if !maps.Equal(model(raised), want) {
		t.Errorf("raise %v with %v: %v", have, more, raised)
	}
	if !slices.Equal(have, before) {
		t.Error("raise has changed what others share")
	}
	if !slices.IsSortedFunc(raised, func(a, b events.Head) int { return a.Log.Compare(b.Log) }) {
		t.Errorf("not sorted: %v", raised)
	}
	for log := range want {
		if seqIn(raised, log) != want[log] {
			t.Errorf("seqIn %v: %d, want %d", log, seqIn(raised, log), want[log])
		}
	}
}

// TestSevered: who sends a range that does not go on from what the receiver says
// it holds has found a fork; a gap, or what it has already, says nothing.
func TestSevered(t *testing.T) {
	log, other := events.LogID{0: 1}, events.LogID{0: 2}
	var past []events.Event
	chain := events.Genesis(log)
	for seq := range uint64(4) {
		e, err := events.Seal(events.Event{Log: log, Seq: seq + 1, Time: events.NewTimestamp(1_700_000_000_000, uint16(seq)), Type: "app/x"}, chain)
		if err != nil {
			t.Fatal(err)
		}
		past, chain = append(past, e), e.Chain
	}
	head := func(seq int, chain events.Chain) []events.Head {
		return []events.Head{{Log: log, Seq: uint64(seq), Chain: chain}, {Log: other, Seq: 9}}
	}
	odd := events.Chain{0: 1}
	for _, c := range []struct {
		name  string
		batch []events.Event
		held  []events.Head
		forks int
	}{
		{"it goes on", past[2:], head(2, past[1].Chain), 0},
		{"from another branch", past[2:], head(2, odd), 1},
		{"a gap", past[3:], head(2, odd), 0},
		{"known already", past[1:], head(4, odd), 0},
		{"all of a log of which nothing is held", past, head(2, odd)[1:], 0},
		{"who says nothing", past, nil, 0},
	} {
		if got := severed(c.batch, c.held); len(got) != c.forks || c.forks > 0 && got[0] != c.held[0] {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	forks := []events.Head{{Log: other}, {Log: log}}
	if got := forksOf(log, forks); len(got) != 1 || got[0].Log != log {
		t.Errorf("of one log: %v", got)
	}
}
