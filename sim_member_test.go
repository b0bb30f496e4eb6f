package clusterkit

import (
	"errors"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
	"github.com/skshohagmiah/clusterkit/transport/swim"
)

const simLearnTimeout = 10_000

// join is join.go in one thread: learn before you speak.
func (p *simProc) join() {
	if p.expelled {
		return
	}
	p.learn(func(reason string, err error) {
		if err != nil {
			p.joinLater()
			return
		}
		p.do(func(r *replica, wall int64) error {
			if r.state.Gone(r.log) && !r.state.Closed(r.log) {
				p.world.coverage.saw(simReturned)
			}
			if err := r.beginLog(reason != lonely, p.freshLog); err != nil {
				return err
			}
			return r.speak(wall, p.record(), reason)
		}, func(err error) {
			if err != nil {
				p.joinLater()
				return
			}
			p.joined = true
			p.greetSoon()
		})
	})
}

func (p *simProc) joinLater() {
	p.world.after(p.wait/2+p.world.upTo(p.wait/2), p, p.join)
	p.wait = min(2*p.wait, joinMost.Milliseconds())
}

func (p *simProc) record() *events.NodeRecord {
	return &events.NodeRecord{ID: p.host.id, Addr: p.host.addr, Zone: p.host.zone, Weight: 1,
		StartedAt: p.process}
}

// learn finds out why this node may speak now, or that it may not yet.
func (p *simProc) learn(then func(reason string, err error)) {
	addrs := p.rendezvous()
	if len(addrs) == 0 {
		then("first node of a cluster", nil)
		return
	}
	returning := p.k.member(p.host.id)
	given, self, refused := len(addrs), 0, false
	addrs = append(addrs, p.knocks.besides(p.host.addr, func(a string) bool { return slices.Contains(addrs[:given], a) })...)
	var try func(i int)
	try = func(i int) {
		if i == given && self == given {
			then("all known addresses are its own", nil)
			return
		}
		if i == len(addrs) {
			switch {
			case refused:
				then("", errors.New("refused"))
			case returning && p.now()-p.began >= simLearnTimeout:
				p.world.coverage.saw(simSpokeUnlearned)
				then(lonely, nil)
			default:
				then("", errors.New("nobody to learn from"))
			}
			return
		}
		p.learnFrom(addrs[i], func(learnt target, err error) {
			var refusal *transport.Error
			refused = refused || errors.As(err, &refusal) &&
				(refusal.Code == transport.ErrorDuplicateNode || refusal.Code == transport.ErrorRemoved)
			switch {
			case err != nil:
				try(i + 1)
			case learnt.id == "":
				self++
				try(i + 1)
			default:
				if i >= given {
					p.world.coverage.saw(simKnocked)
				}
				then("joined through "+learnt.id, nil)
			}
		})
	}
	try(0)
}

func (p *simProc) rendezvous() []string {
	seen := map[string]bool{p.host.addr: true}
	var addrs []string
	add := func(addr string) {
		if !seen[addr] {
			seen[addr] = true
			addrs = append(addrs, addr)
		}
	}
	for i := range p.k.cluster.Nodes {
		n := &p.k.cluster.Nodes[i]
		if n.ID != p.host.id && n.Status != projection.StatusRemoved {
			add(n.Addr)
		}
	}
	for _, addr := range p.host.seeds {
		add(addr)
	}
	p.world.random.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	return addrs
}

func (p *simProc) learnFrom(addr string, then func(target, error)) {
	until := p.world.now + 30_000
	p.introduce(addr, until-p.world.now, func(resp *transport.JoinResponse, err error) {
		if err != nil {
			then(target{}, err)
			return
		}
		from := target{resp.From, addr}
		if from.id == p.host.id {
			then(target{}, nil)
			return
		}
		if !p.peers.begin(from.id, p.now()) {
			then(target{}, errors.New("an exchange is under way"))
			return
		}
		p.learnAll(from, until, func(err error) {
			p.peers.end(from.id, false, p.now())
			if err != nil {
				then(target{}, err)
				return
			}
			has := p.peers.has(from.id)
			p.do(func(r *replica, _ int64) error { return r.learnt(from.id, has, resp.Spoken) }, func(err error) {
				if err != nil {
					then(target{}, err)
					return
				}
				p.world.learnt(p, seqIn(has, p.host.disk.log))
				then(from, nil)
			})
		})
	})
}

