package transport

import (
	"context"
	"io"
	"net"
	"sync/atomic"
)

// countedConn counts what passes, below TLS. HTTP/1.1 carries one exchange at
// a time, so what passed since the last one belongs to this one.
type countedConn struct {
	net.Conn
	sent, received         atomic.Int64
	toldSent, toldReceived atomic.Int64
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// ReadFrom keeps the fast path of a TCP connection.
func (c *countedConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.Conn, r)
	c.sent.Add(n)
	return n, err
}

// dialKey is the key under which a context says where to dial instead.
type dialKey struct{}

// dial makes a connection that counts.
func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if instead, ok := ctx.Value(dialKey{}).(string); ok {
		addr = instead
	}
	conn, err := c.opt.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn}, nil
}

// countedSince returns what passed over a connection since it was last asked.
func countedSince(conn net.Conn) (sent, received int) {
	for {
		switch c := conn.(type) {
		case *countedConn:
			s, r := c.sent.Load(), c.received.Load()
			return int(s - c.toldSent.Swap(s)), int(r - c.toldReceived.Swap(r))
		case interface{ NetConn() net.Conn }: // *tls.Conn
			conn = c.NetConn()
		default:
			return 0, 0
		}
	}
}
