package clusterkit

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// simOp is one thing that somebody does to the world, at a time. What it does
// depends on nothing but its own numbers and the world as it is then, so a
// history without it is a history too: see simShrink.
type simOp struct {
	index int
	at    int64
	kind  simKind
	a, b  uint64
}

func (o simOp) String() string {
	return fmt.Sprintf("%d: at %d ms %s(%d, %d)", o.index, o.at, simKinds[o.kind].name, o.a%1000, o.b%1000)
}

// simKind is an index into simKinds.
type simKind int

// simKinds are the operations: how often a world knows of one at all, and what
// it does. It reports whether there was anything to do it to.
var simKinds []simOperation

type simOperation struct {
	name  string
	usual float64
	do    func(w *simWorld, o simOp) bool
}

// Some of the list. From simFirstRare on they are chosen apart, see later.
const (
	simSet       simKind = 0
	simFirstRare simKind = 32
	simExpel     simKind = 32
)

func init() { // the functions refer to the list
	simKinds = []simOperation{
		{"set a value", 0.9, (*simWorld).opSet},
		{"delete a value", 0.5, (*simWorld).opDelete},
		{"record an event", 0.3, (*simWorld).opRecord},
		{"event of a later version", 0.2, (*simWorld).opLater},
		{"update a node", 0.2, (*simWorld).opUpdate},
		{"assign by hand", 0.15, (*simWorld).opAssign},
		{"drain and undrain", 0.15, (*simWorld).opDrain},
		{"remove a node", 0.1, (*simWorld).opRemove},
		{"leave for good", 0.1, (*simWorld).opLeave},
		{"kill", 0.3, (*simWorld).opKill},
		{"power cut at a step", 0.5, (*simWorld).opCrashAt},
		{"power cut", 0.3, (*simWorld).opPower},
		{"pause", 0.25, (*simWorld).opPause},
		{"restart", 0.25, (*simWorld).opRestart},
		{"restart with another address", 0.2, (*simWorld).opMove},
		{"recycled address", 0.15, (*simWorld).opRecycle},
		{"rolling restart", 0.1, (*simWorld).opRolling},
		{"all at once", 0.15, (*simWorld).opAllAtOnce},
		{"a day passes", 0.08, (*simWorld).opDay},
		{"disk lost", 0.15, (*simWorld).opWipe},
		{"old backup restored", 0.15, (*simWorld).opRestore},
		{"directory cloned", 0.1, (*simWorld).opClone},
		{"clock jumps", 0.25, (*simWorld).opJump},
		{"clock drifts", 0.2, (*simWorld).opDrift},
		{"clock a year off", 0.1, (*simWorld).opYear},
		{"one-way cut", 0.2, (*simWorld).opOneWay},
		{"split in two", 0.25, (*simWorld).opSplit2},
		{"split in three", 0.15, (*simWorld).opSplit3},
		{"split that is not transitive", 0.15, (*simWorld).opPartial},
		{"disk fault", 0.2, (*simWorld).opDisk},
		{"herd joins", 0.12, (*simWorld).opHerd},
		{"churn", 0.12, (*simWorld).opChurn},

		{"remove a node that goes on", 0.08, (*simWorld).opExpel},
		{"application is ill", 0.06, (*simWorld).opIll},
		{"slow disk", 0.06, (*simWorld).opSlowDisk},
		{"older program", 0.06, (*simWorld).opOlder},
	}
}

// planOps decides what will happen to a world.
func planOps(seed uint64, p *simProfile) []simOp {
	r := rand.New(rand.NewPCG(seed, 3))
	ops := make([]simOp, p.ops)
	for i := range ops {
		ops[i] = simOp{at: 500 + r.Int64N(p.chaos), kind: p.kinds[r.IntN(len(p.kinds))], a: r.Uint64(), b: r.Uint64()}
	}
	if len(p.rare) > 0 {
		r := rand.New(rand.NewPCG(seed, 5))
		for range 1 + r.IntN(3) {
			ops = append(ops, simOp{at: 500 + r.Int64N(p.chaos), kind: p.rare[r.IntN(len(p.rare))], a: r.Uint64(), b: r.Uint64()})
		}
	}
	slices.SortStableFunc(ops, func(x, y simOp) int { return int(x.at - y.at) })
	for i := range ops {
		ops[i].index = i
	}
	return ops
}

