package clusterkit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// simLedger is what an observer who sees everything knows: every event that
// was ever durable anywhere, and what every state that was ever published
// looked like.
type simLedger struct {
	events   map[events.ID]*events.Event
	ids      []events.ID     // in the order of first sight
	branched []*events.Event // what came later under a name that was taken, maybe repeatedly
	owner    map[events.LogID]string
	forked   map[events.LogID]bool
	newest   map[events.LogID]events.Head
	states   map[simVector]events.Sum
	tokens   map[projection.Token]string
	heard    []simHeard // by each who collected tombstones
	flaps    int        // accusations

	changes, assigned int // events about nodes, and about partitions

	checkpointed map[events.Digest]bool // states that were written and read

	commits int
}

// simHeard is what was known when somebody collected tombstones: to it, and to
// the disks of all that it had heard of.
type simHeard struct {
	k    *knowledge
	kept events.Vector
}

type simVector struct {
	sum  events.Sum
	logs uint32
}

func newSimLedger() *simLedger {
	return &simLedger{events: make(map[events.ID]*events.Event), owner: make(map[events.LogID]string),
		forked: make(map[events.LogID]bool), newest: make(map[events.LogID]events.Head),
		states: make(map[simVector]events.Sum), tokens: make(map[projection.Token]string),
		checkpointed: make(map[events.Digest]bool)}
}

// What follows is checked after every step that can break it.

// saw: one (log, seq) names one event for ever, and each links to the one
// before, unless the owner of the log was made to forget what it had said.
func (l *simLedger) saw(w *simWorld, e *events.Event) {
	if old, ok := l.events[e.ID()]; ok {
		if old.Chain != e.Chain {
			if !w.mayFork(e.Log) {
				w.violated("one name, one event", "%s is %s (%s) and %s (%s)", e.ID(), old.Type, old.Register, e.Type, e.Register)
			}
			c := *e
			l.forked[e.Log], l.branched = true, append(l.branched, &c)
		}
		return
	}
	c := *e
	l.events[e.ID()], l.ids = &c, append(l.ids, e.ID())
	l.counts(e)
	if e.Type == events.NodeRemoved && !strings.HasPrefix(e.Actor, "operator:") {
		w.coverage.saw(simRemovedLate)
	}
	if e.Type == events.NodeSuspected || e.Type == events.NodeFailed {
		l.flaps++
	}
}

// staged: what a node is about to write to its own log has a time later than
// all before it, across restarts; and nobody moves partitions or claims the
// role without a majority.
func (l *simLedger) staged(w *simWorld, p *simProc, e *events.Event) {
	if e.Type == events.TombstonesCollected && e.Log == p.r.log && p.r.spoken {
		l.heard = append(l.heard, simHeard{k: p.k, kept: w.keptBy(p.k)})
	}
	if _, known := l.events[e.ID()]; known || e.Log != p.r.log || !p.r.spoken {
		return // of somebody else, or given back
	}
	if prev, ok := l.events[events.ID{Log: e.Log, Seq: e.Seq - 1}]; ok && prev.Time >= e.Time && e.Links(prev.Chain) {
		w.violated("own times rise", "%s has %s, the one before has %s", e.ID(), e.Time, prev.Time)
	}
	if e.Type == events.CoordinatorClaimed || e.Actor == p.host.id {
		w.degradedOwnsNothingNew(p, e)
	}
	if e.Type == events.CoordinatorClaimed || e.Type == events.PartitionAssigned && e.Actor == p.host.id {
		if c := p.r.state.Cluster(); !coordination.Majority(c) {
			w.violated("no move without a majority", "%s writes %s", p.host.id, e.Type)
		}
	}
}

// checkCommit: sequences go on without a gap and every event links to the one
// before it, whoever wrote it.
func (w *simWorld) checkCommit(p *simProc, batch []events.Event) {
	heads := make(map[events.LogID]events.Head, 4)
	for i := range batch {
		e := &batch[i]
		head, ok := heads[e.Log]
		if !ok {
			head = p.r.state.Head(e.Log)
		}
		if e.Seq != head.Seq+1 {
			w.violated("no gap", "%s follows %d at %s", e.ID(), head.Seq, p.host.id)
		}
		if !e.Links(head.Chain) {
			w.violated("the chain verifies", "%s does not link to what %s holds", e.ID(), p.host.id)
		}
		heads[e.Log] = e.Head()
		w.ledger.saw(w, e)
	}
}

