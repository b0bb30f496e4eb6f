package clusterkit

import (
	"fmt"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// forked is a lab in which logs may fork: the name of an event does not say
// which one it is, so every replica keeps its own.
type forked struct {
	*lab
	held map[*replica]map[events.ID]events.Event
}

func newForked(t *testing.T, seed uint64, n int) *forked {
	f := &forked{lab: newLab(t, seed, n), held: make(map[*replica]map[events.ID]events.Event)}
	for _, r := range f.replicas {
		f.held[r] = make(map[events.ID]events.Event)
	}
	return f
}

// fresh makes new logs.
func (f *forked) fresh() (events.LogID, error) {
	var random [10]byte
	for i := range random {
		random[i] = byte(f.random.IntN(256))
	}
	return events.NewLogID(f.now, random), nil
}

// settle commits what is staged, and what follows, as the writer does.
func (f *forked) settle(r *replica) {
	f.t.Helper()
	for range 100 {
		for _, a := range r.commit() {
			f.held[r][a.event.ID()] = *a.event
		}
		f.must(r.leaveFork(f.now, f.fresh))
		_, err := r.react(f.now, f.now)
		f.must(err)
		if len(r.staged) == 0 {
			return
		}
	}
	f.t.Fatal("the replica does not come to rest")
}

func (f *forked) speak(r *replica, learnt bool) {
	f.now++
	f.must(r.beginLog(learnt, f.fresh))
	f.must(r.speak(f.now, &events.NodeRecord{ID: r.node, Addr: r.node + ":1", StartedAt: events.NewTimestamp(f.now, 0)}, "test"))
	f.settle(r)
}

func (f *forked) set(r *replica, key string) {
	f.now++
	_, err := r.write(f.now, events.Event{Type: events.ValueSet, Register: events.ValueRegister(key),
		Body: events.Encode(&events.Value{Key: key, Value: fmt.Append(nil, f.now)})})
	f.must(err)
	f.settle(r)
}

// copyOf is a process that starts from a copy of a replica's directory.
func (f *forked) copyOf(r *replica) *replica {
	c := newReplica(r.node, r.log, r.config, coordination.Options{})
	c.state = r.state.Clone()
	c.restored(f.now, 0)
	f.held[c] = make(map[events.ID]events.Event)
	for id, e := range f.held[r] {
		f.held[c][id] = e
	}
	return c
}

// wiped is a process of the same node that starts with an empty directory.
func (f *forked) wiped(r *replica) *replica {
	log, _ := f.fresh()
	c := newReplica(r.node, log, r.config, coordination.Options{})
	f.held[c] = make(map[events.ID]events.Event)
	return c
}

// bring carries all that to lacks, and both do what the writer does with what
// they see of each other. It is one exchange in one direction.
func (f *forked) bring(from, to *replica) {
	f.t.Helper()
	k, heads := from.know(), to.state.Heads()
	forks := k.forks(heads)
	var batch []events.Event
	for _, s := range k.beyond(heads, from.log) {
		for seq := s.from; seq < s.to; seq++ {
			if e, ok := f.held[from][events.ID{Log: s.log, Seq: seq}]; ok {
				batch = append(batch, e)
			}
		}
	}
	f.record(to, brokenHeads(to.ingest(f.now, batch)))
	f.record(from, forks)
	if a, b := from.state.Digest(), to.state.Digest(); a.Vector != b.Vector || a.State == b.State {
		return
	}
	if joined, changed := to.merge(from.state); changed {
		head, foreign := to.foreignHead(from.state)
		to.adopt(joined, f.now)
		if foreign {
			f.record(to, []events.Head{head})
		}
		f.settle(to)
	}
}

func (f *forked) record(r *replica, forks []events.Head) {
	f.t.Helper()
	_, err := r.recordForks(f.now, forks, f.fresh)
	f.must(err)
	f.settle(r)
}

// rest lets everybody talk to everybody for a bounded number of rounds, after
// which all must know the same.
func (f *forked) rest(all ...*replica) {
	f.t.Helper()
	for range 12 {
		for _, a := range all {
			for _, b := range all {
				if a != b && !a.stopping && !b.stopping {
					f.now++
					f.bring(a, b)
				}
			}
		}
	}
	var first *replica
	for _, r := range all {
		switch {
		case r.stopping:
		case first == nil:
			first = r
		case r.state.Digest() != first.state.Digest():
			f.t.Fatalf("%s in %s has digest %s, %s in %s has %s", r.node, r.log, r.state.Digest(), first.node, first.log, first.state.Digest())
		}
	}
}

// founded are nodes that have joined and know the same.
func founded(t *testing.T, seed uint64, n int) *forked {
	f := newForked(t, seed, n)
	for i, r := range f.replicas {
		if i > 0 {
			f.bring(f.replicas[0], r)
		}
		f.speak(r, true)
	}
	f.rest(f.replicas...)
	return f
}

func requireValues(t *testing.T, r *replica, prefix string, n int) {
	t.Helper()
	for i := range n {
		if _, ok := r.state.Register(events.ValueRegister(fmt.Sprint(prefix, i))); !ok {
			t.Errorf("%s in %s: value %s%d is lost", r.node, r.log, prefix, i)
		}
	}
}

// TestEveryForkIsFound lets the two branches of a log, held by two bystanders,
// have every pair of lengths, and lets one bring to the other what it has, in
// either direction: one exchange finds the fork.
func TestEveryForkIsFound(t *testing.T) {
	for common := range 3 {
		for one := 1; one <= 4; one++ {
			for other := 1; other <= 4; other++ {
				for order := range 2 {
					t.Run(fmt.Sprint(common, one, other, order), func(t *testing.T) { findFork(t, common, [2]int{one, other}, order) })
				}
			}
		}
	}
}

func findFork(t *testing.T, common int, lengths [2]int, order int) {
	f := founded(t, 1, 3)
	owner, a, b := f.replicas[0], f.replicas[1], f.replicas[2]
	for i := range common {
		f.set(owner, fmt.Sprint("common", i))
	}
	f.rest(owner, a, b)
	log, at := owner.log, owner.head(owner.log)
	branch := func(to *replica, n int, prefix string) {
		head := at
		for i := range n {
			key := fmt.Sprint(prefix, i)
			e, err := events.Seal(events.Event{Log: log, Seq: head.Seq + 1, Time: events.NewTimestamp(f.now+int64(i), 0), Type: events.ValueSet,
				Register: events.ValueRegister(key), Version: 1, Body: events.Encode(&events.Value{Key: key})}, head.Chain)
			f.must(err)
			if in := to.ingest(f.now, []events.Event{e}); in.accepted != 1 {
				t.Fatalf("%+v", in)
			}
			f.settle(to)
			head = e.Head()
		}
	}
	branch(a, lengths[0], "one")
	branch(b, lengths[1], "other")
	pair := []*replica{a, b}
	// The heads travel both ways in an exchange, and so do events.
	f.bring(pair[order], pair[1-order])
	f.bring(pair[1-order], pair[order])
	if !a.state.Forked(log) && !b.state.Forked(log) {
		t.Fatal("neither of the two has found the fork")
	}
	f.rest(a, b, owner)
	if owner.log == log {
		t.Error("the owner goes on in the log that has forked")
	}
	for _, r := range []*replica{a, b, owner} {
		requireValues(t, r, "one", lengths[0])
		requireValues(t, r, "other", lengths[1])
	}
	f.set(owner, "after0")
	f.bring(owner, a)
	requireValues(t, a, "after", 1)
	if a.state.Head(owner.log) != owner.head(owner.log) {
		t.Error("what the owner writes in its new log does not spread as events")
	}
}

// TestLearnt is the table of replica.learnt.
func TestLearnt(t *testing.T) {
	for _, c := range []struct {
		name         string
		mine, theirs uint64
		forked       bool // is recorded
		branch       bool // was seen just now
		peerSpoke    bool
		may          bool
	}{
		{"as much", 3, 3, false, false, true, true},
		{"less: the rest had not spread", 3, 2, false, false, true, true},
		{"more", 3, 4, false, false, true, false},
		{"more than nothing", 0, 3, false, false, true, false},
		{"a stranger", 3, 0, false, false, true, false},
		{"more, and it has forked", 3, 4, true, false, true, true},
		{"another branch", 3, 4, false, true, true, true},
		{"a new node", 0, 0, false, false, true, true},
		{"a new node that does not go first", 0, 0, false, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newForked(t, 1, 2)
			peer, r := f.replicas[0], f.replicas[1]
			f.speak(peer, true)
			for range c.mine {
				_, err := r.emit(f.now, events.Event{Type: "app/said"})
				f.must(err)
				f.settle(r)
			}
			if c.forked {
				f.must(peer.markForked(f.now, r.head(r.log)))
				f.settle(peer)
				f.bring(peer, r)
			}
			if c.branch {
				f.record(r, []events.Head{{Log: r.log, Seq: c.mine}})
			}
			var has []events.Head
			if c.theirs > 0 {
				has = []events.Head{{Log: r.log, Seq: c.theirs}}
			}
			if err := r.learnt(peer.node, has, c.peerSpoke); (err == nil) != c.may {
				t.Errorf("%v; may speak: want %v", err, c.may)
			}
		})
	}
}

