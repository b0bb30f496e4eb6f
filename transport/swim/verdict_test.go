package swim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

func TestFirstAccuserConvicts(t *testing.T) {
	for _, c := range []struct {
		n, confirm int
		timer      int64
	}{{2, 0, 4000}, {3, 0, 4000}, {4, 2, 4000}, {10, 0, 24_000}, {10, 1, 11_381}, {10, 2, 4000}, {10, 5, 4000}, {100, 2, 8000}} {
		b := newBed(t, swim.Options{}, numbered(c.n-1)...)
		b.down["n00"] = true
		b.runUntilSuspect()
		for i := range c.confirm {
			b.d.Accused(b.now, fmt.Sprint("accuser", i), "n00", 1)
		}
		b.set("n00", 1, swim.Suspected)
		b.run(b.now + 60_000)
		v, at := only[swim.Convict](t, b.out)
		if got := at - probed(b.out, "n00"); got < c.timer || got > c.timer+3 {
			t.Errorf("N=%d, %d confirmations: convicted %d ms after the probe, want %d", c.n, c.confirm, got, c.timer)
		}
		if v.Target != "n00" || v.Incarnation != 1 || !strings.Contains(v.Reason, "me") {
			t.Errorf("%+v", v)
		}
	}
}

// TestOthersConvictLater holds that an accuser who was not the first waits up
// to half an Interval longer, and who is none twice as long.
func TestOthersConvictLater(t *testing.T) {
	for _, c := range []struct {
		name     string
		accusers []string
		low, top int64
	}{
		{"accuser", []string{"n01", "n02"}, 4000, 4500},
		{"observer", []string{"n01", "n02", "n04"}, 8000, 10_000},
	} {
		var times []int64
		for seed := range uint64(100) {
			b := newBed(t, swim.Options{Seed: seed}, numbered(4)...)
			b.down["n00"] = true
			b.set("n00", 1, swim.Suspected)
			for _, a := range c.accusers {
				b.d.Accused(b.now, a, "n00", 1)
			}
			began := b.now
			if at := probed(b.out, "n00"); at != swim.Never && len(c.accusers) == 2 {
				began = at // it was about to suspect by itself
			}
			b.run(30_000)
			_, at := only[swim.Convict](t, b.out)
			times = append(times, at-began)
		}
		slices.Sort(times)
		if times[0] < c.low || times[99] > c.top || times[99]-times[0] < (c.top-c.low)*3/4 {
			t.Errorf("%s: convicts after %d to %d ms, want %d to %d", c.name, times[0], times[99], c.low, c.top)
		}
	}
}

func TestNoVerdictNeeded(t *testing.T) {
	for name, change := range map[string]func(b *bed){
		"somebody convicted": func(b *bed) { b.set("n00", 1, swim.Failed) },
		"it refuted":         func(b *bed) { b.set("n00", 2, swim.Alive); delete(b.down, "n00") },
		"it left":            func(b *bed) { b.set("n00", 1, swim.Left) },
		"it was removed":     func(b *bed) { b.set("n00", 1, swim.Removed) },
		"it is forgotten":    func(b *bed) { b.members = b.members[:1]; b.d.Update(b.now, b.members) },
		"it answers":         func(b *bed) { delete(b.down, "n00") },
	} {
		b := newBed(t, swim.Options{}, numbered(2)...)
		b.down["n00"] = true
		only[swim.Suspect](t, b.run(4000))
		b.set("n00", 1, swim.Suspected)
		change(b)
		b.run(60_000)
		if convicted, _ := of[swim.Convict](b.out); len(convicted) > 0 {
			t.Errorf("%s: %+v", name, convicted)
		}
		if len(b.out) == 0 {
			t.Error("nothing happened")
		}
	}
}

// TestAnswerWithoutRefutation holds that a suspected member that answered, and
// then does not, is convicted after a whole timer.
func TestAnswerWithoutRefutation(t *testing.T) {
	b := newBed(t, swim.Options{}, numbered(2)...)
	b.down["n00"] = true
	only[swim.Suspect](t, b.run(4000))
	b.set("n00", 1, swim.Suspected)
	delete(b.down, "n00")
	none[swim.Convict](t, b.run(30_000))
	b.down["n00"] = true
	_, at := only[swim.Convict](t, b.run(60_000))
	if at < 34_000 || at > 35_300 {
		t.Errorf("convicted at %d, want 4 s after it stopped answering for good", at)
	}
	if found, _ := of[swim.Suspect](b.out); len(found) != 1 {
		t.Errorf("%d times suspected in one incarnation", len(found))
	}
}

