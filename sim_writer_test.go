package clusterkit

import (
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
	"github.com/skshohagmiah/clusterkit/transport"
	"github.com/skshohagmiah/clusterkit/transport/swim"
)

// simHost is a machine: it keeps its disk and its clock while processes on it
// come and go.
type simHost struct {
	key     string // of this machine; two of them may run a node of one name
	id      string
	cluster string
	addr    string
	seeds   []string
	disk    *simDisk
	proc    *simProc

	offset  int64 // of the wall clock from the truth, in milliseconds
	drift   int64 // how much faster it runs, in millionths
	drifted int64 // since when

	zone            string
	gone            bool // it will not be started again
	twin            bool // it runs a copy of another's directory
	crashAt         simCrashPoint
	ails            bool  // it was or is not well
	illUntil        int64 // its application complains
	slow, slowUntil int64 // its disk takes so long
	old, foreign    bool  // its program is an older one, or of an older protocol

	stamps  map[string]events.Stamp // of the registers, when they were last written
	grave   simGrave                // what its disk was told is forgotten
	returns bool                    // it has left for good, and will be started again all the same
}

// simProc is one life of a node: the real replica, knowledge, peers' cache and
// failure detector, driven as the shell drives them (writer.go, exchange.go,
// join.go, spread.go, prober.go), in one thread.
type simProc struct {
	world *simWorld
	host  *simHost
	born  int64
	dead  bool
	held  []func() // what arrived while it was paused

	paused, failed, stopping bool
	halted                   bool // another process is this node too
	health                   simHealth
	terms                    simTerms

	expelled, verifying bool             // it was removed; it looks whether it was
	process             events.Timestamp // names this one

	r        *replica
	k        *knowledge
	shown    []events.Head // of what was published last
	peers    *peers
	decoder  events.Decoder
	detector *swim.Detector
	nodes    []Node // that the detector has seen
	from     int64  // when it may begin
	latest   int64  // and when it begins at the latest
	begun    bool
	synced   int64

	jobs    []simJob
	writing bool
	wakeAt  int64

	spread    simSpread
	probeAt   int64
	began     int64 // to join
	knocks    knocks
	forgotten int64 // when a fork was last learnt of
	wait      int64
	joined    bool
}

// simJob is what the writer is asked to do: to decide something, or to merge a
// state.
type simJob struct {
	decide func(r *replica, wall int64) error
	merge  *projection.State
	done   func(error)
	err    error
}

// simCrashPoint is where in the order of effects the power fails.
type simCrashPoint uint8

const (
	simCrashNever   simCrashPoint = iota
	simCrashDecided               // staged, nothing written
	simCrashWritten               // written, not synced
	simCrashSynced                // synced, not applied
	simCrashApplied               // applied, neither published nor sent
	simCrashPublished
)

func (p *simProc) now() int64 { return p.world.now - p.born }

// wall is what the clock of the machine shows.
func (p *simProc) wall() int64 { return p.host.wall(p.world) }

func (h *simHost) wall(w *simWorld) int64 {
	return simEpoch + w.now + h.offset + (w.now-h.drifted)*h.drift/1_000_000
}

// boot starts a process on a machine.
func (w *simWorld) boot(h *simHost) *simProc {
	p := &simProc{world: w, host: h, born: w.now, wait: joinFirst.Milliseconds(), probeAt: never, wakeAt: never}
	h.proc = p
	p.process = events.NewTimestamp(p.wall(), uint16(w.random.Uint32()))
	w.addrs[h.addr] = p
	p.r = newReplica(h.id, h.disk.log, w.config(h.cluster), coordination.Options{
		RebalanceDelay: 8 * time.Second, StableFor: 3 * time.Second, RankDelay: time.Second, Alone: len(h.seeds) == 0,
		RemoveAfter: w.profile.removeAfter, DegradedDelay: simDegradedDelay * time.Millisecond})
	p.r.state = w.openDisk(h)
	if selfRemoved(p.r.state.Cluster(), h.id, h.disk.log) { // no such process comes to be: see NewClusterKit
		w.emptied(h)
		p.r.log, p.r.state = h.disk.log, w.openDisk(h)
	}
	p.r.restored(p.wall(), p.process)
	p.k = p.r.know()
	w.published(p)
	p.peers = newPeers(h.id)
	p.detector = swim.New(swim.Options{Self: h.id, Seed: w.random.Uint64()})
	p.startSpread()
	w.after(0, p, func() { p.began = p.now(); p.join() })
	p.forgetLater()
	p.watchHealth()
	return p
}

