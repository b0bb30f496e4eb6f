package clusterkit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Options says how this process takes part in the cluster. Only NodeID,
// DataDir and an address (HTTPAddr, Listener, or AdvertiseAddr with Handler)
// are required; the zero value of every other field works.
type Options struct {
	// NodeID names this node: 1 to 64 letters, digits, '.', '_' or '-'. It must
	// be unique in the cluster and stay the same over restarts.
	NodeID string
	// Name is a name for people. Default: NodeID.
	Name string
	// HTTPAddr is the host:port to listen on; the host may be empty for all
	// interfaces and the port 0 for any free one. Empty: nothing is listened
	// on, the application mounts Handler itself and gives AdvertiseAddr.
	HTTPAddr string
	// AdvertiseAddr is the host:port that other nodes dial. Default: the
	// address listened on; when its host is empty, the local address of the
	// connection over which the cluster was reached, or else the address of a
	// network interface that is not loopback.
	AdvertiseAddr string
	// KnownNodes are host:port addresses of nodes that may already be there.
	// Names are resolved again on every attempt, for ever, and all addresses
	// of a name are tried; with DialContext that is its affair. This node's own
	// address does no harm. Empty: this node begins a new cluster, or finds again the
	// members that it remembers.
	KnownNodes []string
	// DataDir is the directory of this node's log, made when it is missing. No
	// two nodes may share one.
	DataDir string
	// Config is what all nodes must agree on. Default: see Config.
	Config *Config

	// Zone is the failure domain (a rack, an availability zone). Copies of a
	// partition go to different zones first. Default: none.
	Zone string
	// Weight is this node's share of the partitions, relative to the others: 1
	// to 1000. Default: 1.
	Weight int
	// Services are addresses of what this node offers, by name: "grpc" ->
	// "10.0.0.1:9000". Services and Metadata together hold at most 4 KiB.
	Services map[string]string
	// Metadata is anything else others should know of this node.
	Metadata map[string]string

	// SyncInterval is how often this node compares what it knows with the
	// others when nothing happens. Default: 5 s.
	SyncInterval time.Duration
	// ProbeInterval is how often one other node is probed. Detection times are
	// multiples of it. Default: 1 s.
	ProbeInterval time.Duration
	// RebalanceDelay is how long the copies of a failed or stopped node are
	// kept for it before they are replaced. Default: 60 s. Negative: not at
	// all.
	RebalanceDelay time.Duration
	// Health says how the application does. It is called every ProbeInterval, one
	// call at a time; its context ends after five. An error, or no answer within
	// that time, makes this node degraded: see Node.Degraded. Default: the
	// application is well.
	Health func(ctx context.Context) error
	// DegradedDelay is how long a node must have been degraded before its
	// partitions are given to others. Default: 60 s. Negative: no wait.
	DegradedDelay time.Duration
	// RemoveAfter is how long a node must have been failed before the
	// coordinator removes it from the cluster, which it does while more than half
	// of the members are up. Default: 72 h. Negative: never.
	RemoveAfter time.Duration
	// StableFor is how long membership must not have changed before copies
	// move for the sake of balance. Default: the larger of 5 s and 10 s times
	// the decimal logarithm of the number of nodes. Negative: no wait.
	StableFor time.Duration
	// Rebalance says who moves partitions for the sake of balance: Automatic,
	// the coordinator, or Manual, an operator with Plan and Apply. What is lost,
	// missing or on a draining node is replaced in any case. It counts on the
	// coordinator, so give all nodes the same. Default: Automatic.
	Rebalance Rebalance
	// ClaimDelay is how long nodes that start a new cluster together wait for
	// each other before one takes the role of coordinator. Default: 200 ms.
	// Negative: no wait.
	ClaimDelay time.Duration
	// LearnTimeout is how long a restarted node looks for one of the members
	// that it remembers before it speaks without having learnt from any.
	// Default: 10 s. Negative: no wait.
	LearnTimeout time.Duration

	// LeaveAcks is how many other members must have this node's goodbye on
	// their disks before Leave, or Stop, goes on. More than there are: all of
	// them. Default: 3. Negative: none is waited for.
	LeaveAcks int

	// SegmentSize is the size of a log segment in bytes. Default: 4 MiB.
	SegmentSize int
	// Retention bounds the history that this node keeps, by age, by bytes, or
	// both; what goes may be archived. Whole segments go while the node runs.
	// Who asks for events that are no longer kept gets the state instead. Nodes
	// may differ in it. Default: all is kept.
	Retention Retention

	// Secret signs every request and response between nodes (HMAC-SHA256); all
	// nodes need the same. Several, separated by newlines, are accepted and
	// the first signs, so that a secret can be changed without downtime.
	// Default: none.
	Secret string
	// TLS is used to listen and to dial. Default: plain HTTP.
	TLS *tls.Config

	// Registerer receives this node's metrics, which GET /metrics serves in
	// any case. Default: none.
	Registerer prometheus.Registerer
	// Logger receives what operators should know. Default: none.
	Logger *slog.Logger

	// Listener is used instead of listening on HTTPAddr; Stop closes it.
	// Default: none.
	Listener    net.Listener
	forgetAfter time.Duration // for tests: instead of a day
	lookup      lookup        // for tests: instead of the resolver of the machine
	syncing     func()        // for tests: before the log makes anything durable

	// DialContext is used to reach other nodes. Default: the network.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Retention bounds the history that a node keeps; the zero value keeps all.
type Retention = eventlog.Retention

// Config is what all nodes of a cluster must agree on; a node with another one
// is refused and told which fields differ. The zero value of a field takes its
// default.
type Config struct {
	// ClusterName separates clusters that can reach each other. Up to 64
	// letters, digits, '.', '_' or '-'. Default: "clusterkit".
	ClusterName string
	// PartitionCount is fixed for the life of a cluster: 1 to 65536. Default: 256.
	PartitionCount int
	// ReplicationFactor is how many nodes hold each partition, as far as there
	// are that many: 1 to 16. Default: 3.
	ReplicationFactor int
}

// Bounds of the options.
const (
	maxPartitions = 65536
	maxReplicas   = 16
	maxWeight     = 1000
	maxMetadata   = 4 << 10
)

// withDefaults returns a copy of o, or all its mistakes at once.
func (o Options) withDefaults() (Options, error) {
	var bad []error
	fail := func(field, format string, args ...any) {
		bad = append(bad, fmt.Errorf("%s: %s", "Options."+field, fmt.Sprintf(format, args...)))
	}
	if err := events.CheckNodeID(o.NodeID); err != nil {
		fail("NodeID", "%v", err)
	}
	if o.DataDir == "" {
		fail("DataDir", "is required: the directory of this node's log")
	}
	o.checkAddresses(fail)
	o.checkTimes(fail)
	if o.Weight < 0 || o.Weight > maxWeight {
		fail("Weight", "%d is not between 1 and %d", o.Weight, maxWeight)
	}
	if o.Rebalance > Manual {
		fail("Rebalance", "%d is neither Automatic nor Manual", o.Rebalance)
	}
	if o.SegmentSize < 0 {
		fail("SegmentSize", "%d is negative", o.SegmentSize)
	}
	if o.Retention.Age < 0 || o.Retention.Bytes < 0 {
		fail("Retention", "%+v is negative", o.Retention)
	}
	if err := checkMetadata(o.Services, o.Metadata); err != nil {
		fail("Metadata", "%v", err)
	}
	for field, text := range map[string]string{"Name": o.Name, "Zone": o.Zone} {
		if len(text) > events.MaxKeyLength || text != "" && events.CheckKey(text) != nil {
			fail(field, "%q is longer than %d bytes or has control characters", text, events.MaxKeyLength)
		}
	}
	o.Config = o.Config.withDefaults(fail)
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return o, fmt.Errorf("clusterkit: %w", errors.Join(bad...))
	}
	o.setDefaults()
	return o, nil
}