// host chooses one, whatever it does at the moment.
func (w *simWorld) host(n uint64) *simHost { return w.hosts[n%uint64(len(w.hosts))] }

// up chooses a host whose process runs and is not stopping, or none.
func (w *simWorld) up(n uint64) *simHost {
	for i := range w.hosts {
		h := w.host(n + uint64(i))
		if h.proc != nil && !h.proc.paused && !h.proc.stopping && !h.gone {
			return h
		}
	}
	return nil
}

// addHost sets up a machine, not yet started.
func (w *simWorld) addHost(id, cluster string, seeds []string) *simHost {
	h := &simHost{key: fmt.Sprintf("%s#%d", id, len(w.hosts)), id: id, cluster: cluster, addr: w.newAddr(), seeds: seeds}
	if w.profile.zones {
		h.zone = []string{"", "a", "b"}[w.pick(3)]
	}
	w.freshDisk(h)
	w.hosts = append(w.hosts, h)
	w.byID[id] = h
	return h
}

func (w *simWorld) newAddr() string {
	w.ports++
	return fmt.Sprintf("host%d:1", w.ports)
}

func (w *simWorld) freshDisk(h *simHost) {
	h.disk = newSimDisk(w.logID(h.wall(w)))
	w.ledger.owner[h.disk.log] = h.id
	h.stamps, h.grave = make(map[string]events.Stamp), simGrave{}
}

// seedsFor returns the addresses of all other machines of a cluster.
func (w *simWorld) seedsFor(self *simHost) []string {
	var seeds []string
	for _, h := range w.hosts {
		if h != self && h.cluster == self.cluster && !h.gone && h.id != self.id {
			seeds = append(seeds, h.addr)
		}
	}
	return seeds
}

// start boots a host again, if it is down and meant to run. It knows of the
// others by now.
func (w *simWorld) start(h *simHost) {
	if h.proc == nil && !h.gone && !w.asleep && w.addrs[h.addr] == nil {
		h.seeds = w.seedsFor(h)
		w.boot(h)
	}
}

// startIn boots a host again after a while.
func (w *simWorld) startIn(h *simHost, ms int64) { w.after(ms, nil, func() { w.start(h) }) }

func (w *simWorld) opSet(o simOp) bool {
	return w.command(o.a, func(r *replica, wall int64) (*events.Event, error) {
		key := fmt.Sprintf("k%d", o.b%4)
		return r.write(wall, events.Event{Type: events.ValueSet, Register: events.ValueRegister(key), Actor: "app",
			Body: events.Encode(&events.Value{Key: key, Value: fmt.Append(nil, o.b)})})
	})
}

func (w *simWorld) opDelete(o simOp) bool {
	return w.command(o.a, func(r *replica, wall int64) (*events.Event, error) {
		key := fmt.Sprintf("k%d", o.b%4)
		return r.write(wall, events.Event{Type: events.ValueDeleted, Register: events.ValueRegister(key), Actor: "app",
			Body: events.Encode(&events.Value{Key: key})})
	})
}

func (w *simWorld) opRecord(o simOp) bool {
	return w.command(o.a, func(r *replica, wall int64) (*events.Event, error) {
		return r.emit(wall, events.Event{Type: "app/shipped", Actor: "app", Body: make([]byte, o.b%600)})
	})
}

