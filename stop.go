package clusterkit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// Reasons of a NodeLeft: whether the node means to come back.
const (
	leftShutdown = "shutdown" // its slots are kept for RebalanceDelay
	leftForGood  = "left"     // its slots are given away at once
)

// farewellTime bounds how long a node that stops waits for somebody to hear
// its goodbye.
const farewellTime = time.Second

// Stop is a graceful shutdown: it tells the others that this node goes and
// means to come back, writes the checkpoint and closes the log. Its slots are
// kept for it for RebalanceDelay. It may be called at any time and more than
// once; every call returns when the first is done, with its error.
func (ck *ClusterKit) Stop() error {
	return ck.stop(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*farewellTime) // the disk may hang
		defer cancel()
		if err := ck.goodbye(ctx, leftShutdown); err == nil {
			ctx, cancel := context.WithTimeout(ctx, farewellTime)
			defer cancel()
			ck.tellFarewell(ctx)
		}
	})
}

// Leave takes this node out of the cluster for good: its partitions move to
// others, it says goodbye, waits until Options.LeaveAcks others have that on
// their disks, and stops. When ctx ends first it leaves at once; the error then
// says what was still there. When too few others could be told, and at the
// latest five seconds after the goodbye, the node stops all the same and the
// error says so: who was not told learns it from who was. Should nobody have
// been, they find out as of a node that was killed.
//
// It may return with its data directory or with an empty one, also after the
// others have forgotten it, which is a day later: orders to drain it are forgotten
// with it.
//
// It says who has heard it. A call after the first says the same; after Stop
// there is nothing to say.
func (ck *ClusterKit) Leave(ctx context.Context) (Farewell, error) {
	var leaveErr error
	stopErr := ck.stop(func() {
		leaveErr = ck.drainSelf(ctx)
		if err := ck.goodbye(context.WithoutCancel(ctx), leftForGood); err != nil {
			leaveErr = errors.Join(leaveErr, err)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*farewellTime)
		defer cancel()
		said, err := ck.tellFarewell(ctx)
		leaveErr = errors.Join(leaveErr, err)
		ck.life.Lock()
		defer ck.life.Unlock()
		ck.life.farewell = said
	})
	ck.life.Lock()
	defer ck.life.Unlock()
	return ck.life.farewell, errors.Join(leaveErr, stopErr)
}

// stop runs the farewell if this node has joined, and then takes everything
// down, once.
func (ck *ClusterKit) stop(farewell func()) error {
	ck.life.Lock()
	before := ck.life.state
	ck.life.state = lifeStopping
	ck.life.Unlock()
	if before == lifeStopping {
		<-ck.life.stopped
		return ck.life.err
	}
	if before == lifeStarted {
		if ck.known().spoken && ck.Err() == nil {
			farewell()
		}
		ck.cancel()
		ck.closeServer()
		ck.wg.Wait()
		close(ck.quit)
		<-ck.writerDone
	} else {
		ck.cancel()
		close(ck.writerDone)
	}
	ck.life.err = ck.closeLog()
	ck.finish()
	close(ck.life.stopped)
	return ck.life.err
}

func (ck *ClusterKit) closeServer() {
	ck.client.Close()
	if ck.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
	defer cancel()
	if ck.server.Shutdown(ctx) != nil {
		ck.server.Close()
	}
}

// closeLog writes the checkpoint and closes the log.
func (ck *ClusterKit) closeLog() error {
	var err error
	if !ck.failed.Load() {
		err = ck.lastCheckpoint()
	}
	if ck.opt.Registerer != nil {
		ck.metrics.Unregister(ck.opt.Registerer)
	}
	if err = errors.Join(err, ck.log.Close()); err != nil {
		return fmt.Errorf("clusterkit: stop: %w", err)
	}
	return nil
}

// goodbye writes NodeLeft; from then on this node answers no accusation.
func (ck *ClusterKit) goodbye(ctx context.Context, reason string) error {
	return ck.do(ctx, func(r *replica, wall int64) error {
		r.stopping = true
		_, err := r.announce(wall, events.NodeLeft, r.incarnation(), events.ID{}, reason)
		return err
	})
}

// drainSelf asks for this node's partitions to be moved and waits until they
// are, or until nobody is there to take them.
func (ck *ClusterKit) drainSelf(ctx context.Context) error {
	err := ck.do(ctx, func(r *replica, wall int64) error {
		r.leaving = true
		_, err := r.announce(wall, events.NodeLeaving, r.incarnation(), events.ID{}, "leaves for good")
		return err
	})
	if err != nil {
		return err
	}
	for {
		p := ck.known()
		if len(others(p.cluster, ck.opt.NodeID)) == 0 {
			return nil
		}
		held := len(ck.PartitionsOf(ck.opt.NodeID))
		if held == 0 {
			return nil
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			return fmt.Errorf("clusterkit: left with %d partitions still here: %w", held, ctx.Err())
		}
	}
}
