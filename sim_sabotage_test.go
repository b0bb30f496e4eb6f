package clusterkit

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"google.golang.org/protobuf/encoding/protowire"
)

// sabotage is a mistake of one line that somebody could make. The simulator
// must find each of them: that is how it shows that it can fail.
type sabotage uint8

const (
	sabotageNone      sabotage = iota
	sabotageReplace            // a state that is received replaces the own one
	sabotageGaps               // events are taken though some before them are missing
	sabotageSendFirst          // events are published and sent before they are durable
	sabotageNoChain            // events are taken without looking at the chain
	sabotageFastClock          // events from a clock that is ahead are dropped
	sabotageAge                // a tombstone is collected for its age alone
	sabotageApart              // the vector is saved at another moment than the state
	sabotageLate               // values are forgotten up to now, not up to the floor that was announced
	sabotageOpen               // the logs of who was removed and is forgotten are not closed
	sabotageUnheard            // a member that is not known to have heard of the floor is not waited for
	sabotageDeaf               // a removed node does not heed that it is told so
)

var sabotages = []struct {
	sabotage sabotage
	name     string
	from     uint64 // where to begin, for none of many before finds it: SIMULATION.md says how many
}{
	{sabotageReplace, "a received state replaces the own one", 1},
	{sabotageGaps, "gaps are accepted", 1},
	{sabotageSendFirst, "sent before it is synced", 1},
	{sabotageNoChain, "the chain is not checked", 1},
	{sabotageFastClock, "events of a fast clock are dropped", 1},
	{sabotageAge, "a tombstone is collected for its age alone", 1},
	{sabotageApart, "the vector is saved apart from the state", 1},
	{sabotageLate, "forgotten up to now, not up to the announced floor", 830},
	{sabotageOpen, "logs of who was removed are not closed", 1910},
	{sabotageUnheard, "who has not heard of the floor is not waited for", 720},
	{sabotageDeaf, "who was removed does not heed it", 350},
}

// ingest is replica.ingest, or a bad imitation of it.
func (s sabotage) ingest(r *replica, wall int64, batch []events.Event) ingested {
	switch s {
	case sabotageFastClock:
		var kept []events.Event
		for _, e := range batch {
			if e.Time.Millis() <= wall+events.MaxSkew {
				kept = append(kept, e)
			}
		}
		return r.ingest(wall, kept)
	case sabotageGaps, sabotageNoChain:
		var in ingested
		for i := range batch {
			e := &batch[i]
			head := r.head(e.Log)
			gap := s == sabotageGaps && e.Seq > head.Seq+1
			unlinked := s == sabotageNoChain && e.Seq == head.Seq+1 && !e.Links(head.Chain)
			if !gap && !unlinked {
				one := r.ingest(wall, batch[i:i+1])
				in.accepted += one.accepted
				in.duplicates += one.duplicates
				if s != sabotageNoChain {
					in.broken = append(in.broken, one.broken...)
				}
				continue
			}
			if gap {
				r.state.Merge(simHeads(events.Head{Log: e.Log, Seq: e.Seq - 1}, e.Time-1))
			}
			r.stage(*e)
			r.clock.Observe(e.Time, wall)
			in.accepted++
		}
		return in
	}
	return r.ingest(wall, batch)
}

// forget is replica.forget, or a bad imitation of it.
func (s sabotage) forget(r *replica, now, wall, forkedAt int64, inStep func(node string) int64) error {
	always := func(string) int64 { return never }
	switch s {
	case sabotageAge:
		return r.forget(now, wall, simForgetAfter, -never, always)
	case sabotageUnheard:
		return r.forget(now, wall, simForgetAfter, forkedAt, always)
	}
	if err := r.forget(now, wall, simForgetAfter, forkedAt, inStep); err != nil || s != sabotageOpen && s != sabotageLate {
		return err
	}
	i := slices.IndexFunc(r.staged, func(e events.Event) bool { return e.Type == events.TombstonesCollected })
	if i < 0 {
		return nil
	}
	e := r.staged[i]
	p, err := e.Payload()
	if err != nil {
		return err
	}
	body := p.(*events.Collection)
	switch {
	case s == sabotageOpen && body.Kind == events.KindNode:
		for i, text := range body.Nodes {
			body.Nodes[i] = strings.ReplaceAll(text, "!", "")
		}
	case s == sabotageLate && body.Kind == events.KindValue:
		now := r.state.Vector()
		floor, _, _ := r.state.Tombstones()
		body = projection.Forget(body.Kind, max(floor, body.Floor), r.atLeast(now), r.state.Stable(now), r.state.Authors(), body.Reason)
	default:
		return nil
	}
	r.unstage(i)
	again := events.Event{Type: e.Type, Register: e.Register, Version: e.Version, Cause: e.Cause, Body: events.Encode(body)}
	if body.Kind == events.KindNode {
		again.Register = events.GoneRegister(body.Nodes)
	}
	_, err = r.emit(wall, again)
	return err
}

// simHeads returns a state that claims a head and knows nothing else: what a
// mistake makes of a vector.
func simHeads(h events.Head, t events.Timestamp) *projection.State {
	b := []byte{1 << 3, 1, 2<<3 | 2, 48}
	b = append(b, h.Log[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(t))
	b = append(b, h.Chain[:]...)
	hash := sha256.Sum256(append(binary.BigEndian.AppendUint64(append([]byte(nil), h.Log[:]...), h.Seq), h.Chain[:]...))
	digest := events.Digest{Vector: events.SumOf(hash[:]), Logs: 1}
	b = protowire.AppendTag(b, 14, protowire.BytesType)
	raw, _ := digest.AppendBinary(nil)
	b = protowire.AppendBytes(b, raw)
	sum := sha256.Sum256(b)
	b = protowire.AppendTag(b, 15, protowire.BytesType)
	b = protowire.AppendBytes(b, sum[:16])
	s, err := projection.ReadSnapshot(b)
	if err != nil {
		panic(err)
	}
	return s
}

// openDisk recovers the state. With the last sabotage the machine had saved
// its vector in one file and its state in another, and the power failed between
// the two: the state is older than the vector says.
func (w *simWorld) openDisk(h *simHost) *projection.State {
	s := h.disk.open(w)
	if w.sabotage != sabotageApart || len(h.disk.segments) == 0 || w.pick(2) == 0 {
		return s
	}
	older := h.disk.beforeLast(w)
	for _, head := range s.Heads() {
		older.Merge(simHeads(head, s.Time(head.Log)))
	}
	return older
}
