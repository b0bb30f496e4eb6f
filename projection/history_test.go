package projection_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "try only the random history of this seed")
	countFlag = flag.Int("histories", 160, "how many random histories to try")
)

// histories calls test with random histories, each of its own seed.
func histories(t *testing.T, test func(t *testing.T, h *history)) {
	t.Helper()
	first, count := uint64(1), *countFlag
	if *seedFlag != 0 {
		first, count = *seedFlag, 1
	}
	var seed uint64
	defer func() { // also after a Fatal
		if t.Failed() {
			t.Logf("seed %d; again with: go test ./projection -run '^%s$' -seed %d", seed, t.Name(), seed)
		}
	}()
	for seed = first; seed < first+uint64(count); seed++ {
		if test(t, newHistory(t, seed)); t.Failed() {
			return
		}
	}
}

// history is what two to six nodes wrote, each knowing some of what the others
// had written by then.
type history struct {
	rng     *rand.Rand
	forgets bool // tombstones of values are collected, by those who may and by those who may not
	buries  bool // nodes are forgotten, whether they are gone or not
	origins []*writer
	names   []string
}

// writer is one node of a history: a log, what it knows, its clock.
type writer struct {
	*origin
	knows *projection.State
	clock events.Clock
	skew  int64
}

// newHistory lets random nodes write random events: sensible ones, conflicting
// ones, of unknown types, without a register, and odd ones.
func newHistory(tb testing.TB, seed uint64) *history {
	h := &history{rng: rand.New(rand.NewPCG(seed, 0)), forgets: seed%2 == 0, buries: seed%4 > 1}
	for i := range 2 + h.rng.IntN(5) {
		name := fmt.Sprintf("n%d", i)
		h.names = append(h.names, name)
		h.origins = append(h.origins, &writer{origin: newOrigin(tb, i+int(seed%1000)*10, name),
			knows: projection.NewState(), skew: h.rng.Int64N(40_000) - 20_000})
	}
	wall := int64(1_790_000_000_000)
	for range 10 + h.rng.IntN(90) {
		wall += h.rng.Int64N(50)
		w := h.origins[h.rng.IntN(len(h.origins))]
		if h.rng.IntN(3) == 0 {
			h.hear(w, wall)
			continue
		}
		h.write(w, wall)
	}
	return h
}

// hear lets w learn some of what another node has written.
func (h *history) hear(w *writer, wall int64) {
	o := h.origins[h.rng.IntN(len(h.origins))]
	from := int(w.knows.Head(o.log).Seq)
	for i := from; i < len(o.past) && h.rng.IntN(8) > 0; i++ {
		w.knows.Apply(&o.past[i])
		w.clock.Observe(o.past[i].Time, wall+w.skew)
	}
}

// write lets w write an event: one of the well-formed kinds, often bent a
// little afterwards.
func (h *history) write(w *writer, wall int64) {
	e := h.event(w)
	if h.forgets && h.rng.IntN(3) == 0 {
		e = h.collection(w)
	}
	if h.buries && h.rng.IntN(5) == 0 {
		body := h.burial(w)
		e = events.Event{Type: events.TombstonesCollected, Register: events.GoneRegister(body.Nodes), Version: 1, Body: events.Encode(body)}
	}
	if h.rng.IntN(4) == 0 {
		h.bend(&e)
	}
	if e.Register == "" {
		e.Version, e.Rank = 0, 0
	}
	e.Time = w.clock.Tick(wall + w.skew)
	e = w.emit(e)
	w.knows.Apply(&e)
}

func (h *history) name() string { return h.names[h.rng.IntN(len(h.names))] }

