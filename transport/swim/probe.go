package swim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// probe is one question to one member, asked directly and then through
// relays.
type probe struct {
	id          uint64
	target      *member
	incarnation uint64
	retry       bool
	start       int64
	period      int64 // how long the question may take
	timeout     int64 // of one request
	deadline    int64 // of the present stage
	detail      string
	void        bool // this node slept meanwhile: a failure proves nothing

	indirect bool     // the relays were asked
	via      []Member // whom
	waiting  int      // relays that have not reported
	nacks    int      // relays that answered no
}

// Result takes up the outcome of a Probe, or of one relay of an Indirect. One
// of a probe that is over, or that never was, is ignored.
func (d *Detector) Result(now int64, r Report) []Action {
	d.advance(now)
	var out []Action
	i, ok := slices.BinarySearchFunc(d.probes, r.ID, func(p *probe, id uint64) int { return cmp.Compare(p.id, id) })
	if ok {
		out = d.report(d.probes[i], r)
	}
	d.plan()
	return out
}

func (d *Detector) report(p *probe, r Report) []Action {
	if r.Outcome == Acked {
		d.acked(p, r)
		return nil
	}
	if d.now > p.deadline+d.opt.Interval/slackDiv {
		p.void = true // reported so late that nothing was heard in time
		d.health.add(1)
	}
	switch {
	case p.indirect:
		p.waiting--
		if r.Outcome == Nacked {
			p.nacks++
		}
		if p.waiting > 0 && !p.void {
			return nil
		}
	case !d.counts(p):
	default:
		p.detail = clip(r.Detail)
		if ask := d.askOthers(p); ask != nil {
			return ask
		}
	}
	d.end(p)
	if d.counts(p) {
		return d.verdict(p)
	}
	return nil
}

// counts reports whether a failure of this probe says anything about its
// target as it is now.
func (d *Detector) counts(p *probe) bool {
	m := p.target
	return !p.void && !p.retry && m.Status.runs() && m.Incarnation == p.incarnation
}

// acked takes up that the target answered.
func (d *Detector) acked(p *probe, r Report) {
	m := p.target
	if !p.indirect {
		d.rtts.add(r.RTT)
		d.health.add(-1)
	}
	if m.suspicion != nil {
		m.suspicion.resting = true
	}
	m.flaps, m.unheard = max(m.flaps-1, 0), false
	d.end(p)
}

// end forgets a probe and says when the target is probed out of turn again.
func (d *Detector) end(p *probe) {
	i := slices.Index(d.probes, p)
	d.probes = slices.Delete(d.probes, i, i+1)
	m := p.target
	m.probing = false
	switch s := m.suspicion; {
	case s == nil:
	case s.mine || d.now >= s.since+s.timer():
		m.due = max(p.start+p.period, d.now)
	default:
		d.watch(m)
	}
}

// askOthers has a few members that are not in doubt themselves probe the
// target.
func (d *Detector) askOthers(p *probe) []Action {
	p.via = d.relays(p.target)
	if len(p.via) == 0 {
		return nil
	}
	timeout := max(p.start+p.period-d.now, 2*p.timeout)
	p.indirect, p.waiting, p.deadline = true, len(p.via), d.now+timeout
	return []Action{Indirect{ID: p.id, Target: p.target.ID, Addr: p.target.Addr,
		Via: slices.Clone(p.via), Reach: p.timeout, Timeout: timeout}}
}