// TestSleeperConvictsNobody holds that time in which this node was not called
// counts for nothing.
func TestSleeperConvictsNobody(t *testing.T) {
	b := newBed(t, swim.Options{}, numbered(2)...)
	b.down["n00"] = true
	only[swim.Suspect](t, b.run(4000))
	b.set("n00", 1, swim.Suspected)
	b.now += 3_600_000
	woke := b.now
	none[swim.Convict](t, b.run(b.now))
	if b.d.Health() == 0 {
		t.Error("a node that slept finds itself healthy")
	}
	_, at := only[swim.Convict](t, b.run(b.now+10_000))
	if at < woke+1000 {
		t.Errorf("convicted %d ms after it woke", at-woke)
	}
}

// TestLateFailureIsNoEvidence holds that a probe that this node could not
// attend to accuses nobody.
func TestLateFailureIsNoEvidence(t *testing.T) {
	b := newBed(t, swim.Options{}, "a")
	p := step[swim.Probe](b)
	if got := b.d.Result(b.now+451, swim.Report{ID: p.ID, Outcome: swim.Missed}); len(got) != 0 {
		t.Errorf("%v on a failure that was reported 251 ms after its time", got)
	}
	if b.d.Health() != 1 {
		t.Errorf("health %d, want 1", b.d.Health())
	}
	p = step[swim.Probe](b)
	b.now += p.Timeout + 1
	if got := b.d.Result(b.now, swim.Report{ID: p.ID, Outcome: swim.Missed}); len(got) != 1 {
		t.Errorf("%v on a failure in time", got)
	}

	b = newBed(t, swim.Options{}, "a")
	p = step[swim.Probe](b)
	b.now += 5000
	b.d.Tick(b.now) // it slept; the probe is not its own to judge
	if got := b.d.Result(b.now, swim.Report{ID: p.ID, Outcome: swim.Missed}); len(got) != 0 {
		t.Errorf("%v on a probe of before it slept", got)
	}

	b = newBed(t, swim.Options{}, "a", "b")
	p = step[swim.Probe](b)
	b.d.Doubt(b.now+10, map[string]string{"a": "b", "b": "a"}[p.Target]) // so it wants to be called now
	b.d.Tick(b.now + 400)
	if got := b.d.Result(b.now+400, swim.Report{ID: p.ID, Outcome: swim.Missed}); len(got) != 0 {
		t.Errorf("%v on a probe during which it slept", got)
	}
}

// TestRefutedAccuser holds that a node whose accusation was refuted doubts
// itself, and that one who only heard of it does not.
func TestRefutedAccuser(t *testing.T) {
	b := newBed(t, swim.Options{}, "a", "b", "c", "e")
	b.down["a"] = true
	b.runUntilSuspect()
	before := b.d.Health()
	b.set("a", 2, swim.Alive)
	if b.d.Health() != before+1 {
		t.Errorf("health %d after %d", b.d.Health(), before)
	}
	before = b.d.Health()
	b.d.Accused(b.now, "e", "b", 1)
	b.set("b", 2, swim.Alive)
	if b.d.Health() != before {
		t.Errorf("health %d after %d: it did not accuse", b.d.Health(), before)
	}
}

// TestSilentCaller holds that probes that are never reported accuse nobody and
// do not stop the round.
func TestSilentCaller(t *testing.T) {
	b := newBed(t, swim.Options{}, "a", "b")
	b.mute = true
	got := b.run(120_000)
	if probes, _ := of[swim.Probe](got); len(probes) < 10 || len(probes) != len(got) {
		t.Errorf("%v", got)
	}
	if b.d.Health() != 7 {
		t.Errorf("health %d, want 7", b.d.Health())
	}
	b.mute = false
	b.run(240_000)
	if b.d.Health() != 0 {
		t.Errorf("health %d after two good minutes, want 0", b.d.Health())
	}
}

