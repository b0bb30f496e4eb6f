package projection_test

import (
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

func TestOddities(t *testing.T) {
	record := func(id string) []byte { return events.Encode(&events.NodeRecord{ID: id, Addr: "a:1"}) }
	assignment := func(p uint32, replicas ...string) []byte {
		return events.Encode(&events.Assignment{Partition: p, Replicas: replicas})
	}
	log := newOrigin(t, 9, "n9").log.String()
	for _, c := range []struct {
		name  string
		event events.Event
		odd   string // part of the reason; "" for none
	}{
		{"a node", events.Event{Type: events.NodeJoined, Register: "node/n1", Body: record("n1")}, ""},
		{"a body that is no protobuf", events.Event{Type: events.NodeJoined, Register: "node/n1", Body: []byte{0xff}}, "byte 0"},
		{"another node", events.Event{Type: events.NodeJoined, Register: "node/n1", Body: record("n2")}, `names the node "n2"`},
		{"no node", events.Event{Type: events.NodeJoined, Register: "node/", Body: record("")}, "node id"},
		{"an id that is none", events.Event{Type: events.NodeJoined, Register: "node/a b", Body: record("a b")}, "node id"},
		{"a rank", events.Event{Type: events.NodeJoined, Register: "node/n1", Rank: 7, Body: record("n1")}, "rank 7"},
		{"a time that nobody can write", events.Event{Type: events.NodeJoined, Register: "node/n1",
			Body: events.Encode(&events.NodeRecord{ID: "n1", JoinedAt: 1 << 63})}, "time"},
		{"another kind of register", events.Event{Type: events.NodeJoined, Register: "admin/n1", Body: record("n1")}, "does not belong"},
		{"a register of no kind", events.Event{Type: events.NodeJoined, Register: "later/n1", Body: record("n1")}, "does not belong"},
		{"a fact with a register", events.Event{Type: events.RebalanceStarted, Register: "value/k"}, "fact"},
		{"an unknown type", events.Event{Type: "NodeHibernated", Register: "node/n1"}, ""},
		{"an application event", events.Event{Type: "app/x", Register: "node/n1"}, ""},
		{"a suspicion", events.Event{Type: events.NodeSuspected, Register: "accusation/n1", Version: 3, Rank: 1,
			Body: events.Encode(&events.Accusation{Node: "n1", Incarnation: 3})}, ""},
		{"an accusation of another incarnation", events.Event{Type: events.NodeSuspected, Register: "accusation/n1", Version: 3, Rank: 1,
			Body: events.Encode(&events.Accusation{Node: "n1", Incarnation: 4})}, "incarnation 4"},
		{"a failure with the rank of a suspicion", events.Event{Type: events.NodeFailed, Register: "accusation/n1", Version: 3, Rank: 1,
			Body: events.Encode(&events.Accusation{Node: "n1", Incarnation: 3})}, "rank 1"},
		{"an order", events.Event{Type: events.NodeDrained, Register: "admin/n1", Body: events.Encode(&events.NodeOrder{Node: "n1"})}, ""},
		{"an order about another", events.Event{Type: events.NodeDrained, Register: "admin/n1", Body: events.Encode(&events.NodeOrder{Node: "n2"})}, "n2"},
		{"a claim", events.Event{Type: events.CoordinatorClaimed, Register: "coordinator", Body: events.Encode(&events.CoordinatorClaim{Node: "n1"})}, ""},
		{"a claim by nobody", events.Event{Type: events.CoordinatorClaimed, Register: "coordinator"}, "node id"},
		{"a claim of something else", events.Event{Type: events.CoordinatorClaimed, Register: "coordinator/x", Body: events.Encode(&events.CoordinatorClaim{Node: "n1"})}, "does not belong"},
		{"no partitions", events.Event{Type: events.ClusterConfigured, Register: "config/cluster"}, "0 partitions"},
		{"very many partitions", events.Event{Type: events.ClusterConfigured, Register: "config/cluster",
			Body: events.Encode(&events.ClusterConfig{PartitionCount: projection.MaxPartitions + 1})}, "65537 partitions"},
		{"another configuration", events.Event{Type: events.ClusterConfigured, Register: "config/x",
			Body: events.Encode(&events.ClusterConfig{PartitionCount: 4})}, "does not belong"},
		{"an assignment", events.Event{Type: events.PartitionAssigned, Register: "partition/3", Body: assignment(3, "n1", "n2")}, ""},
		{"an assignment to nobody", events.Event{Type: events.PartitionAssigned, Register: "partition/3", Body: assignment(3)}, ""},
		{"another partition", events.Event{Type: events.PartitionAssigned, Register: "partition/3", Body: assignment(4, "n1")}, "names the partition 4"},
		{"a partition in another spelling", events.Event{Type: events.PartitionAssigned, Register: "partition/03", Body: assignment(3, "n1")}, "no partition"},
		{"no such partition", events.Event{Type: events.PartitionAssigned, Register: "partition/70000", Body: assignment(70000, "n1")}, "no partition"},
		{"beyond the configuration", events.Event{Type: events.PartitionAssigned, Register: "partition/4", Body: assignment(4, "n1")}, "4 partitions"},
		{"one node twice", events.Event{Type: events.PartitionAssigned, Register: "partition/3", Body: assignment(3, "n1", "n1")}, "twice"},
		{"a replica that is none", events.Event{Type: events.PartitionAssigned, Register: "partition/3", Body: assignment(3, "n1", "")}, "node id"},
		{"a value", events.Event{Type: events.ValueSet, Register: "value/a/b", Body: events.Encode(&events.Value{Key: "a/b"})}, ""},
		{"another key", events.Event{Type: events.ValueDeleted, Register: "value/a", Body: events.Encode(&events.Value{Key: "b"})}, `names the key "b"`},
		{"a log", events.Event{Type: events.LogStarted, Register: "log/" + log, Body: events.Encode(&events.LogOwner{Node: "n9"})}, ""},
		{"a log of nobody", events.Event{Type: events.LogStarted, Register: "log/" + log}, "node id"},
		{"a forked log of nobody knows whom", events.Event{Type: events.LogForked, Rank: 1, Register: "log/" + log}, ""},
		{"no log", events.Event{Type: events.LogStarted, Register: "log/x", Body: events.Encode(&events.LogOwner{Node: "n9"})}, "no log"},
		{"a log in another spelling", events.Event{Type: events.LogStarted, Register: "log/" + strings.ToLower(log), Body: events.Encode(&events.LogOwner{Node: "n9"})}, "no log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, first := newOrigin(t, 1, "n1"), newOrigin(t, 2, "n2")
			s := fold(t, projection.NewState(), first.emit(events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister,
				Body: events.Encode(&events.ClusterConfig{Name: "c", PartitionCount: 4, ReplicationFactor: 2})}))
			c.event.Version = max(c.event.Version, 2)
			e := o.emit(c.event)
			if got := s.Apply(&e); got != projection.Won {
				t.Fatalf("Apply = %s: what is odd owns its register all the same", got)
			}
			odd := s.Oddities()
			switch {
			case c.odd == "" && len(odd) == 0:
			case c.odd == "" || len(odd) != 1:
				t.Errorf("oddities: %+v", odd)
			case odd[0].Register != e.Register || odd[0].Event != e.ID() || odd[0].Type != e.Type || !strings.Contains(odd[0].Reason, c.odd):
				t.Errorf("oddity %+v, want one because of %q", odd[0], c.odd)
			}
			checkPassedOver(t, s.Cluster(), c.odd != "", &e)
		})
	}
}

// checkPassedOver checks that the view says nothing of an odd event but that
// its version is used up.
func checkPassedOver(t *testing.T, c *projection.Cluster, odd bool, e *events.Event) {
	t.Helper()
	if !odd {
		return
	}
	if len(c.Nodes) != 0 || c.Coordinator != "" {
		t.Errorf("the view has %+v, coordinator %q", c.Nodes, c.Coordinator)
	}
	if e.Register == events.CoordinatorRegister && c.Term != e.Version {
		t.Errorf("term %d, want %d", c.Term, e.Version)
	}
	for _, p := range c.PartitionMap.Partitions {
		if p.Primary != "" || len(p.Replicas) != 0 {
			t.Errorf("partition %+v has owners", p)
		}
		if e.Register == events.PartitionRegister(p.ID) && p.Epoch != e.Version {
			t.Errorf("epoch %d, want %d", p.Epoch, e.Version)
		}
	}
}
