package swim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

func TestNobodyToProbe(t *testing.T) {
	if d := swim.New(swim.Options{Self: "me"}); d.Next() != swim.Never {
		t.Errorf("without members: Next is %d", d.Next())
	}
	b := newBed(t, swim.Options{}, "a", "b")
	if b.d.Next() == swim.Never {
		t.Error("with members: Next is Never")
	}
	b.run(3000)
	b.set("a", 1, swim.Left)
	b.set("b", 1, swim.Removed)
	none[swim.Probe](t, b.run(100_000))
	if b.d.Next() != swim.Never {
		t.Errorf("all gone: Next is %d", b.d.Next())
	}
	b.d.Update(b.now, nil)
	if b.d.Next() != swim.Never {
		t.Errorf("empty view: Next is %d", b.d.Next())
	}
}

func TestRoundIsShuffled(t *testing.T) {
	names := numbered(10)
	b := newBed(t, swim.Options{Seed: 3}, names...)
	probes, at := of[swim.Probe](b.run(100_900))
	if len(probes) < 100 || len(probes) > 101 {
		t.Errorf("%d probes in 100 s", len(probes))
	}
	var rounds [][]string
	for i := 0; i+10 <= len(probes); i += 10 {
		var round []string
		for j := range 10 {
			round = append(round, probes[i+j].Target)
			if k := i + j; k > 0 && at[k]-at[k-1] != 1000 {
				t.Errorf("%d ms between two probes", at[k]-at[k-1])
			}
		}
		rounds = append(rounds, slices.Clone(round))
		slices.Sort(round)
		if diff := cmp.Diff(names, round); diff != "" {
			t.Errorf("a round (-want +got):\n%s", diff)
		}
	}
	if slices.Equal(rounds[1], rounds[2]) {
		t.Error("two rounds in one order")
	}
	if probes[0].Addr != probes[0].Target+":1" || probes[0].Retry || probes[0].Timeout != 200 {
		t.Errorf("probe %+v", probes[0])
	}
}

func TestNewMemberTakesRandomPlace(t *testing.T) {
	places := map[int64]bool{}
	for seed := range uint64(40) {
		b := newBed(t, swim.Options{Seed: seed}, numbered(20)...)
		b.run(3_900)
		b.members = append(b.members, swim.Member{ID: "x", Addr: "x:1", Incarnation: 1, Status: swim.Alive})
		b.d.Update(b.now, b.members)
		for _, d := range b.run(b.now + 42_000) {
			if p, ok := d.action.(swim.Probe); ok && p.Target == "x" {
				places[d.at/1000] = true
				break
			}
		}
	}
	if len(places) < 12 {
		t.Errorf("40 new members got only %d different places", len(places))
	}
}

func TestTimeoutFollowsRTT(t *testing.T) {
	for _, c := range []struct{ interval, rtt, want int64 }{
		{1000, 1, 200}, {1000, 66, 200}, {1000, 70, 210}, {1000, 150, 450}, {1000, 199, 500},
		{100, 1, 20}, {100, 10, 30}, {100, 50, 50}, {10_000, 100, 2000}, {10_000, 1000, 3000},
	} {
		b := newBed(t, swim.Options{Interval: c.interval}, numbered(5)...)
		b.rtt = c.rtt
		probes, _ := of[swim.Probe](b.run(200 * c.interval))
		if got := probes[len(probes)-1].Timeout; got != c.want {
			t.Errorf("interval %d, rtt %d: timeout %d, want %d", c.interval, c.rtt, got, c.want)
		}
	}
	b := newBed(t, swim.Options{}, numbered(5)...)
	b.rtt = 150
	b.run(10_000)
	b.rtt = 1
	probes, _ := of[swim.Probe](b.run(200_000))
	if got := probes[len(probes)-1].Timeout; got != 200 {
		t.Errorf("old round-trip times are not forgotten: timeout %d", got)
	}
}

