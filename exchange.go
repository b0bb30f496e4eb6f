package clusterkit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/transport"
)

// Bounds of one page of events, in a request and in an answer.
const (
	pageEvents = 4096
	pageBytes  = 1 << 20
	chunk      = 256 // events of one log before the next log has its turn
	unasked    = 64  // events of a first page, before the peer was asked what it holds by now
	maxPages   = 64  // of one exchange; the rest goes with the next
)

// pullDelay is how long a node waits for what a peer was seen to have, since
// it is most likely on its way already.
const pullDelay = 40 // ms

// mode says what an exchange is for.
type mode uint8

const (
	push    mode = iota // bring what the peer lacks; fetch later what it has
	compare             // find out whether both know the same, and see to it
	pull                // fetch what the peer has, and bring what it lacks
	look                // fetch what the peer has, and bring nothing
)

// exchange talks to one peer until both know the same or there is nothing more
// to say: what one lacks of the other travels in pages, each durable before
// the next. It is stateless, so it may be cut off anywhere and begun again.
func (ck *ClusterKit) exchange(ctx context.Context, to target, m mode) error {
	asking := m == pull || m == look
	var part part
	var brought, owed bool // the whole state, once
	for page := range maxPages {
		asked := ck.now()
		k := ck.known().knowledge
		has := ck.peers.has(to.id)
		req := &transport.SyncRequest{Header: ck.header(to.id), Digest: k.digest}
		var spans []span
		if has != nil && m != look {
			spans = k.beyond(has, ck.log.Identity().Log)
		}
		if has == nil || page == 0 && count(spans) > unasked {
			spans = nil // ask before telling; to compare, the digest is enough at first
			asking = page > 0 || m != compare
		}
		told, _, err := ck.page(spans)
		if err != nil && !errors.Is(err, eventlog.ErrCompacted) {
			return err
		}
		req.Events = told
		whole := owed || err != nil && len(told) == 0 && k.unheard(has, ck.log.Identity().Log)
		if whole {
			if req.Snapshot, err = ck.snapshot(ctx); err != nil {
				return err
			}
		}
		c := k.claim(asking, part)
		req.HasVector, req.Vector, req.Within, req.Buckets = c.given, c.heads, c.within, c.buckets
		resp, err := ck.sendSync(ctx, to, req)
		if err != nil {
			if m != look {
				ck.heed(ctx, err, to)
			}
			return err
		}
		in, err := ck.takeAnswer(ctx, to, k, asked, &c, resp)
		if err != nil || resp.Code == transport.CodeEqual || m == look && len(resp.Snapshot) > 0 {
			return err
		}
		// Who sends what is void here does not know that its log has forked, and
		// may know of nobody to ask.
		brought = brought || whole
		owed = in.void && !brought && m != look
		if c.buckets != nil {
			part.known, part.within = true, resp.Within
		}
		now := ck.known().knowledge
		theirs := ck.peers.has(to.id)
		fetch := resp.More || now.lacks(theirs) || m != push && now.mayFork(resp.Digest)
		if fetch && m == push {
			ck.peers.wantPull(to.id, ck.now()+pullDelay)
			ck.spread.wake()
			fetch = false
		}
		// Where logs have forked, ranges are not all: who learns must have the state
		// too before it speaks. Asking again makes sense after an answer that brought
		// something, or when nothing was asked yet; bringing more, when something was brought
		// and taken or the peer was asked first: who takes nothing holds another branch of
		// that log, and finds that out in its own time. What is known here and no longer
		// kept the peer gets as a state, when it asks, or at once when that is of this
		// node's own log: it may not know where to ask. What this node has learnt
		// meanwhile it tells in its own time.
		fetch = fetch && (in.progress || !c.given)
		rest := count(k.beyond(theirs, events.LogID{}))
		useless := len(told) > 0 && rest >= count(spans) // it took nothing
		bring := m != look && (len(spans) == 0 || len(told) > 0 || whole) && !useless && rest > 0
		if !fetch && !bring && !owed {
			return nil
		}
		asking = fetch
	}
	return nil
}

// sendSync makes one request and measures it.
func (ck *ClusterKit) sendSync(ctx context.Context, to target, req *transport.SyncRequest) (*transport.SyncResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	began := time.Now()
	resp, err := ck.client.Sync(ctx, to.addr, req)
	if err != nil {
		return nil, fmt.Errorf("sync with %s at %s: %w", to.id, to.addr, err)
	}
	ck.metrics.SyncSentEvents(len(req.Events))
	ck.noteWall(to.id, resp.Header.Wall, began)
	return resp, nil
}

// taken is what an answer brought: anything new, events of logs that are known
// here as forked.
type taken struct{ progress, void bool }

