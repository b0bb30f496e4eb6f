package projection_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// come makes a node start its log and say that it is there.
func (o *origin) come(incarnation uint64) []events.Event {
	return []events.Event{
		o.emit(events.Event{Type: events.LogStarted, Register: events.LogRegister(o.log), Version: 1,
			Body: events.Encode(&events.LogOwner{Node: o.node})}),
		o.emit(events.Event{Type: events.NodeJoined, Register: events.NodeRegister(o.node), Version: incarnation,
			Body: events.Encode(&events.NodeRecord{ID: o.node, Addr: o.node + ":1"})}),
	}
}

// remove orders that a node is gone.
func (o *origin) remove(node string, incarnation uint64, log events.LogID) events.Event {
	return o.emit(events.Event{Type: events.NodeRemoved, Register: events.AdminRegister(node), Version: 7,
		Body: events.Encode(&events.NodeOrder{Node: node, Incarnation: incarnation, Log: log.String()})})
}

// burial writes that nodes are forgotten.
func (o *origin) burial(body *events.Collection) events.Event {
	return o.emit(events.Event{Type: events.TombstonesCollected, Register: events.GoneRegister(body.Nodes), Version: 1, Body: events.Encode(body)})
}

// TestBurial is the story of one node that is removed and forgotten.
func TestBurial(t *testing.T) {
	a, b := newOrigin(t, 1, "n1"), newOrigin(t, 2, "n2")
	s := projection.NewState()
	fold(t, s, a.come(1)...)
	fold(t, s, b.come(1)...)
	fold(t, s, b.value(events.ValueSet, "k", 1))
	stale := s.Clone() // has not heard of the removal
	fold(t, s, a.remove("n2", 5, b.log))
	fold(t, s, a.burial(s.Bury(1, []events.GoneNode{{ID: "n2", Incarnation: 5, Revision: 7, Logs: []events.GoneLog{{ID: b.log, Closed: true}}}}, "test")))
	for _, register := range []string{events.NodeRegister("n2"), events.AdminRegister("n2"), events.LogRegister(b.log)} {
		if _, ok := s.Stamp(register); ok {
			t.Errorf("%s is not forgotten", register)
		}
	}
	if _, ok := s.Cluster().Node("n2"); ok || !s.Cluster().Closed(b.log) || s.Closed(a.log) || s.Owner(b.log) != "n2" || !holds(s, "k") {
		t.Errorf("the node is there: %v, its log closed: %v, the other log: %v, whose it was: %q, its value there: %v",
			ok, s.Cluster().Closed(b.log), s.Closed(a.log), s.Owner(b.log), holds(s, "k"))
	}
	for _, order := range [][2]*projection.State{{s, stale}, {stale, s}} {
		merged := order[0].Clone()
		merged.Merge(order[1])
		same(t, "a stale state merged", s, merged)
	}
	again, err := projection.ReadSnapshot(s.AppendSnapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a snapshot", s, again)
	// It speaks again: in an old incarnation, in the old log, and as it should.
	c := newOrigin(t, 3, "n2")
	fold(t, s, c.come(5)...)
	if _, ok := s.Cluster().Node("n2"); ok {
		t.Error("it is back with an old incarnation")
	}
	fold(t, s, b.emit(events.Event{Type: events.NodeRecovered, Register: events.NodeRegister("n2"), Version: 6,
		Body: events.Encode(&events.NodeRecord{ID: "n2", Addr: "n2:1"})}))
	if n, ok := s.Cluster().Node("n2"); !ok || n.Status != projection.StatusRemoved {
		t.Errorf("in a log that is closed it is %+v, want removed", n)
	}
	if v := s.GoneVersion(events.NodeRegister("n2")); v != 5 {
		t.Errorf("forgotten up to incarnation %d", v)
	}
	fold(t, s, c.emit(events.Event{Type: events.NodeJoined, Register: events.NodeRegister("n2"), Version: 7,
		Body: events.Encode(&events.NodeRecord{ID: "n2", Addr: "n2:1"})}))
	if n, ok := s.Cluster().Node("n2"); !ok || n.Status != projection.StatusAlive {
		t.Errorf("in a new log and a new incarnation it is %+v, want alive", n)
	}
}

// TestChurnLeavesLittle lets a thousand nodes come and go: the heads of their
// logs, their names and their logs' names remain, and nothing else.
func TestChurnLeavesLittle(t *testing.T) {
	const nodes, perNode = 1000, 128
	a := newOrigin(t, 1, "n1")
	s := projection.NewState()
	fold(t, s, a.come(1)...)
	before := len(s.AppendSnapshot(nil))
	for i := range nodes {
		b := newOrigin(t, 100+i, fmt.Sprint("node-", i))
		fold(t, s, b.come(1)...)
		fold(t, s, a.emit(events.Event{Type: events.NodeFailed, Rank: events.RankFailed, Register: events.AccusationRegister(b.node), Version: 1,
			Body: events.Encode(&events.Accusation{Node: b.node, Incarnation: 1, Reason: "no answer"})}))
		fold(t, s, a.remove(b.node, 9, b.log))
		if i%100 == 99 {
			var gone []events.GoneNode
			for j := i - 99; j <= i; j++ {
				id := fmt.Sprint("node-", j)
				g := events.GoneNode{ID: id, Incarnation: 9, Revision: 7}
				for _, log := range s.Cluster().LogsOf(id) {
					g.Logs = append(g.Logs, events.GoneLog{ID: log, Closed: true})
				}
				gone = append(gone, g)
			}
			fold(t, s, a.burial(s.Bury(uint64(i), gone, "test")))
		}
	}
	after := len(s.AppendSnapshot(nil))
	t.Logf("%d bytes, and %d after %d nodes came and went", before, after, nodes)
	if registers := len(s.Cluster().Nodes); registers != 1 || after > before+nodes*perNode {
		t.Errorf("%d nodes, %d bytes more, want 1 and at most %d", registers, after-before, nodes*perNode)
	}
	collections := 0
	for range s.Registers(events.KindCollected) {
		collections++
	}
	if collections > 2 {
		t.Errorf("%d collections", collections)
	}
}

// TestIllegibleBurial: what makes no sense forgets nothing.
func TestIllegibleBurial(t *testing.T) {
	log := events.NewLogID(5, [10]byte{1})
	for name, bend := range map[string]func(*events.Collection){
		"a vector":                 func(c *events.Collection) { c.Settled = []string{events.ID{Log: log, Seq: 1}.String()} },
		"a node twice":             func(c *events.Collection) { c.Nodes = append(c.Nodes, c.Nodes...) },
		"a log twice":              func(c *events.Collection) { c.Nodes[0] += c.Nodes[0][len("n1 9 7"):] },
		"no log":                   func(c *events.Collection) { c.Nodes[0] += " x" },
		"another mark":             func(c *events.Collection) { c.Nodes[0] += "!!" },
		"too little":               func(c *events.Collection) { c.Nodes = []string{"n1 9"} },
		"another spelling":         func(c *events.Collection) { c.Nodes = []string{"n1 09 7"} },
		"a space too many":         func(c *events.Collection) { c.Nodes[0] += " " },
		"nodes of values":          func(c *events.Collection) { c.Kind = events.KindValue },
		"of another kind":          func(c *events.Collection) { c.Kind = events.KindPartition },
		"too many":                 func(c *events.Collection) { c.Nodes = manyGone(projection.MaxGone+1, 0) },
		"too many logs":            func(c *events.Collection) { c.Nodes = manyGone(20, projection.MaxGone/20+1) },
		"too many logs of one":     func(c *events.Collection) { c.Nodes = manyGone(1, 101) },
		"more of one that has few": func(c *events.Collection) { c.Nodes = append(c.Nodes, "n1 9 7 "+log.String()) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newOrigin(t, 1, "n1")
			s := projection.NewState()
			fold(t, s, a.come(1)...)
			body := &events.Collection{Kind: events.KindNode, Nodes: []string{"n1 9 7 " + a.log.String()}}
			bend(body)
			fold(t, s, a.burial(body))
			if _, ok := s.Cluster().Node("n1"); !ok || s.Gone(a.log) || s.Forgotten() != 0 {
				t.Error("it has forgotten something")
			}
		})
	}
}

