package clusterkit

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// lab runs replicas without disk, network or clock: what they stage is
// committed at once, and exchanges are calls.
type lab struct {
	t        *testing.T
	random   *rand.Rand
	now      int64
	replicas []*replica
	events   map[events.ID]events.Event
}

func newLab(t *testing.T, seed uint64, n int) *lab {
	l := &lab{t: t, random: rand.New(rand.NewPCG(seed, 1)), now: 1_700_000_000_000, events: make(map[events.ID]events.Event)}
	for i := range n {
		var random [10]byte
		random[0] = byte(i + 1)
		r := newReplica(fmt.Sprintf("n%d", i), events.NewLogID(l.now, random),
			projection.Config{ClusterName: "lab", PartitionCount: 8, ReplicationFactor: 2}, coordination.Options{Alone: i == 0})
		l.replicas = append(l.replicas, r)
	}
	return l
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// settle commits what a replica has staged, and what follows from that.
func (l *lab) settle(r *replica) {
	for range 100 {
		for _, a := range r.commit() {
			l.events[a.event.ID()] = *a.event
		}
		_, err := r.react(l.now, l.now)
		l.must(err)
		if len(r.staged) == 0 {
			return
		}
	}
	l.t.Fatal("the replica does not come to rest")
}

// speak lets a replica join after it has learnt from another.
func (l *lab) speak(r *replica) {
	l.must(r.speak(l.now, &events.NodeRecord{ID: r.node, Addr: r.node + ":1", StartedAt: events.NewTimestamp(l.now, 0)}, "test"))
	l.settle(r)
}

// carry brings from one replica to another a random part of what it lacks,
// possibly with repetitions, possibly cut short.
func (l *lab) carry(from, to *replica, all bool) {
	k := from.know()
	var batch []events.Event
	for _, s := range k.beyond(to.state.Heads(), from.log) {
		first, end := s.from, s.to
		if !all {
			first -= uint64(l.random.IntN(2)) * min(first-1, 2)
			end -= uint64(l.random.IntN(int(end-s.from) + 1))
		}
		for seq := first; seq < end; seq++ {
			batch = append(batch, l.events[events.ID{Log: s.log, Seq: seq}])
		}
	}
	in := to.ingest(l.now, batch)
	if in.gaps > 0 || len(in.broken) > 0 {
		l.t.Fatalf("%s from %s: %+v", to.node, from.node, in)
	}
	l.settle(to)
}

// converge lets everybody talk to everybody until nothing changes.
func (l *lab) converge() {
	for range 20 {
		for _, a := range l.replicas {
			for _, b := range l.replicas {
				if a != b {
					l.carry(a, b, true)
				}
			}
		}
	}
	want := l.replicas[0].state.Digest()
	for _, r := range l.replicas {
		if got := r.state.Digest(); got != want {
			l.t.Fatalf("%s has digest %s, %s has %s", r.node, got, l.replicas[0].node, want)
		}
	}
}

func TestReplicasConverge(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // go test -run 'TestReplicasConverge/SEED$' .
			l := newLab(t, seed, 4)
			l.speak(l.replicas[0])
			for _, r := range l.replicas[1:] {
				l.carry(l.replicas[0], r, true)
				l.speak(r)
			}
			for range 100 {
				l.now += int64(l.random.IntN(50))
				r := l.replicas[l.random.IntN(len(l.replicas))]
				switch l.random.IntN(4) {
				case 0:
					_, err := r.write(l.now+int64(l.random.IntN(100_000))-50_000, events.Event{Type: events.ValueSet,
						Register: events.ValueRegister("k"), Body: events.Encode(&events.Value{Key: "k", Value: []byte{byte(l.now)}})})
					l.must(err)
					l.settle(r)
				case 1:
					victim := l.replicas[l.random.IntN(len(l.replicas))]
					n, ok := r.state.Cluster().Node(victim.node)
					if ok && victim != r {
						l.must(r.accuse(l.now, events.NodeFailed, events.RankFailed, victim.node, n.Incarnation, "test"))
						l.settle(r)
					}
				default:
					l.carry(l.replicas[l.random.IntN(len(l.replicas))], r, false)
				}
			}
			l.converge()
			l.check()
		})
	}
}

