package placement_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/projection/placement"
)

func TestShares(t *testing.T) {
	type node = placement.Node
	type share = placement.Share
	for _, c := range []struct {
		name       string
		nodes      []node
		partitions int
		rf         int
		want       []share
	}{
		{"even", []node{{ID: "a"}, {ID: "b"}, {ID: "c"}}, 10, 2,
			[]share{{"a", 6, 7, 3, 4}, {"b", 6, 7, 3, 4}, {"c", 6, 7, 3, 4}}},
		{"by weight", []node{{ID: "a", Weight: 2}, {ID: "b"}, {ID: "c"}}, 8, 1,
			[]share{{"a", 4, 4, 4, 4}, {"b", 2, 2, 2, 2}, {"c", 2, 2, 2, 2}}},
		{"a node has at most one copy of each", []node{{ID: "a", Weight: 98}, {ID: "b"}, {ID: "c"}}, 100, 2,
			[]share{{"a", 100, 100, 98, 98}, {"b", 50, 50, 1, 1}, {"c", 50, 50, 1, 1}}},
		{"weights beyond bounds", []node{{ID: "a", Weight: math.MaxInt}, {ID: "b", Weight: 1 << 20}, {ID: "c", Weight: -3}, {ID: "d"}}, 10, 3,
			[]share{{"a", 10, 10, 4, 5}, {"b", 10, 10, 4, 5}, {"c", 5, 5, 0, 1}, {"d", 5, 5, 0, 1}}},
		{"a zone with one node takes a copy of all", []node{{"a", "x", 1}, {"b", "y", 1}, {"c", "y", 1}, {"d", "z", 1}, {"e", "z", 1}}, 10, 3,
			[]share{{"a", 10, 10, 2, 2}, {"b", 5, 5, 2, 2}, {"c", 5, 5, 2, 2}, {"d", 5, 5, 2, 2}, {"e", 5, 5, 2, 2}}},
		{"a heavy zone takes a copy of all, the light ones share", []node{{"a", "x", 8}, {"b", "y", 1}, {"c", "z", 1}}, 10, 2,
			[]share{{"a", 10, 10, 8, 8}, {"b", 5, 5, 1, 1}, {"c", 5, 5, 1, 1}}},
		{"a light zone is raised to a copy of all", []node{{"a", "x", 1}, {"b", "y", 2}, {"c", "y", 2}, {"d", "y", 2}, {"e", "y", 2}}, 9, 3,
			[]share{{"a", 9, 9, 1, 1}, {"b", 4, 5, 2, 2}, {"c", 4, 5, 2, 2}, {"d", 4, 5, 2, 2}, {"e", 4, 5, 2, 2}}},
	} {
		if diff := cmp.Diff(c.want, placement.Shares(c.nodes, c.partitions, c.rf)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestMoves(t *testing.T) {
	from := [][]string{{"a", "b"}, {"c"}, nil}
	to := [][]string{{"b", "a"}, {"a", "c"}, {"a"}, {"b"}}
	if got := placement.Moves(from, to); got != 3 {
		t.Errorf("%d moves, want 3: order does not count, new copies do", got)
	}
	if got := placement.Moves(to, from[:2]); got != 0 {
		t.Errorf("%d moves, want 0: dropping moves nothing", got)
	}
}

func TestLoad(t *testing.T) {
	got := placement.Load([][]string{{"b", "a"}, {"b"}, nil, {"c", "b"}})
	want := []placement.NodeLoad{{"a", 1, 0}, {"b", 3, 2}, {"c", 1, 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
