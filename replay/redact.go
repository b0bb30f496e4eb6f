package replay

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Redaction replaces the names in a history: of nodes, clusters, zones,
// addresses, operators, application types and keys, the words of reasons that
// this library does not use itself, and the bytes of application events and
// values. Numbers, ports, times, log IDs (a time and random bits) and what
// happened stay.
//
// The same name gets the same replacement everywhere, and under the same key in
// every bundle. As the names are part of what the chains sum up, every event is
// sealed anew: it links to the redacted event before it exactly when the
// original linked to the original before it. So a redacted history can be
// verified, compared and replayed like any other, a broken chain stays broken
// and a fork a fork; and who has the original and the key can make the redacted
// bundle again and compare, byte for byte.
//
// Where a log begins with a state, because what was before is not kept, the
// chains of that state are taken from a log of the bundle that has the events;
// if none has, they are derived from the original chains with the key, alike
// for all logs.
//
// Not safe for concurrent use.
type Redaction struct {
	key    []byte
	nodes  map[string]bool // ids of nodes, to find them in reasons
	chains map[events.Chain]events.Chain
	wanted map[events.Chain]bool // chains that states refer to
	told   map[events.Chain]bool // in this round of linkAll

	decoder events.Decoder
	state   *projection.State // the redacted fold of the log at hand
	heads   map[events.LogID]redactedHead
}

// redactedHead is how far a log has come.
type redactedHead struct {
	seq           uint64
	before, after events.Chain // the original and the redacted chain
}

// ErrRedaction is wrapped when logs cannot be held against each other because
// names were replaced in them with different keys, or in some of them only:
// nothing in them is equal, and that says nothing about the nodes.
var ErrRedaction = errors.New("names were not replaced with the same key")

// SameRedaction returns an error that wraps [ErrRedaction] unless the names in
// all sources were replaced with the same key, or in none.
func SameRedaction(sources ...*Source) error {
	for _, s := range sources {
		if a, b := sources[0], s; a.redacted != b.redacted {
			return fmt.Errorf("%w: %s %s, %s %s; redact the logs again, with one --redact-key",
				ErrRedaction, a.Name, cmp.Or(a.redacted, "as it was"), b.Name, cmp.Or(b.redacted, "as it was"))
		}
	}
	return nil
}

// NewRedaction learns the names of the sources. A redaction is for one bundle.
func NewRedaction(ctx context.Context, key []byte, sources ...*Source) (*Redaction, error) {
	r := &Redaction{key: key, nodes: make(map[string]bool), chains: make(map[events.Chain]events.Chain), wanted: make(map[events.Chain]bool)}
	for _, s := range sources {
		if err := r.learn(ctx, s); err != nil {
			return nil, err
		}
	}
	return r, r.linkAll(ctx, sources)
}

// linkAll finds what the wanted chains become. The log that reaches back
// furthest tells; where it begins may be what another one tells, so it takes
// some rounds until nothing changes.
func (r *Redaction) linkAll(ctx context.Context, sources []*Source) error {
	sources = slices.Clone(sources)
	slices.SortStableFunc(sources, func(a, b *Source) int { return cmp.Compare(a.Before(ctx), b.Before(ctx)) })
	for range sources {
		before := maps.Clone(r.chains)
		r.told = make(map[events.Chain]bool)
		for _, s := range sources {
			if err := r.link(ctx, s); err != nil {
				return err
			}
		}
		if maps.Equal(before, r.chains) {
			return nil
		}
	}
	return nil
}

// Fingerprint tells redactions with different keys apart, and says nothing
// about the key.
func (r *Redaction) Fingerprint() string { return hex.EncodeToString(r.mac("fingerprint", nil)[:8]) }

func (r *Redaction) mac(kind string, b []byte) []byte {
	m := hmac.New(sha256.New, r.key)
	m.Write([]byte(kind))
	m.Write([]byte{0})
	m.Write(b)
	return m.Sum(nil)
}