// committed: the stamp of a register never goes back, and no token names two
// owners.
func (w *simWorld) committed(p *simProc, done []applied) {
	w.ledger.commits++
	for i := range done {
		e := done[i].event
		if e.Type == events.TombstonesCollected && e.Log == p.r.log {
			w.coverage.saw(simForgotten)
			if body, err := e.Payload(); err == nil && body.(*events.Collection).Kind == events.KindNode {
				w.coverage.saw(simBuried)
			}
		}
		if done[i].outcome != projection.Won {
			continue
		}
		stamp := e.Stamp()
		if p.host.stamps[e.Register].Compare(stamp) > 0 {
			w.violated("stamps never go back", "%s at %s", e.Register, p.host.id)
		}
		p.host.stamps[e.Register] = stamp
		p.host.grave.bury(e)
		w.staysGone(p, e)
		if e.Type != events.PartitionAssigned {
			continue
		}
		_, key := events.SplitRegister(e.Register)
		id, err := strconv.Atoi(key)
		if err != nil || id >= len(p.k.cluster.PartitionMap.Partitions) {
			continue
		}
		part, ok := p.r.state.Partition(id)
		if owner, known := w.ledger.tokens[part.Token()]; known && ok && owner != part.Primary {
			w.violated("one token, one owner", "%s names %s and %s", part.Token(), owner, part.Primary)
		}
		w.ledger.tokens[part.Token()] = part.Primary
	}
	if w.profile.checkEach {
		w.checkpoints(p.r.state)
	}
}

// checkpoints: what is read from a checkpoint is what was written. Nodes that know
// the same write the same, so of each state that is looked at once.
func (w *simWorld) checkpoints(s *projection.State) {
	w.coverage.saw(simCheckpointed)
	digest := s.Digest()
	if w.ledger.checkpointed[digest] {
		return
	}
	w.ledger.checkpointed[digest] = true
	b, err := projection.EncodeCheckpoint(s, 1)
	if err != nil {
		w.violated("checkpoint", "%v", err)
	}
	read, err := projection.DecodeCheckpoint(b)
	if err != nil || read.State.Digest() != digest {
		w.violated("checkpoint", "what is read is not what was written: %v", err)
	}
}

// published: a vector never goes back, equal vectors mean equal states
// whoever has them and whenever, and nobody knows another cluster.
func (w *simWorld) published(p *simProc) {
	k := p.k
	w.mix(k.digest.Vector.Lo ^ k.digest.State.Lo)
	for _, h := range p.shown {
		if k.seq(h.Log) < h.Seq {
			w.violated("vectors never go back", "%s had %s to %d and has %d", p.host.id, h.Log, h.Seq, k.seq(h.Log))
		}
	}
	p.shown = k.heads
	w.refutedHasNoEffect(p)
	w.removedNeverReturnOld(p)
	w.termsNeverGoBack(p)
	if c := k.cluster.Name; c != "" && c != p.host.cluster {
		w.violated("clusters never merge", "%s of %s knows %s", p.host.id, p.host.cluster, c)
	}
	if w.holdsFork(k) {
		return // which of the branches stand in the state the vector does not say
	}
	v := simVector{k.digest.Vector, k.digest.Logs}
	if state, ok := w.ledger.states[v]; !ok {
		w.ledger.states[v] = k.digest.State
	} else if state != k.digest.State {
		w.violated("equal vectors, equal states", "%s differs from who knew the same before", p.host.id)
	}
}

// recoversWhatWasAcknowledged: what somebody was told to be safe on a disk is
// there after a crash.
func (w *simWorld) recoversWhatWasAcknowledged(d *simDisk, s *projection.State) {
	for log, seq := range d.acked {
		if have := s.Head(log).Seq; have < seq {
			w.violated("recovery keeps what was acknowledged", "%s was safe up to %d, recovered up to %d", log, seq, have)
		}
	}
}

