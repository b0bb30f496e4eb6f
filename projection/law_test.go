package projection_test

import (
	"bytes"
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
		if h.forgets || h.buries {
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
