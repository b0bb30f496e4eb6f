package clusterkit

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// simWorld is one history: a heap of things to come, a time that jumps from one
// to the next, chance that is a function of the seed. Nothing in it reads a
// clock, starts a goroutine or depends on the order of a map, so the same seed
// and the same operations give the same steps.
type simWorld struct {
	seed     uint64
	profile  simProfile
	sabotage sabotage
	random   *rand.Rand

	now   int64 // milliseconds since the world began
	heap  []simEvent
	order uint64 // of the next entry: equal times run in the order of asking
	steps int    // entries that were run
	trace uint64 // hash of all steps

	hosts    []*simHost
	byID     map[string]*simHost
	addrs    map[string]*simProc // who listens where
	ports    int
	net      simNet
	ops      []simOp
	coverage *simCoverage

	day, asleep bool            // a day has passed, or passes, with all switched off
	ledger      *simLedger      // what all nodes together have ever said and seen
	forks       map[string]bool // nodes that were made to forget what they said
	cloned      map[string]bool // nodes of which a second process ran
}

// simEvent is one thing to come. What belongs to a process dies with it.
type simEvent struct {
	at    int64
	order uint64
	proc  *simProc
	do    func()
}

// simEpoch is the true wall time at which every world begins.
const simEpoch = int64(1_800_000_000_000)

func newSimWorld(seed uint64, sab sabotage) *simWorld {
	w := &simWorld{seed: seed, sabotage: sab, random: rand.New(rand.NewPCG(seed, 2)), trace: seed,
		byID: make(map[string]*simHost), addrs: make(map[string]*simProc), coverage: new(simCoverage),
		forks: make(map[string]bool), cloned: make(map[string]bool), ledger: newSimLedger()}
	w.profile = newSimProfile(rand.New(rand.NewPCG(seed, 1)))
	w.profile.later(rand.New(rand.NewPCG(seed, 4)))
	w.net.world = w
	return w
}

// after runs do in so many milliseconds, unless the process has died by then;
// nil belongs to nobody.
func (w *simWorld) after(ms int64, p *simProc, do func()) {
	w.order++
	w.push(simEvent{w.now + max(ms, 0), w.order, p, do})
}

func (e *simEvent) before(o *simEvent) bool {
	return e.at < o.at || e.at == o.at && e.order < o.order
}

