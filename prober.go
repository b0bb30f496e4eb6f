package clusterkit

import (
	"context"
	"errors"
	"hash/fnv"
	"net/http"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/metrics"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
	"github.com/skshohagmiah/clusterkit/transport/swim"
)

// prober runs the failure detector: it carries out its probes over HTTP, tells
// it what became of them, and hands its verdicts to the writer.
type prober struct {
	ck    *ClusterKit
	woken chan struct{} // capacity 1: the detector wants another time

	mu       sync.Mutex // guards the fields below
	detector *swim.Detector
	nodes    []Node // of the newest view that the detector has seen
	from     int64  // when it may begin
	latest   int64  // and when it begins at the latest; 0: not known yet
	begun    bool
	synced   int64 // when a probe last began an exchange
}

func newProber(ck *ClusterKit) *prober {
	seed := fnv.New64a()
	log := ck.log.Identity().Log
	seed.Write(log[:])
	return &prober{ck: ck, woken: make(chan struct{}, 1), detector: swim.New(swim.Options{
		Self: ck.opt.NodeID, Interval: ck.opt.ProbeInterval.Milliseconds(), Seed: seed.Sum64()})}
}

// run ends with the node's context.
func (p *prober) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p.mu.Lock()
		next := p.detector.Next()
		begin := !p.begun && p.latest > 0
		if begin {
			next = p.from
		}
		p.mu.Unlock()
		wait := time.Hour
		if next < swim.Never {
			wait = time.Duration(max(next-p.ck.now(), 0)) * time.Millisecond
		}
		timer.Reset(min(wait, time.Hour))
		select {
		case <-timer.C:
			if begin {
				p.update(p.ck.known().cluster)
			}
			p.mu.Lock()
			actions := p.detector.Tick(p.ck.now())
			p.mu.Unlock()
			p.carryOut(actions)
		case <-p.woken:
		case <-p.ck.ctx.Done():
			return
		}
	}
}

// How many intervals a node that has just joined looks on before it probes:
// until membership was quiet for so long, or at the latest. When many start
// together everybody is busy learning, and who is slow to answer then is not
// gone.
const (
	quiet    = 2
	patience = 10
)

// update tells the detector of a new view. A node that has not joined accuses
// nobody, so until then, and for a little longer, there is nothing to detect.
func (p *prober) update(cluster *projection.Cluster) {
	if !p.ck.known().spoken {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	same := len(p.nodes) == len(cluster.Nodes) && (len(p.nodes) == 0 || &p.nodes[0] == &cluster.Nodes[0])
	p.nodes = cluster.Nodes
	if now := p.ck.now(); !p.begun {
		interval := p.ck.opt.ProbeInterval.Milliseconds()
		if p.latest == 0 {
			p.latest = now + patience*interval
		}
		if !same {
			p.from = min(now+quiet*interval, p.latest)
			signal(p.woken)
		}
		if now < p.from {
			return
		}
		p.begun, same = true, false
	}
	if same {
		return
	}
	members := make([]swim.Member, 0, len(cluster.Nodes))
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		members = append(members, swim.Member{ID: n.ID, Addr: n.Addr, Incarnation: n.Incarnation, Status: swim.Status(n.Status)})
	}
	p.detector.Update(p.ck.now(), members)
	signal(p.woken)
}

// accused tells the detector that somebody else accuses a member.
func (p *prober) accused(e *events.Event) {
	if e.Log == p.ck.replica.log {
		return
	}
	_, target := events.SplitRegister(e.Register)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detector.Accused(p.ck.now(), e.Actor, target, e.Version)
	signal(p.woken)
}

// refuted tells the detector that this node had to answer an accusation.
func (p *prober) refuted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detector.Refuted(p.ck.now())
}

// doubt tells the detector that a request to a member broke: it is probed next.
func (p *prober) doubt(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detector.Doubt(p.ck.now(), node)
	signal(p.woken)
}

// carryOut does what the detector asks for. Nothing here waits.
func (p *prober) carryOut(actions []swim.Action) {
	for _, action := range actions {
		switch a := action.(type) {
		case swim.Probe:
			p.ck.run(func() { p.probe(a) }) // ends within its timeout
		case swim.Indirect:
			p.ck.metrics.ProbeFailed(metrics.ProbeDirect)
			for _, via := range a.Via {
				p.ck.run(func() { p.ask(a, via) }) // ends within its timeout
			}
		case swim.Suspect:
			p.ck.metrics.ProbeFailed(metrics.ProbeIndirect)
			p.accuse(events.NodeSuspected, events.RankSuspected, a.Target, a.Incarnation, a.Reason)
		case swim.Convict:
			p.accuse(events.NodeFailed, events.RankFailed, a.Target, a.Incarnation, a.Reason)
		}
	}
}

// report tells the detector how a probe ended.
func (p *prober) report(r swim.Report) {
	p.mu.Lock()
	actions := p.detector.Result(p.ck.now(), r)
	p.mu.Unlock()
	signal(p.woken)
	p.carryOut(actions)
}

// probe asks a member whether it is there. The request carries the digest, so
// that the same message finds out whether both know the same.
func (p *prober) probe(a swim.Probe) {
	ctx, cancel := context.WithTimeout(p.ck.ctx, time.Duration(a.Timeout)*time.Millisecond)
	defer cancel()
	k := p.ck.known().knowledge
	req := &transport.ProbeRequest{Header: p.ck.header(a.Target), Digest: k.digest}
	if n, ok := k.cluster.Node(a.Target); ok && (n.Status == projection.StatusSuspected || n.Status == projection.StatusFailed) {
		req.Accused = n.Incarnation
	}
	began := time.Now()
	resp, err := p.ck.client.Probe(ctx, a.Addr, req)
	report := swim.Report{ID: a.ID}
	switch {
	case err != nil:
		report.Detail = err.Error()
		p.ck.run(func() { p.ck.heed(p.ck.ctx, err, target{a.Target, a.Addr}) }) // ends within the time-outs of an exchange
	case resp.Degraded != "":
		report.Detail = "answers that " + resp.Degraded
	default:
		rtt := time.Since(began)
		report.Outcome, report.RTT = swim.Acked, rtt.Milliseconds()
		p.ck.metrics.Probed(rtt)
		p.answered(target{a.Target, a.Addr}, k, resp, began)
	}
	if p.ck.ctx.Err() == nil {
		p.report(report)
	}
}

