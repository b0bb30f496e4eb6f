package main

import (
	"fmt"
	"io"
	"log"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/hashicorp/serf/serf"

	"github.com/skshohagmiah/clusterkit/bench/measure"
)

// serfs is a cluster of serf with DefaultConfig.
type serfs struct {
	bytes   atomic.Int64
	nodes   []*serf.Serf
	taps    []*packets
	names   []string
	changes int
}

func startSerf(o measure.Options) (measure.Cluster, error) {
	c := &serfs{}
	for i := range o.Nodes {
		config := serf.DefaultConfig()
		config.NodeName = fmt.Sprintf("node-%d", i)
		config.Logger = log.New(io.Discard, "", 0)
		config.MemberlistConfig = lanConfig(config.NodeName)
		tap, err := newPackets(config.MemberlistConfig, &c.bytes, o.Silencing)
		if err != nil {
			return nil, err
		}
		config.MemberlistConfig.Transport = tap
		s, err := serf.Create(config)
		if err != nil {
			return nil, err
		}
		c.nodes, c.taps, c.names = append(c.nodes, s), append(c.taps, tap), append(c.names, config.NodeName)
	}
	o.Prepared()
	first := c.nodes[0].LocalMember()
	addr := fmt.Sprintf("%s:%d", first.Addr, first.Port)
	return c, together(c.nodes[1:], func(s *serf.Serf) error {
		_, err := s.Join([]string{addr}, true)
		return err
	})
}

func (c *serfs) Agree() bool {
	return !slices.ContainsFunc(c.nodes, func(s *serf.Serf) bool {
		alive := 0
		for _, m := range s.Members() {
			if m.Status == serf.StatusAlive {
				alive++
			}
		}
		return alive != len(c.nodes)
	})
}

func (c *serfs) Change(at int) (func(int) bool, error) {
	c.changes++
	want := strconv.Itoa(c.changes)
	go func() { _ = c.nodes[at].SetTags(map[string]string{"change": want}) }() // waits until it was told
	return func(by int) bool {
		return slices.ContainsFunc(c.nodes[by].Members(), func(m serf.Member) bool {
			return m.Name == c.names[at] && m.Tags["change"] == want
		})
	}, nil
}

func (c *serfs) Leave(node int) error { return c.nodes[node].Leave() }
func (c *serfs) Kill(node int)        { _ = c.nodes[node].Shutdown() }
func (c *serfs) Silence(node int)     { c.taps[node].silent.Store(true) }
func (c *serfs) Bytes() int64         { return c.bytes.Load() }

func (c *serfs) Gone(by, node int) bool {
	return !slices.ContainsFunc(c.nodes[by].Members(), func(m serf.Member) bool {
		return m.Name == c.names[node] && m.Status != serf.StatusFailed && m.Status != serf.StatusLeft
	})
}
