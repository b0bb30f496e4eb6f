package replay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// ending is how a log ends: its heads, and the bytes of the events that own
// the registers there. It is what logs that agree need to be told by, and is
// made from the last segment alone, without building the state:
//
//	snapshot  heads, owners        what the segment begins with
//	event     head of its log      must be the next of its log
//	          owner, if it wins    by its stamp, as in projection
//	event     ...
//
// Whatever is not as plain as that (damage, a received state, something
// forgotten, a log that has forked, a gap) has no ending, and is folded.
type ending struct {
	heads  []projection.LogHead // sorted by log
	recent [64]int              // where the heads of the last events are, by a hash of their log
	owners []owner
	names  []byte // of the registers
	slots  []slot // by the hash of the register; a power of two
	seed   maphash.Seed
	room   []byte // for bytes that are kept
	first  uint64 // index of the record that must come first
	whole  bool   // there are no segments before
	index  uint64 // of the last record
	digest events.Digest
}

// slot says where an owner is: the lower half is its place among them, plus 1, and
// the upper half that of its hash, so that few others are looked at.
type slot uint64

// owner is the event that owns a register. There are many, and what is small is
// soon found: the rest of its stamp is read again when versions are equal.
type owner struct {
	name    uint32 // where that of the register begins
	size    uint32 // of the name
	version uint64
	raw     []byte
}

// ending reads the last segment, once. It answers nil when there is no plain
// ending.
func (s *Source) ending(ctx context.Context) *ending {
	segments := s.feed.segments()
	t := &ending{seed: maphash.MakeSeed(), slots: newSlots(1 << 14), first: segments[len(segments)-1].first, whole: len(segments) == 1}
	if d, ok := s.feed.(*directory); ok {
		if d.newest(t.record) {
			return t
		}
		return nil
	}
	for e, err := range s.feed.entries(ctx, t.first) {
		if err != nil || !t.entry(e.Index, e.Base, bytes.Clone(e.Snapshot), e.raw) {
			return nil
		}
	}
	if t.index == 0 {
		return nil
	}
	return t
}

// record takes one record of a file.
func (t *ending) record(r *eventlog.Record) bool {
	if r.Kind != eventlog.KindSnapshot {
		return t.entry(r.Index, false, nil, r.Bytes)
	}
	return t.entry(r.Index, r.Offset == 0, r.Bytes, nil)
}

// entry takes one record, and reports whether the ending is still a plain one.
func (t *ending) entry(index uint64, base bool, snapshot, raw []byte) bool {
	begins := t.index == 0
	t.index = index
	switch {
	case !begins:
		return raw != nil && t.take(raw)
	case !base || index != t.first:
		return false
	}
	return len(snapshot) == 0 && t.whole || t.begin(snapshot)
}

// begin takes up a snapshot, whose memory it may write to. It reports whether it is
// a plain one.
func (t *ending) begin(b []byte) bool {
	outline, err := projection.OutlineOf(b)
	if err != nil {
		return false
	}
	t.heads = outline.Heads()
	for i, h := range t.heads {
		if h.Seq == 0 || h.Time == 0 || i > 0 && t.heads[i-1].Log.Compare(h.Log) >= 0 {
			return false
		}
	}
	t.owners, t.names = make([]owner, 0, outline.Size()/96+64), make([]byte, 0, outline.Size()/8+1024)
	var before []byte
	var k sketch
	for raw := range outline.Owners() {
		if !k.read(raw) || bytes.Compare(before, k.register) >= 0 {
			return false
		}
		before = k.register
		o := t.add(maphash.Bytes(t.seed, before), before)
		o.raw, o.version = raw, k.version
	}
	return true
}

// take takes up an event, and reports whether it is a plain one.
func (t *ending) take(raw []byte) bool {
	var k sketch
	if !k.read(raw) {
		return false
	}
	h := t.head(k.log)
	if h.Seq+1 != k.seq {
		return false
	}
	h.Seq, h.Time, h.Chain = k.seq, max(h.Time, k.time), k.chain
	if k.register == nil {
		return true
	}
	hash := maphash.Bytes(t.seed, k.register)
	o := t.find(hash, k.register)
	if o == nil {
		o = t.add(hash, k.register)
	} else if o.version >= k.version {
		var owner sketch
		owner.read(o.raw)
		if c := owner.stamp().Compare(k.stamp()); c >= 0 {
			return c > 0 // else it is one name for two events
		}
	}
	if cap(o.raw) < len(raw) {
		o.raw = t.keep(len(raw) + 8)
	}
	o.raw, o.version = append(o.raw[:0], raw...), k.version
	return true
}