// answered makes use of the digest that came with an answer: at most one
// exchange a second begins this way.
func (p *prober) answered(from target, k *knowledge, resp *transport.ProbeResponse, began time.Time) {
	p.ck.noteWall(from.id, resp.Wall, began)
	p.ck.metrics.PeerSeen(from.id)
	now := p.ck.now()
	if resp.Equal {
		p.ck.peers.equal(from.id, k, began.Sub(p.ck.born).Milliseconds())
		return
	}
	p.mu.Lock()
	soon := now < p.synced+1000
	if !soon {
		p.synced = now
	}
	p.mu.Unlock()
	if !soon {
		p.ck.talk(from, compare)
	}
}

// ask asks another member to probe for this one.
func (p *prober) ask(a swim.Indirect, via swim.Member) {
	ctx, cancel := context.WithTimeout(p.ck.ctx, time.Duration(a.Timeout)*time.Millisecond)
	defer cancel()
	resp, err := p.ck.client.Probe(ctx, via.Addr, &transport.ProbeRequest{Header: p.ck.header(via.ID),
		Digest: p.ck.known().digest, Target: a.Target, TargetAddr: a.Addr, Reach: uint64(max(a.Reach, 0))})
	report := swim.Report{ID: a.ID}
	switch {
	case err != nil:
		report.Detail = err.Error()
	case resp.Reached:
		report.Outcome = swim.Acked
	default:
		report.Outcome = swim.Nacked
	}
	if p.ck.ctx.Err() == nil {
		p.report(report)
	}
}

// relayTime is how long a member is tried on behalf of another: as long as that
// one waits for it itself, which is longer when it is not well, but not so long
// that a stranger could hold many requests.
func relayTime(asked uint64, interval time.Duration) time.Duration {
	const slowest = 4 // intervals: the longest time-out of a node that is not well
	if asked == 0 {
		return interval / 2
	}
	return min(time.Duration(min(asked, uint64(time.Hour/time.Millisecond)))*time.Millisecond, slowest*interval)
}

// reach probes a member on behalf of another, at the address that this node
// knows: a stranger cannot make it dial anything else.
func (ck *ClusterKit) reach(ctx context.Context, req *transport.ProbeRequest) bool {
	k := ck.known()
	n, ok := k.cluster.Node(req.Target)
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, relayTime(req.Reach, ck.opt.ProbeInterval))
	defer cancel()
	resp, err := ck.client.Probe(ctx, n.Addr, &transport.ProbeRequest{Header: ck.header(n.ID), Digest: k.digest})
	return err == nil && resp.Degraded == ""
}

// accuse writes an accusation, unless what it rests on has changed meanwhile. A
// verdict that the brake holds back is tried again until it may be written or
// is refuted.
func (p *prober) accuse(t events.Type, rank uint8, node string, incarnation uint64, reason string) {
	p.ck.run(func() { // ends when the writer has answered, or with the node's context
		for {
			wait, err := ask(p.ck.ctx, p.ck, func(r *replica, wall int64) (time.Duration, error) {
				if t == events.NodeFailed {
					if wait, err := p.held(r, wall, node, incarnation); wait > 0 || err != nil {
						return wait, err
					}
				}
				return 0, r.accuse(wall, t, rank, node, incarnation, reason)
			})
			if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStopped) {
				p.ck.opt.Logger.Warn("accusation not written", "node", node, "err", err)
			}
			if err != nil || wait == 0 {
				return
			}
			select {
			case <-time.After(min(wait, brakePatience)):
			case <-p.ck.ctx.Done():
				return
			}
		}
	})
}

// brakePatience is how often a verdict is tried again that the brake held back:
// an operator may have lifted it.
const brakePatience = time.Second

// held returns how long the brake holds a verdict back, which is 0 also when
// the verdict no longer stands.
func (p *prober) held(r *replica, wall int64, node string, incarnation uint64) (time.Duration, error) {
	if err := p.ck.persist(); err != nil { // the brake counts what this batch has staged
		return 0, err
	}
	n, ok := r.state.Cluster().Node(node)
	if !ok || n.Incarnation != incarnation || n.Status != projection.StatusSuspected || !r.spoken || r.stopping {
		return 0, nil
	}
	now := p.ck.now()
	again, err := r.hold(now, wall, n, "its failure")
	return time.Duration(max(again-now, 0)) * time.Millisecond, err
}

// accused answers a peer that says, in its probe, that this node is suspected
// or failed.
func (ck *ClusterKit) accused(ctx context.Context, req *transport.ProbeRequest) error {
	k := ck.known().knowledge
	if n, ok := k.cluster.Node(ck.opt.NodeID); !k.spoken || !ok || n.Incarnation > req.Accused {
		return nil // refuted already; the peer will learn of it
	}
	if req.Accused > events.MaxVersion/2 {
		return transport.Errorf(http.StatusBadRequest, transport.ErrorBadRequest, "accused incarnation %d is out of range", req.Accused)
	}
	return ck.do(ctx, func(r *replica, wall int64) error {
		return r.answerAccusation(wall, req.Accused, req.From)
	})
}
