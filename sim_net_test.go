package clusterkit

import (
	"errors"
	"fmt"

	"github.com/skshohagmiah/clusterkit/transport"
)

// simNet carries requests and answers between addresses, and loses, repeats,
// delays and cuts them. A pair of hosts may be unable to talk in one direction
// or in both; which pairs is any relation at all, so splits need not be
// transitive.
type simNet struct {
	world    *simWorld
	cut      map[[2]string]bool // from, to: nothing gets through
	bad      bool               // chaos reigns: profile's odds apply
	recorded []simLetter        // requests that may be replayed much later
	requests int64
	weigh    bool  // count bytes
	bytes    int64 // of requests and answers, without headers
}

// simLetter is a request as it went over the wire.
type simLetter struct {
	addr string
	req  any
}

var errSimTimeout = fmt.Errorf("no answer: %w", transport.ErrTimeout)
var errSimRefused = fmt.Errorf("connection refused: %w", transport.ErrUnreachable)
var errSimWrongNode = transport.Errorf(421, transport.ErrorWrongNode, "another node")
var errSimWrongCluster = transport.Errorf(409, transport.ErrorWrongCluster, "another cluster")
var errSimUnavailable = transport.Errorf(503, transport.ErrorUnavailable, "unavailable")

// call sends a request to whoever listens at an address and hands the answer,
// or the error, to done: once, and only while the caller lives.
func (n *simNet) call(p *simProc, addr string, timeout int64, req any, done func(any, error)) {
	w := n.world
	n.requests++
	if n.weigh {
		n.bytes += n.size(req)
	}
	over := false
	finish := func(resp any, err error) {
		if !over && !p.dead {
			over = true
			done(resp, err)
		}
	}
	w.after(timeout, p, func() { finish(nil, errSimTimeout) })
	if n.bad && len(n.recorded) < 8 && w.chance(0.05) {
		n.recorded = append(n.recorded, simLetter{addr, req})
	}
	times := 1
	if n.bad && w.chance(w.profile.duplicate) {
		times = 2
		w.coverage.saw(simDuplicated)
	}
	for range times {
		if n.lost() {
			continue
		}
		w.after(n.latency(), nil, func() { n.deliver(p, addr, req, finish) })
	}
}

// deliver brings a request to the process that listens now.
func (n *simNet) deliver(from *simProc, addr string, req any, finish func(any, error)) {
	w := n.world
	q := w.addrs[addr]
	if q == nil {
		w.after(n.latency(), from, func() { finish(nil, errSimRefused) })
		return
	}
	if n.blocked(from.host, q.host) {
		return
	}
	if q.paused {
		q.held = append(q.held, func() { n.deliver(from, addr, req, finish) })
		return
	}
	if n.bad && w.chance(w.profile.busy) {
		w.coverage.saw(simBusied)
		w.after(n.latency(), from, func() { finish(nil, transport.Errorf(503, transport.ErrorBusy, "busy")) })
		return
	}
	q.serve(n.between(from.host, q.host, req), func(resp any, err error) {
		if err == nil {
			resp = n.between(q.host, from.host, resp)
		}
		if n.weigh && err == nil {
			n.bytes += n.size(resp)
		}
		if q.dead || n.lost() || n.blocked(q.host, from.host) {
			return
		}
		if n.bad && w.chance(w.profile.cut) {
			w.coverage.saw(simResponseCut)
			resp, err = nil, errors.Join(transport.ErrBadResponse, errors.New("the answer ends in the middle"))
		}
		w.after(n.latency(), from, func() { finish(resp, err) })
	})
}

func (n *simNet) lost() bool {
	if n.bad && n.world.chance(n.world.profile.loss) {
		n.world.coverage.saw(simLost)
		return true
	}
	return false
}

func (n *simNet) latency() int64 {
	if n.bad && n.world.chance(n.world.profile.delay) {
		n.world.coverage.saw(simDelayed)
		return n.world.upTo(3000)
	}
	return n.world.upTo(n.world.profile.latency)
}

func (n *simNet) blocked(from, to *simHost) bool {
	return len(n.cut) > 0 && n.cut[[2]string{from.key, to.key}]
}

// sever cuts one direction between two hosts.
func (n *simNet) sever(from, to *simHost) {
	if n.cut == nil {
		n.cut = make(map[[2]string]bool)
	}
	n.cut[[2]string{from.key, to.key}] = true
}

// heal makes the network perfect.
func (n *simNet) heal() { n.cut = nil }

// replay delivers what was recorded, to whoever is at those addresses now.
// Nobody waits for the answers.
func (n *simNet) replay() {
	for _, l := range n.recorded {
		if q := n.world.addrs[l.addr]; q != nil && !q.paused {
			n.world.coverage.saw(simReplayed)
			q.serve(l.req, func(any, error) {})
		}
	}
	n.recorded = nil
}