// TestContradicts is when the alarm rings.
func TestContradicts(t *testing.T) {
	one, other := events.Sum{Lo: 1}, events.Sum{Lo: 2}
	for _, c := range []struct {
		name         string
		mine, theirs events.Digest
		ago          int64
		want         bool
	}{
		{"the same", events.Digest{Vector: one, State: one}, events.Digest{Vector: one, State: one}, 0, false},
		{"other events", events.Digest{Vector: one, State: one}, events.Digest{Vector: other, State: other}, 0, false},
		{"the same events", events.Digest{Vector: one, State: one}, events.Digest{Vector: one, State: other}, 0, true},
		{"other forks", events.Digest{Vector: one, State: one, Forked: 1}, events.Digest{Vector: one, State: other}, forkGrace, false},
		{"a fork that is new", events.Digest{Vector: one, State: one, Forked: 1}, events.Digest{Vector: one, State: other, Forked: 1}, forkGrace - 1, false},
		{"a fork of long ago", events.Digest{Vector: one, State: one, Forked: 1}, events.Digest{Vector: one, State: other, Forked: 1}, forkGrace, true},
	} {
		if got := contradicts(c.mine, c.theirs, c.ago); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestBackupTimesRise restores an old backup on a machine whose clock has been
// set back meanwhile. Its own later events come back as a state, and what it
// says next is later than they are.
func TestBackupTimesRise(t *testing.T) {
	f := founded(t, 1, 2)
	a, b := f.replicas[0], f.replicas[1]
	backup := f.copyOf(a)
	f.set(a, "lost0")
	f.set(a, "lost1")
	f.rest(a, b)
	f.now -= 3_600_000
	joined, _ := backup.merge(b.state)
	backup.adopt(joined, f.now)
	last, log := backup.state.Time(backup.log), backup.log
	f.speak(backup, true)
	said := f.held[backup][events.ID{Log: log, Seq: a.head(log).Seq + 1}]
	if backup.log != log || said.Time <= last {
		t.Errorf("it goes on at %s, what it had said ends at %s", said.Time, last)
	}
}

// TestBackupThatFindsNobody restores an old backup while nobody answers: the
// node speaks in a new log, so it cannot fork the old one, and gets back what
// it had lost as soon as somebody answers.
func TestBackupThatFindsNobody(t *testing.T) {
	f := founded(t, 1, 2)
	a, b := f.replicas[0], f.replicas[1]
	backup := f.copyOf(a)
	f.set(a, "lost0")
	f.rest(a, b)
	old := backup.log
	f.speak(backup, false)
	f.set(backup, "alone0")
	if backup.log == old {
		t.Fatal("it speaks in a log of which it does not know the end")
	}
	f.rest(backup, b)
	for _, r := range []*replica{backup, b} {
		requireValues(t, r, "lost", 1)
		requireValues(t, r, "alone", 1)
	}
	if n := b.state.Digest().Forked; n != 0 {
		t.Errorf("%d logs have forked, none had to", n)
	}
	if n, _ := b.state.Cluster().Node("n0"); n.Status != projection.StatusAlive || n.Log != backup.log {
		t.Errorf("n0 is %s in %s", n.Status, n.Log)
	}
}

// TestForkLearntWhileJoining: a node whose backup had forked its log already
// finds out while it learns, and does not go on in it.
func TestForkLearntWhileJoining(t *testing.T) {
	f := founded(t, 1, 2)
	a, b := f.replicas[0], f.replicas[1]
	backup := f.copyOf(a)
	f.set(a, "one0")
	f.set(a, "one1")
	f.rest(a, b)
	backup.spoken, backup.record = true, a.record // as an earlier version of this code let it
	f.set(backup, "other0")
	again := f.copyOf(backup)
	f.bring(b, again)
	old := again.log
	f.speak(again, true)
	if again.log == old {
		t.Error("it goes on in the log that has forked")
	}
	f.rest(again, b)
	if !b.state.Forked(old) {
		t.Error("nobody has recorded the fork")
	}
	requireValues(t, b, "one", 2)
	requireValues(t, b, "other", 1)
	requireValues(t, again, "one", 2)
}

// TestForkBelowWhatIsKept lets the longer branch of the owner's log come as a
// state: that it holds what this process never wrote is a fork.
func TestForkBelowWhatIsKept(t *testing.T) {
	f := founded(t, 1, 2)
	a, b := f.replicas[0], f.replicas[1]
	twin := f.copyOf(a)
	for i := range 5 {
		f.set(a, fmt.Sprint("one", i))
	}
	f.rest(a, b)
	twin.spoken, twin.record = true, a.record
	f.set(twin, "other0")
	joined, _ := twin.merge(b.state)
	head, foreign := twin.foreignHead(b.state)
	if !foreign {
		t.Fatal("a state with a longer own log is not taken for a fork")
	}
	twin.adopt(joined, f.now)
	f.record(twin, []events.Head{head})
	f.rest(twin, b)
	requireValues(t, b, "one", 5)
	requireValues(t, b, "other", 1)
}
