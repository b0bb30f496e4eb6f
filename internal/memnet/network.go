// Package memnet is a network in memory for tests: hosts that listen and dial
// by address, over links whose faults the test decides. Nothing outside of
// tests imports it.
//
//	net := memnet.New()
//	l, err := net.Host("n1").Listen(80)         // "n1:80"
//	conn, err := net.Host("n2").DialContext(ctx, "tcp", "n1:80")
//	net.Cut("n2", "n1")                         // what n2 sends stays on the way
//
// It behaves as TCP does as far as its users can tell. A connection is two
// streams, each through a window of 64 KiB; who writes faster than the other
// side reads is held up. Deadlines, close, half-delivered data and reset work
// as on a socket, and the errors are those of package net. It uses channels,
// mutexes and timers only, so it runs in a testing/synctest bubble, in which a
// Network must be made and used.
//
// Faults are set per direction, from host to host, at any time:
//
//	Cut     nothing arrives, as when a router dies: what is sent is held back
//	        and arrives after Heal; a dial waits, until its context ends
//	Delay   everything arrives later, in order
//	Drop    the connection breaks after so many more bytes
//	Reset   all connections between two hosts break now
//	Crash   a host loses its listeners and connections; dialling it is refused
//
// A Network starts no goroutines.
package memnet

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	window    = 64 << 10 // bytes on their way in one direction
	backlog   = 256      // connections that wait to be accepted
	firstPort = 49152    // of those that dial
)

// Network connects hosts. It is safe for concurrent use.
type Network struct {
	mu        sync.Mutex // guards everything in the network, its connections included
	listeners map[string]*listener
	links     map[direction]*link
	conns     map[*conn]struct{}
	changed   chan struct{} // closed and replaced when a link or a listener changes
	port      int
}

type direction struct{ from, to string }

// link is one direction between two hosts.
type link struct {
	cut   bool
	delay time.Duration
	drop  bool // the connection that carries one byte more than left breaks
	left  int
}

// New returns a network without faults.
func New() *Network {
	return &Network{listeners: make(map[string]*listener), links: make(map[direction]*link),
		conns: make(map[*conn]struct{}), changed: make(chan struct{}), port: firstPort}
}

// Host returns a host by name. A name that is an IP address has addresses of
// type *net.TCPAddr.
func (n *Network) Host(name string) *Host { return &Host{n, name} }

// Host is one end of links. Hosts of one name are one host.
type Host struct {
	network *Network
	name    string
}

// Listen accepts connections to the given port of the host; 0 takes a free
// one.
func (h *Host) Listen(port int) (net.Listener, error) {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == 0 {
		port = n.portLocked()
	}
	addr := address(h.name, port)
	if n.listeners[addr.String()] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addr, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &listener{network: n, host: h.name, addr: addr, queue: make(chan *conn, backlog), done: make(chan struct{})}
	n.listeners[addr.String()] = l
	n.changedLocked()
	return l, nil
}

// DialContext connects to a listener of another host, or of this one. It is
// refused when nobody listens, and waits while the way is cut.
func (h *Host) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.dial(ctx, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: name(addr), Err: err}
	}
	return c, nil
}

func (h *Host) dial(ctx context.Context, addr string) (*conn, error) {
	n := h.network
	to, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	for {
		n.mu.Lock()
		there, back := n.linkLocked(h.name, to), n.linkLocked(to, h.name)
		wait, changed := there.delay+back.delay, n.changed
		cut := there.cut || back.cut
		n.mu.Unlock()
		if !cut {
			if err := sleep(ctx, wait); err != nil {
				return nil, err
			}
			return n.connect(h.name, to, addr)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, contextError(ctx)
		}
	}
}

