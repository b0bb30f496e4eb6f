package clusterkit

import (
	"flag"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
)

var simScale = flag.Int("scale", 0, "how many nodes the worlds of TestSimulationScale have; 0 takes as many as the gate does")

// simScaleGate is how many nodes the gate looks at: enough that nobody speaks
// with everybody.
const simScaleGate = 32

// scaleFigures are what a large calm cluster is measured by, in milliseconds
// and bytes.
type scaleFigures struct {
	agreed     int64   // from the first start until all know the same
	idle       float64 // bytes a second and node, without headers
	requests   float64 // a second and node
	propagated []int64 // from a write until each node knows of it
	detected   []int64 // from a kill until each node thinks the killed one failed
	accused    int     // nodes that live and were thought failed
}

// TestSimulationScale prints how a cluster of a thousand nodes would do where
// the network takes up to three milliseconds and a processor takes no time:
//
//	go test -run 'TestSimulationScale$' . -scale 1000 -v -timeout 0
//
// The gate asks for less and fails when a bound is broken.
func TestSimulationScale(t *testing.T) {
	nodes := *simScale
	if nodes == 0 {
		nodes = simScaleGate
	}
	seed := max(*simSeed, 1)
	defer debug.SetGCPercent(debug.SetGCPercent(25)) // a thousand nodes hold gigabytes
	began := time.Now()
	w := newScaleWorld(seed, nodes)
	f := w.measureScale(t)
	t.Logf("%d nodes, seed %d: %d steps in %v", nodes, seed, w.steps, time.Since(began).Round(time.Millisecond))
	t.Logf("start to agreement  %d ms", f.agreed)
	t.Logf("idle                %.0f B/s and %.2f requests/s a node", f.idle, f.requests)
	t.Logf("propagation         %s", quantiles(f.propagated))
	t.Logf("killed until failed %s", quantiles(f.detected))
	if f.accused > 0 {
		t.Errorf("%d living nodes were thought failed", f.accused)
	}
	// What DESIGN promises of real clusters, machines aside.
	if limit := int64(2000 + 10*nodes); f.agreed > limit {
		t.Errorf("agreed after %d ms, want %d", f.agreed, limit)
	}
	if f.idle > 1000 {
		t.Errorf("%.0f B/s a node when nothing happens, want 1000", f.idle)
	}
	if worst := f.propagated[len(f.propagated)-1]; worst > 2000 {
		t.Errorf("news took %d ms to the last node, want 2000", worst)
	}
	if worst := f.detected[len(f.detected)-1]; worst > 20_000 {
		t.Errorf("a killed node was failed everywhere after %d ms, want 20000", worst)
	}
}

// newScaleWorld is a world in which nothing goes wrong, of nodes that start
// together and know the first three.
func newScaleWorld(seed uint64, nodes int) *simWorld {
	w := newSimWorld(seed, sabotageNone)
	w.profile = simProfile{nodes: nodes, partitions: 1024, replicas: 3, latency: 3, disk: 2, page: fullPage, segment: 1 << 30}
	for i := range nodes {
		w.addHost(fmt.Sprintf("n%d", i), simCluster, nil)
	}
	for _, h := range w.hosts {
		for _, first := range w.hosts[:min(3, nodes)] {
			if first != h {
				h.seeds = append(h.seeds, first.addr)
			}
		}
		w.startSeeded(h, w.upTo(100))
	}
	return w
}

// measureScale lets the cluster start, rest, hear news and lose a node.
func (w *simWorld) measureScale(t *testing.T) (f scaleFigures) {
	if !w.run(300_000, w.every(50, func() bool { return w.placed() && w.agrees() })) {
		t.Fatalf("no agreement in %d ms", w.now)
	}
	f.agreed = w.now
	w.run(w.now+30_000, nil) // until what follows a start is over
	w.net.weigh = true
	requests := w.net.requests
	const idle = 60
	w.run(w.now+idle*1000, nil)
	f.idle = float64(w.net.bytes) / idle / float64(len(w.hosts))
	f.requests = float64(w.net.requests-requests) / idle / float64(len(w.hosts))
	w.net.weigh = false

	for i := range 5 {
		w.run(w.now+5_000, nil) // news that follows news goes out less often
		f.propagated = append(f.propagated, w.propagate(t, uint64(i*len(w.hosts)/5))...)
	}
	for i := range min(3, (len(w.hosts)-1)/2) {
		f.detected = append(f.detected, w.detect(t, w.hosts[len(w.hosts)-1-i])...)
	}
	slices.Sort(f.propagated)
	slices.Sort(f.detected)
	for _, e := range w.ledger.events {
		if _, node := events.SplitRegister(e.Register); e.Type == events.NodeFailed && !w.byID[node].gone {
			f.accused++
		}
	}
	return f
}

// every asks no more often than so many milliseconds.
func (w *simWorld) every(ms int64, enough func() bool) func() bool {
	last := w.now
	return func() bool {
		if w.now < last+ms {
			return false
		}
		last = w.now
		return enough()
	}
}

// placed reports whether everybody has joined and every partition is placed.
func (w *simWorld) placed() bool {
	if len(w.live()) < len(w.hosts) {
		return false
	}
	c := w.hosts[0].proc.k.cluster
	return len(c.Nodes) == len(w.hosts) && len(c.PartitionMap.Partitions) == w.profile.partitions
}

// propagate sets a value at one node and returns when the others knew of it.
func (w *simWorld) propagate(t *testing.T, at uint64) []int64 {
	wrote := w.now
	w.opSet(simOp{a: at, b: at})
	log := w.host(at).disk.log
	seq := w.host(at).proc.r.state.Head(log).Seq + 1
	return w.eachTime(t, wrote, 60_000, func(p *simProc) bool { return p.k.seq(log) >= seq })
}

// detect kills a node and returns when the others thought it failed.
func (w *simWorld) detect(t *testing.T, h *simHost) []int64 {
	w.run(w.now+w.upTo(5000), nil)
	killed := w.now
	w.kill(h, false)
	h.gone = true
	times := w.eachTime(t, killed, 120_000, func(p *simProc) bool {
		n, ok := p.k.cluster.Node(h.id)
		return ok && n.Status == projection.StatusFailed
	})
	w.run(w.now+10_000, nil)
	return times
}

// eachTime returns when each node that lives came to know something, in
// milliseconds since then.
func (w *simWorld) eachTime(t *testing.T, since, limit int64, knows func(*simProc) bool) (times []int64) {
	waiting := w.live()
	if !w.run(since+limit, w.every(int64(len(waiting)/200), func() bool {
		waiting = slices.DeleteFunc(waiting, func(p *simProc) bool {
			known := knows(p)
			if known {
				times = append(times, w.now-since)
			}
			return known
		})
		return len(waiting) == 0
	})) {
		var names strings.Builder
		for _, p := range waiting {
			names.WriteString(" " + p.host.id)
		}
		t.Fatalf("after %d ms not known to%s", limit, names.String())
	}
	return times
}

// size is how much a message weighs on the wire, without headers.
func (n *simNet) size(message any) int64 {
	m, ok := message.(transport.Message)
	if !ok {
		return 0
	}
	b, err := transport.Marshal(transport.Protobuf, m)
	if err != nil {
		n.world.violated("codec", "%v", err)
	}
	return int64(len(b))
}
