package projection_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// same fails the test unless two states are equal in every respect that
// anybody can see.
func same(t *testing.T, what string, want, got *projection.State) {
	t.Helper()
	if want.Digest() != got.Digest() {
		t.Errorf("%s: digest %s, want %s", what, got.Digest(), want.Digest())
	}
	if want.Buckets() != got.Buckets() {
		t.Errorf("%s: other buckets", what)
	}
	var sum uint64
	for _, b := range got.Buckets() {
		sum += b
	}
	if sum != got.Digest().Vector.Lo {
		t.Errorf("%s: the buckets sum up to %x, the vector to %x", what, sum, got.Digest().Vector.Lo)
	}
	if !bytes.Equal(want.AppendSnapshot(nil), got.AppendSnapshot(nil)) {
		t.Errorf("%s: other snapshots", what)
	}
	if diff := cmp.Diff(text(t, want), text(t, got)); diff != "" {
		t.Errorf("%s: other views (-want +got)\n%s", what, diff)
	}
	if diff := cmp.Diff(want.Oddities(), got.Oddities()); diff != "" {
		t.Errorf("%s: other oddities (-want +got)\n%s", what, diff)
	}
}

// text returns all that can be read of a state, but its registers.
func text(t *testing.T, s *projection.State) string {
	t.Helper()
	b := []byte(say(t, s.Cluster()))
	for _, h := range s.Heads() {
		b = fmt.Append(b, "\n", h, s.Time(h.Log), s.Owner(h.Log), s.Forked(h.Log))
	}
	return string(fmt.Append(b, s.MaxTime()))
}

// say returns all that a view says, what its JSON leaves out included.
func say(t *testing.T, c *projection.Cluster) string {
	t.Helper()
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b = fmt.Append(b, c.Claim())
	for i := range c.Nodes {
		b = fmt.Append(b, "\n", c.Nodes[i].ID, c.Nodes[i].Cause(), c.Nodes[i].Reason(), c.LogsOf(c.Nodes[i].ID))
	}
	for i := range c.PartitionMap.Partitions {
		b = fmt.Append(b, "\n", i, c.Partition(i).Event(), c.Partition(i).Token())
	}
	for _, log := range c.Vector.Logs() {
		b = fmt.Append(b, "\n", log, c.Owner(log))
	}
	return string(append(b, '\n'))
}

// Law 1: any interleaving gives the same state, whatever is applied twice or
// refused on the way.
func TestLawInterleaving(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		want := fold(t, projection.NewState(), h.interleave(h.nothing(), h.all())...)
		for range 5 {
			got := h.fold(t, projection.NewState(), h.interleave(h.nothing(), h.all()))
			same(t, "another interleaving", want, got)
		}
		for i := range h.origins {
			for j := range h.origins[i].past {
				want.Apply(&h.origins[i].past[j])
			}
		}
		same(t, "everything twice", h.fold(t, projection.NewState(), h.interleave(h.nothing(), h.all())), want)
	})
}

// A view never changes, whatever the state it came from goes through.
func TestClusterIsImmutable(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		s := projection.NewState()
		var views []*projection.Cluster
		var said []string
		for _, e := range h.interleave(h.nothing(), h.all()) {
			s.Apply(&e)
			views, said = append(views, s.Cluster()), append(said, text(t, s))
			if s.Cluster() != views[len(views)-1] {
				t.Fatal("nothing changed and the view did")
			}
		}
		s.Merge(h.fold(t, projection.NewState(), h.interleave(h.nothing(), h.all())))
		for i, c := range views {
			if now := say(t, c); !strings.HasPrefix(said[i], now) {
				t.Fatalf("view %d now says\n%s\nand said\n%s", i, now, said[i])
			}
		}
	})
}

