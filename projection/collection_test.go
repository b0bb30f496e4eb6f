package projection_test

import (
	"fmt"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// value makes o write or delete a value with a version.
func (o *origin) value(t events.Type, key string, version uint64) events.Event {
	return o.emit(events.Event{Type: t, Register: events.ValueRegister(key), Version: version, Body: events.Encode(&events.Value{Key: key})})
}

// collect makes o forget what a state knows.
func (o *origin) collect(floor uint64, settled, stable *projection.State) events.Event {
	return o.emit(events.Event{Type: events.TombstonesCollected, Version: 1,
		Register: events.CollectedRegister(events.ID{Log: o.log, Seq: o.head.Seq + 1}),
		Body:     events.Encode(projection.Forget(events.KindValue, floor, settled.Heads(), stable.Heads(), stable.Authors(), "test"))})
}

func holds(s *projection.State, key string) bool {
	_, ok := s.Stamp(events.ValueRegister(key))
	return ok
}

// TestForgetting is the story of one tombstone.
func TestForgetting(t *testing.T) {
	a, b := newOrigin(t, 1, "n1"), newOrigin(t, 2, "n2")
	s := projection.NewState()
	fold(t, s, a.value(events.ValueSet, "k", 1), a.value(events.ValueSet, "alive", 1))
	stale := s.Clone() // a node, or a backup, that hears no more
	fold(t, s, a.value(events.ValueDeleted, "k", 2))
	settled := s.Clone()
	fold(t, s, b.value(events.ValueDeleted, "young", 1))
	fold(t, s, b.collect(2, settled, s))
	if holds(s, "k") || !holds(s, "alive") || !holds(s, "young") {
		t.Errorf("holds k: %v, alive: %v, young: %v; want only k forgotten", holds(s, "k"), holds(s, "alive"), holds(s, "young"))
	}
	if s.Forgotten() != 1 || s.Floor(events.KindValue) != 2 {
		t.Errorf("%d forgotten, floor %d", s.Forgotten(), s.Floor(events.KindValue))
	}
	for _, order := range [][2]*projection.State{{s, stale}, {stale, s}} {
		merged := order[0].Clone()
		merged.Merge(order[1])
		same(t, "a stale state merged", s, merged)
	}
	// A write above the floor is one like any other; one below it is void.
	fold(t, s, b.value(events.ValueSet, "k", 2))
	if holds(s, "k") {
		t.Error("a void write came back")
	}
	fold(t, s, b.value(events.ValueSet, "k", 3))
	if !holds(s, "k") {
		t.Error("a write above the floor is lost")
	}
}

// TestSuccession: a collection that succeeds another one takes its place.
func TestSuccession(t *testing.T) {
	a := newOrigin(t, 1, "n1")
	s := projection.NewState()
	for i := range uint64(20) {
		fold(t, s, a.value(events.ValueSet, "k", 2*i+1), a.value(events.ValueDeleted, "k", 2*i+2))
		fold(t, s, a.collect(2*i+2, s, s))
	}
	kept := 0
	for range s.Registers(events.KindCollected) {
		kept++
	}
	if kept != 1 || holds(s, "k") {
		t.Errorf("%d collections are kept, want the last", kept)
	}
}

// TestIllegibleCollection: what makes no sense forgets nothing, and owns
// nothing, so that it cannot stand in the way of what does.
func TestIllegibleCollection(t *testing.T) {
	good := func(id events.ID) *events.Collection {
		return &events.Collection{Kind: events.KindValue, Floor: 9, Settled: []string{id.String()}, Stable: []string{id.String()}}
	}
	for name, bend := range map[string]func(*events.Event, *events.Collection){
		"another register": func(e *events.Event, _ *events.Collection) {
			e.Register = events.CollectedRegister(events.ID{Log: e.Log, Seq: 7})
		},
		"another type":          func(e *events.Event, _ *events.Collection) { e.Type = events.FloorRaised },
		"another kind":          func(_ *events.Event, c *events.Collection) { c.Kind = events.KindNode },
		"settled beyond stable": func(_ *events.Event, c *events.Collection) { c.Stable = nil },
		"a log twice":           func(_ *events.Event, c *events.Collection) { c.Stable = append(c.Stable, c.Stable...) },
		"an author twice":       func(_ *events.Event, c *events.Collection) { c.Authors = append(c.Stable, c.Stable...) },
		"no ID":                 func(_ *events.Event, c *events.Collection) { c.Stable = append(c.Stable, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			a := newOrigin(t, 1, "n1")
			s := projection.NewState()
			fold(t, s, a.value(events.ValueDeleted, "k", 1))
			e := events.Event{Type: events.TombstonesCollected, Log: a.log, Register: events.CollectedRegister(events.ID{Log: a.log, Seq: 2}), Version: 1}
			c := good(events.ID{Log: a.log, Seq: 1})
			bend(&e, c)
			e.Body = events.Encode(c)
			fold(t, s, a.emit(e))
			if !holds(s, "k") || s.Forgotten() != 0 {
				t.Error("it has forgotten something")
			}
			if _, ok := s.Stamp(e.Register); ok {
				t.Error("it owns a register")
			}
		})
	}
}

// TestManyRegisters: among so many registers that they are found without the
// map, those that share a place there are told apart, and one that was forgotten
// comes back as a new one.
func TestManyRegisters(t *testing.T) {
	a := newOrigin(t, 1, "n1")
	s := projection.NewState()
	want := make(map[string]events.Event)
	write := func(kind events.Type, key string, version uint64) {
		e := a.value(kind, key, version)
		fold(t, s, e)
		if have, ok := want[key]; !ok || have.Version < version {
			want[key] = e
		}
	}
	check := func() {
		t.Helper()
		for key, e := range want {
			if have, _ := s.Register(events.ValueRegister(key)); have.ID() != e.ID() {
				t.Fatalf("%s belongs to %s, want %s", key, have.ID(), e.ID())
			}
		}
	}
	for round := range uint64(4) {
		for i := range 400 {
			for _, form := range []string{"k%04d", "k%04d ", "kk%03d", "q%04d"} { // the last has the places of the first
				write(events.ValueSet, fmt.Sprintf(form, i), 2+round-uint64(i%3)%2)
				write(events.ValueSet, fmt.Sprintf(form, i+8192), 2+round)
			}
		}
	}
	check()
	write(events.ValueDeleted, "k0007", 20)
	settled := s.Clone()
	fold(t, s, a.collect(20, settled, s))
	if holds(s, "k0007") {
		t.Fatal("not forgotten")
	}
	write(events.ValueSet, "k0007", 21)
	write(events.ValueSet, "q0007", 21)
	write(events.ValueSet, "k0007", 22)
	check()
	if len(want) != 8*400 {
		t.Error(len(want))
	}
}

// TestManyWriters: a collection names the logs in which values stand and those of
// the authors of collections before it, and not all in which values ever stood.
func TestManyWriters(t *testing.T) {
	const writers = 3000
	a := newOrigin(t, 1, "n1")
	s := projection.NewState()
	for i := range writers {
		b := newOrigin(t, 100+i, fmt.Sprint("n", i))
		fold(t, s, b.value(events.ValueSet, "k", uint64(2*i+1)), b.value(events.ValueSet, "gone", uint64(2*i+1)),
			b.value(events.ValueDeleted, "gone", uint64(2*i+2)))
		if i%100 != 99 {
			continue
		}
		floor, n, _ := s.Tombstones()
		stable, authors := s.Stable(nil), s.Authors()
		if n != 1 || len(stable) > 2 || len(authors) > 1 {
			t.Fatalf("%d tombstones; %d logs in which values stand, %d authors", n, len(stable), len(authors))
		}
		fold(t, s, a.emit(events.Event{Type: events.TombstonesCollected, Version: 1, Register: events.CollectedRegister(events.ID{Log: a.log, Seq: a.head.Seq + 1}),
			Body: events.Encode(projection.Forget(events.KindValue, floor, stable, stable, authors, "test"))}))
		if holds(s, "gone") || !holds(s, "k") {
			t.Fatalf("after %d writers: gone %v, k %v", i+1, holds(s, "gone"), holds(s, "k"))
		}
	}
	kept := 0
	for range s.Registers(events.KindCollected) {
		kept++
	}
	if kept != 1 {
		t.Errorf("%d collections are kept", kept)
	}
}
