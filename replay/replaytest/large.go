package replaytest

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Large writes, into each of dirs, the same past of n events: seven nodes, so
// many partitions that move all the time, a node that fails now and then. It
// ends at the given time, a millisecond an event. The events reach each
// directory in another order, some a little late, some much.
func Large(t testing.TB, n, partitions int, end time.Time, dirs ...string) {
	t.Helper()
	p := newLargePast(t, n, partitions, end)
	logs := make([]*largeLog, len(dirs))
	for i, dir := range dirs {
		logs[i] = openLarge(t, dir, uint64(i))
	}
	for !p.done() {
		batch := p.next(4096)
		for _, l := range logs {
			l.take(batch)
		}
	}
	for _, l := range logs {
		l.close()
	}
}

// largePast makes events in the order of their times.
type largePast struct {
	t          testing.TB
	r          *rand.Rand
	left       int
	partitions int
	wall       int64
	nodes      []string
	heads      []events.Head
	epochs     []uint64
	owners     [][]string
	versions   []uint64 // incarnations
	clock      events.Clock
	cause      events.ID
	configured bool
}

func newLargePast(t testing.TB, n, partitions int, end time.Time) *largePast {
	p := &largePast{t: t, r: rand.New(rand.NewPCG(1, 2)), left: n, partitions: partitions, wall: end.UnixMilli() - int64(n),
		epochs: make([]uint64, partitions), owners: make([][]string, partitions)}
	for i := range 7 {
		p.nodes = append(p.nodes, fmt.Sprintf("node-%d", i+1))
		log := events.NewLogID(p.wall, [10]byte{byte(i + 1)})
		p.heads = append(p.heads, events.Head{Log: log, Chain: events.Genesis(log)})
	}
	p.versions = make([]uint64, len(p.nodes))
	return p
}

func (p *largePast) done() bool { return p.left <= 0 }

// next returns the next events, about so many.
func (p *largePast) next(n int) []events.Event {
	var out []events.Event
	for len(out) < n && p.left > 0 {
		p.left--
		p.wall++
		out = append(out, p.event())
	}
	return out
}

func (p *largePast) seal(origin int, e events.Event, body events.Payload) events.Event {
	h := &p.heads[origin]
	e.Log, e.Seq, e.Time, e.Actor, e.Body = h.Log, h.Seq+1, p.clock.Tick(p.wall), p.nodes[origin], events.Encode(body)
	sealed, err := events.Seal(e, h.Chain)
	if err != nil {
		p.t.Fatal(err)
	}
	*h = sealed.Head()
	return sealed
}

func (p *largePast) event() events.Event {
	for i := range p.nodes {
		switch {
		case p.heads[i].Seq == 0:
			return p.seal(i, events.Event{Type: events.LogStarted, Register: events.LogRegister(p.heads[i].Log), Version: 1},
				&events.LogOwner{Node: p.nodes[i]})
		case p.versions[i] == 0:
			return p.join(i)
		}
	}
	if !p.configured {
		p.configured = true
		e := p.seal(0, events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister, Version: 1},
			&events.ClusterConfig{Name: "large", PartitionCount: uint32(p.partitions), ReplicationFactor: 3})
		p.cause = e.ID()
		return e
	}
	switch p.r.IntN(200) {
	case 0:
		return p.join(p.r.IntN(len(p.nodes)))
	case 1:
		i := p.r.IntN(len(p.nodes))
		e := p.seal(p.r.IntN(len(p.nodes)), events.Event{Type: events.NodeFailed, Rank: events.RankFailed,
			Register: events.AccusationRegister(p.nodes[i]), Version: p.versions[i]},
			&events.Accusation{Node: p.nodes[i], Incarnation: p.versions[i], Reason: "no answer"})
		p.cause = e.ID()
		return e
	case 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12:
		return p.seal(p.r.IntN(len(p.nodes)), events.Event{Type: events.ValueSet, Register: events.ValueRegister("key"), Version: uint64(p.left)},
			&events.Value{Key: "key", Value: []byte("value")})
	}
	return p.assign()
}

func (p *largePast) join(i int) events.Event {
	p.versions[i]++
	e := p.seal(i, events.Event{Type: events.NodeJoined, Register: events.NodeRegister(p.nodes[i]), Version: p.versions[i]},
		&events.NodeRecord{ID: p.nodes[i], Addr: "10.0.0.1:8080"})
	p.cause = e.ID()
	return e
}

func (p *largePast) assign() events.Event {
	part := p.r.IntN(p.partitions)
	first := p.r.IntN(len(p.nodes))
	owners := []string{p.nodes[first], p.nodes[(first+1)%7], p.nodes[(first+3)%7]}
	p.epochs[part]++
	e := p.seal(p.r.IntN(2), events.Event{Type: events.PartitionAssigned, Register: events.PartitionRegister(part),
		Version: 1<<32 | p.epochs[part], Cause: p.cause},
		&events.Assignment{Partition: uint32(part), Replicas: owners, Previous: p.owners[part], Trigger: "failure"})
	p.owners[part] = owners
	return e
}

// largeLog receives the events of a past in an order of its own.
type largeLog struct {
	t      testing.TB
	r      *rand.Rand
	log    *eventlog.Log
	state  *projection.State
	absent int            // the origin that cannot be reached, for a while
	later  []events.Event // what it wrote meanwhile
	logs   map[events.LogID]int
}

func openLarge(t testing.TB, dir string, seed uint64) *largeLog {
	l := &largeLog{t: t, r: rand.New(rand.NewPCG(3, seed)), state: projection.NewState(), absent: -1, logs: make(map[events.LogID]int)}
	var err error
	l.log, err = eventlog.Open(dir, eventlog.Options{NodeID: filepath.Base(dir), Cluster: "large",
		Snapshot: func() []byte { return l.state.AppendSnapshot(nil) }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *largeLog) take(batch []events.Event) {
	var out []events.Event
	for _, e := range batch {
		i, ok := l.logs[e.Log]
		if !ok {
			i = len(l.logs)
			l.logs[e.Log] = i
		}
		if i == l.absent {
			l.later = append(l.later, e)
			continue
		}
		out = append(out, e)
	}
	// Neighbours of different origins change places.
	for i := len(out) - 1; i > 0; i-- {
		if out[i].Log != out[i-1].Log && l.r.IntN(8) == 0 {
			out[i], out[i-1] = out[i-1], out[i]
		}
	}
	if l.r.IntN(10) == 0 {
		out, l.later, l.absent = append(out, l.later...), nil, -1
		if l.r.IntN(2) == 0 {
			l.absent = 2 + l.r.IntN(5)
		}
	}
	l.append(out)
}

func (l *largeLog) append(batch []events.Event) {
	if len(batch) == 0 {
		return
	}
	if _, err := l.log.Append(batch); err != nil {
		l.t.Fatal(err)
	}
	for i := range batch {
		l.state.Apply(&batch[i])
	}
}

func (l *largeLog) close() {
	l.append(l.later)
	b, err := projection.EncodeCheckpoint(l.state, l.log.Last())
	if err == nil {
		err = l.log.WriteCheckpoint(b)
	}
	if err == nil {
		err = l.log.Close()
	}
	if err != nil {
		l.t.Fatal(err)
	}
}
