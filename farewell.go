package clusterkit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit/transport"
)

// Farewell says whom the goodbye of a node has reached.
type Farewell struct {
	// Told are the members that have it on their disks, by name.
	Told []string
	// Untold are the other members that were there, of whom that is not known.
	Untold []string
}

const (
	farewellHedge = 200 * time.Millisecond // without an answer, then one more is told
	farewellGrace = 50 * time.Millisecond  // for answers beyond the wanted ones
	farewellFirst = 32                     // are told at once
)

// tellFarewell tells this node's last events to all peers of a small cluster and
// to many of a large one, so that everybody knows after one round more; and to
// others in place of those that fail or take their time. It returns when enough of
// them have the events on their disks and the others had a moment more, when
// there is nobody left to tell, or with ctx.
func (ck *ClusterKit) tellFarewell(ctx context.Context) (Farewell, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := farewell{ck: ck, last: ck.known().seq(ck.log.Identity().Log), queue: ck.audience()}
	f.answers = make(chan reply, len(f.queue))
	members := slices.Clone(f.queue)
	enough := min(max(ck.opt.LeaveAcks, 0), len(members))
	f.tell(ctx, max(enough+1, farewellFirst))
	f.await(ctx, enough)
	grace := time.NewTimer(farewellGrace)
	defer grace.Stop()
	for f.pending > 0 && ctx.Err() == nil {
		select {
		case r := <-f.answers:
			f.take(r)
			continue
		case <-grace.C:
		case <-ctx.Done():
		}
		break
	}
	cancel()
	f.wg.Wait()

	var said Farewell
	for _, to := range members {
		if slices.Contains(f.told, to.id) || f.has(to.id) {
			said.Told = append(said.Told, to.id)
		} else {
			said.Untold = append(said.Untold, to.id)
		}
	}
	slices.Sort(said.Told)
	slices.Sort(said.Untold)
	if len(said.Told) < enough {
		return said, fmt.Errorf("clusterkit: left, and of %d others that were to hear it %d are known to have", enough, len(said.Told))
	}
	return said, nil
}

// audience returns who may be told, the best first.
func (ck *ClusterKit) audience() []target {
	cluster := ck.known().cluster
	all := others(cluster, ck.opt.NodeID)
	if len(all) <= everyone {
		return all
	}
	chosen := ck.spread.choose(cluster)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return append(chosen, slices.DeleteFunc(all, func(to target) bool { return slices.Contains(chosen, to) })...)
}

// farewell is a goodbye on its way.
type farewell struct {
	ck      *ClusterKit
	wg      sync.WaitGroup
	last    uint64     // of this node's events
	queue   []target   // to tell yet
	answers chan reply // one of each that was told; never full, for who is told again is told after its answer
	told    []string   // who is known to have heard it
	pending int
}

type reply struct {
	from target
	err  error
}

// tell begins to tell some more.
func (f *farewell) tell(ctx context.Context, n int) {
	for range min(n, len(f.queue)) {
		to := f.queue[0]
		f.queue = f.queue[1:]
		f.pending++
		f.wg.Go(func() { // ends with ctx at the latest
			f.answers <- reply{to, f.ck.exchange(ctx, to, push)}
		})
	}
}

// await waits until enough have heard it, or nobody is left, or ctx ends.
func (f *farewell) await(ctx context.Context, enough int) {
	hedge := time.NewTicker(farewellHedge)
	defer hedge.Stop()
	for len(f.told) < enough && f.pending+len(f.queue) > 0 {
		select {
		case r := <-f.answers:
			if !f.take(r) && r.err != nil && !errors.Is(r.err, transport.ErrBusy) {
				f.tell(ctx, 1)
			}
		case <-hedge.C:
			f.tell(ctx, 1)
		case <-ctx.Done():
			return
		}
	}
}

// take notes an answer and reports whether it is that of somebody who has heard
// it. Who is busy is told again, later, and so is who answered and is not known to
// have it: another exchange with it, which ended after this one, may have said what
// it had before.
func (f *farewell) take(r reply) bool {
	f.pending--
	if r.err == nil && f.has(r.from.id) {
		f.told = append(f.told, r.from.id)
		return true
	}
	if r.err == nil || errors.Is(r.err, transport.ErrBusy) {
		f.queue = append(f.queue, r.from)
	}
	return false
}

// has reports whether a member is known to have the last event.
func (f *farewell) has(id string) bool {
	return seqIn(f.ck.peers.has(id), f.ck.log.Identity().Log) >= f.last
}