func (w *simWorld) push(e simEvent) {
	w.heap = append(w.heap, e)
	h := w.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(&h[up]) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (w *simWorld) pop() simEvent {
	h := w.heap
	first := h[0]
	n := len(h) - 1
	h[0], h[n] = h[n], simEvent{}
	w.heap = h[:n]
	h = w.heap
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if least == i {
			return first
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// run runs everything up to a time, or until enough says so.
func (w *simWorld) run(until int64, enough func() bool) bool {
	for len(w.heap) > 0 && w.heap[0].at <= until {
		e := w.pop()
		w.now = max(w.now, e.at)
		if p := e.proc; p != nil {
			if p.dead {
				continue
			}
			if p.paused {
				p.held = append(p.held, e.do)
				continue
			}
		}
		w.steps++
		w.mix(uint64(e.at)<<20 ^ e.order)
		e.do()
		if enough != nil && enough() {
			return true
		}
	}
	w.now = max(w.now, until)
	return false
}

// mix takes a number into the trace (the finalizer of SplitMix64, Steele et
// al. 2014).
func (w *simWorld) mix(v uint64) {
	x := w.trace ^ v + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	w.trace = x ^ x>>31
}

// chance is true with probability p.
func (w *simWorld) chance(p float64) bool { return p > 0 && w.random.Float64() < p }

// pick returns a number in [0, n).
func (w *simWorld) pick(n int) int { return w.random.IntN(n) }

// upTo returns a number of milliseconds in [0, n].
func (w *simWorld) upTo(n int64) int64 { return w.random.Int64N(n + 1) }

// logID makes a new one, as unlikely to repeat as a real one.
func (w *simWorld) logID(wall int64) events.LogID {
	var b [10]byte
	for i := range b {
		b[i] = byte(w.random.Uint32())
	}
	return events.NewLogID(wall, b)
}

// simViolation is what a broken invariant panics with.
type simViolation struct {
	invariant string
	text      string
}

func (v *simViolation) Error() string { return v.invariant + ": " + v.text }

// violated ends the history.
func (w *simWorld) violated(invariant, format string, args ...any) {
	panic(&simViolation{invariant, fmt.Sprintf("after %d steps, %d ms: ", w.steps, w.now) + fmt.Sprintf(format, args...)})
}

// simProfile is what distinguishes one world from another for its whole life.
// Chance leaves out most dangers in most worlds, so that those that are left
// meet more often (swarm testing, Groce et al. 2012).
type simProfile struct {
	nodes      int
	partitions int
	replicas   int
	chaos      int64 // milliseconds of it
	ops        int   // how many
	kinds      []simKind

	latency   int64 // of the network, at most
	delay     float64
	loss      float64
	duplicate float64
	cut       float64 // responses cut in the middle
	busy      float64
	disk      int64 // latency of a sync, at most
	page      pageSize
	segment   int  // records of one segment
	keep      int  // segments that retention keeps; 0 all
	checkEach bool // a checkpoint after each commit
	zones     bool // nodes are in different zones
	strangers bool // nodes of another cluster
	herd      bool // all start at once and know each other

	rare        []simKind     // operations that few worlds know of
	removeAfter time.Duration // of failed nodes
	expels      bool          // nodes are removed that go on
}

func newSimProfile(r *rand.Rand) simProfile {
	sometimes := func(p, v float64) float64 {
		if r.Float64() < p {
			return v
		}
		return 0
	}
	p := simProfile{
		nodes: []int{1, 2, 2, 3, 3, 3, 3, 4, 4, 5}[r.IntN(10)], partitions: 1 + r.IntN(8), replicas: 1 + r.IntN(3),
		chaos: 5_000 + r.Int64N(25_000), ops: 2 + r.IntN(14), latency: []int64{1, 3, 3, 20}[r.IntN(4)],
		delay: sometimes(0.2, 0.05), loss: sometimes(0.3, 0.1*r.Float64()), duplicate: sometimes(0.3, 0.1),
		cut: sometimes(0.3, 0.1), busy: sometimes(0.1, 0.1), disk: []int64{0, 0, 2, 10, 100}[r.IntN(5)],
		page: fullPage, segment: []int{1, 4, 16, 1 << 30, 1 << 30}[r.IntN(5)], checkEach: r.IntN(8) == 0,
		zones: r.IntN(4) == 0, strangers: r.IntN(12) == 0, herd: r.IntN(6) == 0,
	}
	switch r.IntN(6) {
	case 0:
		p.page.events, p.page.chunk = 1, 1
	case 1:
		p.page.events, p.page.chunk = 5, 2
	}
	if p.segment < 1<<30 && r.IntN(2) == 0 {
		p.keep = 1 + r.IntN(3)
	}
	if r.IntN(100) == 0 {
		p.nodes = 9 + r.IntN(4) // beyond everyone
		p.chaos = min(p.chaos, 8_000)
	}
	for k := range simFirstRare {
		if r.Float64() < simKinds[k].usual {
			p.kinds = append(p.kinds, k)
		}
	}
	if len(p.kinds) == 0 {
		p.kinds = []simKind{simSet}
	}
	return p
}

// later chooses, by a chance of its own, what was thought of later: the other
// worlds, and all that was chosen before, stay what they were.
func (p *simProfile) later(r *rand.Rand) {
	for k := simFirstRare; int(k) < len(simKinds); k++ {
		if r.Float64() < simKinds[k].usual {
			p.rare = append(p.rare, k)
			p.expels = p.expels || k == simExpel
		}
	}
	if p.expels && r.IntN(2) == 0 {
		p.removeAfter = simRemoveAfter * time.Millisecond
	}
}
