package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"
)

// ClientOptions says how other nodes are reached. The zero value works.
type ClientOptions struct {
	// DialContext makes connections. Default: TCP, within 2 s, and no proxy.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is used for all connections. Default: none.
	TLS *tls.Config
	// Secret signs requests and verifies answers; see ServerOptions.
	Secret string
	// HeaderTimeout bounds the wait for the beginning of an answer. Default:
	// 10 s.
	HeaderTimeout time.Duration
	// Timeout bounds a whole exchange whose context has no deadline. Default:
	// 30 s.
	Timeout time.Duration
	// IdlePerHost bounds the unused connections kept to one node. Default: 1.
	IdlePerHost int
	// Idle bounds the unused connections kept to all nodes together. Each has
	// two goroutines here and one or two there. Default: 8.
	Idle int
	// IdleTimeout closes a connection that was not used for so long. Default:
	// 15 s.
	IdleTimeout time.Duration
	// ConnsPerHost bounds the connections to one node, used or not; beyond it
	// requests wait. Default: 8.
	ConnsPerHost int
	// Brief reports whether the connection of a probe is to be closed after the
	// answer, because it will be long until the same node is probed again: an
	// idle connection costs some 30 KiB and four goroutines at both ends
	// together. Default: never.
	Brief func() bool
	// Hooks measure. Default: none.
	Hooks Hooks
}

const dialTimeout = 2 * time.Second

func (o ClientOptions) withDefaults() ClientOptions {
	if o.DialContext == nil {
		o.DialContext = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	for _, d := range []struct {
		option  *time.Duration
		Default time.Duration
	}{{&o.HeaderTimeout, 10 * time.Second}, {&o.Timeout, 30 * time.Second}, {&o.IdleTimeout, 15 * time.Second}} {
		if *d.option <= 0 {
			*d.option = d.Default
		}
	}
	for _, n := range []struct {
		option  *int
		Default int
	}{{&o.IdlePerHost, 1}, {&o.Idle, 8}, {&o.ConnsPerHost, 8}} {
		if *n.option <= 0 {
			*n.option = n.Default
		}
	}
	return o
}

// Client asks other nodes. It is safe for concurrent use. It follows no
// redirects, uses no proxy, and bounds what it reads.
type Client struct {
	opt       ClientOptions
	ring      keyring
	transport *http.Transport
	single    *http.Transport // makes a connection for every request
	scheme    string
}

// NewClient returns a client that keeps connections until Close.
func NewClient(o ClientOptions) *Client {
	o = o.withDefaults()
	c := &Client{opt: o, ring: newKeyring(o.Secret), scheme: "http"}
	if o.TLS != nil {
		c.scheme = "https"
	}
	c.transport = &http.Transport{
		Proxy: nil, DialContext: c.dial, TLSClientConfig: o.TLS.Clone(), TLSHandshakeTimeout: dialTimeout,
		DisableCompression: true, ResponseHeaderTimeout: o.HeaderTimeout, MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns: o.Idle, MaxIdleConnsPerHost: o.IdlePerHost, MaxConnsPerHost: o.ConnsPerHost,
		IdleConnTimeout: o.IdleTimeout,
	}
	c.transport.Protocols = new(http.Protocols)
	c.transport.Protocols.SetHTTP1(true)
	c.single = c.transport.Clone()
	c.single.DisableKeepAlives = true
	return c
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Join introduces this node to whoever is at addr. local is the local address
// of the connection that was used: what this node may advertise when it was
// not told an address.
func (c *Client) Join(ctx context.Context, addr string, req *JoinRequest) (resp *JoinResponse, local net.Addr, err error) {
	return c.JoinAt(ctx, addr, addr, req)
}

// JoinAt is Join at one address of a name: dial says where the connection goes,
// addr whom a certificate must name. Each call makes a connection of its own:
// one kept from an earlier call could lead to where the name no longer points.
func (c *Client) JoinAt(ctx context.Context, addr, dial string, req *JoinRequest) (resp *JoinResponse, local net.Addr, err error) {
	resp = new(JoinResponse)
	ctx = context.WithValue(ctx, dialKey{}, dial)
	if local, err = c.exchange(ctx, "join", addr, req, resp); err != nil {
		return nil, local, err
	}
	return resp, local, nil
}

// Sync exchanges events with the node req.To at addr. An equal digest comes
// back as it was sent.
func (c *Client) Sync(ctx context.Context, addr string, req *SyncRequest) (*SyncResponse, error) {
	resp := new(SyncResponse)
	if _, err := c.exchange(ctx, "sync", addr, req, resp); err != nil {
		return nil, err
	}
	if resp.Code == CodeEqual {
		resp.Digest = req.Digest
	}
	return resp, nil
}

// Probe asks the node req.To at addr whether it is there. An equal digest
// comes back as it was sent.
func (c *Client) Probe(ctx context.Context, addr string, req *ProbeRequest) (*ProbeResponse, error) {
	resp := new(ProbeResponse)
	if _, err := c.exchange(ctx, "probe", addr, req, resp); err != nil {
		return nil, err
	}
	if resp.Equal {
		resp.Digest = req.Digest
	}
	return resp, nil
}

// exchange makes one request and measures it.
func (c *Client) exchange(ctx context.Context, kind, addr string, req, resp Message) (net.Addr, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.opt.Timeout)
		defer cancel()
	}
	body, err := Marshal(Protobuf, req)
	if err != nil {
		return nil, err // ours, not the peer's
	}
	began := time.Now()
	var conn net.Conn
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { conn = info.Conn },
	})
	if err = c.roundTrip(ctx, kind, addr, body, req.header(), resp); err != nil {
		err = classify(ctx, err)
	}
	sent, received := countedSince(conn)
	c.opt.Hooks.exchange(kind, Result(err), time.Since(began), sent, received)
	if conn == nil {
		return nil, err
	}
	return conn.LocalAddr(), err
}

