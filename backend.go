package clusterkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/metrics"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/transport"
)

// backend answers the requests of other nodes and of people. It is the
// ClusterKit itself under another name, so that these methods are not part of
// the public face.
type backend ClusterKit

func (b *backend) ck() *ClusterKit { return (*ClusterKit)(b) }

// Identity says who this node is.
func (b *backend) Identity() transport.Identity {
	ck := b.ck()
	return transport.Identity{Cluster: ck.config.ClusterName, Config: ck.settings, Node: ck.opt.NodeID,
		Log: ck.log.Identity().Log, Settings: *settings(ck.config)}
}

// Join answers a node that introduces itself.
func (b *backend) Join(ctx context.Context, req *transport.JoinRequest) (*transport.JoinResponse, error) {
	ck := b.ck()
	k := ck.known().knowledge
	if err := ck.refuse(req.Header); err != nil {
		return nil, err
	}
	if err := ck.admit(ctx, k, req); err != nil {
		return nil, err
	}
	if !k.spoken && req.From != ck.opt.NodeID {
		ck.knocks.heard(req.Node.Addr)
	}
	resp := &transport.JoinResponse{Header: ck.header(req.From), Digest: k.digest, Spoken: k.spoken}
	for i := range k.cluster.Nodes {
		n := &k.cluster.Nodes[i]
		resp.Members = append(resp.Members, transport.Member{ID: n.ID, Addr: n.Addr, Status: string(n.Status),
			Incarnation: n.Incarnation, Log: n.Log})
	}
	return resp, nil
}

// admit refuses who bears the name of a node that lives.
func (ck *ClusterKit) admit(ctx context.Context, k *knowledge, req *transport.JoinRequest) error {
	if req.Protocol != protocol {
		return transport.Errorf(http.StatusUpgradeRequired, transport.ErrorProtocol,
			"this node speaks protocol %d, the request %d", protocol, req.Protocol)
	}
	if req.From == ck.opt.NodeID {
		if req.Node.StartedAt == ck.process {
			return nil // this process itself, through one of its known addresses
		}
		return transport.Errorf(http.StatusConflict, transport.ErrorDuplicateNode,
			"node id %q is this node's own; give the other process another one", req.From)
	}
	n, ok := k.cluster.Node(req.From)
	switch {
	case !ok, n.Log == req.FromLog && n.Addr == req.Node.Addr:
		return nil // nobody else can be at its address
	case n.Status != projection.StatusAlive && n.Status != projection.StatusSuspected:
		return nil
	}
	// The name is taken by a node that looks alive: ask it. No answer means
	// that this is its replacement, or the node itself at another address; the
	// process that asks may also be the one that answers.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	resp, err := ck.client.Probe(ctx, n.Addr, &transport.ProbeRequest{Header: ck.header(n.ID), Digest: k.digest})
	if err == nil && resp.Process != req.Node.StartedAt && (resp.Process != 0 || resp.FromLog != req.FromLog) {
		return transport.Errorf(http.StatusConflict, transport.ErrorDuplicateNode,
			"node id %q is in use by the node at %s, which answers", req.From, n.Addr)
	}
	return nil
}

