package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The states of a member.
const (
	MemberAlive     = "alive"
	MemberSuspected = "suspected"
	MemberFailed    = "failed"
	MemberLeaving   = "leaving"
	MemberLeft      = "left"
	MemberRemoved   = "removed"
)

// Why a member came into a state. Any other reason counts as "other".
const (
	ReasonJoined    = "joined"    // alive: started, for the first time or again
	ReasonRecovered = "recovered" // alive: refuted an accusation
	ReasonUndrained = "undrained" // alive: an operator took the order back
	ReasonProbe     = "probe"     // suspected: it does not answer
	ReasonTimeout   = "timeout"   // failed: it did not refute in time
	ReasonLeave     = "leave"     // leaving, left: for good
	ReasonShutdown  = "shutdown"  // left: means to come back
	ReasonDrain     = "drain"     // leaving: ordered by an operator
	ReasonOperator  = "operator"  // removed: ordered by an operator
)

// transitions lists the reasons that make sense for each state. Only they have
// series, so that a state and a reason cannot multiply to a hundred zeros.
var transitions = []struct {
	to      string
	reasons []string
}{
	{MemberAlive, []string{ReasonJoined, ReasonRecovered, ReasonUndrained}},
	{MemberSuspected, []string{ReasonProbe}},
	{MemberFailed, []string{ReasonTimeout}},
	{MemberLeaving, []string{ReasonLeave, ReasonDrain}},
	{MemberLeft, []string{ReasonLeave, ReasonShutdown}},
	{MemberRemoved, []string{ReasonOperator}},
}

// How a probe failed. Any other kind counts as "other".
const (
	ProbeDirect   = "direct"   // the node itself did not answer in time
	ProbeIndirect = "indirect" // and no other member could reach it either
)

var probeKinds = []string{ProbeDirect, ProbeIndirect}

// probeBuckets reach from a round trip in one rack to the longest time that a
// probe is waited for when this node knows itself to be slow.
var probeBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

type memberMetrics struct {
	transitions   map[string]*counters // by state
	rest          prometheus.Counter   // of a state that is none of them
	probeDuration prometheus.Histogram
	probeFailures counters
}

func newMemberMetrics(b *builder) memberMetrics {
	v := b.counterVec("member_transitions_total",
		"Changes of a member's state that this node learnt of, its own included, by new state and reason.", "to", "reason")
	m := memberMetrics{
		transitions: make(map[string]*counters, len(transitions)),
		rest:        v.WithLabelValues(other, other),
		probeDuration: b.histogram("probe_duration_seconds",
			"Round trip of a direct probe that was answered.", probeBuckets),
		probeFailures: b.counters("probe_failures_total",
			"Probes without an answer: from the node itself (direct), or through any other member (indirect).",
			"kind", probeKinds, other),
	}
	for _, t := range transitions {
		c := newCounters(v, t.reasons, other, t.to)
		m.transitions[t.to] = &c
	}
	return m
}

// MemberTransition counts a member that came into a state, one of the Member
// constants, for one of the Reason constants.
func (m *Metrics) MemberTransition(to, reason string) {
	if m == nil {
		return
	}
	if c, ok := m.members.transitions[to]; ok {
		c.of(reason).Inc()
		return
	}
	m.members.rest.Inc()
}

// Probed records the round trip of a direct probe that was answered.
func (m *Metrics) Probed(d time.Duration) {
	if m != nil {
		observe(m.members.probeDuration, d)
	}
}

// ProbeFailed counts a probe without an answer, ProbeDirect or ProbeIndirect.
func (m *Metrics) ProbeFailed(kind string) {
	if m != nil {
		m.members.probeFailures.of(kind).Inc()
	}
}
