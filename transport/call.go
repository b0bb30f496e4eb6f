package transport

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// call is one request on its way through the server.
type call struct {
	w        *recorder
	r        *http.Request
	control  *http.ResponseController
	received int        // bytes of the body
	signed   *signature // of the request, once it is verified
}

// endpoint makes an http.Handler of what answers one kind of request.
func (s *server) endpoint(name string, answer func(*call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &call{w: &recorder{ResponseWriter: w}, r: r, control: http.NewResponseController(w)}
		defer func() {
			abort := s.recovered(name, c, recover())
			took := time.Since(began)
			s.opt.Hooks.request(name, c.w.status, took, requestSize(r)+c.received, c.w.sent)
			s.opt.Logger.Debug("request", "handler", name, "method", r.Method, "remote", r.RemoteAddr,
				"status", c.w.status, "took", took)
			if abort {
				panic(http.ErrAbortHandler) // net/http cuts the connection off
			}
		}()
		w.Header()["Date"] = nil // nobody needs it, and probes are counted in bytes
		if err := answer(c); err != nil {
			s.fail(name, c, err)
		}
	})
}

// fail answers with an error, if an answer has not begun yet.
func (s *server) fail(name string, c *call, err error) {
	e := s.explain(name, c, err)
	if c.w.status != 0 {
		return
	}
	if e.Status == http.StatusServiceUnavailable {
		c.w.Header().Set("Retry-After", "1")
	}
	_ = c.reply(e.Status, mediaJSON, e.encode()) // who asked is gone
}

// explain returns what to tell the caller about err, and logs what it must not
// be told.
func (s *server) explain(name string, c *call, err error) *Error {
	e := asError(err)
	if e.Code == ErrorInternal && c.r.Context().Err() == nil {
		s.opt.Logger.Error("request", "handler", name, "remote", c.r.RemoteAddr, "err", err)
	}
	return e
}

// recovered deals with a panic: a bug in one request must not end the node. It
// reports whether the connection has to be cut off because an answer had
// already begun.
func (s *server) recovered(name string, c *call, v any) (abort bool) {
	if v == nil {
		return false
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	s.panicked(name, v)
	if c.w.status != 0 {
		return true
	}
	s.fail(name, c, Errorf(http.StatusInternalServerError, ErrorInternal, "internal error; this node's log has more"))
	return false
}

// panicked reports a panic; the caller has just recovered from it.
func (s *server) panicked(name string, v any) {
	stack := debug.Stack()
	s.opt.Logger.Error("panic", "handler", name, "value", fmt.Sprint(v), "stack", string(stack))
	s.opt.Hooks.panicked(name, v, stack)
}

// reply sends a whole answer. It is signed when the request was.
func (c *call) reply(status int, contentType string, body []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if c.signed != nil {
		h.Set(headerSignature, c.signed.answer(status, body))
	}
	c.w.WriteHeader(status)
	if c.r.Method == http.MethodHead {
		return nil
	}
	_, err := c.w.Write(body)
	return err
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the answer begins
	sent   int // bytes, headers included
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
		w.sent = len("HTTP/1.1  \r\n\r\n") + 3 + len(http.StatusText(status)) + headerSize(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.sent += n
	return n, err
}

// Unwrap is for the http.ResponseController of a metrics handler.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// requestSize is the size of what came before the body.
func requestSize(r *http.Request) int {
	n := len(r.Method) + len("  \r\n\r\n") + len(r.RequestURI) + len(r.Proto) +
		len("Host: \r\n") + len(r.Host) + headerSize(r.Header)
	if r.ContentLength >= 0 && r.Header.Get("Content-Length") == "" && r.Method == http.MethodPost {
		n += len("Content-Length: \r\n") + len(strconv.FormatInt(r.ContentLength, 10))
	}
	return n
}

func headerSize(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return n
}
