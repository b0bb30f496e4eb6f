package clusterkit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/metrics"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
	"github.com/skshohagmiah/clusterkit/transport"
)

// Aliases of the types that people meet at the front door.
type (
	// Cluster is an immutable view of the whole cluster at one instant.
	Cluster = projection.Cluster
	// Node is one member as this node sees it.
	Node = projection.Node
	// Partition says who owns one partition.
	Partition = projection.Partition
	// Token is the fencing token of an ownership: Partition.Token.
	Token = projection.Token
	// PartitionMap holds all partitions.
	PartitionMap = projection.PartitionMap
)

// protocol is the version of the conversation between nodes.
const protocol = 1

// ClusterKit is one node of a cluster. All methods are safe for concurrent
// use.
type ClusterKit struct {
	opt      Options
	config   projection.Config
	settings uint64 // hash of what all nodes must agree on
	log      *eventlog.Log
	metrics  *metrics.Metrics
	client   *transport.Client
	handler  http.Handler
	born     time.Time        // of this process; the origin of now()
	process  events.Timestamp // names this process among all that bear this NodeID: born and chance

	current atomic.Pointer[published]
	values  values
	disk    disk
	failed  atomic.Bool
	halted  atomic.Pointer[error]  // why this node has stopped by itself
	refused atomic.Pointer[string] // why others do not let it in, for as long as they do not
	knocks  knocks                 // who wants to join through it, before it has joined
	addr    atomic.Pointer[string] // what peers dial; nil until known
	port    string                 // that is listened on; set by Start

	replayed struct { // by NewClusterKit
		events int
		took   time.Duration
	}
	verifying   atomic.Bool  // somebody said that this node was removed: see heed
	doubted     atomic.Int64 // when that was last said without evidence
	forkedAt    atomic.Int64 // when a fork was last learnt of, in the milliseconds of now
	divergences atomic.Int64 // how often a peer had the same events and another state

	replica    *replica // owned by the writer once it runs
	jobs       chan *job
	quit       chan struct{} // closed to end the writer
	writerDone chan struct{}

	peers  *peers
	spread *spreader
	prober *prober

	joined chan struct{} // closed once this node has spoken

	done     chan struct{} // closed when this node has stopped, by itself or not
	doneOnce sync.Once

	life struct {
		sync.Mutex // guards the fields below
		state      lifeState
		stopped    chan struct{} // closed when Stop is done
		err        error         // of Stop
		farewell   Farewell      // of Leave
	}
	ctx    context.Context // of the background work; ends it
	cancel context.CancelFunc
	wg     sync.WaitGroup // the background work
	server *http.Server
}

type lifeState uint8

const (
	lifeNew lifeState = iota
	lifeStarted
	lifeStopping
)

// NewClusterKit checks the options, reporting all mistakes at once, opens the
// log in DataDir and recovers the state from it. It does no networking.
//
// It fails, and changes nothing, when the directory is in use by another
// process, belongs to another node or another cluster, or holds a log that is
// damaged before its end.
func NewClusterKit(options Options) (*ClusterKit, error) {
	opt, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	ck := &ClusterKit{
		opt: opt, config: opt.Config.view(), born: time.Now(),
		jobs: make(chan *job, maxBatch), quit: make(chan struct{}), writerDone: make(chan struct{}),
		joined: make(chan struct{}), done: make(chan struct{}),
	}
	ck.settings = settingsHash(opt.Config)
	ck.life.stopped = make(chan struct{})
	ck.process = events.NewTimestamp(ck.born.UnixMilli(), uint16(rand.Uint32()))
	ck.forkedAt.Store(-never)
	ck.doubted.Store(-never)
	ck.ctx, ck.cancel = context.WithCancel(context.Background())
	if err := ck.openLog(); err != nil {
		return nil, err
	}
	if err := ck.assemble(); err != nil {
		return nil, errors.Join(err, ck.log.Close())
	}
	return ck, nil
}

// assemble builds what stands around the replica.
func (ck *ClusterKit) assemble() error {
	ck.metrics = metrics.New(ck.metricOptions())
	if ck.opt.Registerer != nil {
		if err := ck.metrics.Register(ck.opt.Registerer); err != nil {
			return fmt.Errorf("clusterkit: Options.Registerer: %w", err)
		}
	}
	ck.metrics.LogRepaired(ck.log.Stats().RepairedBytes)
	ck.metrics.Replayed(ck.replayed.events, ck.replayed.took)
	ck.peers = newPeers(ck.opt.NodeID)
	ck.spread = newSpreader(ck)
	ck.prober = newProber(ck)
	ck.client = transport.NewClient(ck.clientOptions())
	ck.handler = transport.NewHandler((*backend)(ck), ck.serverOptions())
	return nil
}