func TestIndirectProbes(t *testing.T) {
	b := newBed(t, swim.Options{}, numbered(8)...)
	b.set("n00", 1, swim.Suspected) // no good relay
	b.set("n01", 1, swim.Failed)
	b.set("n02", 1, swim.Left)
	b.down["n03"] = true
	got := b.run(8000)
	ask, at := of[swim.Indirect](got)
	if len(ask) == 0 {
		t.Fatal("no indirect probe")
	}
	var via []string
	for _, v := range ask[0].Via {
		via = append(via, v.ID)
		if v.Addr != v.ID+":1" {
			t.Errorf("relay %+v", v)
		}
	}
	if len(via) != 3 || !slices.IsSorted(via) {
		t.Errorf("via %v, want three, sorted", via)
	}
	for _, v := range via {
		if !slices.Contains([]string{"n04", "n05", "n06", "n07"}, v) {
			t.Errorf("via %v, who is no relay", v)
		}
	}
	i := slices.IndexFunc(got, func(d done) bool { p, ok := d.action.(swim.Probe); return ok && p.ID == ask[0].ID })
	if at[0] != got[i].at+200 || ask[0].Timeout != 800 || ask[0].Reach != 200 || ask[0].Addr != "n03:1" {
		t.Errorf("at %d after the probe: %+v, want 200 ms and the rest of the period", at[0]-got[i].at, ask[0])
	}
	s, when := only[swim.Suspect](t, got)
	if s.Target != "n03" || s.Incarnation != 1 || when != at[0]+200 {
		t.Errorf("%+v %d ms after the relays were asked, want when all have said no", s, when-at[0])
	}
	want := "no answer in 200 ms; nor through " + strings.Join(via, ", ") + " (3 said so)"
	if s.Reason != want {
		t.Errorf("reason %q, want %q", s.Reason, want)
	}
}

