package metrics

import (
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// handlers are the endpoints of a node, by the first part of their path. What
// was requested under another path counts as "other".
var handlers = []string{"health", "ready", "join", "sync", "probe", "cluster", "events", "metrics"}

// statusCodes are the codes with a series of their own, ascending. Another one
// counts in its class: "2xx".
var statusCodes = []int{200, 204, 206, 304, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 416, 421,
	426, 429, 431, 500, 501, 503, 504}

// httpBuckets reach from an answer out of memory to a long page of history. A
// live stream lasts longer than any of them.
var httpBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// endpoint is what is measured of one handler. The counters of codes come into
// being when the code first does, since most never do.
type endpoint struct {
	name     string
	requests *prometheus.CounterVec
	duration prometheus.Observer
	codes    []atomic.Pointer[prometheus.Counter] // of statusCodes, then of the classes
}

// statusClasses are the first digits of a code; the first is for what is none.
var statusClasses = []string{other, "1xx", "2xx", "3xx", "4xx", "5xx"}

func newEndpoints(b *builder) map[string]*endpoint {
	requests := b.counterVec("http_requests_total", "HTTP requests answered, by endpoint and status code.", "handler", "code")
	duration := b.histogramVec("http_request_duration_seconds",
		"Time from the receipt of an HTTP request to the end of its answer.", httpBuckets, "handler")
	all := make(map[string]*endpoint, len(handlers)+1)
	for _, name := range append(slices.Clone(handlers), other) {
		all[name] = &endpoint{name: name, requests: requests, duration: duration.WithLabelValues(name),
			codes: make([]atomic.Pointer[prometheus.Counter], len(statusCodes)+len(statusClasses))}
		all[name].count(200).Add(0)
	}
	return all
}

// HTTPRequest records a request that was answered. The handler is the first
// part of the path, without slashes: "sync".
func (m *Metrics) HTTPRequest(handler string, code int, d time.Duration) {
	if m == nil {
		return
	}
	e, ok := m.http[handler]
	if !ok {
		e = m.http[other]
	}
	e.count(code).Inc()
	observe(e.duration, d)
}

// count returns the counter of a code.
func (e *endpoint) count(code int) prometheus.Counter {
	i, own := slices.BinarySearch(statusCodes, code)
	if !own {
		i = len(statusCodes)
		if class := code / 100; code > 0 && class < len(statusClasses) {
			i += class
		}
	}
	if c := e.codes[i].Load(); c != nil {
		return *c
	}
	value := strconv.Itoa(code)
	if !own {
		value = statusClasses[i-len(statusCodes)]
	}
	c := e.requests.WithLabelValues(e.name, value) // the same one, however many ask at a time
	e.codes[i].Store(&c)
	return c
}