// openLog recovers the replica from the data directory.
func (ck *ClusterKit) openLog() error {
	log, err := eventlog.Open(ck.opt.DataDir, eventlog.Options{
		NodeID: ck.opt.NodeID, Cluster: ck.config.ClusterName,
		SegmentSize: ck.opt.SegmentSize, Retention: ck.opt.Retention,
		Snapshot: func() []byte { return ck.replica.state.AppendSnapshot(nil) },
		Logger:   ck.opt.Logger,
		Hooks:    eventlog.Hooks{Syncing: ck.opt.syncing},
	})
	if err != nil {
		return fmt.Errorf("clusterkit: open %s: %w", ck.opt.DataDir, err)
	}
	ck.log = log
	ck.replica = newReplica(ck.opt.NodeID, log.Identity().Log, ck.config, coordination.Options{
		RemoveAfter: ck.opt.RemoveAfter, DegradedDelay: ck.opt.DegradedDelay,
		RebalanceDelay: ck.opt.RebalanceDelay, StableFor: ck.opt.StableFor, ClaimDelay: ck.opt.ClaimDelay,
		Manual: ck.opt.Rebalance == Manual, Alone: len(ck.opt.KnownNodes) == 0,
	})
	if err := ck.replay(); err != nil {
		return errors.Join(fmt.Errorf("clusterkit: replay %s: %w", ck.opt.DataDir, err), log.Close())
	}
	if selfRemoved(ck.replica.state.Cluster(), ck.opt.NodeID, log.Identity().Log) {
		return errors.Join(fmt.Errorf("clusterkit: %s: %w", ck.opt.DataDir, ErrRemoved), log.Close())
	}
	if have := ck.replica.state.Cluster().Config; have.PartitionCount != 0 && have != ck.config {
		return errors.Join(fmt.Errorf("clusterkit: %s belongs to a cluster with %+v, Options.Config says %+v",
			ck.opt.DataDir, have, ck.config), log.Close())
	}
	ck.values.reload(ck.replica.state)
	ck.current.Store(&published{knowledge: ck.replica.know(), changed: make(chan struct{})})
	return nil
}

func (ck *ClusterKit) replay() error {
	var decoder events.Decoder
	began := time.Now()
	defer func() { ck.replayed.took = time.Since(began) }()
	err := ck.log.Load(func(snapshot []byte) error {
		state, err := projection.ReadSnapshot(snapshot)
		if err == nil {
			ck.replica.state = state
		}
		return err
	}, func(record *eventlog.Record) error {
		e, err := decoder.Decode(record.Bytes)
		if err == nil {
			ck.replica.restore(&e)
			ck.replayed.events++
		}
		return err
	})
	ck.replica.restored(time.Now().UnixMilli(), ck.process)
	return err
}

// settingsHash is equal on nodes that may talk to each other.
func settingsHash(c *Config) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "clusterkit/%d partitions=%d replicas=%d hash=xxhash64",
		protocol, c.PartitionCount, c.ReplicationFactor))
	return binary.BigEndian.Uint64(sum[:])
}

// now is the monotonic time of this process in milliseconds.
func (ck *ClusterKit) now() int64 { return time.Since(ck.born).Milliseconds() }

// known returns what this node knows at this instant.
func (ck *ClusterKit) known() *published { return ck.current.Load() }

// Start begins to listen and returns; a taken port is an error. Joining goes
// on in the background for as long as it takes: see Ready.
func (ck *ClusterKit) Start() error {
	ck.life.Lock()
	defer ck.life.Unlock()
	switch ck.life.state {
	case lifeStarted:
		return errors.New("clusterkit: already started")
	case lifeStopping:
		return ErrStopped
	}
	listener, err := ck.listen()
	if err != nil {
		return fmt.Errorf("clusterkit: listen on %s: %w", ck.opt.HTTPAddr, err)
	}
	ck.life.state = lifeStarted
	ck.chooseAddr(listener)
	ck.warnOpen(listener)
	if listener != nil {
		ck.server = transport.NewServer(ck.handler, ck.serverOptions())
		ck.run(func() { ck.serve(listener) })
	}
	go ck.write() // ends when quit is closed, which Stop does last
	ck.run(ck.join)
	ck.run(ck.spread.run)
	ck.run(ck.prober.run)
	ck.run(ck.keepCheckpoint)
	ck.run(ck.keepForgetting)
	ck.run(ck.watchHealth)
	return nil
}

// run starts background work that ends with ck.ctx and that Stop waits for.
func (ck *ClusterKit) run(work func()) {
	ck.wg.Add(1)
	go func() {
		defer ck.wg.Done()
		work()
	}()
}

func (ck *ClusterKit) listen() (net.Listener, error) {
	switch {
	case ck.opt.Listener != nil:
		return ck.opt.Listener, nil
	case ck.opt.HTTPAddr != "":
		return net.Listen("tcp", ck.opt.HTTPAddr)
	}
	return nil, nil
}

// serve ends when the server is shut down.
func (ck *ClusterKit) serve(listener net.Listener) {
	serve := ck.server.Serve
	if ck.opt.TLS != nil {
		serve = func(l net.Listener) error { return ck.server.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		ck.opt.Logger.Error("the server stopped", "err", err)
	}
}

// Ready waits until this node has joined and every partition has an owner, or
// until ctx ends.
func (ck *ClusterKit) Ready(ctx context.Context) error {
	for {
		p := ck.known()
		if err := ck.Err(); err != nil {
			return err
		}
		why := ck.notReady(p.knowledge)
		if why == "" {
			return nil
		}
		select {
		case <-p.changed:
		case <-ck.ctx.Done():
			return ck.deadErr()
		case <-ctx.Done():
			return fmt.Errorf("clusterkit: not ready: %s: %w", why, ctx.Err())
		}
	}
}

// notReady says what is missing, or nothing.
func (ck *ClusterKit) notReady(k *knowledge) string {
	if err := ck.Err(); err != nil {
		return err.Error()
	}
	if why := ck.refused.Load(); !k.spoken && why != nil {
		return "this node has not joined the cluster: " + *why
	}
	if !k.spoken {
		return "this node has not joined the cluster yet"
	}
	owned := 0
	for i := range k.cluster.PartitionMap.Partitions {
		if k.cluster.PartitionMap.Partitions[i].Primary != "" {
			owned++
		}
	}
	if owned < ck.config.PartitionCount {
		return fmt.Sprintf("%d of %d partitions have an owner", owned, ck.config.PartitionCount)
	}
	return ""
}