// TestHealth holds that a node that doubts itself probes less often, waits
// longer for answers and longer for a verdict.
func TestHealth(t *testing.T) {
	b := newBed(t, swim.Options{}, "a", "b")
	for range 9 {
		b.d.Refuted(0)
	}
	if b.d.Health() != 7 {
		t.Errorf("health %d, want 7 at most", b.d.Health())
	}
	p := step[swim.Probe](b)
	if p.Timeout != 1600 {
		t.Errorf("timeout %d, want 8 times 200", p.Timeout)
	}
	first := b.now
	b.d.Result(b.now+1, swim.Report{ID: p.ID, Outcome: swim.Acked, RTT: 1})
	b.d.Refuted(b.now)
	if p = step[swim.Probe](b); b.now-first != 8000 {
		t.Errorf("the next probe after %d ms, want 8000", b.now-first)
	}
	b.d.Result(b.now+1, swim.Report{ID: p.ID, Outcome: swim.Acked, RTT: 1})
	if b.d.Health() != 6 {
		t.Errorf("health %d after an answer, want 6", b.d.Health())
	}

	b = newBed(t, swim.Options{}, "a", "b")
	b.down["a"] = true
	b.d.Refuted(0)
	b.d.Refuted(0)
	b.run(40_000)
	_, at := only[swim.Convict](t, b.out)
	if wait := at - probed(b.out, "a"); wait <= 4000 || wait > 12_000 {
		t.Errorf("convicted after %d ms by a node that was unwell, want more than 4000", wait)
	}
}

// TestLimit holds that a node that loses everybody at once writes ten
// accusations, and then one an Interval.
func TestLimit(t *testing.T) {
	b := newBed(t, swim.Options{Indirect: -1}, numbered(60)...)
	b.run(900)
	for _, name := range numbered(60) {
		b.down[name] = true
		b.d.Doubt(b.now, name)
	}
	var at []int64
	for _, d := range b.run(200_000) {
		switch d.action.(type) {
		case swim.Suspect, swim.Convict:
			at = append(at, d.at)
		}
	}
	if len(at) != 120 {
		t.Errorf("%d accusations, want two of each", len(at))
	}
	most := 0
	for i := range at {
		for j := i; j < len(at); j++ {
			if allowed := 10 + (at[j]-at[i])/1000; int64(j-i+1) > allowed {
				t.Fatalf("%d accusations in %d ms", j-i+1, at[j]-at[i])
			}
		}
		if i+10 < len(at) && at[i+9]-at[i] < 9000 {
			most++
		}
	}
	if most == 0 {
		t.Error("no burst: the limit is stricter than it needs to be")
	}
}

// TestHold holds that a member that refutes without ever answering is accused
// after 2, 4, 8 ... 64 intervals, and soon again once it has answered.
func TestHold(t *testing.T) {
	b := newBed(t, swim.Options{}, "a", "b")
	b.down["a"] = true
	refuted, gaps := int64(0), []int64{}
	for inc := uint64(2); inc < 12; inc++ {
		b.runUntilSuspect()
		gaps = append(gaps, b.now-refuted)
		b.set("a", inc, swim.Alive)
		refuted = b.now
	}
	for i, gap := range gaps[1:] {
		low := int64(1000) << min(i+1, 6)
		if gap < low || gap > low+25_000 { // the health of this node suffers too
			t.Errorf("accused again %d ms after refutation %d, want at least %d", gap, i+1, low)
		}
	}
	delete(b.down, "a")
	b.run(b.now + 120_000)
	b.down["a"] = true
	from := b.now
	_, at := only[swim.Suspect](t, b.run(b.now+10_000))
	if at-from > 4000 {
		t.Errorf("accused %d ms after it failed, although it had answered for long", at-from)
	}
}

// TestNobodyAnswers holds that a node that hears nobody, neither the member nor
// any relay, doubts itself first: it asks once more, with more patience and
// of fewer, before it accuses.
func TestNobodyAnswers(t *testing.T) {
	b := newBed(t, swim.Options{}, numbered(6)...)
	for _, m := range b.members {
		b.down[m.ID] = true
	}
	b.runUntilSuspect()
	suspects, at := of[swim.Suspect](b.out)
	var probes []swim.Probe
	all, times := of[swim.Probe](b.out)
	for i, p := range all {
		if p.Target == suspects[0].Target && times[i] < at[0] {
			probes = append(probes, p)
		}
	}
	if len(probes) != 2 || probes[1].Timeout <= probes[0].Timeout {
		t.Errorf("accused after %+v, want two probes, the second with more patience", probes)
	}
	asked, _ := of[swim.Indirect](b.out)
	if first, last := len(asked[0].Via), len(asked[len(asked)-1].Via); first != 3 || last != 1 {
		t.Errorf("%d relays at first and %d at last, want 3 and 1", first, last)
	}

	b = newBed(t, swim.Options{}, numbered(6)...)
	b.down["n00"] = true
	b.runUntilSuspect()
	all, _ = of[swim.Probe](b.out)
	if n := len(slices.DeleteFunc(all, func(p swim.Probe) bool { return p.Target != "n00" })); n != 1 {
		t.Errorf("where relays answer: accused after %d probes, want 1", n)
	}
}