// Law 2: an event changes its own register at most, and only by its stamp.
func TestLawOneRegister(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		if h.forgets {
			return // see TestLawForgetting
		}
		s := projection.NewState()
		owners := func() map[string]events.ID {
			m := map[string]events.ID{}
			for name, e := range s.Registers("") {
				m[name] = e.ID()
			}
			return m
		}
		before := owners()
		for _, e := range h.interleave(h.nothing(), h.all()) {
			stamp, had := s.Stamp(e.Register)
			want := projection.Superseded
			switch {
			case e.Register == "":
				want = projection.Fact
			case !had || e.Stamp().Compare(stamp) > 0:
				want = projection.Won
				before[e.Register] = e.ID()
			}
			if got := s.Apply(&e); got != want {
				t.Errorf("Apply(%s) = %s, want %s", e.ID(), got, want)
			}
			if after := owners(); !maps.Equal(before, after) {
				t.Fatalf("after %s of %q (-want +got)\n%s", e.ID(), e.Register, cmp.Diff(before, after))
			}
		}
	})
}

// Law 3: a snapshot at any point, then the rest, is the whole; so are a
// checkpoint and a clone.
func TestLawSnapshot(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		want := h.fold(t, projection.NewState(), h.interleave(h.nothing(), h.all()))
		for range 3 {
			cut := h.randomCut()
			part := h.fold(t, projection.NewState(), h.interleave(h.nothing(), cut))
			snapshot := part.AppendSnapshot([]byte("before"))[len("before"):]
			read, err := projection.ReadSnapshot(snapshot)
			if err != nil {
				t.Fatal(err)
			}
			clear(snapshot) // nothing of it may be kept
			same(t, "a snapshot", part, read)
			file, err := projection.EncodeCheckpoint(part, 7)
			if err != nil {
				t.Fatal(err)
			}
			c, err := projection.DecodeCheckpoint(file)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "a checkpoint", part, c.State)
			clone := part.Clone()
			same(t, "a clone", part, clone)
			frozen := part.AppendSnapshot(nil)
			rest := h.interleave(cut, h.all())
			same(t, "a snapshot and the rest", want, h.fold(t, read, rest))
			same(t, "a checkpoint and the rest", want, h.fold(t, c.State, rest))
			same(t, "a clone and the rest", want, h.fold(t, clone, rest))
			if !bytes.Equal(frozen, part.AppendSnapshot(nil)) {
				t.Error("a clone changed its original")
			}
		}
	})
}

// Law 4: merging states is folding the union of their events; it is
// commutative, associative and idempotent.
func TestLawMerge(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		state := func(c cut) *projection.State {
			return h.fold(t, projection.NewState(), h.interleave(h.nothing(), c))
		}
		merge := func(a, b *projection.State) *projection.State {
			before, theirs := a.AppendSnapshot(nil), b.AppendSnapshot(nil)
			m := a.Clone()
			if changed := m.Merge(b); changed == bytes.Equal(before, m.AppendSnapshot(nil)) {
				t.Errorf("Merge says that it changed something: %v", changed)
			}
			if m.Merge(b) || m.Merge(a) {
				t.Error("a second Merge changes something")
			}
			if !bytes.Equal(theirs, b.AppendSnapshot(nil)) || !bytes.Equal(before, a.AppendSnapshot(nil)) {
				t.Error("Merge changed what it read")
			}
			return m
		}
		for range 2 {
			a, b, c := h.randomCut(), h.randomCut(), h.randomCut()
			sa, sb, sc := state(a), state(b), state(c)
			ab := merge(sa, sb)
			same(t, "a union", state(union(a, b)), ab)
			same(t, "commutative", ab, merge(sb, sa))
			same(t, "associative", merge(ab, sc), merge(sa, merge(sb, sc)))
			same(t, "a union and the rest", state(h.all()), h.fold(t, ab, h.interleave(union(a, b), h.all())))
		}
	})
}