// takeAnswer learns from the answer to a claim made when this node knew k.
func (ck *ClusterKit) takeAnswer(ctx context.Context, to target, k *knowledge, asked int64, c *claim, resp *transport.SyncResponse) (taken, error) {
	ck.metrics.PeerSeen(to.id)
	if resp.Code == transport.CodeEqual {
		ck.peers.equal(to.id, k, asked)
		return taken{}, nil
	}
	if resp.HasVector {
		if held, ok := k.heldBy(c, resp.Vector, resp.Within); ok {
			ck.peers.replaceHas(to.id, held)
		} else {
			ck.peers.raiseHas(to.id, resp.Vector)
		}
		ck.sawForks(ctx, k.forks(resp.Vector))
	}
	ck.peers.raiseHas(to.id, resp.Acks)
	if len(resp.Snapshot) > 0 {
		if resp.Digest.Vector == k.digest.Vector {
			ck.diverged(to.id, k.digest, resp.Digest)
		}
		if err := ck.merge(ctx, resp.Snapshot); err != nil {
			return taken{}, fmt.Errorf("merge the state of %s: %w", to.id, err)
		}
		return taken{progress: true}, nil
	}
	if len(resp.Events) == 0 {
		return taken{}, nil
	}
	ck.metrics.SyncReceivedEvents(len(resp.Events))
	in, err := ck.ingest(ctx, resp.Events)
	ck.ingestedFrom(ctx, to.id, in)
	return taken{in.accepted > 0, in.void > 0}, err
}

// page reads events for a peer.
func (ck *ClusterKit) page(spans []span) (page []events.Event, more bool, err error) {
	return fillPage(spans, fullPage, ck.log.Range)
}

// pageSize bounds one page, and how many events of one log go before the next
// log has its turn.
type pageSize struct{ events, bytes, chunk int }

var fullPage = pageSize{pageEvents, pageBytes, chunk}

// fillPage reads whole runs of events, log by log in turn, as many as fit into
// a page. more says that it does not hold all. It reads through a function, so
// that a simulator can bring its own disk.
func fillPage(spans []span, size pageSize, read func(log events.LogID, from uint64, n, bytes int) ([]events.Event, error)) (page []events.Event, more bool, err error) {
	bytes := 0
	for len(spans) > 0 {
		rest := spans[:0:0]
		for _, s := range spans {
			if len(page) >= size.events || bytes >= size.bytes {
				return page, true, nil
			}
			n := min(size.chunk, size.events-len(page), int(s.to-s.from))
			run, err := read(s.log, s.from, n, size.bytes-bytes)
			if err != nil {
				return page, true, err
			}
			for i := range run {
				bytes += len(run[i].Raw())
			}
			page = append(page, run...)
			if s.from += uint64(len(run)); s.from < s.to {
				if len(run) == 0 {
					return page, true, nil // the next event does not fit any more
				}
				rest = append(rest, s)
			}
		}
		spans = rest
	}
	return page, false, nil
}

// header says who speaks to whom.
func (ck *ClusterKit) header(to string) transport.Header {
	return transport.Header{Cluster: ck.config.ClusterName, Config: ck.settings, From: ck.opt.NodeID,
		FromLog: ck.log.Identity().Log, To: to, Wall: time.Now().UnixMilli()}
}

// retryDelay is about how long a node waits before it troubles a busy peer
// again, in milliseconds.
const retryDelay = 50

// exchangeFailed sees to it that what was not said will be: a busy peer is
// asked again soon, one that cannot be reached is probed now. Everything else
// is left to the next comparison.
func (ck *ClusterKit) exchangeFailed(to target, err error) {
	switch {
	case errors.Is(err, transport.ErrBusy):
		ck.peers.wantRetry(to.id, ck.now()+retryDelay+rand.Int64N(2*retryDelay))
		ck.spread.wake()
	case errors.Is(err, transport.ErrUnreachable):
		ck.prober.doubt(to.id)
	}
}

// talk runs an exchange with a peer, once more when that was asked for
// meanwhile, and never two at a time with the same peer.
func (ck *ClusterKit) talk(to target, m mode) {
	if !ck.peers.begin(to.id, ck.now()) {
		return
	}
	ck.run(func() {
		for {
			err := ck.exchange(ck.ctx, to, m)
			if err != nil && ck.ctx.Err() == nil {
				ck.opt.Logger.Debug("exchange", "peer", to.id, "addr", to.addr, "err", err)
				ck.exchangeFailed(to, err)
			}
			if !ck.peers.end(to.id, err == nil, ck.now()) {
				return
			}
			m = push
		}
	})
}