// check holds the converged replicas to what must be true of all of them.
func (l *lab) check() {
	c := l.replicas[0].state.Cluster()
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.Status != projection.StatusAlive {
			l.t.Errorf("%s is %s: every accusation must have been refuted", n.ID, n.Status)
		}
	}
	for i := range c.PartitionMap.Partitions {
		if p := &c.PartitionMap.Partitions[i]; p.Primary == "" {
			l.t.Errorf("partition %d has no owner", p.ID)
		}
	}
	naive := projection.NewState()
	for _, h := range l.replicas[0].state.Heads() {
		for seq := uint64(1); seq <= h.Seq; seq++ {
			e := l.events[events.ID{Log: h.Log, Seq: seq}]
			naive.Apply(&e)
		}
	}
	if naive.Digest() != l.replicas[0].state.Digest() {
		l.t.Error("the state is not the fold of all events")
	}
}

func TestReplicaRefusesAForeignEventInItsOwnLog(t *testing.T) {
	l := newLab(t, 1, 2)
	a := l.replicas[0]
	l.speak(a)
	head := a.state.Head(a.log)
	forged, err := events.Seal(events.Event{Log: a.log, Seq: head.Seq + 1, Time: events.NewTimestamp(l.now, 9), Type: "app/forged"}, head.Chain)
	l.must(err)
	if in := a.ingest(l.now, []events.Event{forged}); in.accepted != 0 || len(in.broken) != 1 {
		t.Errorf("ingest = %+v, want it broken: nobody else writes to this log", in)
	}
	b := l.replicas[1]
	l.carry(a, b, true)
	if in := b.ingest(l.now, []events.Event{forged}); in.accepted != 1 {
		t.Errorf("ingest = %+v: elsewhere it cannot be told yet", in)
	}
}

func TestReplicaTakesBackItsOwnLostEvents(t *testing.T) {
	l := newLab(t, 1, 2)
	a, b := l.replicas[0], l.replicas[1]
	l.speak(a)
	l.carry(a, b, true)
	restored := newReplica("n0", a.log, a.config, coordination.Options{}) // an old backup: nothing at all
	restored.restored(l.now, 0)
	l.carry(b, restored, true)
	if restored.state.Digest() != a.state.Digest() {
		t.Fatal("the restored replica does not know its own past")
	}
	l.speak(restored)
	if got, want := restored.head(a.log).Seq, a.head(a.log).Seq; got <= want {
		t.Errorf("it goes on at %d, must be after %d", got, want)
	}
}

// TestReplicaGivesNoTimeTwice: a backup is restored on a machine whose clock is
// behind the times in it. What was written after the backup, and was lost, bore
// other times than what is written under the same sequences now.
func TestReplicaGivesNoTimeTwice(t *testing.T) {
	l := newLab(t, 1, 1)
	a := l.replicas[0]
	l.speak(a)
	backup := a.state.AppendSnapshot(nil)
	times := make(map[events.Timestamp]bool)
	for process := range events.Timestamp(3) {
		r := newReplica("n0", a.log, a.config, coordination.Options{})
		state, err := projection.ReadSnapshot(backup)
		l.must(err)
		r.state = state
		r.restored(l.now-1000, events.NewTimestamp(l.now, uint16(7*process)))
		e, err := r.write(l.now-1000, events.Event{Type: events.ValueSet, Register: events.ValueRegister("k"), Body: events.Encode(&events.Value{Key: "k"})})
		l.must(err)
		if times[e.Time] || e.Time <= a.state.Time(a.log) {
			t.Errorf("%s is given again", e.Time)
		}
		times[e.Time] = true
	}
}

func TestReplicaUnstage(t *testing.T) {
	l := newLab(t, 1, 1)
	r := l.replicas[0]
	l.speak(r)
	before := r.head(r.log)
	for range 3 {
		_, err := r.write(l.now, events.Event{Type: events.ValueSet, Register: events.ValueRegister("k"), Body: events.Encode(&events.Value{Key: "k"})})
		l.must(err)
	}
	r.unstage(1)
	if got := r.head(r.log).Seq; got != before.Seq+1 || r.version(events.ValueRegister("k")) != 1 {
		t.Errorf("head %d and version %d after taking back two of three", got, r.version(events.ValueRegister("k")))
	}
}

func TestReplicaWritesALostConfigurationAgain(t *testing.T) {
	l := newLab(t, 1, 1)
	a := l.replicas[0]
	l.speak(a)
	var batch []events.Event // up to the claim; the disk was lost before more had spread
	for seq := uint64(1); len(batch) == 0 || batch[len(batch)-1].Type != events.CoordinatorClaimed; seq++ {
		batch = append(batch, l.events[events.ID{Log: a.log, Seq: seq}])
	}
	b := newReplica("n0", events.NewLogID(l.now, [10]byte{9}), a.config, coordination.Options{})
	b.ingest(l.now, batch)
	b.commit()
	l.speak(b)
	if c := b.state.Cluster(); c.Config != b.config {
		t.Errorf("coordinator %q has the configuration %+v", c.Coordinator, c.Config)
	}
}
