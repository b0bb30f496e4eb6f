package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Source is an opened LOG: a data directory, a checkpoint, a bundle, a live
// node. Reading it changes nothing, and takes no lock that its owner would
// notice. Not safe for concurrent use.
type Source struct {
	Name string // as it was given to Open
	Kind Kind

	node, cluster string  // of its identity; "" when not known
	redacted      string  // fingerprint of the key with which names were replaced
	extent        *Extent // of a part of a log

	checkpoint func() ([]byte, error) // reads the file beside the log; nil when there can be none
	feed       feed
	registry   Registry
	names      *Names        // nil until asked for
	newest     events.Vector // of every origin; nil until asked for
	marks      map[int]marks // at the start of segments, as far as asked for
}

// Kind says what a LOG is.
type Kind string

// The kinds of LOG.
const (
	KindDirectory  Kind = "directory"  // a data directory, or its wal directory
	KindCheckpoint Kind = "checkpoint" // a cluster-state.json
	KindEvents     Kind = "events"     // JSON lines
	KindBundle     Kind = "bundle"     // what the command bundle writes
	KindNode       Kind = "node"       // http://host:port
	KindUnion      Kind = "union"      // several of them, merged; see Union
)

// Close gives back what reading took.
func (s *Source) Close() error { return s.feed.close() }

// Before returns how many events came before those that this log can show: of
// a checkpoint all, after retention those that were removed, and none of a log
// that is whole. Damage is not looked for.
func (s *Source) Before(ctx context.Context) (n uint64) {
	if state, err := s.feed.base(ctx, 0); err == nil {
		n = stoodFor(state)
	}
	return n
}

// Lacks reports whether events that came before those that this log can show may
// lie in the range and behind the limit of a query.
func (s *Source) Lacks(ctx context.Context, q *Query) bool {
	m, err := s.marksAt(ctx, 0)
	if err != nil || len(m) == 0 {
		return false
	}
	for i, p := range [...]Point{q.Range.From, q.Since} {
		var c cut
		switch {
		case p.IsZero():
			continue
		case i == 0:
			c, err = s.resolve(ctx, p, q.Axis)
		default:
			c, err = s.resolveBefore(ctx, p, q.Axis)
		}
		if err == nil && (c.known() || c.coversMarks(m)) {
			return false
		}
	}
	return true
}

// stoodFor returns how many events led to a state.
func stoodFor(state *projection.State) (n uint64) {
	for _, h := range state.Heads() {
		n += h.Seq
	}
	return n
}

// Entries yields the records from a local index on, in local order, until the
// end of what is there now. An entry is valid until the next one. A *Damage
// does not end the sequence; every other error does.
func (s *Source) Entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		var decoder events.Decoder
		for e, err := range s.feed.entries(ctx, from) {
			if err == nil && e.IsEvent() {
				err = e.load(&decoder)
			}
			if err != nil {
				e = nil
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Names returns whose logs are whose, as far as the end of the log knows.
func (s *Source) Names(ctx context.Context) (*Names, error) {
	if s.names != nil {
		return s.names, nil
	}
	names := &Names{registry: s.registry}
	var damage *Damage
	var decoder events.Decoder
	for e, err := range s.lastSegment(ctx, names.LearnState) {
		switch {
		case errors.As(err, &damage):
		case err != nil:
			return nil, err
		case e.IsEvent():
			if t := events.Type(e.typ); (t == events.LogStarted || t == events.LogForked) && e.load(&decoder) == nil {
				names.Learn(&e.Event)
			}
		case !e.Base:
			if state, err := projection.ReadSnapshot(e.Snapshot); err == nil {
				names.LearnState(state)
			}
		}
	}
	s.names = names
	return names, nil
}

// lastSegment gives the state at the start of the last segment to start, and
// yields its records. When that state cannot be read it begins earlier: damage
// is no reason to know nothing.
func (s *Source) lastSegment(ctx context.Context, start func(*projection.State)) iter.Seq2[*Entry, error] {
	segments := s.feed.segments()
	i := len(segments) - 1
	for ; i >= 0; i-- {
		if state, err := s.feed.base(ctx, i); err == nil {
			start(state)
			break
		}
	}
	return s.feed.entries(ctx, segments[max(i, 0)].first)
}

// find returns the event of that name, with where it is. It wraps ErrNotFound
// when the log does not hold it, and ErrNotKept when it must have held it once.
func (s *Source) find(ctx context.Context, id events.ID) (*Entry, error) {
	if u, ok := s.feed.(*union); ok {
		return u.find(ctx, id)
	}
	from, err := s.locate(ctx, id)
	if err != nil {
		return nil, err
	}
	var damage *Damage
	for e, err := range s.feed.entries(ctx, from) {
		switch {
		case errors.As(err, &damage):
		case err != nil:
			return nil, err
		case e.IsEvent() && e.id() == id:
			found := e.keep(nil)
			if err := found.load(new(events.Decoder)); err != nil {
				return nil, err
			}
			return &found, nil
		case e.IsEvent() && e.log == id.Log && e.seq > id.Seq && damage != nil:
			return nil, fmt.Errorf("%s: %w", id, damage)
		case e.IsEvent() && e.log == id.Log && e.seq > id.Seq:
			return nil, fmt.Errorf("%s: %w", id, ErrNotKept) // it came with a snapshot
		}
	}
	if damage != nil {
		return nil, fmt.Errorf("%s: %w", id, damage)
	}
	return nil, fmt.Errorf("%s: %w", id, ErrNotFound)
}

// locate returns a local index from which on an event must be found, if it is
// kept: the start of the last segment whose base does not hold it.
func (s *Source) locate(ctx context.Context, id events.ID) (uint64, error) {
	segments := s.feed.segments()
	lo, hi := 0, len(segments) // at the start of those before lo it is not held, from hi on it is
	for lo < hi {
		mid := (lo + hi) / 2
		m, err := s.marksAt(ctx, mid)
		if err != nil {
			return segments[0].first, nil // search everything
		}
		if m[id.Log].seq >= id.Seq {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == 0 {
		return 0, fmt.Errorf("%s: %w", id, ErrNotKept)
	}
	return segments[lo-1].first, nil
}

// incomplete says what its list of segments shows to be wrong with a log,
// without reading it: one is missing, or has not the size it had.
func (s *Source) incomplete() *Damage {
	if d, ok := s.feed.(*directory); ok {
		return d.incomplete
	}
	return nil
}

// Node returns the node whose log this is, or "" when that is not known.
func (s *Source) Node() string { return s.node }

// ClusterName returns the cluster that the log belongs to, or "" when that is
// not known.
func (s *Source) ClusterName() string { return s.cluster }

// Checkpoint returns the checkpoint that stands beside the log, or nil when
// there is none. Its error says that there is one and it cannot be read.
func (s *Source) Checkpoint() (*projection.Checkpoint, error) {
	if s.checkpoint == nil {
		return nil, nil
	}
	b, err := s.checkpoint()
	if err != nil || b == nil {
		return nil, err
	}
	return projection.DecodeCheckpoint(b)
}