// opLater writes what only a later version knows, into a register of a kind
// that this one does not know or does know.
func (w *simWorld) opLater(o simOp) bool {
	return w.command(o.a, func(r *replica, wall int64) (*events.Event, error) {
		register := []string{"quota/q", "node/ghost", "value/k0"}[o.b%3]
		return r.write(wall, events.Event{Type: "QuotaGranted", Register: register, Body: []byte("opaque")})
	})
}

func (w *simWorld) command(n uint64, decide func(r *replica, wall int64) (*events.Event, error)) bool {
	h := w.up(n)
	if h == nil || !h.proc.k.spoken {
		return false
	}
	h.proc.command(decide)
	return true
}

func (w *simWorld) opUpdate(o simOp) bool {
	return w.command(o.a, func(r *replica, wall int64) (*events.Event, error) {
		r.record.Metadata = map[string]string{"version": fmt.Sprint(o.b % 9)}
		return r.announce(wall, events.NodeUpdated, r.incarnation(), events.ID{}, "updated")
	})
}

// simByHand is the trigger of assignments that nobody but an operator wants.
const simByHand = "manual"

func (w *simWorld) opAssign(o simOp) bool {
	return w.command(o.a, func(r *replica, wall int64) (*events.Event, error) {
		c := r.state.Cluster()
		if len(c.PartitionMap.Partitions) == 0 || len(c.Nodes) == 0 {
			return nil, ErrNotJoined
		}
		id := int(o.b % uint64(len(c.PartitionMap.Partitions)))
		e := events.Encode(&events.Assignment{Partition: uint32(id), Replicas: []string{c.Nodes[o.b%uint64(len(c.Nodes))].ID}, Trigger: simByHand})
		return r.emit(wall, events.Event{Type: events.PartitionAssigned, Actor: "operator:x", Register: events.PartitionRegister(id),
			Version: r.version(events.PartitionRegister(id)) + 1, Body: e})
	})
}

// orderNode lets some node order something about another.
func (w *simWorld) orderNode(n uint64, t events.Type, node string) bool {
	return w.command(n, func(r *replica, wall int64) (*events.Event, error) {
		if t != events.NodeRemoved {
			return r.order(wall, t, node, "operator:x", "test")
		}
		v, ok := r.state.Cluster().Node(node)
		if !ok || v.Status == projection.StatusRemoved || slices.ContainsFunc(r.staged, func(e events.Event) bool { return e.Type == events.NodeRemoved }) {
			return nil, ErrNotJoined // an order to drain would take the removal back
		}
		return r.write(wall, events.Event{Type: t, Register: events.AdminRegister(node), Actor: "operator:x",
			Body: events.Encode(&events.NodeOrder{Node: node, Incarnation: v.Incarnation, Reason: "test"})})
	})
}

func (w *simWorld) opDrain(o simOp) bool {
	node := w.host(o.b).id
	w.after(1000+w.upTo(8000), nil, func() { w.orderNode(o.a+1, events.NodeUndrained, node) })
	return w.orderNode(o.a, events.NodeDrained, node)
}

// opRemove removes a node for ever and switches its machine off. The order is one
// without a leap and without the log, as anybody may send it.
func (w *simWorld) opRemove(o simOp) bool {
	h := w.host(o.b)
	if h.gone || h.cluster != simCluster || w.remaining() < 3 || w.up(o.a) == h || !w.orderNode(o.a, events.NodeRemoved, h.id) {
		return false
	}
	h.gone = true
	w.after(w.upTo(3000), nil, func() { w.kill(h, false) })
	return true
}

// remaining returns how many machines of the cluster are meant to stay.
func (w *simWorld) remaining() (n int) {
	for _, h := range w.hosts {
		if !h.gone && h.cluster == simCluster {
			n++
		}
	}
	return n
}

