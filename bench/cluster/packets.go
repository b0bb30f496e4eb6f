package main

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// packets is memberlist's own transport with a counter in it, and, when that is
// asked for, a tap that can be shut. It costs no goroutine unless it can be
// shut.
type packets struct {
	memberlist.NodeAwareTransport
	bytes  *atomic.Int64
	silent atomic.Bool

	packets chan *memberlist.Packet // nil without a tap
	streams chan net.Conn
}

func newPackets(c *memberlist.Config, bytes *atomic.Int64, tap bool) (*packets, error) {
	t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{c.BindAddr}, BindPort: c.BindPort, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	p := &packets{NodeAwareTransport: t, bytes: bytes}
	if tap {
		p.packets, p.streams = make(chan *memberlist.Packet), make(chan net.Conn)
		go p.drain(t) // ends with the process
	}
	return p, nil
}

func (p *packets) drain(t *memberlist.NetTransport) {
	for {
		select {
		case packet := <-t.PacketCh():
			if !p.silent.Load() {
				p.packets <- packet
			}
		case stream := <-t.StreamCh():
			if !p.silent.Load() {
				p.streams <- stream
			}
		}
	}
}

func (p *packets) PacketCh() <-chan *memberlist.Packet {
	if p.packets != nil {
		return p.packets
	}
	return p.NodeAwareTransport.PacketCh()
}

func (p *packets) StreamCh() <-chan net.Conn {
	if p.streams != nil {
		return p.streams
	}
	return p.NodeAwareTransport.StreamCh()
}

func (p *packets) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	if p.silent.Load() {
		return time.Now(), nil // lost on the way
	}
	p.bytes.Add(int64(len(b)))
	return p.NodeAwareTransport.WriteToAddress(b, addr)
}

func (p *packets) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if p.silent.Load() {
		time.Sleep(timeout)
		return nil, net.ErrClosed
	}
	c, err := p.NodeAwareTransport.DialAddressTimeout(addr, timeout)
	if err != nil {
		return nil, err
	}
	return &countedStream{c, p}, nil
}

// countedStream counts both directions at the end that dialed.
type countedStream struct {
	net.Conn
	p *packets
}

func (c *countedStream) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.p.bytes.Add(int64(n))
	return n, err
}

func (c *countedStream) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.p.bytes.Add(int64(n))
	return n, err
}
