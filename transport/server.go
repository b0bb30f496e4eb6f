package transport

import (
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

// Limits of a server, all enforced before memory is taken for what they limit.
const (
	MaxJoinBody  = 64 << 10 // bytes of a request to join
	MaxSyncBody  = 4 << 20
	MaxProbeBody = 4 << 10
	maxHeader    = 8 << 10

	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second // of the whole request
	writeTimeout      = 30 * time.Second // of the answer; a stream has as long for each piece
	idleTimeout       = 90 * time.Second // longer than clients keep a connection
	hangUpAfter       = time.Second      // of a refused body
)

// ServerOptions says how requests are answered. The zero value works.
type ServerOptions struct {
	// Heavy bounds the requests in flight that cost memory or disk: join,
	// sync, cluster?at, events. Beyond it the answer is 503. Default: 16.
	Heavy int
	// Light bounds all other requests in flight. Default: 256.
	Light int
	// Streams bounds the live streams of events. Default: 64.
	Streams int
	// Secret signs and verifies; see the package documentation. Several,
	// separated by newlines, are accepted. Default: nothing is signed.
	Secret string
	// TLS is used by the server that NewServer returns. Default: none.
	TLS *tls.Config
	// Metrics answers GET /metrics. Default: 404.
	Metrics http.Handler
	// Logger receives every request at debug, and what went wrong inside at
	// error. Default: none.
	Logger *slog.Logger
	// Hooks measure. Default: none.
	Hooks Hooks
}

func (o ServerOptions) withDefaults() ServerOptions {
	if o.Heavy <= 0 {
		o.Heavy = 16
	}
	if o.Light <= 0 {
		o.Light = 256
	}
	if o.Streams <= 0 {
		o.Streams = 64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// NewServer returns a server for handler with the time-outs and the header
// limit of this package, and HTTP/1.1 only. With TLS, call its ServeTLS with
// empty file names.
func NewServer(handler http.Handler, o ServerOptions) *http.Server {
	o = o.withDefaults()
	s := &http.Server{
		Handler: handler, TLSConfig: o.TLS.Clone(), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	return s
}

// server answers requests. It is safe for concurrent use.
type server struct {
	backend Backend
	opt     ServerOptions
	ring    keyring
	used    nonces // of requests to join

	heavy, light, streams limiter
}

// NewHandler returns the endpoints of a node:
//
//	GET  /health  /ready  /cluster[?at=]  /events  /metrics
//	POST /join  /sync  /probe
func NewHandler(b Backend, o ServerOptions) http.Handler {
	o = o.withDefaults()
	s := &server{backend: b, opt: o, ring: newKeyring(o.Secret),
		heavy: make(limiter, o.Heavy), light: make(limiter, o.Light), streams: make(limiter, o.Streams)}
	r := mux.NewRouter().SkipClean(true)
	for _, route := range []struct {
		method, name string
		answer       func(*call) error
	}{
		{http.MethodGet, "health", s.health},
		{http.MethodGet, "ready", s.ready},
		{http.MethodGet, "cluster", s.cluster},
		{http.MethodGet, "events", s.events},
		{http.MethodGet, "metrics", s.metrics},
		{http.MethodPost, "join", s.join},
		{http.MethodPost, "sync", s.sync},
		{http.MethodPost, "probe", s.probe},
	} {
		methods := []string{route.method}
		if route.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		r.Path("/" + route.name).Methods(methods...).Handler(s.endpoint(route.name, route.answer))
		r.Path("/" + route.name).Handler(s.endpoint(route.name, func(c *call) error {
			c.w.Header().Set("Allow", strings.Join(methods, ", "))
			return Errorf(http.StatusMethodNotAllowed, ErrorMethodNotAllowed, "/%s takes %s", route.name, route.method)
		}))
	}
	r.NotFoundHandler = s.endpoint("other", func(c *call) error {
		return Errorf(http.StatusNotFound, ErrorNotFound, "no such path; there are /health, /ready, /cluster, /events, /metrics, /join, /sync and /probe")
	})
	return r
}

func (s *server) health(c *call) error {
	return c.guarded(s.light, func() error {
		h := s.backend.Health()
		if !h.OK {
			return c.json(http.StatusServiceUnavailable, h)
		}
		return c.json(http.StatusOK, h)
	})
}

func (s *server) ready(c *call) error {
	return c.guarded(s.light, func() error {
		answer := struct {
			Ready bool   `json:"ready"`
			Why   string `json:"why,omitempty"`
		}{}
		status := http.StatusOK
		if answer.Ready, answer.Why = s.backend.Ready(); !answer.Ready {
			status = http.StatusServiceUnavailable
		}
		return c.json(status, answer)
	})
}

func (s *server) metrics(c *call) error {
	if s.opt.Metrics == nil {
		return Errorf(http.StatusNotFound, ErrorNotFound, "this node serves no metrics here")
	}
	return c.guarded(s.light, func() error {
		s.opt.Metrics.ServeHTTP(c.w, c.r)
		return nil
	})
}

// cluster serves the state, with the digest as ETag.
func (s *server) cluster(c *call) error {
	if err := s.authorizeRead(c); err != nil {
		return err
	}
	q, err := query(c.r, "at")
	if err != nil {
		return err
	}
	class := s.light
	if q.Get("at") != "" {
		class = s.heavy
	}
	return c.guarded(class, func() error {
		body, etag, err := s.backend.Cluster(c.r.Context(), q.Get("at"))
		if err != nil {
			return err
		}
		if etag != "" {
			quoted := `"` + etag + `"`
			c.w.Header().Set("ETag", quoted)
			c.w.Header().Set("Cache-Control", "no-cache") // ask again, with the tag
			if matches(c.r.Header.Values("If-None-Match"), quoted) {
				c.w.WriteHeader(http.StatusNotModified)
				return nil
			}
		}
		return c.reply(http.StatusOK, mediaJSON, body)
	})
}

// matches implements If-None-Match (RFC 9110, 13.1.2).
func matches(header []string, etag string) bool {
	for _, line := range header {
		for tag := range strings.SplitSeq(line, ",") {
			if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

func (c *call) json(status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.reply(status, mediaJSON, append(b, '\n'))
}
