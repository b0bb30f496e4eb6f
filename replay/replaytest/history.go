// Package replaytest makes up the past of clusters, on disk, for tests of what
// reads it.
package replaytest

import (
	"crypto/sha256"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// History is the past of a cluster while it is made up. Its nodes write real
// data directories. In a bubble of testing/synctest the times are the same in
// every run: it begins on 2000-01-01, and sleeping lets time pass.
type History struct {
	Dir         string // the data directory of node n is Dir/n
	Cluster     string
	SegmentSize int // of the logs; 0 means 4 KiB, so that a short history has several

	t     testing.TB
	nodes map[string]*Node
}

// New begins a history in dir.
func New(t testing.TB, dir string) *History {
	return &History{Dir: dir, Cluster: "test", t: t, nodes: make(map[string]*Node)}
}

// Node is one node of a history. What it emits goes to its own log at once,
// and reaches the others when they Sync.
type Node struct {
	ID    string
	Log   events.LogID
	State *projection.State

	h     *History
	log   *eventlog.Log
	clock events.Clock
	held  []events.Event // in local order
}

// Node returns the node of that id; the first time it opens its data
// directory. Its LogID is made of the id and the time.
func (h *History) Node(id string) *Node {
	if n := h.nodes[id]; n != nil {
		return n
	}
	sum := sha256.Sum256([]byte(id))
	n := &Node{ID: id, Log: events.NewLogID(time.Now().UnixMilli(), [10]byte(sum[:10])), State: projection.NewState(), h: h}
	size := h.SegmentSize
	if size == 0 {
		size = 4096
	}
	var err error
	n.log, err = eventlog.Open(n.Dir(), eventlog.Options{NodeID: id, Cluster: h.Cluster, SegmentSize: size,
		Snapshot: func() []byte { return n.State.AppendSnapshot(nil) }})
	h.must(err)
	h.nodes[id] = n
	return n
}

func (h *History) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// Close closes all logs, cleanly, with a checkpoint each.
func (h *History) Close() {
	h.t.Helper()
	for _, n := range h.nodes {
		b, err := projection.EncodeCheckpoint(n.State, n.log.Last())
		h.must(err)
		h.must(n.log.WriteCheckpoint(b))
		h.must(n.log.Close())
	}
}

// Dir returns the data directory of the node.
func (n *Node) Dir() string { return filepath.Join(n.h.Dir, n.ID) }

// Last returns the newest local index.
func (n *Node) Last() uint64 { return n.log.Last() }

// Events returns all events that the node holds, in its order.
func (n *Node) Events() []events.Event { return n.held }

// Emit seals e as the next event of the node's own log, appends it there and
// returns it. A register of which e has no version is given the next one.
func (n *Node) Emit(e events.Event) events.Event {
	n.h.t.Helper()
	head := n.State.Head(n.Log)
	e.Log, e.Seq, e.Time = n.Log, head.Seq+1, n.clock.Tick(time.Now().UnixMilli())
	if e.Actor == "" {
		e.Actor = n.ID
	}
	if e.Register != "" && e.Version == 0 {
		stamp, _ := n.State.Stamp(e.Register)
		e.Version = stamp.Version + 1
	}
	sealed, err := events.Seal(e, head.Chain)
	n.h.must(err)
	n.Take(sealed)
	return sealed
}

// Take appends events that came from elsewhere, as one batch.
func (n *Node) Take(batch ...events.Event) {
	n.h.t.Helper()
	if len(batch) == 0 {
		return
	}
	_, err := n.log.Append(batch)
	n.h.must(err)
	for i := range batch {
		n.State.Apply(&batch[i])
		n.clock.Observe(batch[i].Time, time.Now().UnixMilli())
	}
	n.held = append(n.held, batch...)
}

// Sync takes what another node holds and this one lacks.
func (n *Node) Sync(from *Node) {
	n.h.t.Helper()
	var batch []events.Event
	have := n.State.Vector()
	for _, e := range from.held {
		if !have.Covers(e.ID()) {
			batch = append(batch, e)
			have[e.Log] = e.Seq
		}
	}
	n.Take(batch...)
}

// TakeState merges the state of another node in place of its events, as a node
// that was away for too long does.
func (n *Node) TakeState(from *Node) {
	n.h.t.Helper()
	n.State.Merge(from.State)
	_, err := n.log.AppendSnapshot(n.State.AppendSnapshot(nil))
	n.h.must(err)
}

// SyncAll brings all nodes to the same knowledge.
func (h *History) SyncAll(ids ...string) {
	h.t.Helper()
	for range 2 {
		for _, a := range ids {
			for _, b := range ids {
				if a != b {
					h.Node(a).Sync(h.Node(b))
				}
			}
		}
	}
}

// Join lets the node begin its log and join.
func (n *Node) Join(reason string) events.Event {
	n.h.t.Helper()
	if n.State.Head(n.Log).Seq == 0 {
		n.Emit(events.Event{Type: events.LogStarted, Register: events.LogRegister(n.Log),
			Body: events.Encode(&events.LogOwner{Node: n.ID, Reason: "data directory made"})})
	}
	return n.Announce(events.NodeJoined, events.ID{}, reason)
}

// Announce writes the node's own register.
func (n *Node) Announce(t events.Type, cause events.ID, reason string) events.Event {
	n.h.t.Helper()
	stamp, _ := n.State.Stamp(events.NodeRegister(n.ID))
	accused, _ := n.State.Stamp(events.AccusationRegister(n.ID))
	version := max(stamp.Version, accused.Version, n.State.GoneVersion(events.NodeRegister(n.ID)))
	if t == events.NodeJoined || t == events.NodeRecovered {
		version++
	}
	now := events.NewTimestamp(time.Now().UnixMilli(), 0)
	return n.Emit(events.Event{Type: t, Register: events.NodeRegister(n.ID), Version: version, Cause: cause,
		Body: events.Encode(&events.NodeRecord{ID: n.ID, Addr: "10.0.0." + strings.TrimLeft(n.ID, "n") + ":8080",
			Zone: "z" + strings.TrimLeft(n.ID, "n"), StartedAt: now, Reason: reason})})
}

// Accuse says that a node does not answer.
func (n *Node) Accuse(t events.Type, node string, cause events.ID, reason string) events.Event {
	n.h.t.Helper()
	stamp, _ := n.State.Stamp(events.NodeRegister(node))
	rank := uint8(events.RankSuspected)
	if t == events.NodeFailed {
		rank = events.RankFailed
	}
	return n.Emit(events.Event{Type: t, Register: events.AccusationRegister(node), Version: stamp.Version, Rank: rank, Cause: cause,
		Body: events.Encode(&events.Accusation{Node: node, Incarnation: stamp.Version, Reason: reason})})
}

// Claim lets the node become coordinator of the next term.
func (n *Node) Claim(reason string) events.Event {
	n.h.t.Helper()
	return n.Emit(events.Event{Type: events.CoordinatorClaimed, Register: events.CoordinatorRegister,
		Body: events.Encode(&events.CoordinatorClaim{Node: n.ID, Reason: reason})})
}

// Configure writes the configuration of the cluster.
func (n *Node) Configure(partitions, replication int, cause events.ID) events.Event {
	n.h.t.Helper()
	return n.Emit(events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister, Cause: cause,
		Body: events.Encode(&events.ClusterConfig{Name: n.h.Cluster, PartitionCount: uint32(partitions), ReplicationFactor: uint32(replication)})})
}