// keep returns memory for so many bytes.
func (t *ending) keep(n int) []byte {
	if n > len(t.room) {
		t.room = make([]byte, max(n, 64<<10))
	}
	b := t.room[:0:n]
	t.room = t.room[n:]
	return b
}

// head returns the head of a log, which is that of nothing when it is new.
func (t *ending) head(log events.LogID) *projection.LogHead {
	recent := &t.recent[(binary.LittleEndian.Uint64(log[:])^binary.LittleEndian.Uint64(log[8:]))*0x9e3779b97f4a7c15>>58]
	if *recent < len(t.heads) && t.heads[*recent].Log == log {
		return &t.heads[*recent]
	}
	i, ok := slices.BinarySearchFunc(t.heads, log, func(h projection.LogHead, log events.LogID) int { return h.Log.Compare(log) })
	if !ok {
		t.heads = slices.Insert(t.heads, i, projection.LogHead{Head: events.Head{Log: log}})
	}
	*recent = i
	return &t.heads[i]
}

// find returns the owner of a register, or nil.
func (t *ending) find(hash uint64, register []byte) *owner {
	mask := uint64(len(t.slots) - 1)
	for at := hash & mask; t.slots[at] != 0; at = (at + 1) & mask {
		if slot := uint64(t.slots[at]); slot>>32 == hash>>32 {
			if o := &t.owners[uint32(slot)-1]; bytes.Equal(t.name(o), register) {
				return o
			}
		}
	}
	return nil
}

// name returns the register of an owner.
func (t *ending) name(o *owner) []byte { return t.names[o.name : o.name+o.size] }

// add adds a register.
func (t *ending) add(hash uint64, name []byte) *owner {
	t.owners = append(t.owners, owner{name: uint32(len(t.names)), size: uint32(len(name))})
	t.names = append(t.names, name...)
	last := &t.owners[len(t.owners)-1]
	if 2*len(t.owners) <= len(t.slots) {
		t.settle(hash, len(t.owners))
		return last
	}
	t.slots = newSlots(2 * len(t.slots))
	for i := range t.owners {
		t.settle(maphash.Bytes(t.seed, t.name(&t.owners[i])), i+1)
	}
	return last
}

// newSlots writes to each page of what it makes. Otherwise each would be read before
// it is written to, and the kernel then maps it twice, the second time with a
// message to the other processors.
func newSlots(n int) []slot {
	slots := make([]slot, n)
	for i := 0; i < n; i += 4096 / 8 {
		slots[i] = 0
	}
	return slots
}

// settle gives owner n-1 a slot.
func (t *ending) settle(hash uint64, n int) {
	mask := uint64(len(t.slots) - 1)
	at := hash & mask
	for ; t.slots[at] != 0; at = (at + 1) & mask {
	}
	t.slots[at] = slot(hash>>32<<32 | uint64(uint32(n)))
}

// agree computes the digest of the first of some endings, which projection
// describes, and reports whether that is a plain one and the registers of all of
// them are owned by the same bytes. Parts of the registers are looked at at the same
// time, and each owner is compared and summed by the one who has just fetched it.
func agree(endings []*ending) bool {
	t, n := endings[0], min(runtime.GOMAXPROCS(0), 4)
	sums, same := make([]events.Sum, n), make([]bool, n)
	var wg sync.WaitGroup // each goroutine ends with its own part
	for i := range n {
		wg.Go(func() {
			sums[i], same[i] = t.sum(len(t.owners)*i/n, len(t.owners)*(i+1)/n, endings[1:])
		})
	}
	wg.Wait()
	for _, sum := range sums {
		t.digest.State = t.digest.State.Add(sum)
	}
	for i := range t.heads {
		t.digest.Vector = t.digest.Vector.Add(t.heads[i].Sum())
	}
	t.digest.Logs = uint32(len(t.heads))
	return !slices.Contains(same, false)
}

// sum adds up what the owners from to to-1 add to the digest, and reports whether
// they are plain ones and those of the others, too.
func (t *ending) sum(from, to int, others []*ending) (sum events.Sum, same bool) {
	for i := range t.owners[from:to] {
		o := &t.owners[from+i]
		name := t.name(o)
		if !plain(name, o.raw) {
			return sum, false
		}
		for _, of := range others {
			if other := of.find(maphash.Bytes(of.seed, name), name); other == nil || !bytes.Equal(o.raw, other.raw) {
				return sum, false
			}
		}
		hash := sha256.Sum256(o.raw)
		sum = sum.Add(events.SumOf(hash[:]))
	}
	return sum, !slices.ContainsFunc(others, func(of *ending) bool { return len(of.owners) != len(t.owners) })
}