// learn collects node ids, and the chains that states refer to. Segments that
// begin with what is before them refer to nothing else, but the first.
func (r *Redaction) learn(ctx context.Context, s *Source) error {
	if s.node != "" {
		r.nodes[s.node] = true
	}
	first, err := s.feed.base(ctx, 0)
	if err == nil {
		r.want(first)
	}
	var damage *Damage
	for e, err := range s.Entries(ctx, 0) {
		switch {
		case errors.As(err, &damage):
		case err != nil:
			return err
		case e.IsEvent():
			r.learnNames(&e.Event)
		case !e.Base:
			if state, err := projection.ReadSnapshot(e.Snapshot); err == nil {
				r.want(state)
			}
		}
	}
	return nil
}

func (r *Redaction) want(s *projection.State) {
	for _, h := range s.Heads() {
		r.wanted[h.Chain] = true
	}
	for _, e := range s.Registers("") {
		r.wanted[e.Chain] = true
		r.learnNames(e)
	}
}

func (r *Redaction) learnNames(e *events.Event) {
	switch kind, key := events.SplitRegister(e.Register); kind {
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		r.nodes[key] = true
	case events.KindLog, events.KindCoordinator:
		switch p, _ := e.Payload(); p := p.(type) {
		case *events.LogOwner:
			r.nodes[p.Node] = true
		case *events.CoordinatorClaim:
			r.nodes[p.Node] = true
		}
	case events.KindCollected:
		if p, _ := e.Payload(); p != nil {
			if c, ok := p.(*events.Collection); ok {
				for _, text := range c.Nodes {
					if g, err := events.ParseGoneNode(text); err == nil {
						r.nodes[g.ID] = true
					}
				}
			}
		}
	case events.KindPartition:
		if p, _ := e.Payload(); p != nil {
			if a, ok := p.(*events.Assignment); ok {
				for _, id := range a.Replicas {
					r.nodes[id] = true
				}
			}
		}
	}
}

// link follows the chains of a log and notes the wanted ones.
func (r *Redaction) link(ctx context.Context, s *Source) error {
	r.begin()
	if base, err := s.feed.base(ctx, 0); err == nil {
		r.take(base)
	}
	var damage *Damage
	for e, err := range s.Entries(ctx, 0) {
		switch {
		case errors.As(err, &damage):
		case err != nil:
			return err
		case e.IsEvent():
			if _, err := r.event(&e.Event); err != nil {
				return err
			}
		case !e.Base:
			if state, err := projection.ReadSnapshot(e.Snapshot); err == nil {
				r.take(state)
			}
		}
	}
	return nil
}

// begin begins with a log.
func (r *Redaction) begin() {
	r.heads = make(map[events.LogID]redactedHead)
	r.state = projection.NewState()
}

// take goes on with what a state stands for.
func (r *Redaction) take(s *projection.State) {
	for _, h := range s.Heads() {
		if own := r.heads[h.Log]; own.seq < h.Seq {
			r.heads[h.Log] = redactedHead{h.Seq, h.Chain, r.chain(h.Chain)}
		}
	}
}

// chain returns what an original chain has become.
func (r *Redaction) chain(c events.Chain) events.Chain {
	if redacted, ok := r.chains[c]; ok {
		return redacted
	}
	return events.Chain(r.mac("chain", c[:])[:16])
}

// event redacts an event, which comes after those of its log before it.
func (r *Redaction) event(e *events.Event) (events.Event, error) {
	h, known := r.heads[e.Log]
	if !known {
		h = redactedHead{0, events.Genesis(e.Log), events.Genesis(e.Log)}
	}
	before := h.after
	if !e.Links(h.before) { // it must not link then either
		before = events.Chain(r.mac("broken", h.before[:])[:16])
	}
	redacted, err := events.Seal(r.rename(e), before)
	if err != nil {
		return redacted, err
	}
	if e.Seq > h.seq {
		r.heads[e.Log] = redactedHead{e.Seq, e.Chain, redacted.Chain}
	}
	if r.wanted[e.Chain] && !r.told[e.Chain] {
		r.chains[e.Chain], r.told[e.Chain] = redacted.Chain, true
	}
	return redacted, nil
}

