package swim

import (
	"cmp"
	"slices"
)

// Detector is the failure detector of one node; make it with [New]. It is not
// safe for concurrent use. Its methods never block. Every now is a time in
// milliseconds of one monotonic clock; one that is earlier than the last
// counts as the last.
type Detector struct {
	opt    Options
	random random
	now    int64
	wake   int64 // what Next returns

	members []*member // all but Self, sorted by ID
	live    int       // how many run as far as known, Self included
	failed  int       // how many are failed
	round   ring      // those that are probed in turn
	lost    ring      // those that are failed

	probes []*probe // under way, by ID
	lastID uint64

	nextProbe  int64 // of the round; Never when there is nobody
	nextUrgent int64 // the earliest time of a probe out of turn
	nextRetry  int64 // of a failed member; Never when there is none

	health health
	rtts   rtts
	bucket bucket
}

// member is what the detector remembers of another node.
type member struct {
	Member
	suspicion *suspicion // nil when nobody accuses this incarnation
	due       int64      // of a probe out of turn; Never when none is
	probing   bool       // a probe is under way
	unheard   bool       // at the last probe neither it nor any relay answered
	flaps     int        // refutations without an answer to this node
	holdUntil int64      // not to be accused by this node before
}

// New returns a detector that knows no member yet.
func New(o Options) *Detector {
	o = o.withDefaults()
	return &Detector{
		opt: o, random: newRandom(o.Seed, o.Self), live: 1,
		wake: Never, nextProbe: Never, nextRetry: Never,
		bucket: newBucket(o.Interval),
	}
}

// Next returns when Tick is to be called, Never when there is nobody to probe.
// It changes with every call of another method and may lie in the past.
func (d *Detector) Next() int64 { return d.wake }

// Health returns Lifeguard's local health multiplier: 0 when this node has no
// reason to doubt itself, up to 7.
func (d *Detector) Health() int { return int(d.health) }

// Update takes up a changed cluster view: all members, sorted by ID, each
// once. Self may be among them. A member that is missing is forgotten. The
// slice is not kept.
func (d *Detector) Update(now int64, members []Member) {
	d.advance(now)
	byID := func(a, b Member) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(members, byID) {
		members = slices.Clone(members)
		slices.SortStableFunc(members, byID)
	}
	d.count(members)
	old := d.members
	next := make([]*member, 0, len(members))
	for _, seen := range members {
		if seen.ID == d.opt.Self || len(next) > 0 && next[len(next)-1].ID == seen.ID {
			continue
		}
		for len(old) > 0 && old[0].ID < seen.ID {
			d.leave(old[0])
			old = old[1:]
		}
		var m *member
		if len(old) > 0 && old[0].ID == seen.ID {
			m, old = old[0], old[1:]
		} else {
			m = &member{Member: Member{ID: seen.ID}, due: Never}
		}
		if m.Member != seen {
			d.see(m, seen)
		}
		next = append(next, m)
	}
	for _, m := range old {
		d.leave(m)
	}
	d.members = next
	d.plan()
}

// Accused takes up that accuser, a node id or any other name, wrote a
// NodeSuspected or NodeFailed of this incarnation of target: an independent
// confirmation. It may be called before or after the Update that shows it,
// once or often.
func (d *Detector) Accused(now int64, accuser, target string, incarnation uint64) {
	d.advance(now)
	m := d.find(target)
	if m == nil || !m.Status.runs() || m.Incarnation != incarnation {
		return
	}
	if m.suspicion == nil {
		d.hear(m)
	}
	if accuser == d.opt.Self {
		m.suspicion.mine = true // in an earlier life of this process
	}
	m.suspicion.accuse(accuser)
	d.watch(m)
	d.plan()
}

// Refuted takes up that this node had to refute an accusation: others had
// reason to think that it did not answer.
func (d *Detector) Refuted(now int64) {
	d.advance(now)
	d.health.add(1)
	d.plan()
}

// Doubt takes up that something else than a probe failed to reach the target:
// a request, or a connection that the other side closed. The target is probed
// out of turn.
func (d *Detector) Doubt(now int64, target string) {
	d.advance(now)
	if m := d.find(target); m != nil && m.Status.runs() && !m.probing {
		m.due = min(m.due, d.now)
	}
	d.plan()
}

// Tick returns what is due at this time.
func (d *Detector) Tick(now int64) []Action {
	d.advance(now)
	d.expire()
	var out []Action
	out = d.convict(out)
	out = d.probeUrgent(out)
	out = d.probeRound(out)
	out = d.probeLost(out)
	d.plan()
	return out
}

// advance moves the time on. When nobody called for much longer than asked
// for, this node slept: what it did not hear in that time is no evidence.
func (d *Detector) advance(now int64) {
	late := now - max(d.wake, d.now)
	d.now = max(d.now, now)
	if d.wake == Never || late <= d.opt.Interval/slackDiv {
		return
	}
	d.health.add(1)
	for _, p := range d.probes {
		p.void = true
	}
	for _, m := range d.members {
		if m.suspicion != nil {
			m.suspicion.since += late
		}
	}
}