func (w *simWorld) config(cluster string) projection.Config {
	return projection.Config{ClusterName: cluster, PartitionCount: w.profile.partitions, ReplicationFactor: w.profile.replicas}
}

// kill ends a process as SIGKILL does; power takes the unsynced bytes too.
func (w *simWorld) kill(h *simHost, power bool) {
	p := h.proc
	if p == nil {
		return
	}
	p.dead = true
	h.proc = nil
	if w.addrs[h.addr] == p {
		delete(w.addrs, h.addr)
	}
	if power {
		h.disk.crash(w)
	}
	h.disk.next = simDiskFine
	h.crashAt = simCrashNever
}

// err says why this process works no more.
func (p *simProc) err() error {
	switch {
	case p.failed:
		return ErrFailed
	case p.halted:
		return ErrDuplicateNodeID
	case p.expelled:
		return ErrRemoved
	}
	return nil
}

// freshLog makes a new log, durably.
func (p *simProc) freshLog() (events.LogID, error) {
	log := p.world.logID(p.wall())
	p.host.disk.log = log
	p.world.ledger.owner[log] = p.host.id
	return log, nil
}

// crashes reports whether the power fails at this point, and lets it.
func (p *simProc) crashes(at simCrashPoint) bool {
	if p.host.crashAt != at {
		return false
	}
	p.world.coverage.saw(simCrashes[at])
	p.world.kill(p.host, true)
	return true
}

// do hands a decision to the writer.
func (p *simProc) do(decide func(r *replica, wall int64) error, done func(error)) {
	p.jobs = append(p.jobs, simJob{decide: decide, done: done})
	p.write()
}

// mergeState hands a state to the writer.
func (p *simProc) mergeState(s *projection.State, done func(error)) {
	p.jobs = append(p.jobs, simJob{merge: s, done: done})
	p.write()
}

// write is the writer loop: it takes what is waiting, commits it with one
// sync, and does what the new state makes necessary.
func (p *simProc) write() {
	if p.writing || p.dead {
		return
	}
	p.writing = true
	p.commit()
}

// commit decides the waiting jobs and makes the outcome durable at once. A
// merge goes alone.
func (p *simProc) commit() {
	n := 0
	for n < len(p.jobs) && p.jobs[n].merge == nil {
		n++
	}
	if n == 0 && len(p.jobs) > 0 {
		j := p.jobs[0]
		p.jobs = p.jobs[1:]
		p.merge(j)
		return
	}
	batch := p.jobs[:n:n]
	p.jobs = p.jobs[n:]
	wall := p.wall()
	for i := range batch {
		j := &batch[i]
		if j.err = p.err(); j.err != nil {
			continue
		}
		staged := len(p.r.staged)
		if j.err = j.decide(p.r, wall); j.err != nil {
			p.r.unstage(staged)
		}
	}
	p.persist(func(err error) {
		for i := range batch {
			j := &batch[i]
			if j.err == nil {
				j.err = err
			}
			if j.done(j.err); p.dead {
				return
			}
		}
		p.react(0)
	})
}

