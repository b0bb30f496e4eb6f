package projection_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// life returns n encoded events of a cluster of 100 nodes, 1024 partitions and
// 10 000 values, in the mixture that a log of some years has: runs of
// assignments by the coordinator, restarts, suspicions and refutations, values
// of an application, facts.
func life(tb testing.TB, n int) [][]byte {
	const nodes, partitions, values = 100, 1024, 10_000
	rng := rand.New(rand.NewPCG(1, 2))
	origins := make([]*origin, nodes)
	names := make([]string, nodes)
	incarnations := make([]uint64, nodes)
	for i := range origins {
		names[i] = fmt.Sprintf("node-%d", i)
		origins[i] = newOrigin(tb, i, names[i])
	}
	now := origins[0].time
	body := make([]byte, 64)
	raws := make([][]byte, 0, n)
	add := func(o *origin, e events.Event) {
		now += events.Timestamp(rng.IntN(1000)) << 10
		o.time, o.past = max(o.time, now), o.past[:0]
		e = o.emit(e)
		raws = append(raws, e.Raw())
	}
	add(origins[0], events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister, Version: 1,
		Body: events.Encode(&events.ClusterConfig{Name: "life", PartitionCount: partitions, ReplicationFactor: 3})})
	epoch := uint64(1 << 32)
	for len(raws) < n {
		i, j := rng.IntN(nodes), rng.IntN(nodes)
		o := origins[i]
		switch k := rng.IntN(100); {
		case k < 3: // a rebalance of 16 partitions: half of all events
			for range 16 {
				p := rng.IntN(partitions)
				epoch++
				add(origins[0], events.Event{Type: events.PartitionAssigned, Register: events.PartitionRegister(p), Version: epoch,
					Cause: events.ID{Log: o.log, Seq: 1},
					Body: events.Encode(&events.Assignment{Partition: uint32(p), Trigger: "failure", Reason: "a copy was lost",
						Replicas: []string{names[i], names[j], names[rng.IntN(nodes)]}, Previous: []string{names[j], names[i]}})})
			}
		case k < 12:
			incarnations[i]++
			add(o, events.Event{Type: events.NodeJoined, Register: events.NodeRegister(names[i]), Version: incarnations[i],
				Body: events.Encode(&events.NodeRecord{ID: names[i], Name: names[i], Addr: "10.0.0.1:8080", Zone: "a", Weight: 1,
					Services: map[string]string{"http": "10.0.0.1:80"}, JoinedAt: o.time, StartedAt: o.time})})
		case k < 30:
			t, rank := events.NodeSuspected, uint8(events.RankSuspected)
			if k < 20 {
				t, rank = events.NodeFailed, events.RankFailed
			}
			add(o, events.Event{Type: t, Register: events.AccusationRegister(names[j]), Version: incarnations[j], Rank: rank,
				Body: events.Encode(&events.Accusation{Node: names[j], Incarnation: incarnations[j], Reason: "no answer to 3 indirect probes"})})
		case k < 80:
			key := fmt.Sprintf("key-%d", rng.IntN(values))
			add(o, events.Event{Type: events.ValueSet, Register: events.ValueRegister(key), Version: uint64(len(raws)),
				Body: events.Encode(&events.Value{Key: key, Value: body})})
		default:
			add(o, events.Event{Type: "app/order-shipped", Actor: "app", Body: body})
		}
	}
	// As on disk: one after the other.
	size := 0
	for _, raw := range raws {
		size += len(raw)
	}
	disk := make([]byte, 0, size)
	for i, raw := range raws {
		disk = append(disk, raw...)
		raws[i] = disk[len(disk)-len(raw) : len(disk) : len(disk)]
	}
	return raws
}

