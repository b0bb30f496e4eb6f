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