func (w *simWorld) opLeave(o simOp) bool {
	h := w.up(o.a)
	if h == nil || !h.proc.k.spoken || h.cluster != simCluster || w.remaining() < 3 {
		return false
	}
	p := h.proc
	p.command(func(r *replica, wall int64) (*events.Event, error) {
		r.leaving = true
		return r.announce(wall, events.NodeLeaving, r.incarnation(), events.ID{}, "leaves for good")
	})
	h.gone, h.returns = true, o.b%2 == 0
	w.after(1000+w.upTo(5000), p, func() { p.goodbye(leftForGood, nil) })
	w.after(6500+int64(o.b>>1%16_000), nil, func() { w.comeBack(h) })
	return true
}

// comeBack starts a machine again whose node has left for good, on its old disk.
func (w *simWorld) comeBack(h *simHost) {
	if h.returns && h.proc == nil && !w.asleep {
		h.gone, h.returns = false, false
		w.start(h)
	}
}

// goodbye is the end of Stop and Leave: it says so, waits a moment, and ends.
func (p *simProc) goodbye(reason string, then func()) {
	w := p.world
	end := func() {
		w.kill(p.host, false)
		if then != nil {
			then()
		}
	}
	p.do(func(r *replica, wall int64) error {
		if !r.spoken || p.failed {
			return ErrNotJoined
		}
		r.stopping, p.stopping = true, true
		_, err := r.announce(wall, events.NodeLeft, r.incarnation(), events.ID{}, reason)
		return err
	}, func(err error) {
		if err != nil {
			end()
			return
		}
		p.runSpread()
		w.after(w.upTo(1000), p, end)
	})
}

func (w *simWorld) opKill(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	w.kill(h, false)
	w.startIn(h, w.downtime(o.b))
	return true
}

// downtime is how long something is away: a moment, or long enough to be
// noticed.
func (w *simWorld) downtime(n uint64) int64 {
	return []int64{10, 500, 3_000, 15_000, 30_000}[n%5] + int64(n>>8%500)
}

func (w *simWorld) opPower(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	w.kill(h, true)
	w.startIn(h, w.downtime(o.b))
	return true
}

// opCrashAt has the power fail at the next append, somewhere in the order of
// effects.
func (w *simWorld) opCrashAt(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	h.crashAt = simCrashDecided + simCrashPoint(o.b%5)
	w.startIn(h, w.downtime(o.b))
	w.startIn(h, w.downtime(o.b)+10_000)
	w.opSet(simOp{a: o.a, b: o.b}) // so that there is an append
	return true
}

func (w *simWorld) opPause(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	p := h.proc
	p.paused = true
	w.after(w.downtime(o.b), nil, func() { p.resume() })
	return true
}

// resume lets a paused process find all that came meanwhile.
func (p *simProc) resume() {
	if !p.paused {
		return
	}
	p.paused = false
	for _, do := range p.held {
		p.world.after(0, p, do)
	}
	p.held = nil
}

func (w *simWorld) opRestart(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	h.proc.goodbye(leftShutdown, func() { w.startIn(h, w.downtime(o.b)) })
	return true
}

func (w *simWorld) opMove(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	w.kill(h, o.b%2 == 0)
	h.addr = w.newAddr()
	w.startIn(h, w.downtime(o.b))
	return true
}

// opRecycle gives the address of one node to another.
func (w *simWorld) opRecycle(o simOp) bool {
	h, g := w.up(o.a), w.up(o.b)
	if h == nil || g == nil || h == g {
		return false
	}
	w.kill(h, false)
	w.kill(g, false)
	h.addr, g.addr = g.addr, w.newAddr()
	w.start(h)
	w.startIn(g, w.downtime(o.b>>3))
	return true
}

func (w *simWorld) opRolling(o simOp) bool {
	for i, h := range slices.Clone(w.hosts) {
		w.after(int64(i)*(500+int64(o.a%3000)), nil, func() {
			if p := h.proc; p != nil && !p.paused && !p.stopping && !h.gone {
				p.goodbye(leftShutdown, func() { w.startIn(h, int64(o.b%1000)) })
			}
		})
	}
	return true
}

