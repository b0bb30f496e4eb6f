package transport_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the property tests; 0 takes a new one each time")

// chance is the source of everything random in a property test. When the test
// fails it tells how to see the failure again.
func chance(t *testing.T) *random {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64() | 1
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: go test ./transport -run '^%s$' -seed %d", t.Name(), seed)
		}
	})
	return &random{rand.New(rand.NewPCG(seed, 1))}
}

type random struct{ *rand.Rand }

func pick[T any](r *random, from ...T) T { return from[r.IntN(len(from))] }

func (r *random) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r *random) log() (id events.LogID) {
	copy(id[:], r.bytes(16))
	id[15] |= 1
	return id
}

func (r *random) number() uint64 { return r.Uint64() >> r.IntN(64) }

func (r *random) id() string {
	const letters = "abcXYZ019._-"
	b := make([]byte, 1+r.IntN(pick(r, 8, 64)))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func (r *random) text() string {
	return pick(r, "", "a", "zone é", `"quoted" <&>`, "世界", "%s", "null", r.id())
}

func (r *random) digest() events.Digest {
	return events.Digest{Vector: events.Sum{Hi: r.Uint64(), Lo: r.number()}, State: events.Sum{Lo: r.Uint64()}, Logs: r.Uint32()}
}

func (r *random) header() transport.Header {
	return transport.Header{Cluster: pick(r, "c", "zone é", r.id()), Config: r.number(), From: r.id(), FromLog: r.log(),
		To: pick(r, "", r.id()), Wall: int64(r.number() >> 17)}
}

// heads are ascending by log.
func (r *random) heads() (list transport.Heads) {
	for range r.IntN(5) {
		h := events.Head{Log: r.log(), Seq: r.number()}
		if r.IntN(2) == 0 {
			h.Chain = events.Chain(r.log())
		}
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b events.Head) int { return a.Log.Compare(b.Log) })
	return list
}

func (r *random) buckets() *events.Buckets {
	if r.IntN(3) > 0 {
		return nil
	}
	b := new(events.Buckets)
	for range r.IntN(10) {
		b[r.IntN(len(b))] = r.number()
	}
	return b
}

// within restricts heads to some buckets, or leaves them alone.
func (r *random) within(all transport.Heads) (some transport.Heads, s events.BucketSet) {
	if r.flag() {
		return all, 0
	}
	s = events.BucketSet(r.Uint64() | 1)
	for _, h := range all {
		if s.Has(h.Log) {
			some = append(some, h)
		}
	}
	return some, s
}

func (r *random) events(t testing.TB) transport.Events {
	if n := r.IntN(6); n > 0 {
		return run(t, r.log(), n)
	}
	return nil
}

func (r *random) dict() map[string]string {
	var m map[string]string
	for range r.IntN(3) {
		if m == nil {
			m = make(map[string]string)
		}
		m["k"+r.text()] = r.text()
	}
	return m
}

func (r *random) flag() bool { return r.IntN(2) == 0 }

// empty returns an empty message of every kind.
func empty() []transport.Message {
	return []transport.Message{new(transport.JoinRequest), new(transport.JoinResponse), new(transport.SyncRequest),
		new(transport.SyncResponse), new(transport.ProbeRequest), new(transport.ProbeResponse)}
}

// messages returns a valid message of every kind, in the order of empty.
func (r *random) messages(t testing.TB) []transport.Message {
	join := &transport.JoinRequest{Header: r.header(), Protocol: uint32(r.number() >> 33),
		Settings: events.ClusterConfig{Name: r.text(), PartitionCount: uint32(r.number() >> 33)}}
	join.Node = &events.NodeRecord{ID: join.From, Name: r.text(), Addr: pick(r, "", ":80", "10.0.0.1:80"), Zone: r.text(),
		Weight: uint32(r.number() >> 33), Services: r.dict(), Metadata: r.dict(), StartedAt: events.NewTimestamp(int64(r.number()>>20), 3)}
	joined := &transport.JoinResponse{Header: r.header(), Digest: r.digest(), Spoken: r.flag()}
	for range r.IntN(4) {
		joined.Members = append(joined.Members, transport.Member{ID: r.id(), Addr: r.text(), Status: pick(r, "", "alive"),
			Incarnation: r.number(), Log: pick(r, events.LogID{}, r.log())})
	}
	sync := &transport.SyncRequest{Header: r.header(), Digest: r.digest(), HasVector: r.flag(), Events: r.events(t)}
	synced := &transport.SyncResponse{Header: r.header(), Digest: r.digest(), Code: transport.SyncCode(1 + r.IntN(4)),
		HasVector: r.flag(), Events: r.events(t), More: r.flag(), Acks: r.heads(), Spoken: r.flag()}
	sync.Buckets, synced.Buckets = r.buckets(), r.buckets()
	if r.flag() {
		sync.Snapshot = r.bytes(1 + r.IntN(100))
	}
	if sync.HasVector {
		sync.Vector, sync.Within = r.within(r.heads())
	}
	if synced.HasVector {
		synced.Vector, synced.Within = r.within(r.heads())
	}
	if synced.Code == transport.CodeSnapshot {
		synced.Snapshot = r.bytes(1 + r.IntN(100))
	}
	probe := &transport.ProbeRequest{Header: r.header(), Digest: r.digest(), Accused: r.number()}
	if r.flag() {
		probe.Target, probe.TargetAddr, probe.Reach = r.id(), "[::1]:80", r.number()
	}
	probed := &transport.ProbeResponse{Header: r.header(), Equal: r.flag(), Incarnation: r.number(), Reached: r.flag(), Degraded: r.text(),
		Process: events.NewTimestamp(int64(r.number()%(1<<46)), uint16(r.number()))}
	if !probed.Equal {
		probed.Digest = r.digest()
	}
	return []transport.Message{join, joined, sync, synced, probe, probed}
}
