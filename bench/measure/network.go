package measure

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// Network is a set of hosts on loopback that can be killed and silenced, and
// counts what passes. It serves libraries that speak TCP and let one give them
// a listener and a dialer.
type Network struct {
	bytes atomic.Int64

	mu    sync.Mutex // guards hosts
	hosts map[string]*Host
}

// NewNetwork returns a network without hosts.
func NewNetwork() *Network { return &Network{hosts: make(map[string]*Host)} }

// Bytes counts what has passed between hosts, each byte once.
func (n *Network) Bytes() int64 { return n.bytes.Load() }

// Host is one node's access to a Network. It is a net.Listener.
type Host struct {
	net.Listener
	network *Network
	silent  atomic.Bool

	mu    sync.Mutex // guards the fields below
	dead  bool
	conns map[*conn]struct{}
}

// NewHost listens on a free port of 127.0.0.1.
func (n *Network) NewHost() (*Host, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &Host{Listener: l, network: n, conns: make(map[*conn]struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[l.Addr().String()] = h
	return h, nil
}

// Kill closes all of the host's sockets; new ones are refused.
func (h *Host) Kill() {
	h.Listener.Close()
	h.mu.Lock()
	h.dead = true
	conns := h.conns
	h.conns = nil
	h.mu.Unlock()
	for c := range conns {
		c.Conn.Close()
	}
}

// Silence drops everything from and to the host; connections stay open.
func (h *Host) Silence() { h.silent.Store(true) }

// Accept returns the next connection.
func (h *Host) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return h.adopt(c, nil)
}

// DialContext connects to another host of the network.
func (h *Host) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	h.network.mu.Lock()
	other := h.network.hosts[addr]
	h.network.mu.Unlock()
	if h.silent.Load() || other != nil && other.silent.Load() {
		<-ctx.Done() // nobody answers
		return nil, os.NewSyscallError("connect", syscall.ETIMEDOUT)
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return h.adopt(c, &h.network.bytes)
}

func (h *Host) adopt(c net.Conn, bytes *atomic.Int64) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead {
		c.Close()
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	own := &conn{Conn: c, host: h, bytes: bytes}
	h.conns[own] = struct{}{}
	return own, nil
}

// conn is one end of a connection. The end that dialed counts.
type conn struct {
	net.Conn
	host  *Host
	bytes *atomic.Int64
}

func (c *conn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if c.host.silent.Load() && err == nil {
			continue // lost on the way
		}
		if c.bytes != nil {
			c.bytes.Add(int64(n))
		}
		return n, err
	}
}

func (c *conn) Write(b []byte) (int, error) {
	if c.host.silent.Load() {
		return len(b), nil // lost on the way
	}
	n, err := c.Conn.Write(b)
	if c.bytes != nil {
		c.bytes.Add(int64(n))
	}
	return n, err
}

func (c *conn) Close() error {
	c.host.mu.Lock()
	delete(c.host.conns, c)
	c.host.mu.Unlock()
	return c.Conn.Close()
}