// Sync takes what a peer brings and answers with what it lacks. A removed node
// may bring nothing, but it may ask: so it finds the event that removed it.
func (b *backend) Sync(ctx context.Context, req *transport.SyncRequest) (*transport.SyncResponse, error) {
	ck := b.ck()
	if err := ck.gone(); err != nil {
		return nil, err
	}
	removed := ck.toldRemoved(req.Header)
	if removed != nil && (len(req.Events) > 0 || len(req.Snapshot) > 0) {
		return nil, removed
	}
	if len(req.Snapshot) > 0 {
		if err := ck.merge(ctx, req.Snapshot); errors.Is(err, projection.ErrSnapshot) {
			return nil, transport.Errorf(http.StatusBadRequest, transport.ErrorBadRequest, "%v", err)
		} else if err != nil {
			return nil, unavailable(err)
		}
	}
	var in ingested
	if len(req.Events) > 0 {
		ck.metrics.SyncReceivedEvents(len(req.Events))
		var err error
		if in, err = ck.ingest(ctx, req.Events); err != nil {
			return nil, unavailable(err)
		}
		ck.ingestedFrom(ctx, req.From, in)
	}
	k := ck.known().knowledge
	resp := &transport.SyncResponse{Header: ck.header(req.From), Digest: k.digest, Spoken: k.spoken, Acks: k.acks(req.Events)}
	c := claim{digest: req.Digest, given: req.HasVector, heads: req.Vector, within: req.Within, buckets: req.Buckets}
	if removed == nil {
		ck.noteClaim(ctx, k, req)
	} else { // it is believed that its own log has forked, or the state that it gets would hide that from it
		ck.sawForks(ctx, forksOf(req.FromLog, k.forks(req.Vector)))
	}
	if in.void > 0 { // tell the peer so, or it would send them for ever
		ck.metrics.FullTransfer(metrics.TransferForked)
		resp.HasVector = true
		return ck.answerWithState(ctx, resp)
	}
	a := k.answer(&c, ck.log.Identity().Log)
	if a.equal {
		ck.peers.equal(req.From, k, ck.now())
		resp.Code, resp.Acks = transport.CodeEqual, nil
		return resp, nil
	}
	resp.HasVector = true
	if removed != nil && req.Digest.Forked+k.digest.Forked > 0 {
		// It wants to see that, and the order may stand in a log that has forked, of
		// which no range brings it. Where none has, ranges show whether one did.
		ck.metrics.FullTransfer(metrics.TransferRemoved)
		return ck.answerWithState(ctx, resp)
	}
	resp.Vector, resp.Within = k.reply(&c)
	switch {
	case a.needVector:
		resp.Code = transport.CodeNeedVector
		return resp, nil
	case a.merge:
		if k.justLearnt(req.FromLog) {
			ck.metrics.FullTransfer(metrics.TransferForked)
		} else {
			ck.diverged(req.From, k.digest, req.Digest)
		}
		return ck.answerWithState(ctx, resp)
	}
	var err error
	resp.Code = transport.CodeData
	if resp.Events, resp.More, err = ck.page(a.spans); errors.Is(err, eventlog.ErrCompacted) {
		ck.metrics.FullTransfer(metrics.TransferCompacted)
		return ck.answerWithState(ctx, resp)
	}
	ck.sawForks(ctx, severed(resp.Events, req.Vector))
	ck.metrics.SyncSentEvents(len(resp.Events))
	return resp, err
}

// noteClaim takes a peer's word for what it holds.
func (ck *ClusterKit) noteClaim(ctx context.Context, k *knowledge, req *transport.SyncRequest) {
	ck.peers.raiseHas(req.From, headsOf(req.Events))
	switch {
	case !req.HasVector:
		return
	case req.Within == 0:
		ck.peers.replaceHas(req.From, req.Vector)
	default:
		ck.peers.raiseHas(req.From, req.Vector)
	}
	ck.sawForks(ctx, k.forks(req.Vector))
}

// answerWithState sends the whole state, for ranges do not help.
func (ck *ClusterKit) answerWithState(ctx context.Context, resp *transport.SyncResponse) (*transport.SyncResponse, error) {
	whole, err := ask(ctx, ck, func(r *replica, _ int64) (transport.SyncResponse, error) {
		k := r.know()
		return transport.SyncResponse{Snapshot: r.state.AppendSnapshot(nil), Vector: k.heads, Digest: k.digest}, nil
	})
	if err != nil {
		return nil, unavailable(err)
	}
	resp.Code, resp.Events, resp.More = transport.CodeSnapshot, nil, false
	resp.Snapshot, resp.Vector, resp.Within, resp.Digest = whole.Snapshot, whole.Vector, 0, whole.Digest
	return resp, nil
}

// acks returns the heads of the logs that a batch touched.
func (k *knowledge) acks(batch []events.Event) []events.Head {
	touched := make(map[events.LogID]bool)
	var acks []events.Head
	for i := range batch {
		if log := batch[i].Log; !touched[log] {
			touched[log] = true
			acks = append(acks, events.Head{Log: log, Seq: k.seq(log)})
		}
	}
	slices.SortFunc(acks, func(a, b events.Head) int { return a.Log.Compare(b.Log) })
	return acks
}

