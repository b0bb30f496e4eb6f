package clusterkit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
)

func TestCompareAndSet(t *testing.T) {
	ck := start(t, options(t, 0))
	ctx := t.Context()
	if err := ck.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	none, _ := ck.Value("k")
	first, err := ck.CompareAndSet(ctx, none, []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	one, ok := ck.Value("k")
	if !ok || string(one.Bytes) != "1" || one.Event != first.ID() {
		t.Fatalf("after the first write: %+v", one)
	}
	refused := func(what string, _ events.Event, err error) {
		t.Helper()
		var e *clusterkit.RevisionError
		now, _ := ck.Value("k")
		if !errors.As(err, &e) || e.Found.Event != now.Event || e.Found.Revision != now.Revision {
			t.Errorf("%s: %v", what, err)
		}
	}
	allowed := func(what string, _ events.Event, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	try := func(old clusterkit.Value) (events.Event, error) { return ck.CompareAndSet(ctx, old, []byte("new")) }
	e, err := try(none)
	refused("no value is expected where there is one", e, err)
	e, err = try(clusterkit.Value{Key: "k", Revision: 2})
	refused("a later revision", e, err)
	e, err = try(clusterkit.Value{Key: "k", Revision: 1, Event: events.ID{Log: first.Log, Seq: 1}})
	refused("the same revision by another event", e, err)
	e, err = try(clusterkit.Value{Key: "k", Revision: 1})
	allowed("the revision alone", e, err)
	e, err = try(one)
	refused("a value that was replaced", e, err)
	e, err = ck.CompareAndDelete(ctx, one)
	refused("removing a value that was replaced", e, err)
	two, _ := ck.Value("k")
	e, err = ck.CompareAndDelete(ctx, two)
	allowed("removing the present value", e, err)
	e, err = try(two)
	refused("a value that was removed", e, err)
	gone, _ := ck.Value("k")
	e, err = try(gone)
	allowed("a new value after the removed one", e, err)
	if v, _ := ck.Value("k"); v.Revision != 4 {
		t.Errorf("four writes made revision %d", v.Revision)
	}
	if _, err := ck.CompareAndSet(ctx, clusterkit.Value{}, nil); err == nil {
		t.Error("a value without a key was written")
	}
}

// TestCompareAndSetCounts lets many callers of one node count together: no
// increment is lost, though they share their syncs.
func TestCompareAndSetCounts(t *testing.T) {
	ck := start(t, options(t, 0))
	ctx := t.Context()
	if err := ck.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	const callers, each = 8, 20
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() { // ends when it has counted to each
			for n := 0; n < each; {
				old, _ := ck.Value("n")
				was := 0
				fmt.Sscan(string(old.Bytes), &was)
				_, err := ck.CompareAndSet(ctx, old, fmt.Append(nil, was+1))
				var lost *clusterkit.RevisionError
				switch {
				case err == nil:
					n++
				case !errors.As(err, &lost):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if v, _ := ck.Value("n"); string(v.Bytes) != fmt.Sprint(callers*each) {
		t.Errorf("%d callers counted %d each and came to %s", callers, each, v.Bytes)
	}
}

// TestConflictsAreListed lets both sides of a split write the same key: one
// write is lost to the state, and every node can name it.
func TestConflictsAreListed(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		ctx := context.Background()
		if _, err := b.nodes[0].Set(ctx, "k", []byte("before")); err != nil {
			t.Fatal(err)
		}
		b.agree(10*time.Second, b.nodes)
		if got := conflicts(t, b.nodes[0]); len(got) != 0 {
			t.Fatalf("conflicts before there can be any: %v", got)
		}
		old, _ := b.nodes[2].Value("k")
		b.net.Split([]string{host(2)}, []string{host(0), host(1)})
		for i, ck := range []*clusterkit.ClusterKit{b.nodes[2], b.nodes[0]} {
			if _, err := ck.CompareAndSet(ctx, old, fmt.Append(nil, i)); err != nil {
				t.Fatalf("%s: both sides may write: %v", ck.NodeID(), err)
			}
			time.Sleep(time.Second)
		}
		if _, err := b.nodes[0].Set(ctx, "k", []byte("after")); err != nil {
			t.Fatal(err) // the lost write arrives after the one that beat it was replaced
		}
		b.net.HealAll()
		b.until("everybody alive", time.Minute, b.nodes, func(c *clusterkit.Cluster) bool { return alive(c) == 3 })
		b.agree(10*time.Second, b.nodes)
		for _, ck := range b.nodes {
			if v, _ := ck.Value("k"); string(v.Bytes) != "after" {
				t.Errorf("%s: the value is %q", ck.NodeID(), v.Bytes)
			}
			got := conflicts(t, ck)
			if len(got) != 1 || got[0] != "value/k: 1 won, 0 lost" {
				t.Errorf("%s lists %v", ck.NodeID(), got)
			}
		}
	})
}

func conflicts(t *testing.T, ck *clusterkit.ClusterKit) []string {
	t.Helper()
	text := func(e events.Event) string {
		p, err := e.Payload()
		if v, ok := p.(*events.Value); err == nil && ok {
			return string(v.Value)
		}
		return string(e.Type)
	}
	var list []string
	for c, err := range ck.Conflicts(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s: %s won, %s lost", c.Register, text(c.Won), text(c.Lost)))
	}
	return list
}

// TestEventsOfATypeOnly subscribes to one type and sees all events of it, those
// of the past and those to come, and none else.
func TestEventsOfATypeOnly(t *testing.T) {
	ck := start(t, options(t, 0))
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := ck.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	record := func(i int) {
		if _, err := ck.Record(ctx, "counted", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if _, err := ck.Set(ctx, "noise", nil); err != nil {
			t.Fatal(err)
		}
	}
	record(0)
	n := 0
	for e, err := range ck.Events(ctx, nil, "app/counted", events.NodeJoined) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Type == events.NodeJoined && n == 0:
			continue
		case e.Type != "app/counted" || string(e.Body) != fmt.Sprint(n):
			t.Fatalf("event %d is %s %q", n, e.Type, e.Body)
		}
		if n++; n == 5 {
			return
		}
		record(n)
	}
	t.Fatalf("the sequence ended after %d events", n)
}