// react lets the replica answer the new state until it has nothing more to say.
func (p *simProc) react(round int) {
	if p.err() != nil {
		p.idle()
		return
	}
	now := p.now()
	err := p.r.leaveFork(p.wall(), p.freshLog)
	var wake int64
	if err == nil {
		wake, err = p.r.react(now, p.wall())
	}
	switch {
	case p.r.twin != nil:
		p.halted = true
		p.world.stoppedAsTwin(p)
		p.idle()
		return
	case err != nil:
		p.world.violated("reaction", "%s cannot react: %v", p.host.id, err)
	case round == 100:
		p.world.violated("rest", "%s does not come to rest", p.host.id)
	case len(p.r.staged) == 0:
		p.wakeIn(min(max(wake-now, 1), 3_600_000))
		p.idle()
		return
	}
	p.persist(func(err error) {
		if err != nil {
			p.idle()
			return
		}
		p.react(round + 1)
	})
}

func (p *simProc) idle() {
	p.writing = false
	if len(p.jobs) > 0 {
		p.write()
	}
}

// wakeIn asks for another reaction.
func (p *simProc) wakeIn(ms int64) {
	at := p.world.now + ms
	p.wakeAt = at
	p.world.after(ms, p, func() {
		if p.wakeAt == at && !p.writing {
			p.writing = true
			p.react(0)
		}
	})
}

// persist appends what is staged, syncs, applies and publishes it, in this
// order, and then goes on.
func (p *simProc) persist(then func(error)) {
	w, d := p.world, p.host.disk
	if err := p.err(); err != nil {
		then(err)
		return
	}
	if len(p.r.staged) == 0 {
		then(nil)
		return
	}
	batch := p.r.staged
	for i := range batch {
		w.ledger.staged(w, p, &batch[i])
	}
	if p.crashes(simCrashDecided) {
		return
	}
	err := d.write(w, batch, nil, func() []byte { return p.r.state.AppendSnapshot(nil) }, p.wall())
	if err != nil {
		p.fail()
		then(ErrFailed)
		return
	}
	if p.crashes(simCrashWritten) {
		return
	}
	if w.sabotage == sabotageSendFirst {
		for i := range batch {
			d.hold(d.last-uint64(len(batch)-1-i), batch[i])
		}
		if p.show(batch); p.dead {
			return
		}
		w.after(1+w.upTo(20), p, func() {
			if p.crashes(simCrashSynced) {
				return
			}
			err := d.sync(w, batch)
			if err != nil {
				p.fail()
			}
			then(err)
		})
		return
	}
	p.afterDisk(func() {
		if err := d.sync(w, batch); err != nil {
			p.fail()
			then(ErrFailed)
			return
		}
		for i := range batch {
			w.ledger.saw(w, &batch[i])
		}
		if p.crashes(simCrashSynced) {
			return
		}
		if p.show(batch); !p.dead {
			then(nil)
		}
	})
}

// afterDisk goes on when the disk is done, which takes no time where disks
// take none.
func (p *simProc) afterDisk(then func()) {
	takes := p.host.slowness(p.world)
	if p.world.profile.disk == 0 && takes == 0 {
		then()
		return
	}
	p.health.disk.begin(p.now())
	p.world.after(takes+p.world.upTo(p.world.profile.disk), p, func() {
		p.health.disk.end(p.now())
		then()
	})
}

// show applies what is durable and publishes it.
func (p *simProc) show(batch []events.Event) {
	w := p.world
	w.checkCommit(p, batch)
	done := p.r.commit()
	w.committed(p, done)
	if p.crashes(simCrashApplied) {
		return
	}
	p.publish()
	p.observe(done)
	p.crashes(simCrashPublished)
}

func (p *simProc) publish() {
	forked := p.k.digest.Forked
	if p.k = p.r.know(); p.k.digest.Forked > forked {
		p.forgotten = p.now()
	}
	p.world.published(p)
}

// fail makes the node silent until it is restarted.
func (p *simProc) fail() {
	p.failed = true
	switch p.host.disk.next {
	case simDiskEIO:
		p.world.coverage.saw(simDiskEIOs)
	case simDiskFull:
		p.world.coverage.saw(simDiskFulls)
	case simDiskFsync:
		p.world.coverage.saw(simDiskFsyncs)
	}
}

