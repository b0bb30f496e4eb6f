package swim_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

// sim is a cluster of detectors in virtual time, on one goroutine. Around each
// detector it imitates the shell: probes over a network with loss, delay and
// one-way cuts; a log that syncs; events that are pushed at once to all
// (up to 8 nodes) or to 4 nodes, and exchanged after a probe when the
// digests differ; refutation. A node can crash, pause and be slow.
type sim struct {
	now   int64
	seq   int64
	queue items
	rnd   *rand.Rand
	nodes []*simNode
	log   []simEvent // all events ever written, by anybody

	loss   float64
	delay  func() int64            // of one hop
	cut    func(from, to int) bool // packets are dropped
	dial   func(from, to int) bool // connections cannot be opened
	hook   func(e simEvent)        // called for every event that is written
	probes int
	trace  uint64 // hash of everything that happened
}

type simEvent struct {
	at          int64
	kind        byte // 's'uspected, 'f'ailed, 'r'efuted or joined
	actor, node int
	inc         uint64
	reason      string
}

type simNode struct {
	s       *sim
	i       int
	id      string
	d       *swim.Detector
	crashed bool
	refuses bool  // crashed, but its host lives and refuses connections
	until   int64 // paused until then
	epoch   int   // of the process; callbacks of an older one are dropped

	known   []bool // of sim.log
	view    []simView
	dirty   []int // events to be pushed
	pushing bool
	pushed  int64
	tickAt  int64
	open    map[uint64]map[int]bool // probe -> answered by (-1: the target)
}

type simView struct {
	inc, accInc uint64
	accRank     int
	gone        bool // left
}

type item struct {
	at, key int64
	node    int // whose process runs it, -1 for the world
	epoch   int
	run     func()
}
type items []item

func (q items) Len() int { return len(q) }
func (q items) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].key < q[j].key
}
func (q items) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *items) Push(x any)   { *q = append(*q, x.(item)) }
func (q *items) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = item{}
	*q = old[:len(old)-1]
	return x
}

func newSim(n int, seed uint64) *sim {
	s := &sim{rnd: rand.New(rand.NewPCG(seed, 7))}
	s.cut = func(int, int) bool { return false }
	s.dial = s.cut
	s.delay = func() int64 { return 1 + s.rnd.Int64N(4) }
	for i := range n {
		s.nodes = append(s.nodes, &simNode{s: s, i: i, id: fmt.Sprintf("n%03d", i), view: make([]simView, n)})
	}
	for _, n := range s.nodes {
		for j := range n.view {
			n.view[j].inc = 1
		}
		s.at(s.rnd.Int64N(1000), n, func() { n.boot(seed) })
	}
	return s
}

func (n *simNode) boot(seed uint64) {
	n.d = swim.New(swim.Options{Self: n.id, Seed: seed})
	n.open = make(map[uint64]map[int]bool)
	n.tickAt = swim.Never
	n.update()
	n.arm()
}

// at runs f in the process of n, nil for the world, when it is awake.
func (s *sim) at(t int64, n *simNode, f func()) {
	s.seq++
	it := item{at: t, key: s.seq, node: -1, run: f}
	if n != nil {
		it.node, it.epoch = n.i, n.epoch
	}
	heap.Push(&s.queue, it)
}

func (s *sim) run(until int64, stop func() bool) {
	for len(s.queue) > 0 && s.queue[0].at <= until && (stop == nil || !stop()) {
		it := heap.Pop(&s.queue).(item)
		s.now = it.at
		if it.node < 0 {
			it.run()
			continue
		}
		n := s.nodes[it.node]
		switch {
		case n.crashed || n.epoch != it.epoch:
		case n.until > s.now: // what waits is done in any order
			it.at, it.key = n.until, s.rnd.Int64N(1<<40)
			heap.Push(&s.queue, it)
		default:
			it.run()
		}
	}
	if stop == nil || !stop() {
		s.now = until
	}
}

// send delivers a request to a process unless it is lost.
func (s *sim) send(from, to int, f func()) {
	if !s.dial(from, to) {
		s.reply(from, to, f)
	}
}

// reply delivers the answer to a request unless it is lost.
func (s *sim) reply(from, to int, f func()) {
	delay := s.delay()
	if s.rnd.Float64() < s.loss || s.cut(from, to) {
		return
	}
	s.at(s.now+delay, s.nodes[to], f)
}

