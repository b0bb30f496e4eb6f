package projection

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// Config is what all nodes of a cluster must agree on.
type Config struct {
	ClusterName       string `json:"cluster_name"`
	PartitionCount    int    `json:"partition_count"`
	ReplicationFactor int    `json:"replication_factor"`
}

// ClusterID returns the identity of the cluster of that name: SHA-256 over
// "clusterkit/1" and the name, 16 bytes of it as 32 hexadecimal characters. It
// is derived, so that two nodes that found a cluster at the same time cannot
// make two.
func ClusterID(name string) string {
	sum := sha256.Sum256([]byte("clusterkit/1" + name))
	return hex.EncodeToString(sum[:16])
}

// Cluster is what a state says about the cluster: who is in it and who owns
// which partition. It is immutable and safe for concurrent use; everything in
// it is shared and must not be changed. All lists are sorted, and clusters of
// equal states have equal JSON.
//
// A Cluster read from JSON answers the same questions, except where a method
// says that it does not.
type Cluster struct {
	ID           string        `json:"id"`   // ClusterID of the name; "" until it is configured
	Name         string        `json:"name"` // "" until it is configured
	Config       Config        `json:"config"`
	Coordinator  string        `json:"coordinator"` // who claimed the role last, whatever became of it since
	Term         uint64        `json:"term"`        // of that claim
	Nodes        []Node        `json:"nodes"`       // sorted by ID
	PartitionMap PartitionMap  `json:"partition_map"`
	Vector       events.Vector `json:"vector"`
	Digest       events.Digest `json:"digest"`

	claim  events.ID
	owners map[events.LogID]string
	former map[events.LogID]formerLog
}

// Node returns the node of that ID. It allocates nothing.
func (c *Cluster) Node(id string) (*Node, bool) {
	i, ok := findNode(c.Nodes, id)
	if !ok {
		return nil, false
	}
	return &c.Nodes[i], true
}

// findNode returns where in a sorted list a node is, or would be.
func findNode(nodes []Node, id string) (int, bool) {
	return sort.Find(len(nodes), func(i int) int { return strings.Compare(id, nodes[i].ID) })
}

// Partition returns partition i, or nil when there is none of that number.
func (c *Cluster) Partition(i int) *Partition {
	if i < 0 || i >= len(c.PartitionMap.Partitions) {
		return nil
	}
	return &c.PartitionMap.Partitions[i]
}

// Claim returns the event with which the coordinator took the role; it is zero
// when nobody did, and in a Cluster that was read from JSON.
func (c *Cluster) Claim() events.ID { return c.claim }

// Closed reports whether a log is of a node that was removed and is forgotten:
// nobody may speak in it any more. It is false in a Cluster that was read from
// JSON.
func (c *Cluster) Closed(log events.LogID) bool { return c.former[log].closed }

// Owner returns the node that writes, or wrote, a log; "" when that is not
// known. What the register of the log says comes first, then who speaks of
// itself in it, then whose it was that is forgotten; a Cluster read from JSON
// knows only who speaks.
func (c *Cluster) Owner(log events.LogID) string {
	if id, ok := c.owners[log]; ok {
		return id
	}
	for i := range c.Nodes {
		if c.Nodes[i].Log == log {
			return c.Nodes[i].ID
		}
	}
	return c.former[log].owner
}

// LogsOf returns the logs of which a node is the Owner, oldest first; but not
// those that it wrote before it was forgotten and does not speak in now.
func (c *Cluster) LogsOf(node string) []events.LogID {
	var logs []events.LogID
	for log, id := range c.owners {
		if id == node {
			logs = append(logs, log)
		}
	}
	if n, ok := c.Node(node); ok && c.owners[n.Log] == "" {
		logs = append(logs, n.Log)
	}
	slices.SortFunc(logs, events.LogID.Compare)
	return logs
}

// Cluster returns the view of the state. It rebuilds only what has changed
// since the last call and shares the rest with what it returned then.
func (s *State) Cluster() *Cluster {
	s.refresh()
	v := &s.view
	if v.cluster != nil {
		return v.cluster
	}
	v.cluster = &Cluster{
		Config: v.config, Coordinator: v.coordinator, Term: v.term, claim: v.claim,
		Nodes: v.nodes, PartitionMap: PartitionMap{v.partitions}, owners: v.owners, former: s.former,
		Vector: s.Vector(), Digest: s.Digest(),
	}
	if v.config.PartitionCount > 0 {
		v.cluster.ID, v.cluster.Name = ClusterID(v.config.ClusterName), v.config.ClusterName
	}
	return v.cluster
}

// Owner returns the node that writes, or wrote, a log; "" when that is not
// known. See [Cluster.Owner].
func (s *State) Owner(log events.LogID) string { return s.Cluster().Owner(log) }
