package projection

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// MaxPartitions is the largest number of partitions that a cluster may have.
const MaxPartitions = 1 << 16

// register is a named cell and the event that owns it.
type register struct {
	event     events.Event // its bytes belong to this register alone
	sum       events.Sum   // what this register adds to the state sum
	kind      kind
	partition int32 // of kindPartition; -1 when the key names none
	unsummed  bool  // changed since the last Digest
	gone      bool  // forgotten, and about to be swept away
	stale     bool  // changed since the last view
}

func (r *register) name() string { return r.event.Register }

// key returns what follows the kind.
func (r *register) key() string {
	_, key := events.SplitRegister(r.event.Register)
	return key
}

// kind is what a register is about, as far as the view is concerned.
type kind uint8

const (
	kindOther kind = iota // of a later version, or of no known event
	kindValue
	kindFloor
	kindCollected
	kindNode
	kindAccusation
	kindAdmin
	kindPartition
	kindCoordinator
	kindConfig
	kindLog
	kinds
)

// inView reports whether the view depends on registers of this kind.
func (k kind) inView() bool { return k >= kindNode }

// kindOf classifies a register by its name.
func kindOf(name string) kind {
	switch k, _ := events.SplitRegister(name); k {
	case events.KindNode:
		return kindNode
	case events.KindAccusation:
		return kindAccusation
	case events.KindAdmin:
		return kindAdmin
	case events.KindPartition:
		return kindPartition
	case events.KindValue:
		return kindValue
	case events.KindLog:
		return kindLog
	case events.KindFloor:
		return kindFloor
	case events.KindCollected:
		return kindCollected
	}
	switch name {
	case events.CoordinatorRegister:
		return kindCoordinator
	case events.ConfigRegister:
		return kindConfig
	}
	return kindOther
}

// partitionOf returns the number that the key of a partition register is, in
// its only spelling, or -1.
func partitionOf(key string) int32 {
	n, err := strconv.Atoi(key)
	if err != nil || n < 0 || n >= MaxPartitions || strconv.Itoa(n) != key {
		return -1
	}
	return int32(n)
}

// beats reports whether e takes a register from the event that owns it. Equal
// stamps belong to one event, or to the two branches of a forked log, between
// which the larger bytes win.
func beats(e, owner *events.Event) bool {
	if e.Version != owner.Version { // nearly always; the stamps need not be built
		return e.Version > owner.Version
	}
	if c := e.Stamp().Compare(owner.Stamp()); c != 0 {
		return c > 0
	}
	return string(e.Raw()) > string(owner.Raw())
}

// write gives a register to e if e beats its owner, and if it is not
// forgotten. A forgotten write that beats the owner takes the register with it:
// who heard of both in another order has forgotten the owner already.
func (s *State) write(e *events.Event) (won bool) {
	r := s.register(e.Register)
	if r != nil && !beats(e, &r.event) {
		return false
	}
	if len(s.collections) > 0 && s.hidden(kindOf(e.Register), e) {
		if r != nil {
			s.drop(r)
			s.sweep()
		}
		return false
	}
	if strings.HasPrefix(e.Register, events.KindCollected) && kindOf(e.Register) == kindCollected {
		c, err := readCollection(e)
		if err != nil || s.superfluous(c) {
			return false
		}
		s.learn(c)
	}
	switch {
	case r == nil:
		r = s.addRegister(e.Register)
		r.event = e.CloneInto(nil)
	case spare(r.event.Raw(), len(e.Raw())) == nil:
		r.event = e.CloneInto(nil)
	default:
		e.CopyInto(&r.event)
	}
	s.changed(r)
	return true
}

// nearby is how many registers near has room for; a power of two.
const nearby = 1 << 13

// register returns the register of that name, or nil. Most events of a long
// history write one of the same few thousand registers, whose names end in
// numbers: those are found in a table in which numbers that are near each other
// share no place.
func (s *State) register(name string) *register {
	n := len(name)
	if s.near == nil || n < 4 {
		if s.near == nil && len(s.order) >= 256 {
			s.near = make([]*register, nearby)
		}
		return s.registers[name]
	}
	h := uint32(n)*2731 + uint32(name[n-1]&15) + uint32(name[n-2]&15)*10 + uint32(name[n-3]&15)*100 + uint32(name[n-4]&15)*1000
	at := &s.near[h%nearby]
	if r := *at; r != nil && !r.gone && r.event.Register == name {
		return r
	}
	r := s.registers[name]
	if r != nil {
		*at = r
	}
	return r
}

// changed notes that a register has a new owner.
func (s *State) changed(r *register) {
	s.view.cluster = nil
	if !r.unsummed {
		r.unsummed = true
		s.unsummed = append(s.unsummed, r)
	}
	if !r.stale && r.kind.inView() {
		r.stale = true
		s.view.stale = append(s.view.stale, r)
	}
	if r.kind == kindLog {
		s.noteFork(r)
	}
}

// spare returns the buffer of an event that is given up for one of n bytes,
// unless it is so large that the small one would hold it hostage.
func spare(b []byte, n int) []byte {
	if cap(b) > 4096 && cap(b) > 4*n {
		return nil
	}
	return b[:0]
}

func (s *State) addRegister(name string) *register {
	r := new(register)
	s.adopt(name, r)
	return r
}

// adopt takes up a register that is new to this state.
func (s *State) adopt(name string, r *register) {
	r.kind, r.partition = kindOf(name), -1
	if r.kind == kindPartition {
		_, key := events.SplitRegister(name)
		r.partition = partitionOf(key)
	}
	s.registers[name] = r
	s.order, s.sorted = append(s.order, r), false
	if r.kind.inView() {
		s.view.of[r.kind] = append(s.view.of[r.kind], r)
	}
}

// inOrder returns all registers sorted by name.
func (s *State) inOrder() []*register {
	if !s.sorted {
		slices.SortFunc(s.order, func(a, b *register) int { return strings.Compare(a.name(), b.name()) })
		s.sorted = true
	}
	return s.order
}

// Registers yields the registers of a kind ("node", "value") sorted by name:
// the key and the event that owns it. With kind "" it yields all of them under
// their full names. The events are borrowed: they and their bytes are valid
// until the next Apply or Merge and must not be changed; Clone what is kept.
func (s *State) Registers(kind string) iter.Seq2[string, *events.Event] {
	return func(yield func(string, *events.Event) bool) {
		all := s.inOrder()
		from, _ := slices.BinarySearchFunc(all, kind, func(r *register, k string) int { return strings.Compare(r.name(), k) })
		for _, r := range all[from:] {
			name := r.name()
			if kind != "" {
				if !strings.HasPrefix(name, kind) {
					return
				}
				k, key := events.SplitRegister(name)
				if k != kind {
					continue // "node-x" sorts between "node" and "node/a"
				}
				name = key
			}
			if !yield(name, &r.event) {
				return
			}
		}
	}
}

// Register returns a copy of the event that owns a register.
func (s *State) Register(name string) (events.Event, bool) {
	r := s.registers[name]
	if r == nil {
		return events.Event{}, false
	}
	return r.event.Clone(), true
}

// Stamp returns the stamp of the event that owns a register. It allocates
// nothing.
func (s *State) Stamp(name string) (events.Stamp, bool) {
	r := s.registers[name]
	if r == nil {
		return events.Stamp{}, false
	}
	return r.event.Stamp(), true
}