// entry redacts a record.
func (r *Redaction) entry(e *Entry) (*Entry, error) {
	out := &Entry{Index: e.Index, Received: e.Received, File: e.File, Offset: e.Offset, Size: e.Size, Base: e.Base}
	if e.IsEvent() {
		if err := e.loaded(&r.decoder); err != nil {
			return nil, err
		}
		redacted, err := r.event(&e.Event)
		if err != nil {
			return nil, err
		}
		out.raw = redacted.Raw()
		r.state.Apply(&redacted)
		return out, nil
	}
	if e.Base && len(r.state.Heads()) > 0 { // what comes before, again
		out.Snapshot = r.state.AppendSnapshot(nil)
		return out, nil
	}
	if len(e.Snapshot) == 0 {
		out.Snapshot = e.Snapshot
		return out, nil
	}
	state, err := projection.ReadSnapshot(e.Snapshot)
	if err != nil {
		return nil, &Damage{File: e.File, Offset: e.Offset, From: e.Index, Until: e.Index + 1, Reason: err.Error()}
	}
	if state, err = r.snapshot(state); err != nil {
		return nil, err
	}
	out.Snapshot = state.AppendSnapshot(nil)
	r.state.Merge(state)
	return out, nil
}

// snapshot redacts a state. Its events are not followed: their chains are what
// they were found to be, or derived.
func (r *Redaction) snapshot(s *projection.State) (*projection.State, error) {
	r.take(s)
	var heads []projection.LogHead
	for _, h := range s.Heads() {
		h.Chain = r.chain(h.Chain)
		heads = append(heads, projection.LogHead{Head: h, Time: s.Time(h.Log)})
	}
	var owners []events.Event
	for _, e := range s.Registers("") {
		owner, err := withChain(r.rename(e), r.chain(e.Chain))
		if err != nil {
			return nil, err
		}
		owners = append(owners, owner)
	}
	return projection.Assemble(heads, owners)
}

// withChain makes an event whose chain is given: what it links to is not known.
func withChain(e events.Event, chain events.Chain) (events.Event, error) {
	sealed, err := events.Seal(e, events.Chain{})
	if err != nil {
		return sealed, err
	}
	raw := append([]byte(nil), sealed.Raw()...)
	copy(raw[len(raw)-len(chain):], chain[:])
	return events.Decode(raw)
}

// log redacts whose log it is.
func (r *Redaction) log(l BundleLog) BundleLog {
	redacted := r.Fingerprint()
	if l.Redacted != "" { // replacements were replaced
		redacted = l.Redacted + "+" + redacted
	}
	return BundleLog{Name: r.node(l.Name), Node: r.node(l.Node), Cluster: r.name("cluster", l.Cluster), Redacted: redacted, Extent: l.Extent}
}

// name replaces a name of some kind.
func (r *Redaction) name(kind, name string) string {
	if name == "" {
		return ""
	}
	return kind + "-" + hex.EncodeToString(r.mac(kind, []byte(name))[:4])
}

func (r *Redaction) node(id string) string { return r.name("node", id) }

func (r *Redaction) nodesOf(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = r.node(id)
	}
	return out
}

// noise replaces bytes by as many others.
func (r *Redaction) noise(b []byte) []byte {
	out := make([]byte, 0, len(b)+sha256.Size)
	for n := uint64(0); len(out) < len(b); n++ {
		out = append(out, r.mac("bytes", binary.BigEndian.AppendUint64(append([]byte(nil), b...), n))...)
	}
	return out[:len(b)]
}

// address keeps the port, if it is a number.
func (r *Redaction) address(addr string) string {
	host, port, ok := strings.Cut(addr, ":")
	if i := strings.LastIndexByte(addr, ':'); ok {
		host, port = addr[:i], addr[i+1:]
	}
	if addr == "" || !ok || strings.Trim(port, "0123456789") != "" {
		return r.name("host", addr)
	}
	return r.name("host", host) + ":" + port
}
