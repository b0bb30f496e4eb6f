package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/buraksezer/consistent"
	"github.com/cespare/xxhash/v2"
	"github.com/go-kit/log"
	"github.com/grafana/ckit/peer"
	"github.com/grafana/ckit/shard"
	"github.com/grafana/dskit/kv/consul"
	"github.com/grafana/dskit/ring"
	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

func placers() []placer {
	return []placer{
		{"clusterkit", minimalFlow},
		{"ckit rendezvous", rendezvous},
		{"dskit ring, 128 tokens", tokenRing},
		{"consistent, load 1.25", boundedLoad},
	}
}

// minimalFlow asks clusterkit.
func minimalFlow(current [][]string, nodes []string) (decision, error) {
	members := ours(nodes)
	began := time.Now()
	out := placement.Place(current, members, copies)
	return decision{out, time.Since(began)}, nil
}

// rendezvous asks grafana/ckit.
func rendezvous(current [][]string, nodes []string) (decision, error) {
	peers := make([]peer.Peer, len(nodes))
	for i, id := range nodes {
		peers[i] = peer.Peer{Name: id, Addr: id, State: peer.StateParticipant}
	}
	began := time.Now()
	sharder := shard.Rendezvous()
	sharder.SetPeers(peers)
	out := make([][]string, len(current))
	for p := range out {
		owners, err := sharder.Lookup(shard.StringKey(fmt.Sprint("partition-", p)), min(copies, len(nodes)), shard.OpReadWrite)
		if err != nil {
			return decision{}, err
		}
		for _, o := range owners {
			out[p] = append(out[p], o.Name)
		}
	}
	return decision{out, time.Since(began)}, nil
}

// tokenRing asks grafana/dskit, with the number of tokens that its lifecycler
// takes by default. A node's tokens depend on its name only, so that a node
// that stays keeps its own.
func tokenRing(current [][]string, nodes []string) (decision, error) {
	store, closer := consul.NewInMemoryClient(ring.GetCodec(), log.NewNopLogger(), nil)
	defer closer.Close()
	desc := ring.NewDesc()
	now := time.Now()
	for _, id := range nodes {
		tokens := ring.NewRandomTokenGeneratorWithSeed(int64(xxhash.Sum64String(id))).GenerateTokens(128, nil)
		desc.AddIngester(id, id, "", tokens, ring.ACTIVE, now, false, time.Time{}, nil)
	}
	ctx := context.Background()
	err := store.CAS(ctx, "ring", func(any) (any, bool, error) { return desc, false, nil })
	if err != nil {
		return decision{}, err
	}
	r, err := ring.NewWithStoreClientAndStrategy(ring.Config{HeartbeatTimeout: time.Minute, ReplicationFactor: copies},
		"ring", "ring", store, ring.NewDefaultReplicationStrategy(), prometheus.NewRegistry(), log.NewNopLogger())
	if err != nil {
		return decision{}, err
	}
	began := time.Now()
	if err := services.StartAndAwaitRunning(ctx, r); err != nil {
		return decision{}, err
	}
	defer func() { _ = services.StopAndAwaitTerminated(ctx, r) }() // nothing depends on it any more
	out := make([][]string, len(current))
	for p := range out {
		set, err := r.Get(uint32(xxhash.Sum64String(fmt.Sprint("partition-", p))), ring.Write, nil, nil, nil)
		if err != nil {
			return decision{}, err
		}
		for _, i := range set.Instances {
			out[p] = append(out[p], i.Id)
		}
	}
	return decision{out, time.Since(began)}, nil
}

type member string

func (m member) String() string { return string(m) }

type hasher struct{}

func (hasher) Sum64(b []byte) uint64 { return xxhash.Sum64(b) }

// boundedLoad asks buraksezer/consistent with its default parameters. It
// places the primaries; the other copies are the members next to it.
func boundedLoad(current [][]string, nodes []string) (decision, error) {
	members := make([]consistent.Member, len(nodes))
	for i, id := range nodes {
		members[i] = member(id)
	}
	began := time.Now()
	c := consistent.New(members, consistent.Config{Hasher: hasher{}, PartitionCount: len(current),
		ReplicationFactor: consistent.DefaultReplicationFactor, Load: consistent.DefaultLoad})
	out := make([][]string, len(current))
	for p := range out {
		owner := c.GetPartitionOwner(p).String()
		closest, err := c.GetClosestNForPartition(p, min(copies, len(nodes)))
		if err != nil {
			return decision{}, err
		}
		out[p] = append(out[p], owner)
		for _, m := range closest {
			if id := m.String(); !slices.Contains(out[p], id) && len(out[p]) < copies {
				out[p] = append(out[p], id)
			}
		}
	}
	return decision{out, time.Since(began)}, nil
}