func (c *Client) roundTrip(ctx context.Context, kind, addr string, body []byte, asked *Header, resp Message) error {
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, c.scheme+"://"+addr+"/"+kind, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("transport: %w", err)
	}
	hr.Header = http.Header{
		"Content-Type": {mediaProtobuf},
		"User-Agent":   {""}, // none
	}
	hr.Close = kind == "probe" && c.opt.Brief != nil && c.opt.Brief()
	if kind != "join" {
		// It does no harm to send these twice, so net/http may try again when
		// a kept connection turns out to be dead. An empty list is not sent.
		hr.Header["Idempotency-Key"] = []string{}
	}
	var signed *signature
	if len(c.ring) > 0 {
		signed = c.ring.sign(hr.Method, hr.URL.RequestURI(), body, time.Now())
		hr.Header.Set("Authorization", signed.header())
	}
	via := c.transport
	if kind == "join" {
		via = c.single
	}
	answer, err := via.RoundTrip(hr)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return c.take(answer, signed, asked, resp)
}

// take reads an answer and makes sure that it is one of the intended node.
func (c *Client) take(answer *http.Response, signed *signature, asked *Header, resp Message) error {
	body, err := readGrowing(answer.Body, answer.ContentLength, answerLimit(answer, resp))
	if err != nil {
		if errors.Is(err, errTooLarge) {
			return fmt.Errorf("%w: %w", ErrBadResponse, err)
		}
		return fmt.Errorf("the answer was cut off: %w", err)
	}
	authentic := signed == nil || signed.verifies(answer.Header.Get(headerSignature), answer.StatusCode, body)
	if answer.StatusCode != http.StatusOK {
		return refusal(answer, body, authentic)
	}
	if !authentic {
		return fmt.Errorf("%w: it is not signed with our secret", ErrBadResponse)
	}
	if answer.Header.Get("Content-Type") != mediaProtobuf {
		return fmt.Errorf("%w: it is %q", ErrBadResponse, clip(answer.Header.Get("Content-Type")))
	}
	if err := Unmarshal(Protobuf, body, resp); err != nil {
		return fmt.Errorf("%w: %w", ErrBadResponse, err)
	}
	h := resp.header()
	if h.Cluster != asked.Cluster {
		return Errorf(http.StatusConflict, ErrorWrongCluster, "a node of cluster %q answered", h.Cluster)
	}
	if asked.To != "" && h.From != asked.To {
		return Errorf(http.StatusMisdirectedRequest, ErrorWrongNode, "node %q answered instead of %q", h.From, asked.To)
	}
	h.To, h.Config = asked.From, asked.Config // left out on the wire
	return nil
}

// answerLimit says how many bytes an answer may have. Only the answer to a
// sync that says it is a snapshot, at its beginning, may be large.
func answerLimit(answer *http.Response, resp Message) func([]byte) int64 {
	_, sync := resp.(*SyncResponse)
	return func(b []byte) int64 {
		switch {
		case answer.StatusCode != http.StatusOK:
			return maxError
		case sync && snapshotAhead(b):
			return MaxSnapshot
		}
		return MaxAnswer
	}
}

// refusal returns the error that an answer other than 200 is.
func refusal(answer *http.Response, body []byte, authentic bool) error {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil || e.Error == nil || answer.StatusCode < 400 ||
		checkText("code", string(e.Error.Code), 1, 64) != nil {
		return fmt.Errorf("%w: status %d without a reason of ours", ErrBadResponse, answer.StatusCode)
	}
	e.Error.Status = answer.StatusCode
	if checkText("message", e.Error.Message, 0, 4096) != nil { // it goes into logs
		e.Error.Message = strconv.QuoteToASCII(clip(e.Error.Message))
	}
	// What is refused before its signature is looked at comes unsigned. Of
	// that, these two are believed: whoever can forge them can as well keep
	// the true answer from coming.
	if !authentic && e.Error.Code != ErrorUnauthorized && e.Error.Code != ErrorBusy {
		return fmt.Errorf("%w: %w, and it is not signed with our secret", ErrBadResponse, errors.New(e.Error.Error()))
	}
	return e.Error
}

// classify adds what kind of failure err is.
func classify(ctx context.Context, err error) error {
	var e *Error
	var timeout net.Error
	switch {
	case errors.As(err, &e), errors.Is(err, ErrBadResponse):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%w: %w", ErrTimeout, err)
		}
		return fmt.Errorf("%w: %w: %w", ErrTimeout, context.DeadlineExceeded, err)
	case ctx.Err() != nil:
		return err // the caller gave up
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// Result names the outcome of an exchange in one word: "ok", "timeout",
// "refused" (unreachable, or too busy), "bad_response", "canceled", or the code
// of the *Error that came.
func Result(err error) string {
	var e *Error
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrTimeout):
		return "timeout"
	case errors.Is(err, ErrUnreachable), errors.Is(err, ErrBusy):
		return "refused"
	case errors.As(err, &e):
		return string(e.Code)
	case errors.Is(err, ErrBadResponse):
		return "bad_response"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "error"
}