// headsOf returns the last event of each log in a batch: who sent it has all
// that comes before, but not more.
func headsOf(batch []events.Event) []events.Head {
	last := make(map[events.LogID]events.Head)
	for i := range batch {
		last[batch[i].Log] = batch[i].Head()
	}
	return slices.Collect(maps.Values(last))
}

// unavailable turns an error of the writer into one that a peer understands.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return transport.Errorf(http.StatusServiceUnavailable, transport.ErrorUnavailable, "%v", err)
}

// Probe answers that this node lives; or asks a third one on behalf of the
// sender.
func (b *backend) Probe(ctx context.Context, req *transport.ProbeRequest) (*transport.ProbeResponse, error) {
	ck := b.ck()
	if err := ck.refuse(req.Header); err != nil {
		return nil, err
	}
	k := ck.known().knowledge
	resp := &transport.ProbeResponse{Header: ck.header(req.From), Digest: k.digest, Equal: req.Digest == k.digest, Process: ck.process}
	if n, ok := k.cluster.Node(ck.opt.NodeID); ok {
		resp.Incarnation = n.Incarnation
	}
	if ck.failed.Load() {
		resp.Degraded = "the log failed"
	} else if wait := ck.disk.underway(ck.now()); wait >= hung {
		resp.Degraded = fmt.Sprintf("the disk has not answered for %v", wait.Round(time.Second))
	}
	if req.Target != "" {
		resp.Reached = ck.reach(ctx, req)
		return resp, nil
	}
	if resp.Equal {
		ck.peers.equal(req.From, k, ck.now())
	}
	if req.Accused > 0 {
		return resp, unavailable(ck.accused(ctx, req))
	}
	return resp, nil
}

// Health says whether this node can do its work.
func (b *backend) Health() transport.Health {
	ck := b.ck()
	h := transport.Health{OK: ck.Err() == nil}
	if ck.failed.Load() {
		h.Reasons = append(h.Reasons, "the log failed: commands are refused until a restart")
	} else if !h.OK {
		h.Reasons = append(h.Reasons, ck.Err().Error())
	}
	if why := ck.degraded(); why != "" {
		h.Reasons = append(h.Reasons, "degraded: "+why)
	}
	if n := ck.divergences.Load(); n > 0 {
		h.Reasons = append(h.Reasons, fmt.Sprintf("%d times a peer with the same events had another state; repaired by merging", n))
	}
	if ck.isolated() {
		h.Reasons = append(h.Reasons, "isolated: other members are known and none is reachable")
	}
	return h
}

// Ready says whether this node may be sent work.
func (b *backend) Ready() (bool, string) {
	why := b.ck().notReady(b.ck().known().knowledge)
	return why == "", why
}

// Cluster returns the state as JSON, now or at a past point.
func (b *backend) Cluster(ctx context.Context, at string) (body []byte, etag string, err error) {
	ck := b.ck()
	c := ck.known().cluster
	if at != "" {
		if c, err = ck.clusterAt(ctx, at); err != nil {
			return nil, "", err
		}
	}
	body, err = json.Marshal(c)
	return body, c.Digest.String(), err
}

// Events yields the events that match a query, in this node's order.
func (b *backend) Events(ctx context.Context, q transport.EventsQuery) iter.Seq2[events.Event, error] {
	ck := b.ck()
	return func(yield func(events.Event, error) bool) {
		n := 0
		for e, err := range ck.events(ctx, q.After, q.Follow) {
			if err == nil && !ck.matches(&e, q) {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
			if n++; q.Limit > 0 && n >= q.Limit {
				return
			}
		}
	}
}

func (ck *ClusterKit) matches(e *events.Event, q transport.EventsQuery) bool {
	if len(q.Types) > 0 && !slices.Contains(q.Types, string(e.Type)) {
		return false
	}
	if q.Node == "" {
		return true
	}
	kind, key := events.SplitRegister(e.Register)
	about := key == q.Node && (kind == events.KindNode || kind == events.KindAccusation || kind == events.KindAdmin)
	return about || e.Actor == q.Node
}
