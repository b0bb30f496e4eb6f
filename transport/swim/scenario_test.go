package swim_test

import (
	"fmt"
	"testing"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

// verdicts returns the NodeFailed events about nodes that run.
func (s *sim) verdicts() (wrong []simEvent) {
	for _, e := range s.log {
		if e.kind == 'f' && !s.nodes[e.node].crashed {
			wrong = append(wrong, e)
		}
	}
	return wrong
}

func noVerdicts(t *testing.T, s *sim, what string) {
	t.Helper()
	for _, e := range s.verdicts() {
		t.Errorf("%s: at %d ms n%03d convicted n%03d, which runs: %s", what, e.at, e.actor, e.node, e.reason)
	}
}

// TestLoss holds that lost messages lead to suspicions that are refuted and
// never to a verdict.
func TestLoss(t *testing.T) {
	for _, c := range []struct {
		n, minutes, seeds int
		loss              float64
	}{{2, 10, 8, .05}, {3, 10, 4, 0}, {3, 10, 8, .01}, {3, 10, 8, .05}, {10, 10, 2, .01}, {10, 10, 2, .05}, {50, 1, 1, .05}} {
		var suspected, refuted int
		for seed := range c.seeds {
			s := newSim(c.n, uint64(seed))
			s.loss = c.loss
			s.run(int64(c.minutes)*60_000, nil)
			noVerdicts(t, s, fmt.Sprintf("N=%d loss=%.2f seed=%d", c.n, c.loss, seed))
			suspected, refuted = suspected+s.counts('s'), refuted+s.counts('r')
			s.loss = 0
			s.run(s.now+20_000, nil)
			for i := range s.nodes {
				if !s.allKnow(i, swim.Alive) {
					t.Errorf("N=%d loss=%.2f seed=%d: n%03d is not alive to all afterwards", c.n, c.loss, seed, i)
				}
			}
		}
		t.Logf("N=%d loss=%.2f: in %d minutes %d NodeSuspected, %d NodeRecovered", c.n, c.loss, c.minutes*c.seeds, suspected, refuted)
	}
}

// TestPause holds that a node that stops for two seconds is not convicted and
// convicts nobody.
func TestPause(t *testing.T) {
	for _, loss := range []float64{0, .01, .05} {
		for _, n := range []int{2, 3, 4, 10, 100} {
			seeds, events := max(40/n, 1)**runs, 0
			for seed := range seeds {
				s := newSim(n, uint64(seed))
				s.loss = loss
				for at := int64(5000); at < 65_000; at += 15_000 {
					s.run(at+s.rnd.Int64N(3000), nil)
					s.pause(s.rnd.IntN(n), s.now+2000)
				}
				s.run(80_000, nil)
				noVerdicts(t, s, fmt.Sprintf("N=%d loss=%.2f seed=%d", n, loss, seed))
				events += len(s.log)
			}
			t.Logf("N=%d loss=%.2f: %.1f events for each of %d pauses", n, loss, float64(events)/float64(4*seeds), 4*seeds)
		}
	}
}

// TestAsymmetric holds that links that work one way only, or not at all, do
// no harm as long as the others reach both ends.
func TestAsymmetric(t *testing.T) {
	for name, cut := range map[string]func(from, to int) bool{
		"one way":   func(from, to int) bool { return from == 0 && to == 1 },
		"both ways": func(from, to int) bool { return from+to == 1 },
		"from one to half": func(from, to int) bool {
			return from == 0 && to%2 == 1
		},
	} {
		for _, n := range []int{3, 10} {
			for _, loss := range []float64{0, .01} {
				var suspected int
				for seed := range 5 {
					s := newSim(n, uint64(seed))
					s.cut, s.loss = cut, loss
					s.run(120_000, nil)
					noVerdicts(t, s, fmt.Sprintf("%s N=%d seed=%d", name, n, seed))
					suspected += s.counts('s')
					if loss == 0 && len(s.log) > 0 && name != "from one to half" { // which may meet only bad relays
						t.Errorf("%s N=%d seed=%d: %d events, want none", name, n, seed, len(s.log))
					}
				}
				t.Logf("%s N=%d loss=%.2f: %d NodeSuspected in 10 minutes", name, n, loss, suspected)
			}
		}
	}
}

// TestStarved holds that a node whose timers and answers are late, for want of
// CPU, convicts nobody and is not convicted.
func TestStarved(t *testing.T) {
	for _, longest := range []int64{300, 1000, 2000} {
		for _, n := range []int{2, 3, 10, 30} {
			var worst, by, about int
			for seed := range 60 / n {
				s := newSim(n, uint64(seed))
				s.run(5000, nil)
				for s.now < 65_000 {
					s.pause(0, s.now+1+s.rnd.Int64N(longest))
					s.run(s.nodes[0].until+1+s.rnd.Int64N(100), nil)
					worst = max(worst, s.nodes[0].d.Health())
				}
				noVerdicts(t, s, fmt.Sprintf("stalls up to %d ms, N=%d seed=%d", longest, n, seed))
				for _, e := range s.log {
					if e.kind == 's' && e.actor == 0 {
						by++
					}
					if e.kind == 's' && e.node == 0 {
						about++
					}
				}
			}
			t.Logf("stalls up to %d ms, N=%d: local health up to %d, %d NodeSuspected by it and %d about it in %d minutes",
				longest, n, worst, by, about, 60/n)
		}
	}
}

// TestAllStarved holds the same where every node is short of CPU, as many in
// one process on one busy core are.
func TestAllStarved(t *testing.T) {
	for _, longest := range []int64{300, 1000} {
		for seed := range 3 * *runs {
			s := newSim(10, uint64(seed))
			var stall func(n *simNode)
			stall = func(n *simNode) {
				s.pause(n.i, s.now+1+s.rnd.Int64N(longest))
				s.at(n.until+1+s.rnd.Int64N(100), nil, func() { stall(n) })
			}
			s.run(5000, nil)
			for _, n := range s.nodes {
				stall(n)
			}
			s.run(65_000, nil)
			noVerdicts(t, s, fmt.Sprintf("stalls up to %d ms, seed=%d", longest, seed))
			t.Logf("stalls up to %d ms: %d NodeSuspected in a minute", longest, s.counts('s'))
		}
	}
}

// TestFrozenAccuser holds that a node that stops while it accuses another does
// not convict that one when it goes on, although its timer is over.
func TestFrozenAccuser(t *testing.T) {
	for _, n := range []int{2, 3, 10} {
		frozen := 0
		for seed := range 40 * *runs {
			s := newSim(n, uint64(seed))
			s.hook = func(e simEvent) { // the accuser stops as soon as it has accused
				if e.kind == 's' && e.node == 0 && s.nodes[e.actor].until < s.now {
					s.pause(e.actor, s.now+10+s.rnd.Int64N(20_000))
					frozen++
				}
			}
			s.run(5000+s.rnd.Int64N(1000), nil)
			s.pause(0, s.now+1500)
			s.run(60_000, nil)
			for _, e := range s.verdicts() {
				if e.node == 0 {
					t.Errorf("N=%d seed=%d: at %d ms n%03d convicted n000: %s", n, seed, e.at, e.actor, e.reason)
				}
			}
		}
		t.Logf("N=%d: %d accusers stopped", n, frozen)
	}
}

// TestFlapping holds that a node that comes and goes costs a bounded number of
// events.
func TestFlapping(t *testing.T) {
	for _, c := range []struct {
		name     string
		off, on  int64
		n, limit int // events per cycle
	}{
		{"2 s of 6", 2000, 4000, 10, 8}, {"10 s of 20", 10_000, 10_000, 10, 8}, {"10 s of 20", 10_000, 10_000, 3, 8},
		{"3 s of 6", 3000, 3000, 3, 8}, {"10 s of 20", 10_000, 10_000, 50, 16},
	} {
		s := newSim(c.n, 1)
		s.run(5000, nil)
		const cycles = 20
		for range cycles {
			s.pause(0, s.now+c.off)
			s.run(s.now+c.off+c.on, nil)
		}
		t.Logf("%s, N=%d: %.1f events per cycle", c.name, c.n, float64(len(s.log))/cycles)
		if len(s.log) > c.limit*cycles {
			t.Errorf("%s, N=%d: %d events in %d cycles, want at most %d each", c.name, c.n, len(s.log), cycles, c.limit)
		}
	}
}

// TestUnreachable holds that a node that reaches everybody and that nobody
// reaches, so that it always refutes, is accused less and less often.
func TestUnreachable(t *testing.T) {
	for _, n := range []int{2, 3, 10, 20} {
		s := newSim(n, 1)
		s.dial = func(_, to int) bool { return to == 0 }
		s.run(300_000, nil)
		first := len(s.log)
		s.run(1_500_000, nil)
		hourly := (len(s.log) - first) * 3
		t.Logf("N=%d: %d events in the first five minutes, then %d an hour", n, first, hourly)
		if first > 100 || hourly > 8*3600/64 {
			t.Errorf("N=%d: too many events", n)
		}
	}
}

// TestSplit holds that the sides of a split find each other again within 35
// seconds of its end.
func TestSplit(t *testing.T) {
	for _, c := range []struct{ n, left, seeds int }{{2, 1, 20}, {3, 1, 20}, {10, 5, 5}, {10, 1, 5}, {50, 15, 1}} {
		var times []int64
		for seed := range c.seeds {
			s := newSim(c.n, uint64(seed))
			whole := s.cut
			s.run(5000, nil)
			s.cut = func(from, to int) bool { return (from < c.left) != (to < c.left) }
			s.run(120_000+s.rnd.Int64N(30_000), nil)
			if left, right := s.nodes[0].status(c.n-1), s.nodes[c.n-1].status(0); left != swim.Failed || right != swim.Failed {
				t.Errorf("N=%d seed=%d: the sides see each other as %s and %s after two minutes", c.n, seed, left, right)
			}
			s.cut = whole
			end := s.now
			s.run(end+35_000, func() bool {
				for i := range s.nodes {
					if !s.allKnow(i, swim.Alive) {
						return false
					}
				}
				return true
			})
			if s.now == end+35_000 {
				t.Errorf("N=%d, %d cut off, seed=%d: not healed within 35 s", c.n, c.left, seed)
			}
			times = append(times, s.now-end)
		}
		t.Logf("N=%d, %d cut off: healed after a median of %d ms, at most %d", c.n, c.left, quantile(times, 50), quantile(times, 100))
	}
}

// TestManyCrash holds that the death of many is found too.
func TestManyCrash(t *testing.T) {
	for _, c := range []struct{ n, dead int }{{3, 2}, {4, 2}, {10, 3}, {10, 9}, {100, 33}} {
		s := newSim(c.n, 3)
		s.run(6000, nil)
		for i := range c.dead {
			s.crash(c.n-1-i, false)
		}
		s.run(s.now+300_000, func() bool {
			for i := range c.dead {
				if !s.allKnow(c.n-1-i, swim.Failed) {
					return false
				}
			}
			return true
		})
		t.Logf("%d of %d: all known after %d ms, %d events", c.dead, c.n, s.now-6000, len(s.log))
		if s.now > 6000+3*60_000 {
			t.Errorf("%d of %d: not known after %d ms", c.dead, c.n, s.now-6000)
		}
		noVerdicts(t, s, fmt.Sprintf("%d of %d", c.dead, c.n))
	}
}

// TestSickAccuser holds that a node with a bad network convicts nobody.
func TestSickAccuser(t *testing.T) {
	for seed := range uint64(10) {
		s := newSim(10, seed)
		worse := 10 + 5*int(seed) // percent of its messages are lost
		s.cut = func(from, to int) bool { return (from == 0 || to == 0) && s.rnd.IntN(100) < worse }
		s.run(300_000, nil)
		by := 0
		for _, e := range s.log {
			if e.actor == 0 && e.kind == 's' {
				by++
			}
			if e.kind == 'f' && e.actor == 0 {
				t.Errorf("seed %d: at %d ms it convicted n%03d: %s", seed, e.at, e.node, e.reason)
			}
		}
		t.Logf("loss %d %%: it suspected %d times and was suspected %d times, health %d", worse, by, s.counts('s')-by, s.nodes[0].d.Health())
	}
}

// TestSimulationRepeats holds that one seed gives one history.
func TestSimulationRepeats(t *testing.T) {
	run := func(seed uint64) uint64 {
		s := newSim(10, seed)
		s.loss = .1
		s.run(30_000, nil)
		s.crash(4, true)
		s.pause(2, 40_000)
		s.run(60_000, nil)
		return s.trace
	}
	for seed := range uint64(5) {
		if a, b := run(seed), run(seed); a != b {
			t.Errorf("seed %d: %x and %x", seed, a, b)
		}
	}
	if run(1) == run(2) {
		t.Error("two seeds give one history")
	}
}
