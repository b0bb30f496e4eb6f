package clusterkit

import (
	"math/rand/v2"
	"time"

	"github.com/skshohagmiah/clusterkit/projection"
)

// How long after a change cluster-state.json is written, at the latest and at
// the earliest.
const (
	checkpointFirst = 2 * time.Second
	checkpointEvery = 30 * time.Second
)

// keepCheckpoint writes cluster-state.json soon after this node has joined and
// then now and then, but only when something has changed. It ends with the
// node's context; Stop writes the last one.
func (ck *ClusterKit) keepCheckpoint() {
	select {
	case <-ck.joined:
	case <-ck.ctx.Done():
		return
	}
	timer := time.NewTimer(checkpointFirst + rand.N(checkpointFirst)) // nodes that start together have better to do
	defer timer.Stop()
	written := uint64(0)
	for {
		select {
		case <-timer.C:
		case <-ck.ctx.Done():
			return
		}
		timer.Reset(checkpointEvery)
		last := ck.log.Last()
		if last == written {
			continue
		}
		if err := ck.writeCheckpoint(); err != nil && ck.ctx.Err() == nil {
			ck.opt.Logger.Error("the checkpoint was not written; nothing is lost", "err", err)
			continue
		}
		written = last
	}
}

// writeCheckpoint lets the writer take the state and encodes and writes it
// beside it, so that no command waits for that.
func (ck *ClusterKit) writeCheckpoint() error {
	began := time.Now()
	encode, err := ask(ck.ctx, ck, func(r *replica, _ int64) (func() ([]byte, error), error) {
		if err := ck.persist(); err != nil { // what this batch staged before
			return nil, err
		}
		return projection.TakeCheckpoint(r.state, ck.log.Last()), nil
	})
	if err != nil {
		return err
	}
	b, err := encode()
	if err != nil {
		return err
	}
	if err := ck.log.WriteCheckpoint(b); err != nil {
		return err
	}
	ck.metrics.CheckpointWritten(time.Since(began))
	return nil
}

// lastCheckpoint writes the state when the writer has ended.
func (ck *ClusterKit) lastCheckpoint() error {
	began := time.Now()
	b, err := projection.EncodeCheckpoint(ck.replica.state, ck.log.Last())
	if err != nil {
		return err
	}
	if err := ck.log.WriteCheckpoint(b); err != nil {
		return err
	}
	ck.metrics.CheckpointWritten(time.Since(began))
	return nil
}