// manyGone returns the text of nodes that each had so many logs.
func manyGone(nodes, logs int) (all []string) {
	for i := range nodes {
		g := events.GoneNode{ID: fmt.Sprintf("n%04d", i)}
		for j := range logs {
			g.Logs = append(g.Logs, events.GoneLog{ID: events.NewLogID(int64(j), [10]byte{byte(i)})})
		}
		all = append(all, g.String())
	}
	return all
}

// TestManyLogs: of a node with more logs than one event names, some are forgotten
// at a time, and itself with the last.
func TestManyLogs(t *testing.T) {
	a := newOrigin(t, 1, "n1")
	s := projection.NewState()
	g := events.GoneNode{ID: "n2", Incarnation: 3}
	for i := range projection.MaxGone + 100 {
		b := newOrigin(t, 100+i, "n2")
		fold(t, s, b.come(uint64(1+i%3))...)
		g.Logs = append(g.Logs, events.GoneLog{ID: b.log})
	}
	slices.SortFunc(g.Logs, func(a, b events.GoneLog) int { return a.ID.Compare(b.ID) })
	body := s.Bury(5, []events.GoneNode{g}, "test")
	fold(t, s, a.burial(body))
	if _, ok := s.Cluster().Node("n2"); !ok || body.Floor != 4 {
		t.Errorf("the node is there: %v, and the floor is %d", ok, body.Floor)
	}
	g.Logs = slices.DeleteFunc(g.Logs, func(l events.GoneLog) bool { return s.Gone(l.ID) })
	body = s.Bury(5, []events.GoneNode{g}, "test")
	fold(t, s, a.burial(body))
	if _, ok := s.Cluster().Node("n2"); ok || body.Floor != 5 || len(g.Logs) != 100 {
		t.Errorf("the node is there: %v, the floor is %d, and %d logs were left", ok, body.Floor, len(g.Logs))
	}
	for range s.Registers(events.KindLog) {
		t.Fatal("a register of a log is left")
	}
}