// Equal vectors mean equal digests, and other vectors other ones.
func TestLawDigest(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		known := map[string]events.Digest{}
		for range 12 {
			cut := h.randomCut()
			if h.rng.IntN(2) == 0 {
				cut = union(cut, h.all()) // so that some are equal
			}
			s := h.fold(t, projection.NewState(), h.interleave(h.nothing(), cut))
			if h.rng.IntN(3) == 0 {
				s.Merge(h.fold(t, projection.NewState(), h.interleave(h.nothing(), h.randomCut())))
			}
			v := s.Vector().String()
			if d, ok := known[v]; ok && d != s.Digest() {
				t.Errorf("vector %s has digests %s and %s", v, d, s.Digest())
			}
			known[v] = s.Digest()
		}
		byDigest := map[events.Digest]string{}
		for _, v := range slices.Sorted(maps.Keys(known)) {
			if d := known[v]; d.Forked == 0 {
				if other, ok := byDigest[d]; ok {
					t.Errorf("vectors %s and %s have one digest", v, other)
				}
				byDigest[d] = v
			}
		}
	})
}

// The differential test: a fold so simple that it is plainly right.
func TestNaiveFold(t *testing.T) {
	histories(t, func(t *testing.T, h *history) {
		cut := h.randomCut()
		s := h.fold(t, projection.NewState(), h.interleave(h.nothing(), cut))
		want := map[string]events.Event{}
		var heads []events.Head
		for i, o := range h.origins {
			for _, e := range o.past[:cut[i]] {
				if kind, _ := events.SplitRegister(e.Register); kind == events.KindCollected && naiveCollection(&e) == nil {
					continue
				}
				if w, ok := want[e.Register]; e.Register != "" && (!ok || e.Stamp().Compare(w.Stamp()) > 0) {
					want[e.Register] = e
				}
			}
			if cut[i] > 0 {
				heads = append(heads, o.past[cut[i]-1].Head())
			}
		}
		naiveForget(want, s.Vector())
		got := map[string]events.Event{}
		for name, e := range s.Registers("") {
			got[name] = e.Clone()
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b events.Event) bool { return bytes.Equal(a.Raw(), b.Raw()) })); diff != "" {
			t.Errorf("registers (-want +got)\n%s", diff)
		}
		slices.SortFunc(heads, func(a, b events.Head) int { return a.Log.Compare(b.Log) })
		if diff := cmp.Diff(heads, s.Heads()); len(heads) > 0 && diff != "" {
			t.Errorf("heads (-want +got)\n%s", diff)
		}
		if d := naiveDigest(want, heads); d != s.Digest() {
			t.Errorf("digest %s, want %s", s.Digest(), d)
		}
		naiveNodes(t, want, s.Cluster())
	})
}

// naiveCollection returns what an event forgets, or nil.
func naiveCollection(e *events.Event) (c *events.Collection) {
	p, err := e.Payload()
	if c, _ = p.(*events.Collection); err != nil || e.Type != events.TombstonesCollected || e.Register != events.CollectedRegister(e.ID()) {
		return nil
	}
	if c.Kind != events.KindValue || !naiveOrder(c.Stable) || !naiveOrder(c.Settled) || !naiveVector(c.Stable).Dominates(naiveVector(c.Settled)) {
		return nil
	}
	return c
}

func naiveOrder(list []string) bool {
	var logs []string
	for _, text := range list {
		id, err := events.ParseID(text)
		if err != nil || id.String() != text {
			return false
		}
		logs = append(logs, id.Log.String())
	}
	return slices.IsSorted(logs) && len(slices.Compact(slices.Clone(logs))) == len(logs)
}

func naiveVector(list []string) events.Vector {
	v := events.Vector{}
	for _, text := range list {
		id, _ := events.ParseID(text)
		v[id.Log] = id.Seq
	}
	return v
}