// opAllAtOnce is a power cut in the whole house.
func (w *simWorld) opAllAtOnce(o simOp) bool {
	back := w.downtime(o.a)
	for _, h := range w.hosts {
		if h.proc != nil {
			w.kill(h, true)
		}
		w.startIn(h, back+w.upTo(int64(o.b%3000)))
	}
	return true
}

// opDay switches everything off until tomorrow; then requests of today arrive.
func (w *simWorld) opDay(o simOp) bool {
	if w.asleep {
		return false
	}
	for _, h := range w.hosts {
		w.kill(h, o.a%2 == 0)
	}
	const day = 24 * 3_600_000
	w.day, w.asleep = true, true
	w.after(day, nil, func() {
		w.asleep = false
		for _, h := range w.hosts {
			w.start(h)
		}
		w.after(w.upTo(2000), nil, w.net.replay)
	})
	return true
}

// opWipe loses a disk. What only this node knew is gone with it.
func (w *simWorld) opWipe(o simOp) bool {
	h := w.up(o.a)
	if h == nil || w.remaining() < 2 {
		return false
	}
	w.kill(h, true)
	w.freshDisk(h)
	w.startIn(h, w.downtime(o.b))
	return true
}

// opRestore makes a backup and restores it later.
func (w *simWorld) opRestore(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	backup := h.disk.clone()
	w.after(w.downtime(o.b), nil, func() {
		if h.gone {
			return
		}
		w.kill(h, true)
		backup.crash(w)
		w.restoreDisk(h, backup)
		w.start(h)
	})
	return true
}

// restoreDisk replaces a disk by an older copy: what was acknowledged since
// may be lost, and may be said again in other words.
func (w *simWorld) restoreDisk(h *simHost, backup *simDisk) {
	h.disk = backup
	h.stamps, h.grave = make(map[string]events.Stamp), simGrave{}
	w.forks[h.id] = true
}

// opClone starts a second process on a copy of a directory, until somebody
// notices.
func (w *simWorld) opClone(o simOp) bool {
	h := w.up(o.a)
	if h == nil || h.cluster != simCluster || h.twin {
		return false
	}
	twin := w.addHost(h.id, h.cluster, nil)
	delete(w.ledger.owner, twin.disk.log)
	twin.disk, twin.twin, twin.gone = h.disk.clone(), true, true
	twin.disk.crash(w)
	w.forks[h.id], w.cloned[h.id] = true, true
	twin.seeds = w.seedsFor(twin)
	w.boot(twin)
	w.after(w.downtime(o.b), nil, func() { w.kill(twin, true) })
	return true
}

func (w *simWorld) opJump(o simOp) bool {
	h := w.host(o.a)
	h.offset += []int64{-3_600_000, -15_000, -1000, 1000, 15_000, 3_600_000}[o.b%6]
	return true
}

func (w *simWorld) opDrift(o simOp) bool {
	h := w.host(o.a)
	h.offset, h.drifted = h.offset+(w.now-h.drifted)*h.drift/1_000_000, w.now
	h.drift = int64(o.b%200_000) - 100_000
	return true
}

func (w *simWorld) opYear(o simOp) bool {
	const year = 365 * 24 * 3_600_000
	h := w.host(o.a)
	h.offset += []int64{-year, year}[o.b%2]
	return true
}

func (w *simWorld) opOneWay(o simOp) bool {
	h, g := w.host(o.a), w.host(o.b)
	if h == g {
		return false
	}
	w.net.sever(h, g)
	w.healIn(o)
	return true
}

// healIn ends all cuts after a while.
func (w *simWorld) healIn(o simOp) { w.after(w.downtime(o.a>>7), nil, w.net.heal) }

func (w *simWorld) opSplit2(o simOp) bool { return w.split(o, 2) }
func (w *simWorld) opSplit3(o simOp) bool { return w.split(o, 3) }