func (p *simProc) learnAll(from target, until int64, then func(error)) {
	before := p.k.digest
	p.exchange(from, pull, until-p.world.now, func(err error) {
		if err != nil || p.k.digest == before || !p.k.lacks(p.peers.has(from.id)) {
			then(err)
			return
		}
		p.learnAll(from, until, then)
	})
}

func (p *simProc) introduce(addr string, timeout int64, then func(*transport.JoinResponse, error)) {
	req := &transport.JoinRequest{Header: p.header(""), Node: p.record(), Protocol: p.host.protocol()}
	p.world.net.call(p, addr, timeout, req, func(resp any, err error) {
		if err != nil {
			p.heed(err, target{addr: addr}, func(removed bool) {
				if e := (*transport.Error)(nil); !removed && errors.As(err, &e) && e.Code == transport.ErrorRemoved {
					err = errUnproven
				}
				then(nil, err)
			})
			return
		}
		then(resp.(*transport.JoinResponse), nil)
	})
}

// serveJoin admits who introduces itself, or not: see backend.go.
func (p *simProc) serveJoin(req *transport.JoinRequest, reply func(any, error)) {
	k := p.k
	welcome := func() {
		if !k.spoken && req.From != p.host.id {
			p.knocks.heard(req.Node.Addr)
		}
		reply(&transport.JoinResponse{Header: p.header(req.From), Digest: k.digest, Spoken: k.spoken}, nil)
	}
	if req.Protocol != p.host.protocol() {
		p.world.coverage.saw(simForeign)
		reply(nil, transport.Errorf(426, transport.ErrorProtocol, "another protocol"))
		return
	}
	taken := transport.Errorf(409, transport.ErrorDuplicateNode, "in use")
	if req.From == p.host.id {
		if req.Node.StartedAt == p.process {
			welcome()
			return
		}
		reply(nil, taken)
		return
	}
	n, ok := k.cluster.Node(req.From)
	switch {
	case !ok, n.Log == req.FromLog && n.Addr == req.Node.Addr:
		welcome()
		return
	case n.Status != projection.StatusAlive && n.Status != projection.StatusSuspected:
		welcome()
		return
	}
	ask := &transport.ProbeRequest{Header: p.header(n.ID), Digest: k.digest}
	p.world.net.call(p, n.Addr, 1000, ask, func(resp any, err error) {
		r, _ := resp.(*transport.ProbeResponse)
		if err == nil && r.Process != req.Node.StartedAt && (r.Process != 0 || r.FromLog != req.FromLog) {
			p.world.coverage.saw(simDuplicateRefused)
			reply(nil, taken)
			return
		}
		welcome()
	})
}

// heal tries to reach members that are thought gone, and strange addresses.
func (p *simProc) heal() {
	if !p.k.spoken {
		return
	}
	members := map[string]bool{p.host.addr: true}
	var lost, strange []string
	for i := range p.k.cluster.Nodes {
		n := &p.k.cluster.Nodes[i]
		switch n.Status {
		case projection.StatusFailed, projection.StatusLeft:
			lost = append(lost, n.Addr)
		case projection.StatusRemoved:
		default:
			members[n.Addr] = true
		}
	}
	for _, addr := range p.host.seeds {
		if !members[addr] {
			strange = append(strange, addr)
		}
	}
	some := func(list []string, n int) []string {
		p.world.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:min(n, len(list))]
	}
	for _, addr := range append(some(lost, 1), some(strange, few)...) {
		p.introduce(addr, 10_000, func(resp *transport.JoinResponse, err error) {
			if err == nil && resp.From != p.host.id {
				p.talk(target{resp.From, addr}, compare)
			}
		})
	}
}

