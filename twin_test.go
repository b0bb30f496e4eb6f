package clusterkit

import (
	"fmt"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// TestTwins lets two processes bear one NodeID, from copied directories or with
// a wiped one, while a third node carries between them in random order. The one
// that started later stops, always, and the other one is the node for everybody.
func TestTwins(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // go test -run 'TestTwins/SEED$' .
			f := founded(t, seed, 2)
			first, bystander := f.replicas[0], f.replicas[1]
			second := f.wiped(first)
			if seed%2 == 0 {
				second = f.copyOf(first)
			}
			learnt := seed%3 > 0 || seed%2 == 1
			if learnt {
				f.bring(bystander, second)
			}
			f.speak(second, learnt)
			all := []*replica{first, bystander, second}
			for i := range 8 {
				if r := all[f.random.IntN(3)]; !r.stopping {
					f.set(r, fmt.Sprint("key", i))
				}
				f.random.Shuffle(3, func(i, j int) { all[i], all[j] = all[j], all[i] })
				if !all[0].stopping && !all[1].stopping {
					f.bring(all[0], all[1])
				}
			}
			f.rest(all...)
			if first.stopping || !second.stopping || second.twin == nil {
				t.Fatalf("first stopped: %v, second stopped: %v; want the second alone", first.stopping, second.stopping)
			}
			n, _ := bystander.state.Cluster().Node(first.node)
			if n.StartedAt != first.record.StartedAt || n.Status != projection.StatusAlive {
				t.Errorf("%s is %s, started %s; want the process that started %s", n.ID, n.Status, n.StartedAt, first.record.StartedAt)
			}
		})
	}
}

// TestRestartIsNoTwin restarts a node again and again, from its directory, from
// an older copy of it or from nothing, with and without having learnt: what its
// earlier processes said, arriving late, is never taken for another process.
func TestRestartIsNoTwin(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // go test -run 'TestRestartIsNoTwin/SEED$' .
			f := founded(t, seed, 3)
			node, others := f.replicas[0], f.replicas[1:]
			backups := []*replica{f.copyOf(node)}
			for i := range 6 {
				f.set(node, fmt.Sprint("key", i))
				if f.random.IntN(2) == 0 {
					f.bring(node, others[f.random.IntN(2)])
				}
				backups = append(backups, f.copyOf(node))
				learnt := f.random.IntN(2) == 0
				switch f.random.IntN(3) {
				case 0:
					node = f.copyOf(node)
				case 1:
					node = f.copyOf(backups[f.random.IntN(len(backups))])
				default:
					node, learnt = f.wiped(node), true
				}
				if learnt {
					f.bring(others[f.random.IntN(2)], node)
				}
				f.speak(node, learnt)
			}
			f.rest(others[0], others[1], node)
			if node.stopping {
				t.Fatal("a restarted process is taken for another one")
			}
			n, _ := others[0].state.Cluster().Node("n0")
			if n.StartedAt != node.record.StartedAt || n.Status != projection.StatusAlive {
				t.Errorf("n0 is %s, started %s; want the process that started %s", n.Status, n.StartedAt, node.record.StartedAt)
			}
		})
	}
}

// TestDefend is the table of replica.defend.
func TestDefend(t *testing.T) {
	for _, c := range []struct {
		name            string
		started         int64 // of the other claim, relative to this process; 0: this process
		answers         bool  // it names a claim of this process
		claims, stopped bool
	}{
		{"its own claim", 0, false, false, false},
		{"an earlier process, or a twin that has not heard of it", -1000, false, true, false},
		{"a later twin that has not heard of it", 1000, false, true, false},
		{"a later twin answers", 1000, true, true, false},
		{"an earlier twin answers", -1000, true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := founded(t, 1, 1)
			me := f.replicas[0]
			mine := me.claims[len(me.claims)-1]
			if c.started != 0 {
				record := me.record.Clone()
				record.StartedAt = events.NewTimestamp(me.record.StartedAt.Millis()+c.started, 0)
				log, _ := f.fresh()
				e := events.Event{Log: log, Seq: 1, Time: events.NewTimestamp(f.now+1, 0), Type: events.NodeJoined,
					Register: events.NodeRegister("n0"), Version: me.incarnation() + 1, Body: events.Encode(record)}
				if c.answers {
					e.Cause = mine
				}
				e, err := events.Seal(e, events.Genesis(log))
				f.must(err)
				if in := me.ingest(f.now, []events.Event{e}); in.accepted != 1 {
					t.Fatalf("%+v", in)
				}
			}
			f.settle(me)
			if claimed := me.claims[len(me.claims)-1] != mine; claimed != c.claims || me.stopping != c.stopped {
				t.Errorf("claims again: %v, stops: %v; want %v, %v", claimed, me.stopping, c.claims, c.stopped)
			}
			if me.stopping != (me.twin != nil) {
				t.Error("a stopped process does not say who the other is")
			}
		})
	}
}
