package transport

import "time"

// Hooks are called for whoever measures. Each may be nil, must be safe for
// concurrent use and must not block.
type Hooks struct {
	// Request is called when a server has answered. The handler is the first
	// part of the path, or "other"; received and sent are the bytes of the
	// request and of the answer, headers included. They are counted from the
	// parsed headers and the bodies, so what TLS adds is not in them.
	Request func(handler string, status int, took time.Duration, received, sent int)
	// Exchange is called when a client's request is over. The kind is "join",
	// "sync" or "probe"; the result is that of Result; sent and received are
	// what passed over the connection since its last exchange, counted below
	// TLS, its handshake included.
	Exchange func(kind, result string, took time.Duration, sent, received int)
	// Panic is called when a handler panicked; the request was answered with
	// 500 or cut off.
	Panic func(handler string, value any, stack []byte)
}

func (h *Hooks) request(handler string, status int, took time.Duration, received, sent int) {
	if h.Request != nil {
		h.Request(handler, status, took, received, sent)
	}
}

func (h *Hooks) exchange(kind, result string, took time.Duration, sent, received int) {
	if h.Exchange != nil {
		h.Exchange(kind, result, took, sent, received)
	}
}

func (h *Hooks) panicked(handler string, value any, stack []byte) {
	if h.Panic != nil {
		h.Panic(handler, value, stack)
	}
}