// acknowledged: a command that returned is on the disk.
func (w *simWorld) acknowledged(p *simProc, e *events.Event) {
	d := p.host.disk
	if d.acked[e.Log] < e.Seq && w.sabotage != sabotageSendFirst {
		w.violated("acknowledged is durable", "%s", e.ID())
	}
	d.acked[e.Log] = max(d.acked[e.Log], e.Seq)
}

// What follows must be true when the faults have ended.

// live returns the processes of the cluster that run and are meant to.
func (w *simWorld) live() []*simProc {
	var live []*simProc
	for _, h := range w.hosts {
		if h.cluster == simCluster && h.proc != nil && !h.gone {
			live = append(live, h.proc)
		}
	}
	return live
}

// agrees: all connected nodes have equal digests.
func (w *simWorld) agrees() bool {
	live := w.live()
	for _, p := range live {
		if !p.k.spoken || p.k.digest != live[0].k.digest {
			return false
		}
	}
	return true
}

// quietChecks are what all nodes must say once they agree and nothing is due
// any more. Each returns what is wrong, or nothing.
var quietChecks = []struct {
	name  string
	check func(w *simWorld, live []*simProc, c *projection.Cluster) string
}{
	{"live nodes are alive", liveAreAlive},
	{"dead nodes are known as such", deadAreFailed},
	{"removed nodes stay out", removedStayOut},
	{"removed nodes have stopped", removedHaveStopped},
	{"who is well says so", wellSaySo},
	{"exactly one coordinator", oneCoordinator},
	{"every partition has its copies", placementIsWhole},
	{"shares are fair", sharesAreFair},
	{"nothing acknowledged is missing", nothingIsMissing},
	{"nothing written is lost", nothingWrittenIsLost},
	{"the fold is the fold", foldsAgree},
	{"the largest stamp owns", naiveFoldAgrees},
	{"nothing comes back, nothing is forgotten alive", forgettingIsSafe},
	{"no collected node's register comes back", nothingGoneIsKept},
	{"who is gone is forgotten", goneAreForgotten},
	{"little remains of who is gone", remainsAreSmall},
	{"growth is bounded", growthIsBounded},
	{"log growth per change is bounded", logGrowthIsBounded},
	{"memory is bounded", memoryIsBounded},
	{"clusters never merge", strangersStayOut},
}

// liveAreAlive: a live reachable node is alive, in its last incarnation, at its
// present address and in its present log. A refuted accusation has no effect.
func liveAreAlive(w *simWorld, live []*simProc, c *projection.Cluster) string {
	for _, p := range live {
		n, ok := c.Node(p.host.id)
		switch {
		case !ok:
			return p.host.id + " is unknown"
		case n.Status != projection.StatusAlive:
			return fmt.Sprintf("%s lives and is %s", p.host.id, n.Status)
		case n.Addr != p.host.addr:
			return fmt.Sprintf("%s is at %s and thought at %s", p.host.id, p.host.addr, n.Addr)
		case n.Log != p.r.log:
			return p.host.id + " is known by another log"
		}
	}
	return ""
}

// deadAreFailed: who is gone for good is failed, left or removed everywhere,
// and a removed one stays so.
func deadAreFailed(w *simWorld, _ []*simProc, c *projection.Cluster) string {
	for _, h := range w.hosts {
		if h.cluster != simCluster || !h.gone || h.twin {
			continue
		}
		if n, ok := c.Node(h.id); ok && n.Status != projection.StatusFailed && n.Status != projection.StatusLeft && n.Status != projection.StatusRemoved {
			return fmt.Sprintf("%s is gone and %s", h.id, n.Status)
		}
	}
	return ""
}

