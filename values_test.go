package clusterkit_test

import (
	"context"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit"
)

func TestValues(t *testing.T) {
	o := options(t, 0)
	first := start(t, o)
	if err := first.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	o1 := options(t, 1)
	o1.KnownNodes = []string{first.Addr()}
	second := start(t, o1)
	nodes := []*clusterkit.ClusterKit{first, second}
	awaitAgreement(t, "two nodes", nodes, full(2, 16, 3))

	for i, key := range []string{"b", "a", "c"} {
		if _, err := nodes[i%2].Set(t.Context(), key, []byte(key+"1")); err != nil {
			t.Fatal(err)
		}
	}
	awaitAgreement(t, "three values", nodes, func(*clusterkit.Cluster) bool { return true })
	e, err := second.Set(t.Context(), "b", []byte("b2"))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := second.Value("b"); !ok || string(v.Bytes) != "b2" || v.Revision != 2 || v.Event != e.ID() {
		t.Errorf("one's own write is read back as %+v, %v", v, ok)
	}
	if _, err := first.Delete(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	awaitAgreement(t, "the changes", nodes, func(c *clusterkit.Cluster) bool { return c.Vector.Covers(e.ID()) })
	for _, ck := range nodes {
		var keys []string
		for v := range ck.Values() {
			keys = append(keys, v.Key+"="+string(v.Bytes))
		}
		if want := []string{"a=a1", "b=b2"}; !slices.Equal(keys, want) {
			t.Errorf("%s has %q, want %q", ck.NodeID(), keys, want)
		}
		if _, ok := ck.Value("c"); ok {
			t.Errorf("%s still has the deleted value", ck.NodeID())
		}
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, o)
	if v, ok := again.Value("b"); !ok || string(v.Bytes) != "b2" {
		t.Errorf("after a restart: %+v, %v", v, ok)
	}
}

func TestSetRefusesBadInput(t *testing.T) {
	ck := start(t, options(t, 1))
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := ck.Cluster().Digest
	ctx := context.Background()
	for what, err := range map[string]error{
		"an empty key":          second(ck.Set(ctx, "", nil)),
		"a control character":   second(ck.Set(ctx, "a\nb", nil)),
		"a large value":         second(ck.Set(ctx, "k", make([]byte, 1<<20))),
		"a large payload":       second(ck.Record(ctx, "n", make([]byte, 1<<20))),
		"no partition":          second(ck.Assign(ctx, 99, "n1")),
		"no such node":          second(ck.Assign(ctx, 1, "n9")),
		"a node twice":          second(ck.Assign(ctx, 1, "n1", "n1")),
		"nobody":                second(ck.Assign(ctx, 1)),
		"metadata nobody reads": second(ck.UpdateNode(ctx, clusterkit.NodeUpdate{Metadata: map[string]string{"a": "\x00"}})),
	} {
		if err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	if ck.Cluster().Digest != before {
		t.Error("refused commands changed the state")
	}
}

func second[T any](_ T, err error) error { return err }
