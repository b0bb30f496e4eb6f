package timeline

import (
	"encoding/binary"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// statuses are the numbers of what a node can be, in data and pictures.
var statuses = []projection.Status{projection.StatusAlive, projection.StatusSuspected, projection.StatusFailed,
	projection.StatusLeaving, projection.StatusLeft, projection.StatusRemoved}

// lives reports whether a node of that status can serve its partitions. Mere
// suspicion takes nothing from it.
func lives(s projection.Status) bool {
	return s == projection.StatusAlive || s == projection.StatusSuspected || s == projection.StatusLeaving
}

// number returns the number of a node, which is new if need be.
func (b *builder) number(id string) int {
	i, ok := b.node[id]
	if !ok {
		i = len(b.nodes)
		b.node[id] = i
		chosen := len(b.options.Filter.Nodes) == 0 || slices.Contains(b.options.Filter.Nodes, id)
		b.nodes = append(b.nodes, nodeState{id: id, chosen: chosen, weight: 1})
	}
	return i
}

// setNode takes up what a state says of a node.
func (b *builder) setNode(s *projection.State, id string) {
	derived, ok := s.Node(id)
	if !ok {
		return
	}
	n := &b.nodes[b.number(id)]
	if n.lives != lives(derived.Status) {
		n.lives = !n.lives
		if n.lives {
			b.orphans -= n.primaries
		} else {
			b.orphans += n.primaries
		}
	}
	n.weight, b.dirty = max(derived.Weight, 1), true
	draining := uint32(0)
	if derived.Draining {
		draining = 1
	}
	words := &b.timeline.words
	label := b.timeline.states.id(words.id(derived.Reason()), uint32(max(slices.Index(statuses, derived.Status), 0)), draining)
	n.present, n.known = interval{from: b.now, label: label, version: derived.Incarnation}, true
	if b.begun {
		n.lane.add(n.present)
	}
}

// setPartition takes up an assignment. One that makes no sense leaves the
// partition to nobody.
func (b *builder) setPartition(i int, e *events.Event) {
	for len(b.partitions) <= i {
		b.partitions = append(b.partitions, partitionState{})
	}
	p := &b.partitions[i]
	a := b.assigned(e)
	b.hold(p.held, -1)
	b.hold(a.held, 1)
	p.held, p.seen, b.dirty = a.held, true, true
	p.present = interval{from: b.now, label: a.label, version: e.Version}
	if b.begun && b.chosen(i) {
		p.lane.add(p.present)
	}
}

// assigned is what an assignment says.
type assigned struct {
	label uint32
	held  []uint32 // nodes, the owner first; shared
}

// assigned reads an assignment. Most say what another one said already, of
// another partition; then its payload is not decoded again.
func (b *builder) assigned(e *events.Event) assigned {
	var ok bool
	if b.key, ok = appendEssence(b.key[:0], e.Body); ok {
		if a, ok := b.known[string(b.key)]; ok {
			return a
		}
	}
	var a assigned
	label := []uint32{0}
	if payload, err := e.Payload(); err == nil {
		if p, is := payload.(*events.Assignment); is {
			label[0] = b.timeline.words.id(because(p.Trigger, p.Reason))
			for _, id := range p.Replicas {
				label = append(label, b.timeline.words.id(id))
				a.held = append(a.held, uint32(b.number(id)))
			}
		} else {
			ok = false
		}
	} else {
		ok = false
	}
	a.label = b.timeline.owners.id(label...)
	if ok && len(b.known) < maxKnown {
		b.known[string(b.key)] = a
	}
	return a
}

// maxKnown bounds how many different assignments are remembered.
const maxKnown = 1 << 14

// appendEssence appends the fields of an encoded assignment that a timeline
// shows: the replicas, the trigger and the reason, and neither which partition
// it is nor who held it before. It answers false for what it cannot read.
func appendEssence(key, body []byte) ([]byte, bool) {
	const varint, bytes, partition, previous = 0, 2, 1, 3
	for len(body) > 0 {
		tag, n := binary.Uvarint(body)
		if n <= 0 {
			return key, false
		}
		v, m := binary.Uvarint(body[n:])
		if m <= 0 {
			return key, false
		}
		size := uint64(n + m)
		switch tag & 7 {
		case varint:
		case bytes:
			if v > uint64(len(body)) {
				return key, false
			}
			size += v
		default:
			return key, false
		}
		if size > uint64(len(body)) {
			return key, false
		}
		if field := tag >> 3; field != partition && field != previous {
			key = append(key, body[:size]...)
		}
		body = body[size:]
	}
	return key, true
}

// hold counts the holders of a partition, or takes them back.
func (b *builder) hold(held []uint32, sign int) {
	for i, n := range held {
		b.nodes[n].copies += sign
		if i > 0 {
			continue
		}
		b.nodes[n].primaries += sign
		b.owned += sign
		if !b.nodes[n].lives {
			b.orphans += sign
		}
	}
}

// because joins why something was done, as a code, and the same in words.
func because(trigger, reason string) string {
	if trigger != "" && reason != "" {
		return trigger + ": " + reason
	}
	return trigger + reason
}

// plot adds what is so now to the curves.
func (b *builder) plot() {
	b.dirty = false
	unowned := max(b.configured, len(b.partitions)) - b.owned + b.orphans
	b.view.Unowned.add(b.now, int32(unowned))
	b.view.Imbalance.add(b.now, b.imbalance())
}

// imbalance returns the load of the most loaded living node in thousandths of
// its fair share by weight; 0 when nothing is held.
func (b *builder) imbalance() int32 {
	copies, weight := 0, 0
	for i := range b.nodes {
		if n := &b.nodes[i]; n.lives {
			copies, weight = copies+n.copies, weight+n.weight
		}
	}
	if copies == 0 {
		return 0
	}
	most := 0
	for i := range b.nodes {
		if n := &b.nodes[i]; n.lives {
			most = max(most, n.copies*1000/n.weight*weight/copies)
		}
	}
	return int32(min(most, 1<<30))
}