func TestRefusedConnection(t *testing.T) {
	b := newBed(t, swim.Options{}, "a", "b", "c")
	p := step[swim.Probe](b)
	got := b.d.Result(b.now+2, swim.Report{ID: p.ID, Outcome: swim.Missed, Detail: "connection refused"})
	if len(got) != 1 {
		t.Fatalf("%v, want the relays to be asked at once", got)
	}
	ask := got[0].(swim.Indirect)
	if ask.ID != p.ID || len(ask.Via) != 2 || ask.Timeout != 998 {
		t.Errorf("%+v", ask)
	}
	if got := b.d.Result(b.now+4, swim.Report{ID: p.ID, Outcome: swim.Nacked}); len(got) != 0 {
		t.Errorf("%v after the first relay", got)
	}
	got = b.d.Result(b.now+5, swim.Report{ID: p.ID, Outcome: swim.Missed})
	want := []swim.Action{swim.Suspect{Target: p.Target, Incarnation: 1,
		Reason: fmt.Sprintf("connection refused; nor through %s, %s (1 said so)", ask.Via[0].ID, ask.Via[1].ID)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b.d.Health() != 1 {
		t.Errorf("health %d after a relay that did not answer, want 1", b.d.Health())
	}
	if got := b.d.Result(b.now+6, swim.Report{ID: p.ID, Outcome: swim.Nacked}); len(got) != 0 {
		t.Errorf("%v for a probe that is over", got)
	}
}

func TestAnyAnswerClears(t *testing.T) {
	b := newBed(t, swim.Options{}, "a", "b", "c", "e", "f")
	p := step[swim.Probe](b)
	b.d.Result(b.now+200, swim.Report{ID: p.ID, Outcome: swim.Missed})
	b.d.Result(b.now+300, swim.Report{ID: p.ID, Outcome: swim.Nacked})
	b.d.Result(b.now+300, swim.Report{ID: p.ID, Outcome: swim.Acked})
	if got := b.d.Result(b.now+900, swim.Report{ID: p.ID, Outcome: swim.Missed}); len(got) != 0 {
		t.Errorf("%v after a relay reached it", got)
	}
}

func TestWithoutRelays(t *testing.T) {
	for _, o := range []swim.Options{{}, {Indirect: -1}} {
		names := []string{"a"}
		if o.Indirect < 0 {
			names = numbered(5)
		}
		b := newBed(t, o, names...)
		p := step[swim.Probe](b)
		got := b.d.Result(b.now+200, swim.Report{ID: p.ID, Outcome: swim.Missed})
		want := []swim.Action{swim.Suspect{Target: p.Target, Incarnation: 1, Reason: "no answer in 200 ms"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if b.d.Health() != 1 {
			t.Errorf("health %d, want 1: nobody else could say whose fault it was", b.d.Health())
		}
	}
}

func TestOneSuspectPerIncarnation(t *testing.T) {
	b := newBed(t, swim.Options{}, numbered(9)...)
	b.down["n03"] = true
	s, at := only[swim.Suspect](t, b.run(20_000))
	b.set("n03", 2, swim.Alive)
	got := b.run(b.now + 40_000)
	again, when := only[swim.Suspect](t, got)
	if again.Target != s.Target || again.Incarnation != 2 || when < at+2000 {
		t.Errorf("%+v at %d", again, when)
	}
}

func TestEnoughAccusers(t *testing.T) {
	b := newBed(t, swim.Options{}, numbered(9)...)
	b.set("n03", 1, swim.Suspected)
	for _, accuser := range []string{"n00", "n01", "n02"} {
		b.d.Accused(0, accuser, "n03", 1)
	}
	b.down["n03"] = true
	none[swim.Suspect](t, b.run(7_900))

	b = newBed(t, swim.Options{Seed: 1}, numbered(9)...)
	b.set("n03", 1, swim.Suspected)
	b.d.Accused(0, "n00", "n03", 1)
	b.d.Accused(0, "n00", "n03", 1)
	b.d.Accused(0, "n01", "n03", 1)
	b.d.Accused(0, "n01", "n03", 0) // of an older incarnation
	b.down["n03"] = true
	only[swim.Suspect](t, b.run(7_900))
}

func TestStaleEvidence(t *testing.T) {
	b := newBed(t, swim.Options{}, "a")
	p := step[swim.Probe](b)
	b.set("a", 2, swim.Alive)
	if got := b.d.Result(b.now+200, swim.Report{ID: p.ID, Outcome: swim.Missed}); len(got) != 0 {
		t.Errorf("%v on a probe of the incarnation before", got)
	}
	p = step[swim.Probe](b)
	b.set("a", 2, swim.Left)
	if got := b.d.Result(b.now+200, swim.Report{ID: p.ID, Outcome: swim.Missed}); len(got) != 0 {
		t.Errorf("%v on a member that left", got)
	}
	b.d.Update(b.now, nil)
	if got := b.d.Result(b.now+200, swim.Report{ID: 77, Outcome: swim.Missed}); len(got) != 0 {
		t.Errorf("%v on a probe that never was", got)
	}
}

func TestBuddy(t *testing.T) {
	b := newBed(t, swim.Options{}, numbered(9)...)
	b.down["n03"] = true
	_, at := only[swim.Suspect](t, b.run(15_000))
	b.out = nil
	b = newBed(t, swim.Options{}, numbered(9)...)
	b.down["n03"] = true
	b.run(at)
	probes, _ := of[swim.Probe](b.run(at + 10_000))
	told := 0
	for _, p := range probes {
		if p.Target == "n03" {
			told++
		}
	}
	if told < 9 || told > 11 || len(probes) > 21 {
		t.Errorf("the accused was probed %d times of %d in ten periods, want every period, beside the round", told, len(probes))
	}
}

func TestDoubt(t *testing.T) {
	b := newBed(t, swim.Options{}, numbered(50)...)
	b.run(1500)
	b.d.Doubt(b.now, "n07")
	b.d.Doubt(b.now, "nobody")
	probes, at := of[swim.Probe](b.run(b.now + 10))
	if len(probes) != 1 || probes[0].Target != "n07" || at[0] != b.now-10 {
		t.Errorf("%v at %v, want n07 at once", probes, at)
	}
	for _, name := range numbered(50) {
		b.d.Doubt(b.now, name)
	}
	probes, _ = of[swim.Probe](b.run(b.now + 999))
	if len(probes) < 8 || len(probes) > 10 {
		t.Errorf("%d probes in an Interval, want at most 8 out of turn", len(probes))
	}
}

func TestFailedAreRetried(t *testing.T) {
	for _, c := range []struct {
		alive, failed int
		period        int64
	}{{9, 1, 30_000}, {9, 9, 30_000}, {1, 4, 15_000}, {0, 5, 6000}, {0, 60, 1000}} {
		names := numbered(c.alive + c.failed)
		b := newBed(t, swim.Options{}, names...)
		for i := range c.failed {
			b.set(names[i], 1, swim.Failed)
			b.down[names[i]] = true
		}
		tried := map[string]int{}
		last := int64(0)
		got := b.run(int64(c.failed)*c.period*2 + c.period/2)
		for _, d := range got {
			switch a := d.action.(type) {
			case swim.Probe:
				if a.Retry != slices.Contains(names[:c.failed], a.Target) {
					t.Errorf("%+v", a)
				}
				if a.Retry {
					tried[a.Target]++
					if gap := d.at - last; gap > c.period || last > 0 && gap < c.period {
						t.Errorf("%d of %d failed: retried after %d ms, want %d", c.failed, c.alive+c.failed+1, gap, c.period)
					}
					last = d.at
				}
			default:
				t.Errorf("%+v on a failed member", a)
			}
		}
		if len(tried) != c.failed {
			t.Errorf("%d of %d failed members were tried in two rounds", len(tried), c.failed)
		}
		if b.d.Health() != 0 {
			t.Errorf("retries changed health to %d", b.d.Health())
		}
	}
}

func TestDeterministic(t *testing.T) {
	run := func(self string, seed uint64) []done {
		b := newBed(t, swim.Options{Seed: seed}, numbered(12)...)
		b.d = swim.New(swim.Options{Self: self, Seed: seed})
		b.d.Update(0, b.members)
		b.down["n05"] = true
		return b.run(60_000)
	}
	if diff := cmp.Diff(fmt.Sprint(run("me", 1)), fmt.Sprint(run("me", 1))); diff != "" {
		t.Error("equal calls, different actions")
	}
	if fmt.Sprint(run("me", 1)) == fmt.Sprint(run("me", 2)) || fmt.Sprint(run("me", 1)) == fmt.Sprint(run("n00", 1)) {
		t.Error("different seeds or nodes, equal actions")
	}
}

// TestScales holds that everything is proportional to the Interval.
func TestScales(t *testing.T) {
	run := func(interval int64) (list []string) {
		b := newBed(t, swim.Options{Interval: interval, Seed: 9}, numbered(8)...)
		b.down["n02"], b.rtt = true, interval/1000
		b.set("n04", 1, swim.Failed)
		for _, d := range b.run(90 * interval) {
			// The choice of an instant within the Interval has another remainder.
			list = append(list, fmt.Sprintf("%T", d.action))
			if p, ok := d.action.(swim.Probe); ok && p.Timeout*1000 != 200*interval {
				t.Errorf("interval %d: timeout %d", interval, p.Timeout)
			}
		}
		return list
	}
	a, b := run(1000), run(100_000)
	if diff := len(a) - len(b); diff < -3 || diff > 3 {
		t.Errorf("%d actions in 90 intervals of 1 s, %d in 90 intervals of 100 s", len(a), len(b))
	}
}

func TestUnsortedUpdate(t *testing.T) {
	d := swim.New(swim.Options{Self: "b"})
	d.Update(0, []swim.Member{
		{ID: "c", Incarnation: 1, Status: swim.Alive}, {ID: "a", Incarnation: 1, Status: swim.Alive},
		{ID: "a", Incarnation: 1, Status: swim.Alive}, {ID: "b", Incarnation: 1, Status: swim.Alive},
	})
	seen := map[string]int{}
	for range 20 {
		for _, a := range d.Tick(d.Next()) {
			if p, ok := a.(swim.Probe); ok {
				seen[p.Target]++
				d.Result(d.Next(), swim.Report{ID: p.ID, Outcome: swim.Acked})
			}
		}
	}
	if seen["a"] < 9 || seen["c"] < 9 || seen["b"] > 0 {
		t.Errorf("%v", seen)
	}
}

// TestSuspectedByOthers holds that a few members at once probe whom somebody
// suspects, and all do when its time is over.
func TestSuspectedByOthers(t *testing.T) {
	const seeds = 400
	soon, timer := 0, int64(6796) // 4 s * log10 50
	for seed := range uint64(seeds) {
		b := newBed(t, swim.Options{Seed: seed}, numbered(49)...)
		b.run(5500)
		began := b.now
		for _, accuser := range []string{"n01", "n02", "n03"} {
			b.d.Accused(b.now, accuser, "n07", 1)
		}
		b.set("n07", 1, swim.Suspected)
		got := b.run(began + 9000)
		if probed(got, "n07") <= began+500 {
			soon++
		}
		late := slices.IndexFunc(got, func(d done) bool { return d.at >= began+timer-1 })
		if at := probed(got[late:], "n07"); at > began+timer+150 {
			t.Errorf("seed %d: %d ms after the suspicion began nobody had asked the accused", seed, at-began)
		}
	}
	if soon < seeds/20 || soon > seeds/6 {
		t.Errorf("%d of %d probed the accused at once, want about 4 of 48, and those whose turn it was", soon, seeds)
	}
}
