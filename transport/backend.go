package transport

import (
	"context"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
)

// Backend is what the server asks of the node behind it. All methods are
// called concurrently. A request reaches it only when its signature, form,
// sizes, cluster, settings and receiver are right; what is in the events is
// for the backend to verify.
//
// An error that is an *Error goes to the caller as it is; any other one is
// logged and becomes a 500 without its text.
type Backend interface {
	// Identity says who this node is, for the checks above. It must be cheap.
	Identity() Identity

	// Join, Sync and Probe answer other nodes. The request belongs to the
	// backend, but the events in it share memory with each other. Whatever is
	// zero in the header of the answer is filled in.
	Join(ctx context.Context, req *JoinRequest) (*JoinResponse, error)
	Sync(ctx context.Context, req *SyncRequest) (*SyncResponse, error)
	Probe(ctx context.Context, req *ProbeRequest) (*ProbeResponse, error)

	// Health says whether this node can do its work.
	Health() Health
	// Ready says whether it may be sent work, or why not.
	Ready() (ready bool, why string)

	// Cluster returns the state as one JSON object, now or at a past point,
	// and the digest of it (without quotes) as ETag. body must not be changed
	// afterwards; it may be shared by calls.
	Cluster(ctx context.Context, at string) (body []byte, etag string, err error)
	// Events yields the events that match q in this node's order. With Follow
	// it goes on until ctx ends, else it ends with what is there. It must end
	// soon after ctx does. An error is yielded once, at the end.
	Events(ctx context.Context, q EventsQuery) iter.Seq2[events.Event, error]
}

// Identity is what the server must know to refuse what is not meant for it.
type Identity struct {
	Cluster  string               // name of the cluster
	Config   uint64               // hash of Settings and whatever else all nodes must agree on
	Node     string               // id of this node
	Log      events.LogID         // which this node writes now
	Settings events.ClusterConfig // to name what differs
}

// Health is the answer to GET /health: 200 when OK, else 503.
type Health struct {
	OK      bool     `json:"ok"`
	Reasons []string `json:"reasons,omitempty"` // what is not as it should be, even when OK
}

// EventsQuery says which events are wanted.
type EventsQuery struct {
	After  events.Vector // only events that it does not cover
	Types  []string      // only events of these types; empty for all
	Node   string        // only events about or caused by this node; empty for all
	Limit  int           // at most so many; 0 for all
	Follow bool          // go on with new events as they come
}