// naiveForget takes away what the package doc says is forgotten in a state with
// these owners and this vector.
func naiveForget(owners map[string]events.Event, v events.Vector) {
	type collection struct {
		events.ID
		floor           uint64
		settled, stable events.Vector
	}
	var effective []collection
	for _, e := range owners {
		if c := naiveCollection(&e); c != nil && v.Dominates(naiveVector(c.Stable)) {
			effective = append(effective, collection{e.ID(), c.Floor, naiveVector(c.Settled), naiveVector(c.Stable)})
		}
	}
	for name, e := range owners {
		kind, _ := events.SplitRegister(name)
		for _, c := range effective {
			old := e.Type == events.ValueDeleted && c.settled.Covers(e.ID())
			void := !c.stable.Covers(e.ID())
			if kind == events.KindValue && e.Version <= c.floor && (old || void) {
				delete(owners, name)
			}
		}
	}
	for _, a := range effective {
		for _, b := range effective {
			if a.ID != b.ID && b.floor >= a.floor && b.stable.Covers(a.ID) && b.stable.Dominates(a.stable) {
				delete(owners, events.CollectedRegister(a.ID))
			}
		}
	}
}

// naiveDigest computes a digest as its definition says.
func naiveDigest(registers map[string]events.Event, heads []events.Head) events.Digest {
	var d events.Digest
	logs := map[events.LogID]bool{}
	for name, e := range registers {
		hash := sha256.Sum256(e.Raw())
		d.State = d.State.Add(events.SumOf(hash[:]))
		kind, key := events.SplitRegister(name)
		if log, err := events.ParseLogID(key); err == nil && kind == "log" && e.Type == events.LogForked {
			logs[log] = true
			d.Forked++
		}
	}
	for _, head := range heads {
		if !logs[head.Log] {
			b := binary.BigEndian.AppendUint64(slices.Clone(head.Log[:]), head.Seq)
			hash := sha256.Sum256(append(b, head.Chain[:]...))
			d.Vector = d.Vector.Add(events.SumOf(hash[:]))
		}
		logs[head.Log] = true
	}
	d.Logs = uint32(len(logs))
	return d
}

// naiveNodes checks the status of the nodes whose registers are well-formed
// against the words of the definition.
func naiveNodes(t *testing.T, registers map[string]events.Event, c *projection.Cluster) {
	t.Helper()
	for i := range c.Nodes {
		n := &c.Nodes[i]
		self := registers[events.NodeRegister(n.ID)]
		accusation, accused := registers[events.AccusationRegister(n.ID)]
		order, ordered := registers[events.AdminRegister(n.ID)]
		p, err := order.Payload()
		o, isOrder := p.(*events.NodeOrder)
		ordered = ordered && err == nil && isOrder && o.Node == n.ID && order.Rank == 0
		q, err := accusation.Payload()
		a, isAccusation := q.(*events.Accusation)
		accused = accused && err == nil && isAccusation && a.Node == n.ID && a.Incarnation == accusation.Version &&
			a.Incarnation >= self.Version && self.Type != events.NodeLeft
		rank := map[events.Type]uint8{events.NodeSuspected: events.RankSuspected, events.NodeFailed: events.RankFailed}[accusation.Type]
		accused = accused && rank > 0 && accusation.Rank == rank
		incarnation := self.Version
		if accused {
			incarnation = accusation.Version
		}
		want := projection.StatusAlive
		switch {
		case ordered && order.Type == events.NodeRemoved && (self.Version <= o.Incarnation || self.Log.String() == o.Log):
			want = projection.StatusRemoved
		case self.Type == events.NodeLeft:
			want = projection.StatusLeft
		case accused && rank == events.RankFailed:
			want = projection.StatusFailed
		case accused:
			want = projection.StatusSuspected
		case self.Type == events.NodeLeaving:
			want = projection.StatusLeaving
		}
		if n.Status != want || n.Incarnation != incarnation || n.Draining != (ordered && order.Type == events.NodeDrained) {
			t.Errorf("node %s is %s, draining %v; want %s", n.ID, n.Status, n.Draining, want)
		}
	}
}
