package main

import (
	"fmt"
	"io"
	"log"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/skshohagmiah/clusterkit/bench/measure"
)

// members is a cluster of memberlist with DefaultLANConfig.
type members struct {
	bytes   atomic.Int64
	nodes   []*memberlist.Memberlist
	taps    []*packets
	metas   []*meta
	names   []string
	changes int
}

// meta is the metadata that a node tells of itself.
type meta struct {
	sync.Mutex
	text string
}

func (m *meta) NodeMeta(int) []byte {
	m.Lock()
	defer m.Unlock()
	return []byte(m.text)
}
func (m *meta) NotifyMsg([]byte)                {}
func (m *meta) GetBroadcasts(int, int) [][]byte { return nil }
func (m *meta) LocalState(bool) []byte          { return nil }
func (m *meta) MergeRemoteState([]byte, bool)   {}
func (m *meta) set(text string)                 { m.Lock(); m.text = text; m.Unlock() }

func lanConfig(name string) *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort, c.AdvertisePort = name, "127.0.0.1", 0, 0
	c.Logger = log.New(io.Discard, "", 0)
	return c
}

func startMemberlist(o measure.Options) (measure.Cluster, error) {
	c := &members{}
	for i := range o.Nodes {
		config, own := lanConfig(fmt.Sprintf("node-%d", i)), &meta{}
		config.Delegate = own
		tap, err := newPackets(config, &c.bytes, o.Silencing)
		if err != nil {
			return nil, err
		}
		config.Transport = tap
		c.taps, c.metas, c.names = append(c.taps, tap), append(c.metas, own), append(c.names, config.Name)
		m, err := memberlist.Create(config)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, m)
	}
	o.Prepared()
	first := c.nodes[0].LocalNode().FullAddress().Addr
	return c, together(c.nodes[1:], func(m *memberlist.Memberlist) error {
		_, err := m.Join([]string{first})
		return err
	})
}

// together runs f for all at once and waits.
func together[T any](all []T, f func(T) error) error {
	errs := make(chan error, len(all))
	for _, x := range all {
		go func() { errs <- f(x) }()
	}
	var err error
	for range all {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}

func (c *members) Agree() bool {
	return !slices.ContainsFunc(c.nodes, func(m *memberlist.Memberlist) bool { return m.NumMembers() != len(c.nodes) })
}

func (c *members) Change(at int) (func(int) bool, error) {
	c.changes++
	want := strconv.Itoa(c.changes)
	c.metas[at].set(want)
	go func() { _ = c.nodes[at].UpdateNode(time.Minute) }() // waits until it was told; what is measured is the others
	return func(by int) bool {
		return by == at || slices.ContainsFunc(c.nodes[by].Members(), func(n *memberlist.Node) bool {
			return n.Name == c.names[at] && string(n.Meta) == want
		})
	}, nil
}

func (c *members) Leave(node int) error { return c.nodes[node].Leave(5 * time.Second) }
func (c *members) Kill(node int)        { _ = c.nodes[node].Shutdown() }
func (c *members) Silence(node int)     { c.taps[node].silent.Store(true) }
func (c *members) Bytes() int64         { return c.bytes.Load() }

func (c *members) Gone(by, node int) bool {
	return !slices.ContainsFunc(c.nodes[by].Members(), func(n *memberlist.Node) bool { return n.Name == c.names[node] })
}