// event returns a well-formed event, written with what w knows.
func (h *history) event(w *writer) events.Event {
	about := h.name()
	incarnation := func(id string) uint64 {
		stamp, _ := w.knows.Stamp(events.NodeRegister(id))
		return stamp.Version
	}
	next := func(e events.Event) events.Event { // revision: 1 + the one seen
		stamp, _ := w.knows.Stamp(e.Register)
		e.Version = stamp.Version + 1
		return e
	}
	pick := func(types ...events.Type) events.Type { return types[h.rng.IntN(len(types))] }
	switch h.rng.IntN(12) {
	case 0, 1:
		record := &events.NodeRecord{ID: w.node, Addr: w.node + ":1", Weight: uint32(h.rng.IntN(3)), Metadata: map[string]string{"k": fmt.Sprint(h.rng.IntN(9))}}
		return events.Event{Type: pick(events.NodeJoined, events.NodeJoined, events.NodeUpdated, events.NodeLeaving, events.NodeLeft, events.NodeRecovered),
			Register: events.NodeRegister(w.node), Version: incarnation(w.node) + uint64(h.rng.IntN(2)), Body: events.Encode(record)}
	case 2, 3:
		e := events.Event{Type: events.NodeSuspected, Rank: events.RankSuspected, Register: events.AccusationRegister(about), Version: incarnation(about)}
		if h.rng.IntN(2) == 0 {
			e.Type, e.Rank = events.NodeFailed, events.RankFailed
		}
		e.Body = events.Encode(&events.Accusation{Node: about, Incarnation: e.Version, Reason: "no answer"})
		return e
	case 4:
		order := &events.NodeOrder{Node: about, Incarnation: incarnation(about)}
		if stamp, ok := w.knows.Stamp(events.NodeRegister(about)); ok && h.rng.IntN(2) == 0 {
			order.Log = stamp.Log.String()
			if h.rng.IntN(2) == 0 {
				order.Log += "," + h.origins[h.rng.IntN(len(h.origins))].log.String()
			}
		}
		return next(events.Event{Type: pick(events.NodeRemoved, events.NodeDrained, events.NodeUndrained), Register: events.AdminRegister(about),
			Body: events.Encode(order)})
	case 5, 6:
		p := h.rng.IntN(6)
		replicas := slices.Clone(h.names[:1+h.rng.IntN(len(h.names))])
		h.rng.Shuffle(len(replicas), func(i, j int) { replicas[i], replicas[j] = replicas[j], replicas[i] })
		return next(events.Event{Type: events.PartitionAssigned, Register: events.PartitionRegister(p),
			Body: events.Encode(&events.Assignment{Partition: uint32(p), Replicas: replicas})})
	case 7:
		return next(events.Event{Type: events.CoordinatorClaimed, Register: events.CoordinatorRegister,
			Body: events.Encode(&events.CoordinatorClaim{Node: w.node})})
	case 8:
		return next(events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister,
			Body: events.Encode(&events.ClusterConfig{Name: "h", PartitionCount: uint32(2 + h.rng.IntN(5)), ReplicationFactor: 2})})
	case 9:
		key := fmt.Sprintf("k%d", h.rng.IntN(4))
		return next(events.Event{Type: pick(events.ValueSet, events.ValueDeleted), Register: events.ValueRegister(key),
			Body: events.Encode(&events.Value{Key: key, Value: []byte(fmt.Sprint(h.rng.IntN(100)))})})
	case 10:
		of := h.origins[h.rng.IntN(len(h.origins))]
		e := events.Event{Type: events.LogStarted, Register: events.LogRegister(of.log), Version: 1, Body: events.Encode(&events.LogOwner{Node: of.node})}
		if h.rng.IntN(4) == 0 {
			e.Type, e.Rank = events.LogForked, 1
		}
		return e
	}
	return events.Event{Type: pick("app/order-shipped", events.RebalanceStarted, events.RebalanceCompleted), Body: []byte(nil)}
}

// collection writes and deletes values, raises the floor of values, or forgets
// some: with what w knows, or with a vector that has nothing to do with it.
func (h *history) collection(w *writer) events.Event {
	key := fmt.Sprintf("k%d", h.rng.IntN(4))
	stamp, _ := w.knows.Stamp(events.ValueRegister(key))
	if h.rng.IntN(3) == 0 {
		stamp.Version = max(stamp.Version, w.knows.Floor(events.KindValue))
	}
	e := events.Event{Type: events.ValueSet, Register: events.ValueRegister(key), Version: stamp.Version + 1, Body: events.Encode(&events.Value{Key: key})}
	switch h.rng.IntN(5) {
	case 0, 1:
		e.Type = events.ValueDeleted
	case 2:
		settled, stable := h.vectors(w)
		e.Type, e.Version = events.TombstonesCollected, 1
		e.Register = events.CollectedRegister(events.ID{Log: w.log, Seq: w.head.Seq + 1})
		var authors []events.Head
		switch h.rng.IntN(3) {
		case 0:
			authors = w.knows.Authors()
		case 1:
			_, authors = h.vectors(w)
		}
		e.Body = events.Encode(projection.Forget(events.KindValue, uint64(1+h.rng.IntN(5)), settled, stable, authors, ""))
	case 3:
		e.Type, e.Register, e.Version = events.FloorRaised, events.FloorRegister(events.KindValue), uint64(1+h.rng.IntN(5))
		e.Body = events.Encode(&events.Collection{Kind: events.KindValue, Floor: e.Version})
	}
	return e
}

// burial forgets some nodes and some logs, whether they are gone or not.
func (h *history) burial(w *writer) *events.Collection {
	var nodes []events.GoneNode
	for _, name := range h.names {
		if h.rng.IntN(3) > 0 {
			continue
		}
		g := events.GoneNode{ID: name, Incarnation: h.rng.Uint64N(4), Revision: h.rng.Uint64N(4)}
		for _, o := range h.origins {
			if h.rng.IntN(4) == 0 {
				g.Logs = append(g.Logs, events.GoneLog{ID: o.log, Closed: h.rng.IntN(2) == 0})
			}
		}
		slices.SortFunc(g.Logs, func(a, b events.GoneLog) int { return a.ID.Compare(b.ID) })
		nodes = append(nodes, g)
	}
	if body := w.knows.Bury(h.rng.Uint64N(9), nodes, "gone"); body != nil && h.rng.IntN(4) > 0 {
		return body
	}
	body := &events.Collection{Kind: events.KindNode} // who knew of nothing before
	for _, g := range nodes {
		body.Nodes = append(body.Nodes, g.String())
	}
	return body
}