// observe tells everybody inside what was just committed.
func (p *simProc) observe(done []applied) {
	if len(done) == 0 {
		return
	}
	for i := range done {
		e := done[i].event
		switch e.Type {
		case events.NodeSuspected, events.NodeFailed:
			if e.Log != p.r.log {
				_, node := events.SplitRegister(e.Register)
				p.detector.Accused(p.now(), e.Actor, node, e.Version)
			}
		case events.NodeRecovered:
			if e.Log == p.r.log {
				p.detector.Refuted(p.now())
			}
		case events.BrakeLifted:
			if !p.host.old {
				p.brakeLifted(e)
			}
		}
	}
	p.lookAround()
}

// lookAround tells who speaks with others of the members there are now.
func (p *simProc) lookAround() {
	p.peers.update(p.k.cluster)
	p.updateDetector()
	p.planProbe()
	p.kick()
	if selfRemoved(p.k.cluster, p.host.id, p.r.log) {
		p.expel()
	}
}

// updateDetector is prober.update, with an interval of a second.
func (p *simProc) updateDetector() {
	if !p.k.spoken {
		return
	}
	nodes := p.k.cluster.Nodes
	same := len(p.nodes) == len(nodes) && (len(nodes) == 0 || &p.nodes[0] == &nodes[0])
	p.nodes = nodes
	if now := p.now(); !p.begun {
		if p.latest == 0 {
			p.latest = now + patience*1000
		}
		if !same {
			p.from = min(now+quiet*1000, p.latest)
			p.world.after(p.from-now, p, func() { p.updateDetector(); p.planProbe() })
		}
		if now < p.from {
			return
		}
		p.begun, same = true, false
		if now < p.latest {
			p.world.coverage.saw(simQuiet)
		}
	}
	if same {
		return
	}
	members := make([]swim.Member, 0, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		members = append(members, swim.Member{ID: n.ID, Addr: n.Addr, Incarnation: n.Incarnation, Status: swim.Status(n.Status)})
	}
	p.detector.Update(p.now(), members)
}

// planProbe lets the detector tick when it wants to.
func (p *simProc) planProbe() {
	at := p.detector.Next()
	if at >= swim.Never || at >= p.probeAt && p.probeAt >= p.now() {
		return
	}
	p.probeAt = max(at, p.now())
	mine := p.probeAt
	p.world.after(mine-p.now(), p, func() {
		if p.probeAt != mine || p.expelled {
			return
		}
		p.probeAt = never
		if next := p.detector.Next(); next <= p.now() {
			p.carryOut(p.detector.Tick(p.now()))
		}
		p.planProbe()
	})
}

func (p *simProc) carryOut(actions []swim.Action) {
	for _, action := range actions {
		switch a := action.(type) {
		case swim.Probe:
			p.probe(a)
		case swim.Indirect:
			for _, via := range a.Via {
				p.ask(a, via)
			}
		case swim.Suspect:
			p.accuse(events.NodeSuspected, events.RankSuspected, a.Target, a.Incarnation, a.Reason)
		case swim.Convict:
			p.accuse(events.NodeFailed, events.RankFailed, a.Target, a.Incarnation, a.Reason)
		}
	}
}

// accuse is prober.accuse: what the brake holds back is tried again.
func (p *simProc) accuse(t events.Type, rank uint8, node string, incarnation uint64, reason string) {
	var wait int64
	p.do(func(r *replica, wall int64) (err error) {
		n, ok := r.state.Cluster().Node(node)
		if t == events.NodeFailed && ok && n.Incarnation == incarnation && n.Status == projection.StatusSuspected && r.spoken && !r.stopping {
			var again int64
			if again, err = r.hold(p.now(), wall, n, "its failure"); err != nil || again > p.now() {
				wait = again - p.now()
				return err
			}
		}
		return r.accuse(wall, t, rank, node, incarnation, reason)
	}, func(err error) {
		if err == nil && wait > 0 {
			p.world.coverage.saw(simBraked)
			p.world.after(min(wait, brakePatience.Milliseconds()), p, func() { p.accuse(t, rank, node, incarnation, reason) })
		}
	})
}