// oneCoordinator: there is one, it lives, and nobody disagrees (the digests
// are equal).
func oneCoordinator(w *simWorld, live []*simProc, c *projection.Cluster) string {
	if !coordination.Majority(c) {
		return ""
	}
	n, ok := c.Node(c.Coordinator)
	if fit := takers(c); len(fit) > 0 && (!ok || !slices.Contains(fit, n)) { // or nobody may be
		return fmt.Sprintf("the coordinator is %q, which is no living node, or an ill one", c.Coordinator)
	}
	return ""
}

// nothingIsMissing: what any disk that is still there was told to keep,
// everybody knows.
func nothingIsMissing(w *simWorld, live []*simProc, c *projection.Cluster) string {
	for _, p := range live {
		for log, seq := range p.host.disk.acked {
			if have := live[0].k.seq(log); have < seq && !w.ledger.forked[log] && !live[0].k.forked[log] {
				return fmt.Sprintf("%s keeps %s up to %d, others have %d", p.host.id, log, seq, have)
			}
		}
	}
	return ""
}

// foldsAgree: the state is the fold of all events, in any order, and the merge
// of the folds of two parts of them. Where logs have forked that is asked of what
// the others wrote.
func foldsAgree(w *simWorld, live []*simProc, c *projection.Cluster) string {
	r := rand.New(rand.NewPCG(w.seed, 9))
	fold := func(share func(log events.LogID) uint64) *projection.State {
		s := projection.NewState()
		left := make(map[events.LogID]uint64)
		var logs []events.LogID
		for _, h := range live[0].k.heads {
			if n := share(h.Log); n > 0 {
				left[h.Log], logs = n, append(logs, h.Log)
			}
		}
		for len(logs) > 0 {
			i := r.IntN(len(logs))
			seq := s.Head(logs[i]).Seq + 1
			if e, ok := w.ledger.events[events.ID{Log: logs[i], Seq: seq}]; ok {
				s.Apply(e)
			} else {
				return nil // it was lost with its disk; states stand in for it
			}
			if seq == left[logs[i]] {
				logs = slices.Delete(logs, i, i+1)
			}
		}
		return s
	}
	k := live[0].k
	if w.holdsFork(k) {
		return w.agreesBesideForks(live[0], fold(func(log events.LogID) uint64 {
			if w.ledger.forked[log] || k.forked[log] {
				return 0
			}
			return k.seq(log)
		}))
	}
	all := fold(k.seq)
	if all == nil {
		return ""
	}
	if all.Digest() != live[0].k.digest {
		return "the state is not the fold of all events"
	}
	a := fold(func(log events.LogID) uint64 { return r.Uint64N(live[0].k.seq(log) + 1) })
	b := fold(func(log events.LogID) uint64 { return live[0].k.seq(log) - a.Head(log).Seq*uint64(r.IntN(2)) })
	both := fold(func(log events.LogID) uint64 { return max(a.Head(log).Seq, b.Head(log).Seq) })
	a.Merge(b)
	if a.Digest() != both.Digest() {
		return "the merge of two folds is not the fold of both"
	}
	return ""
}

// forgettingIsSafe: of all events that are known the one with the largest stamp
// owns its value: a deleted value does not come back from an old copy when its
// tombstone is forgotten, and no write is taken for one. Which of the writes in a
// forked log counts somewhere cannot be said, so what it wrote is passed over.
func forgettingIsSafe(w *simWorld, live []*simProc, c *projection.Cluster) string {
	owners := make(map[string]*events.Event)
	forked := w.writtenInForks(live[0].k)
	var names []string
	for _, id := range w.ledger.ids {
		e := w.ledger.events[id]
		if kind, _ := events.SplitRegister(e.Register); kind != events.KindValue || live[0].k.seq(id.Log) < id.Seq {
			continue
		}
		if owner := owners[e.Register]; owner == nil {
			owners[e.Register], names = e, append(names, e.Register)
		} else if e.Stamp().Compare(owner.Stamp()) > 0 {
			owners[e.Register] = e
		}
	}
	for _, name := range names {
		e, known := live[0].r.state.Register(name)
		switch want := owners[name]; {
		case forked[name]:
		case known && e.ID() != want.ID():
			return fmt.Sprintf("%s is owned by %s %s and should be by %s %s", name, e.Type, e.ID(), want.Type, want.ID())
		case !known && want.Type != events.ValueDeleted && !w.unheardOf(want.ID()):
			return fmt.Sprintf("%s was forgotten, and %s %s lived", name, want.Type, want.ID())
		}
	}
	return ""
}