// Assign gives a partition to nodes, the primary first, in the term of the
// coordinator.
func (n *Node) Assign(partition int, replicas []string, trigger, reason string, cause events.ID) events.Event {
	n.h.t.Helper()
	register := events.PartitionRegister(partition)
	var previous []string
	if owner, ok := n.State.Register(register); ok {
		if p, err := owner.Payload(); err == nil {
			previous = p.(*events.Assignment).Replicas
		}
	}
	term, _ := n.State.Stamp(events.CoordinatorRegister)
	stamp, _ := n.State.Stamp(register)
	epoch := max(term.Version<<32, stamp.Version) + 1
	return n.Emit(events.Event{Type: events.PartitionAssigned, Register: register, Version: epoch, Cause: cause,
		Body: events.Encode(&events.Assignment{Partition: uint32(partition), Replicas: replicas, Previous: previous,
			Trigger: trigger, Reason: reason})})
}

// Set writes an application value.
func (n *Node) Set(key, value string) events.Event {
	n.h.t.Helper()
	return n.Emit(events.Event{Type: events.ValueSet, Register: events.ValueRegister(key), Actor: "app",
		Body: events.Encode(&events.Value{Key: key, Value: []byte(value)})})
}

// Bury forgets a node that was removed, as the coordinator does a day after it
// has gone.
func (n *Node) Bury(node string) events.Event {
	n.h.t.Helper()
	gone := events.GoneNode{ID: node}
	if known, ok := n.State.Cluster().Node(node); ok {
		gone.Incarnation = known.Incarnation
	}
	order, _ := n.State.Stamp(events.AdminRegister(node))
	gone.Revision = order.Version
	for _, log := range n.State.Cluster().LogsOf(node) {
		gone.Logs = append(gone.Logs, events.GoneLog{ID: log, Closed: true})
	}
	version := n.State.Floor(events.KindNode) + 1
	floor := n.Emit(events.Event{Type: events.FloorRaised, Register: events.FloorRegister(events.KindNode), Version: version,
		Body: events.Encode(&events.Collection{Kind: events.KindNode, Floor: version, Reason: "a node to be forgotten"})})
	body := n.State.Bury(version, []events.GoneNode{gone}, "known to all members, and gone for long")
	return n.Emit(events.Event{Type: events.TombstonesCollected, Register: events.GoneRegister(body.Nodes), Version: 1,
		Cause: floor.ID(), Body: events.Encode(body)})
}

// Twin returns a node that took up the past of n, LogID included, as one does
// that was restored from a backup. From here on both write the same log.
func (h *History) Twin(n *Node, id string) *Node {
	h.t.Helper()
	twin := h.Node(id)
	twin.Take(n.held...)
	twin.Log = n.Log
	return twin
}
