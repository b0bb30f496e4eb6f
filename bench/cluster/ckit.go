package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/grafana/ckit"
	"github.com/grafana/ckit/peer"
	"github.com/grafana/ckit/shard"

	"github.com/skshohagmiah/clusterkit/bench/measure"
)

// ckits is a cluster of ckit over HTTP/2 without TLS, as its documentation
// shows it.
type ckits struct {
	network *measure.Network
	hosts   []*measure.Host
	nodes   []*ckit.Node
	names   []string
	next    int
}

func startCkit(o measure.Options) (measure.Cluster, error) {
	c := &ckits{network: measure.NewNetwork()}
	for i := range o.Nodes {
		h, err := c.network.NewHost()
		if err != nil {
			return nil, err
		}
		client := &http.Client{Transport: &http.Transport{Protocols: plainHTTP2(), DialContext: h.DialContext}}
		name := fmt.Sprintf("node-%d", i)
		n, err := ckit.NewNode(client, ckit.Config{Name: name, AdvertiseAddr: h.Addr().String(), Sharder: shard.Rendezvous()})
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		mux.Handle(n.Handler())
		server := &http.Server{Handler: mux, Protocols: plainHTTP2()}
		go func() { _ = server.Serve(h) }() // ends with the process
		c.hosts, c.nodes, c.names = append(c.hosts, h), append(c.nodes, n), append(c.names, name)
	}
	o.Prepared()
	if err := c.nodes[0].Start(nil); err != nil {
		return nil, err
	}
	first := []string{c.hosts[0].Addr().String()}
	return c, together(c.nodes[1:], func(n *ckit.Node) error { return n.Start(first) })
}

func plainHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func (c *ckits) Agree() bool {
	return !slices.ContainsFunc(c.nodes, func(n *ckit.Node) bool { return len(n.Peers()) != len(c.nodes) })
}

// Change makes a node that has not changed yet a participant, and one that has
// a terminating one: ckit's only news.
func (c *ckits) Change(int) (func(int) bool, error) {
	at, to := c.next%len(c.nodes), peer.StateParticipant
	if c.next >= len(c.nodes) {
		to = peer.StateTerminating
	}
	if c.next++; c.next > 2*len(c.nodes) {
		return nil, measure.ErrNoChange
	}
	go func() { _ = c.nodes[at].ChangeState(context.Background(), to) }() // waits until it was told
	return func(by int) bool {
		return slices.ContainsFunc(c.nodes[by].Peers(), func(p peer.Peer) bool { return p.Name == c.names[at] && p.State == to })
	}, nil
}

func (c *ckits) Leave(node int) error { return c.nodes[node].Stop() }
func (c *ckits) Kill(node int)        { c.hosts[node].Kill() }
func (c *ckits) Silence(node int)     { c.hosts[node].Silence() }
func (c *ckits) Bytes() int64         { return c.network.Bytes() }

func (c *ckits) Gone(by, node int) bool {
	return !slices.ContainsFunc(c.nodes[by].Peers(), func(p peer.Peer) bool { return p.Name == c.names[node] })
}
