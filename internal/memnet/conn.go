package memnet

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// conn is one end of a connection. What it reads comes through in, what it
// writes goes through out.
type conn struct {
	network       *Network
	host, peer    string
	in, out       *pipe
	other         *conn
	local, remote net.Addr
	dialled       bool // by this end
	closed        bool
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.wrap("read", err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.write(c, b)
	return n, c.wrap("write", err)
}

// Close ends both directions. What was written still arrives.
func (c *conn) Close() error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.closed {
		return c.wrap("close", net.ErrClosed)
	}
	c.closed = true
	delete(c.network.conns, c)
	c.out.endLocked()
	c.out.failLocked(&c.out.writeErr, net.ErrClosed)
	c.in.failLocked(&c.in.readErr, net.ErrClosed)
	c.in.failLocked(&c.in.writeErr, syscall.EPIPE) // the other side's writes
	return nil
}

// breakLocked resets the connection: both sides see it at once.
func (c *conn) breakLocked() {
	for _, p := range []*pipe{c.in, c.out} {
		p.failLocked(&p.readErr, syscall.ECONNRESET)
		p.failLocked(&p.writeErr, syscall.ECONNRESET)
	}
	delete(c.network.conns, c)
	delete(c.network.conns, c.other)
}

func (c *conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	c.in.readBy = t
	c.in.wakeLocked()
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	c.out.writeBy = t
	c.out.wakeLocked()
	return nil
}

// wrap makes the error that package net returns.
func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// pipe is one direction of a connection. The network's mutex guards it.
type pipe struct {
	network *Network
	link    *link

	chunks []chunk // on their way, in order
	size   int     // bytes in them
	ended  bool    // the writer has closed; there are no more chunks

	readErr, writeErr error // why reading, writing has ended
	readBy, writeBy   time.Time
	woken             chan struct{} // closed when anything changes; nil when nobody waits
}

type chunk struct {
	data []byte
	end  error // when there are no data: what the reader gets from here on
	at   time.Time
}

func (p *pipe) read(b []byte) (int, error) {
	p.network.mu.Lock()
	defer p.network.mu.Unlock()
	for {
		if p.readErr != nil {
			return 0, p.readErr
		}
		now := time.Now()
		if !p.readBy.IsZero() && !now.Before(p.readBy) {
			return 0, os.ErrDeadlineExceeded
		}
		until := p.readBy
		if len(p.chunks) > 0 && !p.link.cut {
			head := &p.chunks[0]
			if !head.at.After(now) {
				return p.takeLocked(b)
			}
			until = earlier(until, head.at)
		}
		p.waitLocked(until)
	}
}

// takeLocked reads from the first chunk.
func (p *pipe) takeLocked(b []byte) (int, error) {
	head := &p.chunks[0]
	if len(head.data) == 0 {
		return 0, head.end
	}
	n := copy(b, head.data)
	p.size -= n
	if head.data = head.data[n:]; len(head.data) == 0 {
		p.chunks = p.chunks[1:]
	}
	if n > 0 {
		p.wakeLocked()
	}
	return n, nil
}

func (p *pipe) write(c *conn, b []byte) (written int, err error) {
	p.network.mu.Lock()
	defer p.network.mu.Unlock()
	for {
		if p.writeErr != nil {
			return written, p.writeErr
		}
		if !p.writeBy.IsZero() && !time.Now().Before(p.writeBy) {
			return written, os.ErrDeadlineExceeded
		}
		if len(b) == 0 {
			return written, nil
		}
		n := min(len(b), window-p.size)
		if n == 0 {
			p.waitLocked(p.writeBy)
			continue
		}
		dropped := p.link.drop && n > p.link.left
		if dropped {
			n = p.link.left
		}
		p.sendLocked(b[:n])
		written, b = written+n, b[n:]
		p.link.left -= n
		if dropped {
			*p.link = link{cut: p.link.cut, delay: p.link.delay}
			p.dropLocked(c)
		}
	}
}

// dropLocked breaks a connection whose stream was cut off: what is on its way
// in this direction arrives, and then the reset does.
func (p *pipe) dropLocked(c *conn) {
	rest := p.chunks
	c.breakLocked()
	if len(rest) > 0 {
		p.readErr = nil
		p.chunks = append(rest, chunk{end: syscall.ECONNRESET, at: rest[len(rest)-1].at})
	}
}

// sendLocked puts a chunk on its way.
func (p *pipe) sendLocked(b []byte) {
	if len(b) > 0 {
		p.chunks = append(p.chunks, chunk{data: append([]byte(nil), b...), at: p.arrivalLocked()})
		p.size += len(b)
		p.wakeLocked()
	}
}

// endLocked puts the end on its way.
func (p *pipe) endLocked() {
	if !p.ended {
		p.ended = true
		p.chunks = append(p.chunks, chunk{end: io.EOF, at: p.arrivalLocked()})
		p.wakeLocked()
	}
}

// arrivalLocked says when what is sent now arrives: in order.
func (p *pipe) arrivalLocked() time.Time {
	at := time.Now().Add(p.link.delay)
	if n := len(p.chunks); n > 0 && at.Before(p.chunks[n-1].at) {
		at = p.chunks[n-1].at
	}
	return at
}

// failLocked ends one side of the pipe, unless it has ended before.
func (p *pipe) failLocked(side *error, err error) {
	if *side == nil {
		*side = err
		p.wakeLocked()
	}
}

// waitLocked waits until something changes or the time comes. The zero time
// never comes.
func (p *pipe) waitLocked(until time.Time) {
	if p.woken == nil {
		p.woken = make(chan struct{})
	}
	woken := p.woken
	p.network.mu.Unlock()
	defer p.network.mu.Lock()
	if until.IsZero() {
		<-woken
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-woken:
	case <-timer.C:
	}
}

func (p *pipe) wakeLocked() {
	if p.woken != nil {
		close(p.woken)
		p.woken = nil
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// listener accepts the connections to one address.
type listener struct {
	network *Network
	host    string
	addr    net.Addr
	queue   chan *conn
	done    chan struct{} // closed by Close
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
	default:
		select {
		case c := <-l.queue:
			return c, nil
		case <-l.done:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
}

// Close stops listening and breaks the connections that nobody accepted.
func (l *listener) Close() error {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	if !l.closeLocked() {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
	return nil
}

func (l *listener) closeLocked() bool {
	if l.network.listeners[l.addr.String()] != l {
		return false
	}
	delete(l.network.listeners, l.addr.String())
	close(l.done)
	for {
		select {
		case c := <-l.queue:
			c.breakLocked()
		default:
			return true
		}
	}
}
