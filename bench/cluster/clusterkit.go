package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/bench/measure"
)

// ours is a cluster of clusterkit nodes with the default options.
type ours struct {
	network *measure.Network
	hosts   []*measure.Host
	nodes   []*clusterkit.ClusterKit
	changes int
}

func startOurs(o measure.Options) (measure.Cluster, error) {
	c := &ours{network: measure.NewNetwork()}
	for i := range o.Nodes {
		h, err := c.network.NewHost()
		if err != nil {
			return nil, err
		}
		options := clusterkit.Options{NodeID: fmt.Sprintf("node-%d", i), Listener: h, DialContext: h.DialContext,
			DataDir: filepath.Join(o.Dir, fmt.Sprint(i))}
		if i > 0 {
			options.KnownNodes = []string{c.hosts[0].Addr().String()}
		}
		ck, err := clusterkit.NewClusterKit(options)
		if err != nil {
			return nil, err
		}
		c.hosts, c.nodes = append(c.hosts, h), append(c.nodes, ck)
	}
	o.Prepared()
	for _, ck := range c.nodes {
		if err := ck.Start(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Agree asks for more than the others do: every node knows exactly the same,
// and every partition has all its copies.
func (c *ours) Agree() bool {
	first := c.nodes[0].Cluster()
	for _, ck := range c.nodes {
		if ck.Cluster().Digest != first.Digest {
			return false
		}
	}
	alive := 0
	for i := range first.Nodes {
		if first.Nodes[i].Status == "alive" {
			alive++
		}
	}
	for i := range first.PartitionMap.Partitions {
		if p := &first.PartitionMap.Partitions[i]; 1+len(p.Replicas) < min(first.Config.ReplicationFactor, len(c.nodes)) || p.Primary == "" {
			return false
		}
	}
	return alive == len(c.nodes) && len(first.PartitionMap.Partitions) > 0
}

func (c *ours) Change(at int) (func(int) bool, error) {
	c.changes++
	e, err := c.nodes[at].Set(context.Background(), "key", fmt.Append(nil, c.changes))
	if err != nil {
		return nil, err
	}
	return func(by int) bool { return c.nodes[by].Cluster().Vector.Covers(e.ID()) }, nil
}

func (c *ours) Leave(node int) error { return c.nodes[node].Stop() }
func (c *ours) Kill(node int)        { c.hosts[node].Kill() }
func (c *ours) Silence(node int)     { c.hosts[node].Silence() }
func (c *ours) Bytes() int64         { return c.network.Bytes() }

func (c *ours) Gone(by, node int) bool {
	n, ok := c.nodes[by].Cluster().Node(c.nodes[node].NodeID())
	return ok && (n.Status == "failed" || n.Status == "left")
}