// unheardOf reports whether tombstones were collected by somebody who had never
// heard of a log, or that its writer returned after it had left: it was no
// member to wait for, and what it wrote below the floor is void. A real day is
// longer than news takes; a copy that ran alone for a day has not heard of much.
// Nor is anybody waited for who was removed, or who bears the name of another
// that is in step: the second process of a name, or the first that was restored
// from a backup, had written what nobody knew. And nobody can wait for what is on
// no disk of a member that it knows of: it was lost with the one it stood on, and
// only a request was left that came a day later, or a node that had joined there.
func (w *simWorld) unheardOf(id events.ID) bool {
	return slices.ContainsFunc(w.ledger.heard, func(h simHeard) bool {
		seq := h.k.seq(id.Log)
		return seq == 0 || w.ledger.hadLeft(id.Log, seq) || seq < id.Seq &&
			(h.kept[id.Log] < id.Seq || w.mayFork(id.Log) || w.ledger.wasRemoved(w.ledger.owner[id.Log]))
	})
}

// keptBy returns what stands on the disks of those that somebody has heard of.
func (w *simWorld) keptBy(k *knowledge) events.Vector {
	kept := events.Vector{}
	for _, h := range w.hosts {
		if k.seq(h.disk.log) == 0 {
			continue
		}
		for _, of := range []events.Vector{h.disk.heads, h.disk.acked} {
			for log, seq := range of {
				kept[log] = max(kept[log], seq)
			}
		}
	}
	return kept
}

// wasRemoved reports whether anybody ever removed a node: it may have come back
// with a new log since, or have been removed to forget at last.
func (l *simLedger) wasRemoved(node string) bool {
	removes := func(e *events.Event) bool {
		return e.Type == events.NodeRemoved && e.Register == events.AdminRegister(node)
	}
	return slices.ContainsFunc(l.branched, removes) ||
		slices.ContainsFunc(l.ids, func(id events.ID) bool { return removes(l.events[id]) })
}

// hadLeft reports whether the writer of a log had left by an event of it.
func (l *simLedger) hadLeft(log events.LogID, seq uint64) bool {
	for ; seq > 0; seq-- {
		if e := l.events[events.ID{Log: log, Seq: seq}]; e != nil {
			if kind, _ := events.SplitRegister(e.Register); kind == events.KindNode {
				return e.Type == events.NodeLeft
			}
		}
	}
	return false
}

// growthIsBounded: flapping, queues and caches do not grow beyond what
// happened.
func growthIsBounded(w *simWorld, live []*simProc, c *projection.Cluster) string {
	minutes := 1 + w.busyTime()/60_000
	if limit := int(minutes) * 60 * len(w.hosts); w.ledger.flaps > limit {
		return fmt.Sprintf("%d accusations in %d minutes among %d nodes", w.ledger.flaps, minutes, len(w.hosts))
	}
	if limit := 4000 * len(w.hosts); len(w.heap) > limit {
		return fmt.Sprintf("%d things wait", len(w.heap))
	}
	for _, p := range live {
		if len(p.peers.all) > len(w.hosts) {
			return fmt.Sprintf("%s remembers %d peers of %d", p.host.id, len(p.peers.all), len(w.hosts))
		}
	}
	return ""
}

// strangersStayOut: nobody knows a node of another cluster.
func strangersStayOut(w *simWorld, live []*simProc, c *projection.Cluster) string {
	for i := range c.Nodes {
		if h := w.byID[c.Nodes[i].ID]; h != nil && h.cluster != simCluster {
			return h.id + " is a stranger"
		}
	}
	return ""
}

// roundsToAgree is how many rounds of comparison N nodes may take.
func roundsToAgree(n int) int64 {
	return int64(4*math.Log2(float64(max(n, 1)))) + 10
}
