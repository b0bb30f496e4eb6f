package clusterkit

import (
	"net"
	"net/http"
	"time"

	"github.com/skshohagmiah/clusterkit/metrics"
	"github.com/skshohagmiah/clusterkit/transport"
)

// Handler returns the HTTP endpoints of this node, for an application that
// serves them on its own server: /health /ready /cluster /events /metrics for
// people, /join /sync /probe for other nodes.
func (ck *ClusterKit) Handler() http.Handler { return ck.handler }

func (ck *ClusterKit) serverOptions() transport.ServerOptions {
	return transport.ServerOptions{
		Metrics: ck.metrics.Handler(), Secret: ck.opt.Secret, TLS: ck.opt.TLS, Logger: ck.opt.Logger, Hooks: ck.hooks(),
	}
}

func (ck *ClusterKit) clientOptions() transport.ClientOptions {
	return transport.ClientOptions{
		Secret: ck.opt.Secret, TLS: ck.opt.TLS, DialContext: ck.opt.DialContext, Hooks: ck.hooks(),
		Brief: func() bool { return len(ck.known().cluster.Nodes) > everyone+1 },
	}
}

// hooks connects the conversation with the metrics; neither knows the other.
func (ck *ClusterKit) hooks() transport.Hooks {
	return transport.Hooks{
		Request: func(handler string, status int, took time.Duration, received, sent int) {
			ck.metrics.HTTPRequest(handler, status, took)
			if handler == "sync" {
				ck.metrics.SyncServer(resultOfStatus(status), took)
				ck.metrics.SyncReceivedBytes(received)
				ck.metrics.SyncSentBytes(sent)
			}
		},
		Exchange: func(kind, result string, took time.Duration, sent, received int) {
			if kind == "sync" {
				ck.metrics.SyncClient(result, took)
				ck.metrics.SyncReceivedBytes(received)
				ck.metrics.SyncSentBytes(sent)
			}
		},
		Panic: func(handler string, value any, stack []byte) {
			ck.opt.Logger.Error("a handler panicked", "handler", handler, "value", value, "stack", string(stack))
		},
	}
}

// resultOfStatus names the outcome of a request that this node answered.
func resultOfStatus(status int) string {
	switch {
	case status < 300:
		return metrics.ResultOK
	case status == http.StatusUnauthorized:
		return metrics.ResultUnauthorized
	case status == http.StatusConflict:
		return metrics.ResultWrongCluster
	case status == http.StatusMisdirectedRequest:
		return metrics.ResultWrongNode
	case status == http.StatusRequestEntityTooLarge:
		return metrics.ResultTooLarge
	case status == http.StatusServiceUnavailable:
		return metrics.ResultRefused
	case status < 500:
		return metrics.ResultBadRequest
	}
	return metrics.ResultError
}

// warnOpen says once, when others than this machine can reach the port, that
// nothing keeps strangers out.
func (ck *ClusterKit) warnOpen(listener net.Listener) {
	if listener == nil || ck.opt.Secret != "" || ck.opt.TLS != nil {
		return
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		ck.opt.Logger.Warn("listening beyond loopback without Options.Secret or Options.TLS: anybody who reaches the port can speak as any node",
			"addr", listener.Addr().String())
	}
}