func (o *Options) checkAddresses(fail func(field, format string, args ...any)) {
	if o.HTTPAddr == "" && o.Listener == nil && o.AdvertiseAddr == "" {
		fail("HTTPAddr", "is required, or a Listener, or AdvertiseAddr when the application serves Handler itself")
	}
	if o.HTTPAddr != "" {
		if err := checkHostPort(o.HTTPAddr, true); err != nil {
			fail("HTTPAddr", "%v", err)
		}
	}
	if o.AdvertiseAddr != "" {
		if err := checkHostPort(o.AdvertiseAddr, false); err != nil {
			fail("AdvertiseAddr", "%v", err)
		}
	}
	for i, addr := range o.KnownNodes {
		if err := checkHostPort(addr, false); err != nil {
			fail(fmt.Sprintf("KnownNodes[%d]", i), "%v", err)
		}
	}
}

func (o *Options) checkTimes(fail func(field, format string, args ...any)) {
	for field, d := range map[string]time.Duration{"SyncInterval": o.SyncInterval, "ProbeInterval": o.ProbeInterval} {
		if d < 0 || d > 0 && d < 10*time.Millisecond || d > time.Hour {
			fail(field, "%v is not between 10ms and 1h", d)
		}
	}
}

// checkHostPort accepts "host:port"; listening allows an empty host and port 0.
func checkHostPort(addr string, listen bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || len(addr) > 255 {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if host == "" && !listen {
		return fmt.Errorf("%q has no host that others could dial", addr)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 && !listen {
		return fmt.Errorf("%q: port %q is not a number from 1 to 65535", addr, port)
	}
	return nil
}

// checkMetadata accepts text that every node can read, of a bounded size.
func checkMetadata(maps ...map[string]string) error {
	n := 0
	for _, m := range maps {
		for k, v := range m {
			n += len(k) + len(v)
			for _, text := range []string{k, v} {
				if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
					return fmt.Errorf("services and metadata: %q is not valid UTF-8 or has a control character", text)
				}
			}
		}
	}
	if n > maxMetadata {
		return fmt.Errorf("services and metadata hold %d bytes, at most %d", n, maxMetadata)
	}
	return nil
}

func (c *Config) withDefaults(fail func(field, format string, args ...any)) *Config {
	var d Config
	if c != nil {
		d = *c
	}
	if d.ClusterName == "" {
		d.ClusterName = "clusterkit"
	}
	if d.PartitionCount == 0 {
		d.PartitionCount = 256
	}
	if d.ReplicationFactor == 0 {
		d.ReplicationFactor = 3
	}
	if err := events.CheckNodeID(d.ClusterName); err != nil {
		fail("Config.ClusterName", "%s", strings.Replace(err.Error(), "node id", "cluster name", 1))
	}
	if d.PartitionCount < 1 || d.PartitionCount > maxPartitions {
		fail("Config.PartitionCount", "%d is not between 1 and %d", d.PartitionCount, maxPartitions)
	}
	if d.ReplicationFactor < 1 || d.ReplicationFactor > maxReplicas {
		fail("Config.ReplicationFactor", "%d is not between 1 and %d", d.ReplicationFactor, maxReplicas)
	}
	return &d
}

// setDefaults fills what was left zero. The caller's maps and slices are
// copied, never kept.
func (o *Options) setDefaults() {
	if o.Name == "" {
		o.Name = o.NodeID
	}
	if o.Weight == 0 {
		o.Weight = 1
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = 5 * time.Second
	}
	if o.ProbeInterval == 0 {
		o.ProbeInterval = time.Second
	}
	if o.LeaveAcks == 0 {
		o.LeaveAcks = 3
	}
	if o.LearnTimeout == 0 {
		o.LearnTimeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Services, o.Metadata = maps.Clone(o.Services), maps.Clone(o.Metadata)
	o.KnownNodes = slices.Clone(o.KnownNodes)
}

// view returns the form in which the projection knows the configuration.
func (c *Config) view() projection.Config {
	return projection.Config{ClusterName: c.ClusterName, PartitionCount: c.PartitionCount, ReplicationFactor: c.ReplicationFactor}
}
