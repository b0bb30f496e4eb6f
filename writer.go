package clusterkit

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// ErrFailed is returned by commands after the log could not be written: what
// this node says could no longer be kept, so it says nothing more. Queries go
// on; a restart recovers what was acknowledged.
var ErrFailed = errors.New("clusterkit: the log failed, restart to recover")

// ErrStopped is returned by what is called after Stop or Leave.
var ErrStopped = errors.New("clusterkit: stopped")

// ErrNotJoined is returned by commands before this node has joined.
var ErrNotJoined = errors.New("clusterkit: this node has not joined the cluster yet")

// job is one thing the writer is asked to do. decide runs in the writer and
// stages events; done receives nil once they are durable and applied.
type job struct {
	decide func(r *replica, wall int64) error
	err    error
	done   chan error
}

// slowAppend is how long an append may take before operators are told.
const slowAppend = 500 * time.Millisecond

// maxBatch bounds how many waiting jobs share one write and one sync.
const maxBatch = 1024

// do hands a decision to the writer and waits until it is durable and applied,
// or refused. It returns early when ctx ends; the decision may still be
// carried out then.
func (ck *ClusterKit) do(ctx context.Context, decide func(r *replica, wall int64) error) error {
	j := &job{decide: decide, done: make(chan error, 1)}
	select {
	case ck.jobs <- j:
	case <-ck.writerDone:
		return ck.deadErr()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-j.done:
		return err
	case <-ck.writerDone:
		select { // the writer may have answered last of all
		case err := <-j.done:
			return err
		default:
			return ck.deadErr()
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask is do with an answer. The answer travels by a channel, since the writer
// may still be at work when ctx has ended and nobody listens any more.
func ask[T any](ctx context.Context, ck *ClusterKit, decide func(r *replica, wall int64) (T, error)) (answer T, err error) {
	answers := make(chan T, 1)
	err = ck.do(ctx, func(r *replica, wall int64) error {
		a, err := decide(r, wall)
		answers <- a
		return err
	})
	if err == nil {
		answer = <-answers
	}
	return answer, err
}

func (ck *ClusterKit) deadErr() error {
	if err := ck.Err(); err != nil {
		return err
	}
	return ErrStopped
}

// write is the single writer: it owns the replica and the log. It takes
// whatever is waiting, commits it with one sync, and then does what the new
// state makes necessary. It ends when ck.quit is closed, after which nobody
// writes.
func (ck *ClusterKit) write() {
	defer close(ck.writerDone)
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	var batch []*job
	for {
		batch = batch[:0]
		select {
		case j := <-ck.jobs:
			batch = append(batch, j)
		case <-wake.C:
		case <-ck.quit:
			return
		}
	drain:
		for len(batch) > 0 && len(batch) < maxBatch {
			select {
			case j := <-ck.jobs:
				batch = append(batch, j)
			default:
				break drain
			}
		}
		ck.commit(batch)
		wake.Reset(ck.react())
	}
}

// commit decides all jobs of a batch and makes the outcome durable at once.
func (ck *ClusterKit) commit(batch []*job) {
	wall := time.Now().UnixMilli()
	for _, j := range batch {
		if j.err = ck.Err(); j.err != nil {
			continue
		}
		staged := len(ck.replica.staged)
		if j.err = j.decide(ck.replica, wall); j.err != nil {
			ck.replica.unstage(staged) // a decision is carried out whole or not at all
		}
	}
	err := ck.persist()
	for _, j := range batch {
		if j.err == nil {
			j.err = err
		}
		j.done <- j.err
	}
}

// react lets the replica answer the new state until it has nothing more to
// say, and returns how long it may sleep.
func (ck *ClusterKit) react() time.Duration {
	for range 100 {
		if ck.Err() != nil {
			return time.Hour
		}
		now, wall := ck.now(), time.Now().UnixMilli()
		if err := ck.replica.leaveFork(wall, ck.freshLog); err != nil {
			ck.fail(err)
			return time.Hour
		}
		wake, err := ck.replica.react(now, wall)
		if err != nil {
			ck.fail(err)
			return time.Hour
		}
		if twin := ck.replica.twin; twin != nil {
			ck.halt(ErrDuplicateNodeID, "another process is this node too and started before", "addr", twin.Addr, "started", twin.StartedAt)
			return time.Hour
		}
		if len(ck.replica.staged) == 0 {
			return min(max(time.Duration(wake-now), 1), 3_600_000) * time.Millisecond
		}
		if ck.persist() != nil {
			return time.Hour
		}
	}
	ck.opt.Logger.Error("the replica does not come to rest; continuing in a second")
	return time.Second
}

// persist appends what is staged, syncs, applies and publishes it, in this
// order.
func (ck *ClusterKit) persist() error {
	if err := ck.Err(); err != nil {
		return err
	}
	if len(ck.replica.staged) == 0 {
		return nil
	}
	began := time.Now()
	ck.disk.begin(ck.now())
	_, err := ck.log.Append(ck.replica.staged)
	ck.disk.end(ck.now())
	if err != nil {
		ck.fail(err)
		return ErrFailed
	}
	took := time.Since(began)
	ck.metrics.LogAppended(took)
	if took > slowAppend {
		ck.opt.Logger.Warn("the disk is slow", "took", took, "events", len(ck.replica.staged))
	}
	done := ck.replica.commit()
	for i := range done {
		if e := done[i].event; done[i].outcome == projection.Won && strings.HasPrefix(e.Register, events.KindValue+"/") {
			ck.values.take(e)
		}
	}
	if ck.values.forgotten != ck.replica.state.Forgotten() {
		ck.values.reload(ck.replica.state)
	}
	ck.publish()
	ck.observe(done)
	return nil
}

// fail makes this node silent: its log is no longer what it says. The process
// stays up and answers queries from what was durable.
func (ck *ClusterKit) fail(err error) {
	if ck.failed.CompareAndSwap(false, true) {
		defer ck.finish()
		ck.opt.Logger.Error("the log failed; this node takes no more commands until it is restarted", "err", err)
	}
}

// publish makes the committed state visible to readers and wakes who waits
// for a change.
func (ck *ClusterKit) publish() {
	next := &published{knowledge: ck.replica.know(), changed: make(chan struct{})}
	old := ck.current.Swap(next)
	if next.digest.Forked > old.digest.Forked {
		ck.forkedAt.Store(ck.now())
	}
	close(old.changed)
}

// published is what readers see: one instant, and a channel that is closed
// when there is a newer one.
type published struct {
	*knowledge
	changed chan struct{}
}

// ingest hands events of a peer to the writer and returns what became of them
// once the accepted ones are durable here.
func (ck *ClusterKit) ingest(ctx context.Context, batch []events.Event) (ingested, error) {
	return ask(ctx, ck, func(r *replica, wall int64) (ingested, error) { return r.ingest(wall, batch), nil })
}

// snapshot returns the whole state.
func (ck *ClusterKit) snapshot(ctx context.Context) ([]byte, error) {
	return ask(ctx, ck, func(r *replica, _ int64) ([]byte, error) { return r.state.AppendSnapshot(nil), nil })
}

// merge joins the state of a peer into this node's own, durably.
func (ck *ClusterKit) merge(ctx context.Context, snapshot []byte) error {
	other, err := projection.ReadSnapshot(snapshot)
	if err != nil {
		return err
	}
	return ck.do(ctx, func(r *replica, wall int64) error {
		if err := ck.persist(); err != nil { // what this batch staged before
			return err
		}
		joined, changed := r.merge(other)
		if !changed {
			return nil
		}
		forked, isForked := r.foreignHead(other)
		if _, err := ck.log.AppendSnapshot(joined.AppendSnapshot(nil)); err != nil {
			ck.fail(err)
			return ErrFailed
		}
		r.adopt(joined, wall)
		ck.values.reload(joined)
		ck.publish()
		ck.lookAround()
		if isForked {
			return ck.recordForks(r, wall, []events.Head{forked})
		}
		return nil
	})
}