// BenchmarkDecodeApply replays a million events, from bytes to digest and
// view.
func BenchmarkDecodeApply(b *testing.B) {
	const n = 1_000_000
	raws := life(b, n)
	size := int64(0)
	for _, raw := range raws {
		size += int64(len(raw))
	}
	b.ReportAllocs()
	b.SetBytes(size)
	for b.Loop() {
		s := projection.NewState()
		var d events.Decoder
		for _, raw := range raws {
			e, err := d.Decode(raw)
			if err != nil {
				b.Fatal(err)
			}
			s.Apply(&e)
		}
		if s.Digest().Logs != 100 || len(s.Cluster().Nodes) != 100 {
			b.Fatal("not what was written")
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/float64(b.N), "ns/event")
}

// BenchmarkApply overwrites registers in the steady state.
func BenchmarkApply(b *testing.B) {
	o := newOrigin(b, 1, "n1")
	batch := make([]events.Event, 100_000)
	for i := range batch {
		batch[i] = o.assign(i%1024, uint64(i+1), "node-1", "node-2", "node-3")
		o.past = nil
	}
	s := fold(b, projection.NewState(), batch[:2048]...)
	i := 2048
	b.ReportAllocs()
	for b.Loop() {
		if i == len(batch) {
			b.StopTimer()
			s = fold(b, projection.NewState(), batch[:2048]...)
			i = 2048
			b.StartTimer()
		}
		s.Apply(&batch[i])
		i++
	}
}

// grown returns a state of 100 nodes and 1024 partitions, and its writer.
func grown(tb testing.TB, nodes, partitions int) (*projection.State, *origin) {
	o := newOrigin(tb, 1, "node-0")
	s := fold(tb, projection.NewState(), o.configure("grown", uint32(partitions), 3))
	for i := range nodes {
		n := newOrigin(tb, 2+i, fmt.Sprintf("node-%d", i))
		fold(tb, s, n.emit(events.Event{Type: events.LogStarted, Register: events.LogRegister(n.log), Version: 1,
			Body: events.Encode(&events.LogOwner{Node: n.node})}))
		fold(tb, s, n.say(events.NodeJoined, 1, events.NodeRecord{Addr: "10.0.0.1:80"}))
	}
	for p := range partitions {
		fold(tb, s, o.assign(p, uint64(p+1), fmt.Sprintf("node-%d", p%nodes), fmt.Sprintf("node-%d", (p+1)%nodes)))
	}
	s.Cluster()
	return s, o
}

// BenchmarkCluster is what publishing costs after one partition has changed.
func BenchmarkCluster(b *testing.B) {
	for _, size := range []struct{ nodes, partitions int }{{100, 1024}, {1000, 1024}, {100, 65536}} {
		b.Run(fmt.Sprintf("%dnodes-%dpartitions", size.nodes, size.partitions), func(b *testing.B) {
			s, o := grown(b, size.nodes, size.partitions)
			epoch := uint64(1 << 32)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				epoch++
				e := o.assign(17, epoch, "node-1", "node-2", "node-3")
				o.past = nil
				s.Apply(&e)
				b.StartTimer()
				s.Cluster()
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	s, _ := grown(b, 100, 1024)
	snapshot := s.AppendSnapshot(nil)
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(snapshot)))
		for b.Loop() {
			snapshot = s.AppendSnapshot(snapshot[:0])
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(snapshot)))
		for b.Loop() {
			if _, err := projection.ReadSnapshot(snapshot); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("clone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Clone()
		}
	})
	b.Run("merge", func(b *testing.B) {
		o, err := projection.ReadSnapshot(snapshot)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			s.Merge(o)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	s, _ := grown(b, 100, 1024)
	c := s.Cluster()
	b.Run("node", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := c.Node("node-57"); !ok {
				b.Fatal("no node")
			}
		}
	})
	b.Run("partition", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if c.Partition(517).Primary == "" {
				b.Fatal("no owner")
			}
		}
	})
	b.Run("token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if t := c.Partition(517).Token(); t[7] == 0 && t[6] == 0 {
				b.Fatal("no epoch")
			}
		}
	})
	b.Run("stamp", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := s.Stamp("node/node-57"); !ok {
				b.Fatal("no register")
			}
		}
	})
}
