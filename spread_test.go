package clusterkit

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/transport"
)

// TestPacer: one piece of news goes at once, in a large cluster a stream of
// them makes a storm, and silence ends it.
func TestPacer(t *testing.T) {
	var p pacer
	if p.pushed(10_000, 100) {
		t.Error("the first push is a storm")
	}
	if gap := p.gap(100); gap != debounce {
		t.Errorf("after one push the next waits %d ms", gap)
	}
	now := int64(10_000)
	for range 5 {
		now += 20
		p.pushed(now, 100)
	}
	if !p.storm(100) {
		t.Error("six pushes in 100 ms are no storm")
	}
	if calm, storm, small := new(pacer).abreast(now, 100), p.abreast(now, 100), p.abreast(now, everyone+1); calm != everyone || storm != fewer || small != everyone {
		t.Errorf("exchanges at a time: %d in calm, %d in a storm, %d in a small cluster", calm, storm, small)
	}
	for nodes, want := range map[int]int64{10: 100, 100: 100, 150: 150, 1000: 250} {
		if gap := p.gap(nodes); gap != want {
			t.Errorf("in a storm of %d nodes the next push waits %d ms, want %d", nodes, gap, want)
		}
	}
	if p.gap(everyone+1) != debounce {
		t.Error("a small cluster has a storm")
	}
	if p.pushed(now+5000, 100) {
		t.Error("after 5 s of silence there is still a storm")
	}
	if p.abreast(now+10_000, 100) != everyone {
		t.Error("after another 5 s of silence there is still a storm")
	}
}

// TestPeersRoom: fetches wait while many exchanges are under way, and lapse
// when what they were for has come.
func TestPeersRoom(t *testing.T) {
	p := newPeers("self")
	have := headsOfLogs(3)
	for _, id := range []string{"a", "b", "c"} {
		p.replaceHas(id, have)
		p.wantPull(id, 10)
	}
	if !p.begin("a", 0) || p.begin("a", 10) || p.room(2, 20) != 1 {
		t.Fatalf("one exchange is under way, room for %d of 2", p.room(2, 20))
	}
	due, next := p.duePulls(&knowledge{}, 20, 2)
	if len(due) != 1 || next != 20+pullDelay {
		t.Errorf("%d fetches begin, the next at %d; want 1, since there is room for one", len(due), next)
	}
	if due, next = p.duePulls(&knowledge{heads: have}, 100, 2); len(due) != 0 || next != never {
		t.Errorf("%d fetches of what is known here, the next at %d", len(due), next)
	}
	if p.end("a", true, 100) != true || p.room(2, 100) != 1 || p.end("a", true, 100) != false || p.room(2, 100) != 2 {
		t.Errorf("after the exchange, and the one that was wanted after it, there is room for %d of 2", p.room(2, 100))
	}
	if p.begin("a", 100); p.room(2, 99+lingering) != 1 || p.room(2, 100+lingering) != 2 || p.begin("a", 100+lingering) {
		t.Error("whose peer takes its time counts as under way for ever, or not at all, or may begin twice")
	}
}

// TestRelayTime: a relay tries as long as the one who asks would, within
// bounds.
func TestRelayTime(t *testing.T) {
	for asked, want := range map[uint64]time.Duration{
		0: 500 * time.Millisecond, 200: 200 * time.Millisecond, 3000: 3 * time.Second, 4001: 4 * time.Second, 1 << 63: 4 * time.Second,
	} {
		if got := relayTime(asked, time.Second); got != want {
			t.Errorf("asked for %d ms: %v, want %v", asked, got, want)
		}
	}
}

// TestJoinBackoff: a seed without room is asked again soon, one that is not
// there more and more seldom.
func TestJoinBackoff(t *testing.T) {
	busy := errors.Join(errors.New("one does not answer"), fmt.Errorf("join: %w", transport.ErrBusy))
	for _, c := range []struct {
		err  error
		want time.Duration
	}{{busy, joinBusy}, {errors.New("nobody answers"), joinMost}} {
		wait := joinFirst
		for range 20 {
			wait = nextWait(wait, c.err)
		}
		if wait != c.want {
			t.Errorf("after many times %q: %v, want %v", c.err, wait, c.want)
		}
	}
}

// TestUnheard: a push is made again, with more and more patience, until somebody
// is known to have heard it.
func TestUnheard(t *testing.T) {
	k, p := &knowledge{heads: headsOfLogs(3)}, newPeers("self")
	told := []target{{id: "a"}, {id: "b"}}
	u := unheard{at: never}
	if u.pushed(k, nil, false, 0); u.at != never {
		t.Errorf("told nobody, and looks again at %d", u.at)
	}
	at, again := int64(0), false
	for _, wait := range []int64{1, 2, 4, 8, 8} {
		if u.pushed(k, told, again, at); u.at != at+wait*lingering {
			t.Fatalf("pushed at %d, looks again at %d; want after %d", at, u.at, wait*lingering)
		}
		if at = u.at; u.reached(p) || u.at != never {
			t.Fatal("nobody has heard it, and it says somebody had, or goes on to wait")
		}
		again = true
	}
	if p.replaceHas("b", k.heads[:2]); u.reached(p) {
		t.Error("who has heard a part has heard it")
	}
	if p.replaceHas("b", k.heads); !u.reached(p) {
		t.Error("who has it all has not heard it")
	}
	if u.pushed(k, told, false, at); u.at != at+lingering {
		t.Error("other news waits as long as the old")
	}
}