// count takes note of the size of the cluster.
func (d *Detector) count(members []Member) {
	d.live, d.failed = 1, 0
	for i, m := range members {
		switch {
		case m.ID == d.opt.Self || i > 0 && members[i-1].ID == m.ID:
		case m.Status.runs():
			d.live++
		case m.Status == Failed:
			d.failed++
		}
	}
}

// see takes up the news about one member.
func (d *Detector) see(m *member, seen Member) {
	was := m.Member
	m.Member = seen
	if s := m.suspicion; s != nil && seen.Incarnation > s.incarnation {
		d.refuted(m, was.Status)
	}
	if was.Status.runs() != seen.Status.runs() {
		if seen.Status.runs() {
			d.round.add(m, &d.random)
		} else {
			d.round.remove(m)
		}
	}
	if (was.Status == Failed) != (seen.Status == Failed) {
		if seen.Status == Failed {
			d.lost.add(m, &d.random)
		} else {
			d.lost.remove(m)
		}
	}
	if !seen.Status.runs() {
		m.suspicion, m.due = nil, Never
		return
	}
	if seen.Status == Suspected && m.suspicion == nil {
		d.hear(m)
		m.suspicion.accuse("")
	}
}

// hear begins the suspicion of a member that somebody else accuses. A few
// members, about twice as many as need confirm it, probe the accused at once:
// either they confirm, or the accused learns that it has to refute.
func (d *Detector) hear(m *member) {
	m.suspicion = d.newSuspicion(m.Incarnation, d.now)
	d.watch(m)
	if others := int64(d.live - 2); d.random.below(others) < 2*int64(m.suspicion.need) {
		m.due = min(m.due, d.now+d.random.below(d.opt.Interval/hasteDiv))
	}
}

// refuted ends a suspicion: the member has a higher incarnation. A verdict
// that was overturned is no flapping, for it took its time.
func (d *Detector) refuted(m *member, was Status) {
	s := m.suspicion
	m.suspicion, m.due = nil, Never
	if was == Failed {
		return
	}
	if s.mine {
		d.health.add(1)
	}
	m.flaps = min(m.flaps+1, maxFlaps)
	m.holdUntil = d.now + d.opt.Interval<<m.flaps
}

// leave forgets a member.
func (d *Detector) leave(m *member) {
	d.round.remove(m)
	d.lost.remove(m)
	m.Status, m.suspicion, m.due = Removed, nil, Never
}

// watch has a suspected member probed by this node when the others let its
// timer pass.
func (d *Detector) watch(m *member) {
	if s := m.suspicion; !s.mine {
		m.due = min(m.due, s.since+s.timer())
	}
}

func (d *Detector) find(id string) *member {
	i, ok := slices.BinarySearchFunc(d.members, id, func(m *member, id string) int { return cmp.Compare(m.ID, id) })
	if !ok {
		return nil
	}
	return d.members[i]
}

// convict gives the verdicts whose time has come, as far as the limit allows.
func (d *Detector) convict(out []Action) []Action {
	for _, m := range d.members {
		s := m.suspicion
		if s == nil || s.verdictAt(d.opt.Interval, d.opt.Self) > d.now {
			continue
		}
		if !d.bucket.take(d.now) {
			return out
		}
		s.convicted = true
		out = append(out, Convict{Target: m.ID, Incarnation: s.incarnation, Reason: s.reason(d.now)})
	}
	return out
}

// plan finds the time of the next Tick, and when the round and the retries go
// on.
func (d *Detector) plan() {
	switch {
	case d.live < 2:
		d.nextProbe = Never
	case d.nextProbe == Never: // not all nodes at the same instant
		d.nextProbe = d.now + d.random.below(d.opt.Interval)
	}
	switch {
	case d.failed == 0:
		d.nextRetry = Never
	case d.nextRetry == Never:
		d.nextRetry = d.now + 1 + d.random.below(d.retryPeriod())
	default:
		d.nextRetry = min(d.nextRetry, d.now+d.retryPeriod())
	}
	wake := min(d.nextProbe, d.nextRetry)
	for _, p := range d.probes {
		wake = min(wake, p.deadline+d.opt.Interval)
	}
	for _, m := range d.members {
		if m.due != Never && !m.probing {
			wake = min(wake, max(m.due, d.nextUrgent))
		}
		if m.suspicion != nil {
			if at := m.suspicion.verdictAt(d.opt.Interval, d.opt.Self); at > d.now {
				wake = min(wake, at)
			} else {
				wake = min(wake, max(at, d.bucket.ready()))
			}
		}
	}
	d.wake = wake
}

// retryPeriod is the time between two probes of failed members.
func (d *Detector) retryPeriod() int64 {
	each := int64((d.failed + d.live - 1) / d.live) // of the failed, rounded up
	return max(retryMult*d.opt.Interval/max(each, 1), d.opt.Interval)
}