func (w *simWorld) split(o simOp, parts uint64) bool {
	side := func(i int) uint64 { return o.b >> (2 * i % 60) & 3 % parts }
	cut := false
	for i, h := range w.hosts {
		for j, g := range w.hosts {
			if side(i) != side(j) {
				w.net.sever(h, g)
				cut = true
			}
		}
	}
	w.healIn(o)
	return cut
}

// opPartial cuts pairs at random: who can talk to whom is no equivalence.
func (w *simWorld) opPartial(o simOp) bool {
	r := rand.New(rand.NewPCG(o.a, o.b))
	for i, h := range w.hosts {
		for _, g := range w.hosts[:i] {
			if r.IntN(2) == 0 {
				w.net.sever(h, g)
				w.net.sever(g, h)
			}
		}
	}
	w.healIn(o)
	return len(w.net.cut) > 0
}

func (w *simWorld) opDisk(o simOp) bool {
	h := w.up(o.a)
	if h == nil {
		return false
	}
	h.disk.next = simDiskEIO + simDiskFault(o.b%3)
	w.opSet(simOp{a: o.a, b: o.b})
	w.after(w.downtime(o.b>>5), nil, func() {
		if h.proc != nil && h.proc.failed { // somebody restarts it
			w.kill(h, o.b%2 == 0)
			w.start(h)
		}
	})
	return true
}

func (w *simWorld) opHerd(o simOp) bool { return w.newcomers(1+int(o.a%3)) > 0 }

// newcomers starts some new nodes.
func (w *simWorld) newcomers(n int) (started int) {
	for range n {
		if w.asleep || len(w.hosts) >= w.profile.nodes+4 {
			break
		}
		h := w.addHost(fmt.Sprintf("n%d", len(w.hosts)), simCluster, nil)
		h.seeds = w.seedsFor(h)
		if len(h.seeds) == 0 {
			h.gone = true
			break
		}
		w.boot(h)
		started++
	}
	return started
}

// opChurn lets a node come and soon go for ever, without a word.
func (w *simWorld) opChurn(o simOp) bool {
	if w.newcomers(1) == 0 {
		return false
	}
	h := w.hosts[len(w.hosts)-1]
	w.after(w.downtime(o.b), nil, func() {
		w.kill(h, true)
		h.gone = true
		w.forgotten(h)
	})
	return true
}

// forgotten says that nobody will restart a node: an operator removes it, or
// it would count against the majority for ever.
func (w *simWorld) forgotten(h *simHost) {
	w.after(20_000+w.upTo(10_000), nil, func() { w.orderNode(uint64(w.pick(100)), events.NodeRemoved, h.id) })
}

const simCluster = "sim"

// populate starts the first nodes.
func (w *simWorld) populate() {
	for i := range w.profile.nodes {
		w.addHost(fmt.Sprintf("n%d", i), simCluster, nil)
	}
	for i, h := range slices.Clone(w.hosts) {
		switch {
		case w.profile.herd && w.profile.nodes > 1:
			h.seeds = w.seedsFor(h)
			w.startSeeded(h, w.upTo(100))
		case i == 0:
			w.boot(h)
		default:
			h.seeds = []string{w.hosts[0].addr}
			w.startSeeded(h, w.upTo(400))
		}
	}
	if w.profile.strangers {
		first := w.addHost("s0", "strange", nil)
		w.boot(first)
		second := w.addHost("s1", "strange", []string{first.addr, w.hosts[0].addr})
		w.startSeeded(second, w.upTo(100))
		w.after(1000, nil, func() { w.hosts[0].seeds = append(w.hosts[0].seeds, first.addr) })
	}
}

func (w *simWorld) startSeeded(h *simHost, in int64) {
	w.after(in, nil, func() {
		if h.proc == nil && !h.gone && !w.asleep && w.addrs[h.addr] == nil {
			w.boot(h)
		}
	})
}
