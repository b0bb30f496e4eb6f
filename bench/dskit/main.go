// Command dskit measures dskit's ring on its gossiped key-value store as
// bench/cluster measures the others. It is a module of its own because dskit
// needs its own fork of memberlist. What is killed here is the lifecycler that
// sends heartbeats, for it is by them alone that the ring tells who serves.
//
//	go run . -what calm,kill
package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/go-kit/log"
	"github.com/grafana/dskit/flagext"
	"github.com/grafana/dskit/kv"
	"github.com/grafana/dskit/kv/codec"
	"github.com/grafana/dskit/kv/memberlist"
	"github.com/grafana/dskit/ring"
	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skshohagmiah/clusterkit/bench/measure"
)

func main() { measure.Main(measure.System{Name: "dskit", Start: start}) }

const ringKey = "ring"

// rings is a cluster of dskit with the defaults of its flags and of
// documentation: a heartbeat every 15 s, a time-out of 1 min, 128 tokens.
type rings struct {
	nodes []*node
}

type node struct {
	name      string
	kv        *memberlist.KV
	client    kv.Client
	lifecycle *ring.BasicLifecycler
	ring      *ring.Ring
	metrics   *prometheus.Registry
}

// resolver gives out addresses as they are.
type resolver struct{ addrs []string }

func (r *resolver) Resolve(_ context.Context, addrs []string) error { r.addrs = addrs; return nil }
func (r *resolver) Addresses() []string                             { return r.addrs }

func start(o measure.Options) (measure.Cluster, error) {
	c := &rings{}
	join := ""
	for i := range o.Nodes {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		n, err := newNode(fmt.Sprintf("node-%d", i), port, join)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, n)
		if i == 0 { // the others fail at once when nobody is there
			if err := services.StartAndAwaitRunning(context.Background(), n.kv); err != nil {
				return nil, err
			}
			join = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		}
	}
	o.Prepared()
	errs := make(chan error, len(c.nodes))
	for _, n := range c.nodes {
		go func() { errs <- n.start() }()
	}
	for range c.nodes {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	return c, nil
}

// freePort is a port that nobody used a moment ago; dskit does not tell which
// one it took when it is given none.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func newNode(name string, port int, join string) (*node, error) {
	n := &node{name: name, metrics: prometheus.NewRegistry()}
	var config memberlist.KVConfig
	flagext.DefaultValues(&config)
	config.NodeName, config.RandomizeNodeName = name, false
	config.TCPTransport.BindAddrs, config.TCPTransport.BindPort = []string{"127.0.0.1"}, port
	config.AdvertiseAddr, config.AdvertisePort = "127.0.0.1", port
	config.Codecs = []codec.Codec{ring.GetCodec()}
	if join != "" {
		config.JoinMembers = flagext.StringSliceCSVMulti{join}
	}
	n.kv = memberlist.NewKV(config, log.NewNopLogger(), &resolver{}, n.metrics)
	var err error
	if n.client, err = memberlist.NewClient(n.kv, ring.GetCodec()); err != nil {
		return nil, err
	}
	n.lifecycle, err = ring.NewBasicLifecycler(ring.BasicLifecyclerConfig{ID: name, Addr: name, HeartbeatPeriod: 15 * time.Second,
		HeartbeatTimeout: time.Minute, NumTokens: 128, KeepInstanceInTheRingOnShutdown: true}, "ring", ringKey, n.client,
		ring.NewInstanceRegisterDelegate(ring.ACTIVE, 128), log.NewNopLogger(), n.metrics)
	if err != nil {
		return nil, err
	}
	n.ring, err = ring.NewWithStoreClientAndStrategy(ring.Config{HeartbeatTimeout: time.Minute, ReplicationFactor: 3},
		"ring", ringKey, n.client, ring.NewDefaultReplicationStrategy(), n.metrics, log.NewNopLogger())
	return n, err
}

func (n *node) start() error {
	ctx := context.Background()
	for _, s := range []services.Service{n.kv, n.lifecycle, n.ring} {
		if s.State() == services.Running {
			continue
		}
		if err := services.StartAndAwaitRunning(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// healthy are the nodes that a node's ring counts on.
func (n *node) healthy() []string {
	set, err := n.ring.GetAllHealthy(ring.Reporting)
	if err != nil {
		return nil
	}
	var names []string
	for _, i := range set.Instances {
		names = append(names, i.Id)
	}
	return names
}

func (c *rings) Agree() bool {
	return !slices.ContainsFunc(c.nodes, func(n *node) bool { return len(n.healthy()) != len(c.nodes) })
}

// Change lets a node go from one state to another.
func (c *rings) Change(at int) (func(int) bool, error) {
	to := ring.LEAVING
	if c.nodes[at].lifecycle.GetState() == ring.LEAVING {
		to = ring.ACTIVE
	}
	go func() { _ = c.nodes[at].lifecycle.ChangeState(context.Background(), to) }() // what is measured is the others
	return func(by int) bool {
		state, err := c.nodes[by].ring.GetInstanceState(c.nodes[at].name)
		return err == nil && state == to
	}, nil
}

func (c *rings) Leave(node int) error {
	n := c.nodes[node]
	n.lifecycle.SetKeepInstanceInTheRingOnShutdown(false)
	return services.StopAndAwaitTerminated(context.Background(), n.lifecycle)
}

func (c *rings) Kill(node int) {
	_ = services.StopAndAwaitTerminated(context.Background(), c.nodes[node].lifecycle)
}

func (c *rings) Silence(node int) { c.Kill(node) }

func (c *rings) Gone(by, node int) bool {
	return !slices.Contains(c.nodes[by].healthy(), c.nodes[node].name)
}

// Bytes adds up what the transports of all nodes say they have sent.
func (c *rings) Bytes() int64 {
	total := 0.0
	for _, n := range c.nodes {
		families, err := n.metrics.Gather()
		if err != nil {
			return -1
		}
		for _, f := range families {
			if f.GetName() == "memberlist_tcp_transport_sent_bytes_total" {
				for _, m := range f.GetMetric() {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return int64(total)
}