// arm has Tick called when the detector wants it.
func (n *simNode) arm() {
	next := max(n.d.Next(), n.s.now)
	if next == n.tickAt {
		return
	}
	n.tickAt = next
	if next == swim.Never {
		return
	}
	n.s.at(next, n, func() {
		if n.tickAt == next {
			n.tickAt = swim.Never
			n.do(n.d.Tick(n.s.now))
		}
	})
}

func (n *simNode) do(actions []swim.Action) {
	for _, a := range actions {
		n.s.trace = n.s.trace*1099511628211 ^ uint64(n.s.now)<<8 ^ uint64(n.i)
		switch a := a.(type) {
		case swim.Probe:
			n.s.probes++
			n.probe(a)
		case swim.Indirect:
			n.indirect(a)
		case swim.Suspect:
			n.accuse('s', a.Target, a.Incarnation, a.Reason)
		case swim.Convict:
			n.accuse('f', a.Target, a.Incarnation, a.Reason)
		}
	}
	n.arm()
}

func (n *simNode) result(r swim.Report) { n.do(n.d.Result(n.s.now, r)) }

// ask is one request: answer runs at the target, then done here, once, with
// whether the answer came in time.
func (n *simNode) ask(to int, timeout int64, answer func(), done func(ok bool)) {
	s, over := n.s, false
	finish := func(ok bool) {
		if !over {
			over = true
			done(ok)
		}
	}
	t := s.nodes[to]
	if t.crashed && t.refuses && !s.cut(n.i, to) && !s.cut(to, n.i) {
		s.at(s.now+2*s.delay(), n, func() { finish(false) })
	}
	s.send(n.i, to, func() {
		if answer != nil {
			answer()
		}
		s.reply(to, n.i, func() { finish(true) })
	})
	s.at(s.now+timeout, n, func() { finish(false) })
}

func (n *simNode) probe(p swim.Probe) {
	to, start := n.index(p.Target), n.s.now
	n.ask(to, p.Timeout, nil, func(ok bool) {
		if !ok {
			n.result(swim.Report{ID: p.ID, Outcome: swim.Missed})
			return
		}
		n.result(swim.Report{ID: p.ID, Outcome: swim.Acked, RTT: n.s.now - start})
		n.sync(to)
	})
}

func (n *simNode) indirect(p swim.Indirect) {
	to := n.index(p.Target)
	for _, via := range p.Via {
		relay := n.s.nodes[n.index(via.ID)]
		answered := false
		report := func(o swim.Outcome) {
			if !answered {
				answered = true
				n.result(swim.Report{ID: p.ID, Outcome: o})
			}
		}
		n.s.send(n.i, relay.i, func() {
			relay.ask(to, p.Reach, nil, func(ok bool) {
				n.s.reply(relay.i, n.i, func() {
					if ok {
						report(swim.Acked)
					} else {
						report(swim.Nacked)
					}
				})
			})
		})
		n.s.at(n.s.now+p.Timeout, n, func() { report(swim.Missed) })
	}
}

// sync exchanges what one side lacks, as the digest in a probe causes it.
func (n *simNode) sync(to int) {
	t := n.s.nodes[to]
	if same(n.known, t.known) {
		return
	}
	mine := slices.Clone(n.known)
	n.s.send(n.i, to, func() {
		t.learn(mine)
		theirs := slices.Clone(t.known)
		n.s.reply(to, n.i, func() { n.learn(theirs) })
	})
}

func same(a, b []bool) bool {
	for i := range max(len(a), len(b)) {
		if (i < len(a) && a[i]) != (i < len(b) && b[i]) {
			return false
		}
	}
	return true
}

// write makes an event durable and then known to its writer.
func (n *simNode) write(e simEvent) {
	e.at, e.actor = n.s.now, n.i
	n.s.at(n.s.now+1+n.s.rnd.Int64N(4), n, func() {
		if e.kind != 'r' && n.stale(e) {
			return
		}
		e.at = n.s.now
		n.s.log = append(n.s.log, e)
		if n.s.hook != nil {
			n.s.hook(e)
		}
		known := slices.Clone(n.known)
		for len(known) < len(n.s.log) {
			known = append(known, false)
		}
		known[len(n.s.log)-1] = true
		n.learn(known)
	})
}

// stale reports whether an accusation is moot by the time it could be written.
func (n *simNode) stale(e simEvent) bool {
	v := n.view[e.node]
	return v.inc > e.inc || v.accInc == e.inc && v.accRank == 2
}