func (p *simProc) report(r swim.Report) {
	actions := p.detector.Result(p.now(), r)
	p.carryOut(actions)
	p.planProbe()
}

func (p *simProc) doubt(node string) {
	p.detector.Doubt(p.now(), node)
	p.planProbe()
}

func (p *simProc) probe(a swim.Probe) {
	k := p.k
	req := &transport.ProbeRequest{Header: p.header(a.Target), Digest: k.digest}
	if n, ok := k.cluster.Node(a.Target); ok && (n.Status == projection.StatusSuspected || n.Status == projection.StatusFailed) {
		req.Accused = n.Incarnation
	}
	began := p.now()
	p.world.net.call(p, a.Addr, a.Timeout, req, func(answer any, err error) {
		report := swim.Report{ID: a.ID}
		if err != nil {
			report.Detail = err.Error()
			p.heed(err, target{a.Target, a.Addr}, func(bool) {})
		} else if resp := answer.(*transport.ProbeResponse); resp.Degraded != "" {
			report.Detail = "answers that " + resp.Degraded
		} else {
			report.Outcome, report.RTT = swim.Acked, p.now()-began
			p.answered(target{a.Target, a.Addr}, k, began, resp)
		}
		p.report(report)
	})
}

func (p *simProc) answered(from target, k *knowledge, began int64, resp *transport.ProbeResponse) {
	now := p.now()
	if resp.Equal {
		p.peers.equal(from.id, k, began)
		return
	}
	if now < p.synced+1000 {
		return
	}
	p.synced = now
	p.talk(from, compare)
}

func (p *simProc) ask(a swim.Indirect, via swim.Member) {
	req := &transport.ProbeRequest{Header: p.header(via.ID), Digest: p.k.digest, Target: a.Target, TargetAddr: a.Addr}
	p.world.net.call(p, via.Addr, a.Timeout, req, func(answer any, err error) {
		report := swim.Report{ID: a.ID}
		switch {
		case err != nil:
			report.Detail = err.Error()
		case answer.(*transport.ProbeResponse).Reached:
			report.Outcome = swim.Acked
		default:
			report.Outcome = swim.Nacked
		}
		p.report(report)
	})
}

func (p *simProc) serveProbe(req *transport.ProbeRequest, reply func(any, error)) {
	k := p.k
	resp := &transport.ProbeResponse{Header: p.header(req.From), Digest: k.digest, Equal: req.Digest == k.digest, Process: p.process}
	self, known := k.cluster.Node(p.host.id)
	if known {
		resp.Incarnation = self.Incarnation
	}
	if p.failed {
		resp.Degraded = "the log failed"
	} else if p.health.disk.underway(p.now()) >= hung {
		p.world.coverage.saw(simHung)
		resp.Degraded = "the disk has not answered"
	}
	if req.Target != "" {
		n, ok := k.cluster.Node(req.Target)
		if !ok {
			reply(resp, nil)
			return
		}
		p.world.net.call(p, n.Addr, 500, &transport.ProbeRequest{Header: p.header(n.ID), Digest: k.digest}, func(answer any, err error) {
			resp.Reached = err == nil && answer.(*transport.ProbeResponse).Degraded == ""
			reply(resp, nil)
		})
		return
	}
	if resp.Equal {
		p.peers.equal(req.From, k, p.now())
	}
	if req.Accused == 0 || !k.spoken || !known || self.Incarnation > req.Accused {
		reply(resp, nil)
		return
	}
	p.do(func(r *replica, wall int64) error { return r.answerAccusation(wall, req.Accused, req.From) }, func(err error) {
		if err != nil {
			reply(nil, errSimUnavailable)
			return
		}
		reply(resp, nil)
	})
}
