package clusterkit

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// A node that runs and is of little use says so itself, in its record: it is
// degraded. Others make it coordinator no more, give it nothing new, and drain
// it after DegradedDelay. It is degraded when
//
//	Options.Health returns an error, or has not returned for healthPatience
//	the last append to the log, or the one under way, took longer than stalled
//
// twice in a row, and well again when nothing of that was so for wellAfter. To
// know that of a disk that has nothing to do, it is tried meanwhile. A node whose
// disk has not answered for hung cannot say anything any more: it answers probes
// with that, and the others give it up.
const (
	healthPatience = 5                // probe intervals
	stalled        = 2 * time.Second  // of an append
	hung           = 10 * time.Second // of the append under way
	slowMemory     = 10 * time.Second // for how long a slow append counts
	wellAfter      = 10               // probe intervals
)

// disk is how the log's disk does, as the writer sees it. Times are those of
// ClusterKit.now.
type disk struct {
	began atomic.Int64 // when the append under way began, plus one; 0: there is none
	slow  atomic.Int64 // when the last slow one ended
	took  atomic.Int64 // and how long it took, in milliseconds; 0: there was none
}

func (d *disk) begin(now int64) { d.began.Store(now + 1) }

func (d *disk) end(now int64) { d.note(now, now+1-d.began.Swap(0)) }

// note remembers how long the disk took for something, when that was long.
func (d *disk) note(now, took int64) {
	if took >= stalled.Milliseconds() {
		d.slow.Store(now)
		d.took.Store(took)
	}
}

// underway returns for how long an append has been under way.
func (d *disk) underway(now int64) time.Duration {
	began := d.began.Load()
	if began == 0 {
		return 0
	}
	return time.Duration(now+1-began) * time.Millisecond
}

// complaint says what is wrong with the disk, or nothing.
func (d *disk) complaint(now int64) string {
	if wait := d.underway(now); wait >= stalled {
		return fmt.Sprintf("the disk is slow: an append has been under way for %v", wait.Round(100*time.Millisecond))
	}
	if took := d.took.Load(); took > 0 && now-d.slow.Load() < slowMemory.Milliseconds() {
		return fmt.Sprintf("the disk is slow: an append took %v", time.Duration(took)*time.Millisecond)
	}
	return ""
}

// watchHealth asks every probe interval how this node does and says so when
// that has changed for good. It ends with the node's context.
func (ck *ClusterKit) watchHealth() {
	tick := time.NewTicker(ck.opt.ProbeInterval)
	defer tick.Stop()
	var asked *question
	said, bad, good := "", 0, 0
	for {
		select {
		case <-tick.C:
		case <-ck.ctx.Done():
			return
		}
		if said != "" {
			ck.tryDisk()
		}
		why := ck.disk.complaint(ck.now())
		if ck.opt.Health != nil {
			var app string
			if asked, app = ck.nextQuestion(asked); why == "" {
				why = app
			}
		}
		if why == "" {
			bad, good = 0, good+1
		} else {
			bad, good = bad+1, 0
		}
		if said == "" && bad >= 2 || said != "" && good >= wellAfter {
			if ck.sayDegraded(why) == nil {
				said = why
			}
		}
	}
}

// tryDisk finds out whether a disk that was slow still is: were it left alone,
// one on which nothing is written would always seem well again, until the first
// append. It waits as long as the disk takes.
func (ck *ClusterKit) tryDisk() {
	if ck.disk.took.Load() == 0 || ck.disk.underway(ck.now()) > 0 {
		return
	}
	began := ck.now()
	if err := ck.writeCheckpoint(); err != nil && ck.ctx.Err() == nil {
		ck.opt.Logger.Warn("the disk was tried with a checkpoint that was not written; nothing is lost", "err", err)
	}
	now := ck.now()
	ck.disk.note(now, now-began)
}

// sayDegraded writes into this node's record why it is degraded, or that it is
// not.
func (ck *ClusterKit) sayDegraded(why string) error {
	_, err := ck.command(ck.ctx, func(r *replica, wall int64) (*events.Event, error) {
		old := r.record
		r.record = old.Clone()
		r.record.Degraded = why
		reason := "degraded"
		if why == "" {
			reason = "well again"
		}
		e, err := r.announce(wall, events.NodeUpdated, r.incarnation(), events.ID{}, reason)
		if err != nil {
			r.record = old
		}
		return e, err
	})
	switch {
	case err != nil:
	case why == "":
		ck.disk.took.Store(0)
		ck.opt.Logger.Info("this node is well again")
	default:
		ck.opt.Logger.Warn("this node is degraded", "why", why)
	}
	return err
}

// degraded returns what is wrong with this node: what it has said, or would say
// if its disk let it.
func (ck *ClusterKit) degraded() string {
	if n, ok := ck.known().cluster.Node(ck.opt.NodeID); ok && n.Degraded != "" {
		return n.Degraded
	}
	if now := ck.now(); ck.disk.underway(now) >= stalled {
		return ck.disk.complaint(now)
	}
	return ""
}

// question is one call of Options.Health.
type question struct {
	asked  time.Time
	done   chan struct{} // closed when it has returned
	err    error         // set before that
	before string        // what the one before said
}

// nextQuestion returns what the last question has come to, and asks again when
// it was answered.
func (ck *ClusterKit) nextQuestion(last *question) (next *question, why string) {
	if last == nil {
		return ck.askHealth(""), ""
	}
	answered := last.answered()
	if why = last.complaint(ck.opt.ProbeInterval); answered {
		return ck.askHealth(why), why
	}
	return last, why
}

// askHealth calls the application's health function. It may take its time: until
// it returns, it counts as what it said before.
func (ck *ClusterKit) askHealth(before string) *question {
	q := &question{asked: time.Now(), done: make(chan struct{}), before: before}
	ctx, cancel := context.WithTimeout(ck.ctx, healthPatience*ck.opt.ProbeInterval)
	go func() { // ends when the application's function returns, which Stop does not wait for
		defer cancel()
		q.err = ck.opt.Health(ctx)
		close(q.done)
	}()
	return q
}

func (q *question) answered() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// complaint says what the application complains of, or nothing.
func (q *question) complaint(interval time.Duration) string {
	switch waited := time.Since(q.asked); {
	case q.answered() && q.err != nil:
		return legible("the application says: " + q.err.Error())
	case q.answered():
		return ""
	case waited > healthPatience*interval:
		return "the application's health function does not return"
	}
	return q.before
}