func (n *simNode) accuse(kind byte, target string, inc uint64, reason string) {
	n.write(simEvent{kind: kind, node: n.index(target), inc: inc, reason: reason})
}

// learn applies the events that are new here, tells the detector, and pushes
// them on.
func (n *simNode) learn(known []bool) {
	var fresh []int
	for i, k := range known {
		if k && (i >= len(n.known) || !n.known[i]) {
			fresh = append(fresh, i)
		}
	}
	if len(fresh) == 0 || n.d == nil { // nothing new, or not booted yet
		return
	}
	for len(n.known) < len(known) {
		n.known = append(n.known, false)
	}
	for _, i := range fresh {
		n.known[i] = true
		n.apply(n.s.log[i])
	}
	n.update()
	for _, i := range fresh {
		if e := n.s.log[i]; e.kind != 'r' && e.actor != n.i {
			n.d.Accused(n.s.now, n.s.nodes[e.actor].id, n.s.nodes[e.node].id, e.inc)
		}
	}
	self := &n.view[n.i]
	if self.accInc >= self.inc && self.accRank > 0 {
		self.inc = self.accInc + 1
		n.d.Refuted(n.s.now)
		n.write(simEvent{kind: 'r', node: n.i, inc: self.inc})
	}
	n.push(fresh)
	n.arm()
}

func (n *simNode) apply(e simEvent) {
	v := &n.view[e.node]
	switch rank := map[byte]int{'s': 1, 'f': 2}[e.kind]; {
	case e.kind == 'r':
		v.inc = max(v.inc, e.inc)
	case e.inc > v.accInc || e.inc == v.accInc && rank > v.accRank:
		v.accInc, v.accRank = e.inc, rank
	}
}

func (n *simNode) status(i int) swim.Status {
	switch v := n.view[i]; {
	case v.gone:
		return swim.Left
	case v.accInc != v.inc:
		return swim.Alive
	case v.accRank == 2:
		return swim.Failed
	case v.accRank == 1:
		return swim.Suspected
	}
	return swim.Alive
}

func (n *simNode) update() {
	members := make([]swim.Member, len(n.view))
	for i := range members {
		members[i] = swim.Member{ID: n.s.nodes[i].id, Addr: n.s.nodes[i].id, Incarnation: n.view[i].inc, Status: n.status(i)}
	}
	n.d.Update(n.s.now, members)
}

// push forwards new events at once, and not more often than every 20 ms: to
// everybody, or to the next node in the ring and three random ones.
func (n *simNode) push(fresh []int) {
	n.dirty = append(n.dirty, fresh...)
	if n.pushing {
		return
	}
	n.pushing = true
	n.s.at(max(n.s.now, n.pushed+20), n, func() {
		n.pushing, n.pushed = false, n.s.now
		batch := make([]bool, len(n.s.log))
		for _, i := range n.dirty {
			batch[i] = true
		}
		n.dirty = n.dirty[:0]
		var peers []int
		for i := range n.view {
			if j := (n.i + i) % len(n.view); i > 0 && n.status(j) != swim.Failed {
				peers = append(peers, j)
			}
		}
		if len(peers) > 8 {
			n.s.rnd.Shuffle(len(peers)-1, func(i, j int) { peers[i+1], peers[j+1] = peers[j+1], peers[i+1] })
			peers = peers[:4]
		}
		for _, to := range peers {
			n.s.send(n.i, to, func() { n.s.nodes[to].learn(batch) })
		}
	})
}

func (n *simNode) index(id string) int {
	var i int
	fmt.Sscanf(id, "n%d", &i)
	return i
}

// crash ends the process of a node.
func (s *sim) crash(i int, refuses bool) { s.nodes[i].crashed, s.nodes[i].refuses = true, refuses }

// pause stops the process of a node until a time.
func (s *sim) pause(i int, until int64) { s.nodes[i].until = max(s.nodes[i].until, until) }

// allKnow reports whether every running node sees the status.
func (s *sim) allKnow(i int, status swim.Status) bool {
	for _, n := range s.nodes {
		if n.i != i && !n.crashed && n.status(i) != status {
			return false
		}
	}
	return true
}

// counts returns how many events of a kind were written.
func (s *sim) counts(kind byte) (n int) {
	for _, e := range s.log {
		if e.kind == kind {
			n++
		}
	}
	return n
}