// TestRemovedTwice: a node that was removed, came back, and was removed again
// returns in none of its logs, whatever is ordered about it later, as long as that
// repeats which logs are closed; in a new one it does.
func TestRemovedTwice(t *testing.T) {
	a, first, second, third := newOrigin(t, 1, "n1"), newOrigin(t, 2, "n2"), newOrigin(t, 3, "n2"), newOrigin(t, 4, "n2")
	s := projection.NewState()
	want := func(when string, want projection.Status) {
		t.Helper()
		if n, _ := s.Cluster().Node("n2"); n.Status != want {
			t.Errorf("%s it is %s, want %s", when, n.Status, want)
		}
	}
	order := func(kind events.Type, version, incarnation uint64) {
		body := &events.NodeOrder{Node: "n2", Incarnation: incarnation, Log: first.log.String() + "," + second.log.String()}
		fold(t, s, a.emit(events.Event{Type: kind, Register: events.AdminRegister("n2"), Version: version, Body: events.Encode(body)}))
	}
	speak := func(o *origin, incarnation uint64) {
		fold(t, s, o.emit(events.Event{Type: events.NodeRecovered, Register: events.NodeRegister("n2"), Version: incarnation,
			Body: events.Encode(&events.NodeRecord{ID: "n2", Addr: "n2:1"})}))
	}
	fold(t, s, a.come(1)...)
	fold(t, s, first.come(1)...)
	fold(t, s, a.remove("n2", 5, first.log))
	fold(t, s, second.come(6)...)
	want("with nothing", projection.StatusAlive)
	order(events.NodeRemoved, 8, 10)
	speak(first, 11)
	want("in its first log", projection.StatusRemoved)
	speak(second, 12)
	want("in its second log", projection.StatusRemoved)
	fold(t, s, third.come(13)...)
	want("in a new log", projection.StatusAlive)
	order(events.NodeDrained, 9, 13)
	want("told to drain", projection.StatusAlive)
	order(events.NodeUndrained, 10, 13)
	want("told to drain no longer", projection.StatusAlive)
	speak(first, 14)
	want("in its first log, after other orders,", projection.StatusRemoved)
	if n, _ := s.Cluster().Node("n2"); !n.Closes(first.log) || !n.Closes(second.log) || n.Closes(third.log) {
		t.Error("other logs are closed than the order says")
	}
}