// relays chooses at random, and returns sorted, members that could reach
// another one.
func (d *Detector) relays(target *member) []Member {
	var able []*member
	for _, m := range d.members {
		if m != target && m.suspicion == nil && (m.Status == Alive || m.Status == Leaving) {
			able = append(able, m)
		}
	}
	n := min(d.opt.Indirect, len(able))
	if d.health > 0 {
		n = min(n, max(d.opt.Indirect/int(d.health.factor()), 1)) // who sees many late would ask for much
	}
	via := make([]Member, n)
	for i := range n { // the beginning of a shuffle
		j := i + int(d.random.below(int64(len(able)-i)))
		able[i], able[j] = able[j], able[i]
		via[i] = able[i].Member
	}
	slices.SortFunc(via, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return via
}

// verdict decides what follows from a member that answered nobody.
func (d *Detector) verdict(p *probe) []Action {
	m, s, doubt := p.target, p.target.suspicion, d.health.factor()
	if s == nil { // of a suspected one it was to be expected
		d.health.add(len(p.via) - p.nacks)
		if len(p.via) == 0 {
			d.health.add(1)
		}
	}
	if s != nil && s.resting {
		// It answered this node and now it does not: the timer begins anew.
		s.resting, s.since = false, p.start
	}
	switch {
	case s != nil && (s.mine || s.confirmed()):
		return nil
	case len(p.via) > 0 && p.nacks == 0 && !m.unheard: // it seems to be this node that hears nobody
		m.unheard, m.due = true, max(p.start+p.period, d.now)
		return nil
	case d.now < m.holdUntil: // the round comes back to it, not all members at once
		return nil
	case !d.bucket.take(d.now):
		m.due = min(m.due, d.bucket.ready())
		return nil
	case s == nil:
		s = d.newSuspicion(m.Incarnation, p.start)
		m.suspicion = s
	}
	s.mine, s.doubt, s.since = true, doubt, min(s.since, p.start)
	s.accuse(d.opt.Self)
	m.due = max(p.start+p.period, d.now)
	return []Action{Suspect{Target: m.ID, Incarnation: m.Incarnation, Reason: p.reason()}}
}

// reason says in words what was tried.
func (p *probe) reason() string {
	text := p.detail
	if text == "" {
		text = fmt.Sprintf("no answer in %d ms", p.timeout)
	}
	if len(p.via) == 0 {
		return text
	}
	names := make([]string, len(p.via))
	for i, v := range p.via {
		names[i] = v.ID
	}
	return fmt.Sprintf("%s; nor through %s (%d said so)", text, strings.Join(names, ", "), p.nacks)
}

// expire gives up on probes that were never reported: that says something
// about this node and nothing about the target.
func (d *Detector) expire() {
	for i := 0; i < len(d.probes); {
		if p := d.probes[i]; d.now < p.deadline+d.opt.Interval {
			i++
		} else {
			d.health.add(1)
			d.end(p)
		}
	}
}

// begin starts a probe of m.
func (d *Detector) begin(m *member, retry bool) Probe {
	d.lastID++
	p := &probe{
		id: d.lastID, target: m, incarnation: m.Incarnation, retry: retry,
		start: d.now, period: d.opt.Interval * d.health.factor(), timeout: d.timeout(),
	}
	p.deadline = d.now + p.timeout
	d.probes = append(d.probes, p)
	m.probing, m.due = true, Never
	return Probe{ID: p.id, Target: m.ID, Addr: m.Addr, Timeout: p.timeout, Retry: retry}
}

// timeout is min(500 ms, max(200 ms, 3 * p99)) of an Interval of 1 s, longer
// when this node is not well.
func (d *Detector) timeout() int64 {
	t := max(d.opt.Interval/timeoutMinDiv, 3*d.rtts.p99(), 1)
	return min(t, max(d.opt.Interval/timeoutMaxDiv, 1)) * d.health.factor()
}

// probeRound goes on in the shuffled round.
func (d *Detector) probeRound(out []Action) []Action {
	if d.now < d.nextProbe {
		return out
	}
	period := d.opt.Interval * d.health.factor()
	// In step with the last one, unless that is too long ago.
	if d.nextProbe += period; d.nextProbe <= d.now {
		d.nextProbe = d.now + period
	}
	m := d.round.take(&d.random, func(m *member) bool {
		return !m.probing && (m.suspicion == nil || !m.suspicion.mine) // mine are probed anyway
	})
	if m == nil {
		return out
	}
	return append(out, d.begin(m, false))
}

// probeUrgent probes one member out of turn: one that was in need of it for
// longest.
func (d *Detector) probeUrgent(out []Action) []Action {
	if d.now < d.nextUrgent {
		return out
	}
	var first *member
	for _, m := range d.members {
		if !m.probing && m.due <= d.now && (first == nil || m.due < first.due) {
			first = m
		}
	}
	if first == nil {
		return out
	}
	d.nextUrgent = d.now + max(d.opt.Interval*d.health.factor()/urgentDiv, 1)
	return append(out, d.begin(first, false))
}

// probeLost tries a failed member again.
func (d *Detector) probeLost(out []Action) []Action {
	if d.now < d.nextRetry {
		return out
	}
	d.nextRetry = d.now + d.retryPeriod()
	m := d.lost.take(&d.random, func(m *member) bool { return !m.probing })
	if m == nil {
		return out
	}
	return append(out, d.begin(m, true))
}

// clip bounds what is put into a reason.
func clip(s string) string {
	const most = 128
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
