package clusterkit

import (
	"context"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// SlowAppend lets a node believe that an append to its log took so long.
func SlowAppend(ck *ClusterKit, took time.Duration) {
	now := ck.now()
	ck.disk.begin(now - took.Milliseconds())
	ck.disk.end(now)
}

// NewDetached returns a node that only answers queries about a given cluster.
func NewDetached(id string, cluster *Cluster) *ClusterKit {
	ck := &ClusterKit{opt: Options{NodeID: id}, config: cluster.Config}
	ck.current.Store(&published{knowledge: &knowledge{cluster: cluster}, changed: make(chan struct{})})
	return ck
}

// WithSyncing calls a function before the log makes anything durable.
func WithSyncing(o *Options, syncing func()) { o.syncing = syncing }

// WithLookup lets a node resolve the names of its known nodes by a function.
func WithLookup(o *Options, resolve func(ctx context.Context, host string) ([]string, error)) {
	o.lookup = resolve
}

// SettingsOf returns the hash of what all nodes must agree on, as headers carry it.
func SettingsOf(ck *ClusterKit) uint64 { return ck.settings }

// Registers returns the names of all registers of a node's state, and the rank of
// the floor of nodes.
func Registers(ctx context.Context, ck *ClusterKit) (names []string, floor uint8, err error) {
	_, err = ask(ctx, ck, func(r *replica, _ int64) (struct{}, error) {
		for name := range r.state.Registers("") {
			names = append(names, name)
		}
		raised, _ := r.state.Register(events.FloorRegister(events.KindNode))
		floor = raised.Rank
		return struct{}{}, nil
	})
	return names, floor, err
}

// ForgetAfter has what is gone be forgotten after less than a day of uptime.
func ForgetAfter(o *Options, d time.Duration) { o.forgetAfter = d }