// merge joins the state of a peer durably.
func (p *simProc) merge(j simJob) {
	finish := func(err error) {
		if j.done(err); !p.dead {
			p.react(0)
		}
	}
	w, d := p.world, p.host.disk
	if err := p.err(); err != nil {
		finish(err)
		return
	}
	joined, changed := p.r.merge(j.merge)
	if w.sabotage == sabotageReplace {
		joined, changed = j.merge.Clone(), true
	}
	if !changed {
		finish(nil)
		return
	}
	w.coverage.saw(simMerged)
	forked, isForked := p.r.foreignHead(j.merge)
	if d.write(w, nil, joined.AppendSnapshot(nil), func() []byte { return p.r.state.AppendSnapshot(nil) }, p.wall()) != nil {
		p.fail()
		finish(ErrFailed)
		return
	}
	p.afterDisk(func() {
		if err := d.sync(w, nil); err != nil {
			p.fail()
			finish(ErrFailed)
			return
		}
		p.r.adopt(joined, p.wall())
		for log, seq := range joined.Vector() {
			d.acked[log] = max(d.acked[log], seq)
		}
		p.publish()
		w.tookState(p)
		p.lookAround()
		if isForked {
			if _, err := p.r.recordForks(p.wall(), []events.Head{forked}, p.freshLog); err != nil {
				w.violated("reaction", "%v", err)
			}
			p.persist(finish)
			return
		}
		finish(nil)
	})
}

// ingest hands events of a peer to the writer.
func (p *simProc) ingest(from string, batch []events.Event, then func(ingested, error)) {
	mine := make([]events.Event, 0, len(batch))
	for i := range batch {
		e, err := p.decoder.Decode(batch[i].Raw())
		if err != nil {
			p.world.violated("codec", "%v", err)
		}
		mine = append(mine, e)
	}
	var in ingested
	p.do(func(r *replica, wall int64) error {
		in = p.world.sabotage.ingest(r, wall, mine)
		return nil
	}, func(err error) {
		if err == nil && in.gaps > 0 {
			p.world.coverage.saw(simGap)
		}
		p.sawForks(brokenHeads(in), func() { then(in, err) })
	})
}

// sawForks records logs that were seen to hold two events under one name.
func (p *simProc) sawForks(forks []events.Head, then func()) {
	if len(forks) == 0 {
		then()
		return
	}
	p.do(func(r *replica, wall int64) error {
		recorded, err := r.recordForks(wall, forks, p.freshLog)
		if len(recorded) > 0 {
			p.world.coverage.saw(simForked)
		}
		return err
	}, func(error) { then() })
}

// simForgetAfter stands for the day after which tombstones are forgotten.
const simForgetAfter = 3000

// forgetLater is forget.go, with shorter days.
func (p *simProc) forgetLater() {
	p.world.after(simForgetAfter/3, p, func() {
		if p.expelled {
			return
		}
		p.forgetLater()
		p.do(func(r *replica, wall int64) error {
			return p.world.sabotage.forget(r, p.now(), wall, p.forgotten, p.peers.equalAt)
		}, func(error) {})
	})
}

// command asks for an event and keeps account of what was acknowledged.
func (p *simProc) command(decide func(r *replica, wall int64) (*events.Event, error)) {
	var made events.Event
	p.do(func(r *replica, wall int64) error {
		if err := r.mayCommand(); err != nil {
			return err
		}
		e, err := decide(r, wall)
		if err == nil {
			made = *e
		}
		return err
	}, func(err error) {
		if err == nil {
			p.world.acknowledged(p, &made)
		}
	})
}

func (p *simProc) header(to string) transport.Header {
	return transport.Header{Cluster: p.host.cluster, Config: 1, From: p.host.id, FromLog: p.host.disk.log, To: to, Wall: p.wall()}
}