// connect makes the connection and queues it for Accept.
func (n *Network) connect(from, to, addr string) (*conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[addr]
	if l == nil || len(l.queue) == cap(l.queue) {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	out := &pipe{network: n, link: n.linkLocked(from, to)}
	in := &pipe{network: n, link: n.linkLocked(to, from)}
	local := address(from, n.portLocked())
	near := &conn{network: n, host: from, peer: to, in: in, out: out, local: local, remote: l.addr, dialled: true}
	far := &conn{network: n, host: to, peer: from, in: out, out: in, local: l.addr, remote: local}
	near.other, far.other = far, near
	n.conns[near], n.conns[far] = struct{}{}, struct{}{}
	l.queue <- far // has room, and only connect fills it, under the lock
	return near, nil
}

// Cut holds back everything from one host to another until Heal.
func (n *Network) Cut(from, to string) { n.set(from, to, func(l *link) { l.cut = true }) }

// Heal lets everything through again, at once and without loss.
func (n *Network) Heal(from, to string) { n.set(from, to, func(l *link) { l.cut = false }) }

// CutBoth cuts two hosts off from each other.
func (n *Network) CutBoth(a, b string) {
	n.Cut(a, b)
	n.Cut(b, a)
}

// HealBoth undoes CutBoth.
func (n *Network) HealBoth(a, b string) {
	n.Heal(a, b)
	n.Heal(b, a)
}

// Split cuts every host of one side off from every host of the other.
func (n *Network) Split(a, b []string) {
	for _, x := range a {
		for _, y := range b {
			n.CutBoth(x, y)
		}
	}
}

// HealAll takes away all cuts, delays and drops.
func (n *Network) HealAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		*l = link{}
	}
	n.changedLocked()
}

// Delay makes what is sent from now on arrive later by d, but never before what
// was sent earlier.
func (n *Network) Delay(from, to string, d time.Duration) {
	n.set(from, to, func(l *link) { l.delay = d })
}

// Drop breaks the connection that carries more than after bytes from now on;
// those bytes still arrive. It happens once.
func (n *Network) Drop(from, to string, after int) {
	n.set(from, to, func(l *link) { l.drop, l.left = true, after })
}

// Reset breaks all connections between two hosts now.
func (n *Network) Reset(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if c.host == a && c.peer == b || c.host == b && c.peer == a {
			c.breakLocked()
		}
	}
}

// Crash takes a host's listeners and breaks its connections. It may listen
// again.
func (n *Network) Crash(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		if l.host == host {
			l.closeLocked()
		}
	}
	for c := range n.conns {
		if c.host == host || c.peer == host {
			c.breakLocked()
		}
	}
}

// Conns returns how many connections are open, counting one that only one side
// has closed.
func (n *Network) Conns() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	open := 0
	for c := range n.conns {
		if _, both := n.conns[c.other]; !both || c.dialled {
			open++
		}
	}
	return open
}

func (n *Network) set(from, to string, change func(*link)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n.linkLocked(from, to))
	n.changedLocked()
}

func (n *Network) linkLocked(from, to string) *link {
	d := direction{from, to}
	l := n.links[d]
	if l == nil {
		l = new(link)
		n.links[d] = l
	}
	return l
}

// changedLocked wakes whoever waits for the network to be another.
func (n *Network) changedLocked() {
	close(n.changed)
	n.changed = make(chan struct{})
	for c := range n.conns {
		c.in.wakeLocked()
	}
}

func (n *Network) portLocked() int {
	n.port++
	return n.port
}

// name is the address of a host that is not an IP address.
type name string

func (name) Network() string  { return "tcp" }
func (a name) String() string { return string(a) }

func address(host string, port int) net.Addr {
	if ip := net.ParseIP(host); ip != nil {
		return &net.TCPAddr{IP: ip, Port: port}
	}
	return name(net.JoinHostPort(host, strconv.Itoa(port)))
}

// sleep waits for d, or for ctx to end.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// contextError is what a dialler of package net returns.
func contextError(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return os.ErrDeadlineExceeded
	}
	return ctx.Err()
}