// plain reports whether the register is neither that of something forgotten
// nor that of a log that has forked.
func plain(register, raw []byte) bool {
	switch kind, _, _ := bytes.Cut(register, []byte("/")); string(kind) {
	case events.KindCollected:
		return false
	case events.KindLog:
		k, _ := glanceAt(raw)
		return string(k.typ) != string(events.LogForked)
	}
	return true
}

// event returns the event that owns a register.
func (t *ending) event(register string) (events.Event, bool) {
	o := t.find(maphash.String(t.seed, register), []byte(register))
	if o == nil {
		return events.Event{}, false
	}
	e, err := events.Decode(o.raw)
	return e, err == nil
}

// learn takes up whose logs are whose.
func (t *ending) learn(n *Names) {
	for i := range t.heads {
		if e, ok := t.event(events.LogRegister(t.heads[i].Log)); ok {
			n.Learn(&e)
		}
	}
}

// cluster returns the name of the cluster, "" when it is not configured.
func (t *ending) cluster() string {
	if e, ok := t.event(events.ConfigRegister); ok {
		if p, err := e.Payload(); err == nil {
			if c, ok := p.(*events.ClusterConfig); ok {
				return c.Name
			}
		}
	}
	return ""
}

// mark returns where the ending is.
func (t *ending) mark(log string) Mark {
	m := Mark{Log: log, Point: Head().String(), Axis: Known, Index: t.index, Digest: t.digest}
	for i := range t.heads {
		m.Events += t.heads[i].Seq
		m.Time = max(m.Time, t.heads[i].Time)
	}
	return m
}

// sketch is what the fields of an event say that decide who wins, read without
// making anything of them.
type sketch struct {
	log      events.LogID
	seq      uint64
	time     events.Timestamp
	register []byte
	version  uint64
	rank     uint8
	chain    events.Chain
}

func (k *sketch) stamp() events.Stamp {
	return events.Stamp{Version: k.version, Rank: k.rank, Time: k.time, Log: k.log, Seq: k.seq}
}

// read reads all fields of an encoded event, in one go. It refuses what is no
// event by its form; of the names and the body it says nothing.
func (k *sketch) read(b []byte) bool {
	const chain = 2 + len(k.chain)
	n := len(b) - chain
	if n < 29 || b[n] != 15<<3|2 || b[n+1] != byte(len(k.chain)) || b[0] != 1<<3|2 || b[1] != byte(len(k.log)) || b[18] != 2<<3 {
		return false
	}
	k.log, k.chain = events.LogID(b[2:18]), events.Chain(b[n+2:])
	k.register, k.version, k.rank = nil, 0, 0
	b = b[:n]
	var at int
	if k.seq, at = varint(b, 19); at < 0 || at+10 > n || b[at] != 3<<3|1 || b[at+9] != 4<<3|2 {
		return false
	}
	k.time = events.Timestamp(binary.LittleEndian.Uint64(b[at+1:]))
	at += 9
	for last := byte(3); at < n; {
		tag := b[at]
		num := tag >> 3
		if num <= last || num >= byte(len(eventTags)) || tag != eventTags[num] {
			return false // of a later version perhaps
		}
		last = num
		var value uint64
		if at++; at < n && b[at] < 0x80 { // most are small
			value, at = uint64(b[at]), at+1
		} else if value, at = varint(b, at); at < 0 {
			return false
		}
		if value == 0 {
			return false
		}
		begin := at
		if tag&7 == 2 {
			if value > uint64(n-at) {
				return false
			}
			at += int(value)
		}
		switch num {
		case 5:
			k.register = b[begin:at:at]
		case 6:
			k.version = value
		case 7:
			if k.rank = uint8(value); value > 255 {
				return false
			}
		}
	}
	return k.seq != 0 && !k.log.IsZero() && k.time != 0 && k.time <= events.MaxTimestamp && k.version <= events.MaxVersion &&
		(k.register != nil || k.version == 0 && k.rank == 0)
}

// varint reads a number at a place and returns the place behind it, a negative
// one when there is none.
func varint(b []byte, at int) (uint64, int) {
	v, n := binary.Uvarint(b[min(at, len(b)):])
	if n <= 0 {
		return 0, -1
	}
	return v, at + n
}

// eventTags are the tags of the fields of an event behind its time.
var eventTags = [...]byte{4: 4<<3 | 2, 5: 5<<3 | 2, 6: 6 << 3, 7: 7 << 3, 8: 8<<3 | 2, 9: 9<<3 | 2, 10: 10 << 3, 11: 11<<3 | 2}