// vectors returns what a collection by w may name: a part of it, and all, of
// what w knows or of what it cannot know yet.
func (h *history) vectors(w *writer) (settled, stable []events.Head) {
	for _, head := range w.knows.Heads() {
		switch h.rng.IntN(8) {
		case 0:
			continue
		case 1:
			head.Seq += h.rng.Uint64N(4)
		}
		stable = append(stable, head)
		if head.Seq -= h.rng.Uint64N(head.Seq); h.rng.IntN(4) > 0 {
			settled = append(settled, head)
		}
	}
	return settled, stable
}

// bend makes a well-formed event conflict, unknown or odd.
func (h *history) bend(e *events.Event) {
	registers := []string{"node/n0", "node/", "node/a b", "node", "accusation/n1", "admin/n1", "partition/1", "partition/01", "partition/-1",
		"partition/99999999999", "partition/65535", "coordinator", "coordinator/x", "config/cluster", "config/x", "value/k1", "value/", "log/x",
		events.LogRegister(h.origins[0].log), "later/x", "later", "node-x/y", ""}
	switch h.rng.IntN(8) {
	case 0, 1:
		e.Version = uint64(h.rng.IntN(3))
	case 2:
		e.Rank = uint8(h.rng.IntN(4))
	case 3:
		e.Type = "NodeHibernated" // of a later version
	case 4:
		e.Type = events.AppPrefix + "x"
	case 5:
		e.Register = registers[h.rng.IntN(len(registers))]
	case 6:
		e.Body = []byte{0xff, 0xff, byte(h.rng.IntN(256))}
	case 7:
		if len(e.Body) > 0 {
			e.Body = slices.Clone(e.Body)
			e.Body[h.rng.IntN(len(e.Body))] ^= 1 << h.rng.IntN(8)
		}
	}
}

// cut is how much of each log to take.
type cut []int

func (h *history) all() cut {
	c := make(cut, len(h.origins))
	for i, o := range h.origins {
		c[i] = len(o.past)
	}
	return c
}

func (h *history) randomCut() cut {
	c := make(cut, len(h.origins))
	for i, o := range h.origins {
		c[i] = h.rng.IntN(len(o.past) + 1)
	}
	return c
}

func union(a, b cut) cut {
	c := slices.Clone(a)
	for i := range c {
		c[i] = max(c[i], b[i])
	}
	return c
}

// interleave returns the events between two cuts in a random order that keeps
// the order within each log.
func (h *history) interleave(from, to cut) []events.Event {
	var order []int
	for i := range to {
		for range max(to[i]-from[i], 0) {
			order = append(order, i)
		}
	}
	h.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	at := slices.Clone(from)
	batch := make([]events.Event, len(order))
	for k, i := range order {
		batch[k] = h.origins[i].past[at[i]]
		at[i]++
	}
	return batch
}

func (h *history) nothing() cut { return make(cut, len(h.origins)) }

// fold applies batch to s as a careless node would: with duplicates, with
// events out of sequence, and looking at the result in between, which must all
// make no difference.
func (h *history) fold(t *testing.T, s *projection.State, batch []events.Event) *projection.State {
	t.Helper()
	for i := range batch {
		e := &batch[i]
		if got := s.Check(e); got != projection.Fact {
			t.Fatalf("Check(%s) = %s", e.ID(), got)
		}
		scratch := e.Clone()
		if got := s.Apply(&scratch); !got.Applied() || (got == projection.Fact) != (e.Register == "") {
			t.Fatalf("Apply(%s) = %s", e.ID(), got)
		}
		clear(scratch.Raw()) // the state must not depend on bytes of the caller
		switch h.rng.IntN(12) {
		case 0:
			if got := s.Apply(&batch[h.rng.IntN(i+1)]); got != projection.Duplicate {
				t.Fatalf("a second Apply answers %s", got)
			}
		case 1:
			o := h.origins[h.rng.IntN(len(h.origins))]
			if seq := int(s.Head(o.log).Seq); seq+1 < len(o.past) {
				if got := s.Apply(&o.past[seq+1]); got != projection.Gap {
					t.Fatalf("Apply with a gap answers %s", got)
				}
			}
		case 2:
			s.Digest()
		case 3:
			s.Cluster()
		case 4:
			s.AppendSnapshot(nil)
		}
	}
	return s
}
