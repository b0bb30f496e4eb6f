package clusterkit

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// crowd returns the events of many logs, a few of each.
func crowd(t *testing.T, r *rand.Rand, logs int) []events.Event {
	t.Helper()
	var all []events.Event
	for i := range logs {
		var random [10]byte
		for j := range random {
			random[j] = byte(r.Uint32())
		}
		log := events.NewLogID(1_700_000_000_000+int64(i), random)
		chain := events.Genesis(log)
		for seq := range uint64(1 + r.IntN(3)) {
			e, err := events.Seal(events.Event{Log: log, Seq: seq + 1, Time: events.NewTimestamp(1_700_000_000_000, 0),
				Type: "app/crowd", Actor: fmt.Sprint("n", i)}, chain)
			if err != nil {
				t.Fatal(err)
			}
			all, chain = append(all, e), e.Chain
		}
	}
	return all
}

// knowing returns what somebody knows who has some of the events: of each log
// the first ones.
func knowing(all []events.Event, has func(*events.Event) bool) *knowledge {
	r := newReplica("n", events.LogID{}, projection.Config{}, coordination.Options{})
	for i := range all {
		if has(&all[i]) {
			r.state.Apply(&all[i])
		}
	}
	return r.know()
}

// TestLargeVectors lets two who know thousands of logs ask each other as the
// exchange does, and holds what they learn to the whole vectors.
func TestLargeVectors(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 9))
		all := crowd(t, r, 600+r.IntN(600))
		few := r.IntN(10)
		lost := func(e *events.Event) bool { return r.IntN(len(all)) >= few }
		a, b := knowing(all, lost), knowing(all, lost)
		if a.digest == b.digest {
			continue
		}
		first := a.claim(true, part{})
		if first.given || first.buckets == nil {
			t.Fatalf("seed %d: a vector of %d logs is sent whole", seed, len(a.heads))
		}
		if !b.answer(&first, events.LogID{}).needVector {
			t.Fatalf("seed %d: nothing is asked", seed)
		}
		heads, within := b.reply(&first)
		if len(heads) > len(b.heads)*(few*2+4)/events.BucketCount*2 {
			t.Errorf("seed %d: %d of %d heads travel for at most %d differences", seed, len(heads), len(b.heads), 2*few)
		}
		held, ok := a.heldBy(&first, heads, within)
		if !ok || !slices.Equal(held, b.heads) {
			t.Fatalf("seed %d: what the other one holds is not known", seed)
		}
		second := a.claim(true, part{known: true, within: within})
		got, want := b.answer(&second, events.LogID{}).spans, b.beyond(a.heads, events.LogID{})
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: %d spans, want %d (replay with -run 'TestLargeVectors' and this seed)", seed, len(got), len(want))
		}
		if _, ok := a.heldBy(&second, heads, within); ok {
			t.Errorf("seed %d: a part is taken for the whole", seed)
		}
	}
}

// TestLargeVectorsWithEqualBuckets is what to do when the sums hide a
// difference: the whole vector travels.
func TestLargeVectorsWithEqualBuckets(t *testing.T) {
	all := crowd(t, rand.New(rand.NewPCG(1, 9)), 600)
	a := knowing(all, func(*events.Event) bool { return true })
	b := knowing(all[:len(all)-1], func(*events.Event) bool { return true })
	b.buckets = a.buckets
	first := a.claim(true, part{})
	heads, within := b.reply(&first)
	if held, ok := a.heldBy(&first, heads, within); !ok || within != 0 || !slices.Equal(held, b.heads) {
		t.Fatalf("%d heads within %x", len(heads), within)
	}
	if again := a.claim(true, part{known: true}); !again.given || len(again.heads) != len(a.heads) {
		t.Error("the whole vector is not sent")
	}
}

// TestLargeVectorsTravel gives two nodes the events of a thousand logs, and then
// some to both at the same time, so that each lacks what the other one has.
func TestLargeVectorsTravel(t *testing.T) {
	pair := startPair(t)
	all := crowd(t, rand.New(rand.NewPCG(1, 1)), 1000)
	give := func(ck *ClusterKit, lot []events.Event) {
		for batch := range slices.Chunk(lot, 500) {
			if in, err := ck.ingest(t.Context(), batch); err != nil || in.accepted != len(batch) {
				t.Error(in, err)
			}
		}
	}
	const rounds = 10
	late := make(map[events.LogID]bool) // the logs that are given last
	for i := len(all) - 1; len(late) < 2*rounds; i-- {
		late[all[i].Log] = true
	}
	i := slices.IndexFunc(all, func(e events.Event) bool { return late[e.Log] })
	give(pair[0], all[:i])
	least := 1e9
	for all = all[i:]; len(all) > 0; {
		awaitEqual(t, pair, func(c *Cluster) bool { return len(c.Vector) > 900 })
		before := bytesOfSyncs(t, pair[0]) + bytesOfSyncs(t, pair[1])
		var both sync.WaitGroup
		for _, ck := range pair {
			n := 1
			for n < len(all) && all[n].Log == all[0].Log {
				n++
			}
			lot := all[:n]
			all = all[n:]
			both.Go(func() { give(ck, lot) })
		}
		both.Wait()
		awaitEqual(t, pair, func(c *Cluster) bool { return true })
		least = min(least, bytesOfSyncs(t, pair[0])+bytesOfSyncs(t, pair[1])-before)
	}
	awaitEqual(t, pair, func(c *Cluster) bool { return len(c.Vector) >= 1000 })
	t.Logf("%.0f bytes to exchange an event each", least)
	if least > 10_000 { // each vector takes 36 KB
		t.Errorf("%.0f bytes to exchange an event each", least)
	}
}

// bytesOfSyncs returns how many bytes of syncs a node says that it sent.
func bytesOfSyncs(t *testing.T, ck *ClusterKit) float64 {
	t.Helper()
	w := httptest.NewRecorder()
	ck.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	found := regexp.MustCompile(`(?m)^clusterkit_sync_sent_bytes_total\{.*\} (\S+)$`).FindStringSubmatch(w.Body.String())
	if found == nil {
		t.Fatalf("status %d, without the metric", w.Code)
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
