// Package swim decides which members of a cluster still answer. It is a pure
// state machine: no I/O, goroutine, lock or clock. Time is a parameter, in
// milliseconds of a monotonic clock; random choices come from [Options.Seed].
// The same calls give the same actions on every machine.
//
// It is SWIM (Das, Gupta, Motivala, 2002) with Lifeguard (Dadgar, Phillips,
// Currey, 2018), over a cluster view that is spread elsewhere: the detector
// sends nothing and remembers no verdict. It asks for probes, is told what
// became of them, and says whom this node should accuse.
//
// # The loop around it
//
//	the view changed        --Update--->  +----------+
//	others accuse           --Accused-->  |          |  --[]Action-->  Probe     POST /probe, then Result
//	this node refuted       --Refuted-->  | Detector |                 Indirect  ask each of Via, then a Result for each
//	a request broke         --Doubt---->  |          |                 Suspect   write NodeSuspected
//	Next() is reached       --Tick----->  |          |                 Convict   write NodeFailed
//	a probe ended           --Result--->  +----------+  --Next()---->  when to call Tick
//
// One caller drives it, from one goroutine or under one lock. After every
// call the caller reads Next again and calls Tick at that time. The contents
// of actions belong to the caller.
//
// # A member, as one node sees it
//
//	         all probes of a period unanswered         timer ran out, no verdict yet
//	alive ---------------------------------> suspected ------------------------------> failed
//	  ^            (Suspect, or Accused)        |  ^             (Convict, or Update)    |
//	  |                          it answered me |  | it did not                          | one retry
//	  |                                         v  |                                     | per 30 intervals,
//	  |                                       resting                                    | for ever
//	  +-------------------- Update with a higher incarnation: it refuted ---------------+
//
// Only the accused clears itself, by a higher incarnation. A suspected member
// that answers this node is not convicted by this node as long as it answers,
// but it stays suspected until it refutes; the probe is how it learns.
//
// # Probing
//
// Once per Interval, times 1 + [Detector.Health], the next member of a
// shuffled round is probed; a new member takes a random place in the round.
// An unanswered probe (a refused connection is one at once) is followed by
// probes through Indirect other members within the rest of the period. Any
// answer clears. When every relay has said no the period need not be waited
// for.
//
// The members that this node accuses are probed once a period besides, so
// that they learn of it at once. So is a member in doubt: one that the caller
// doubts, or, by a few members chosen at random, one that somebody else has
// just begun to suspect. That makes confirmations, or the answer to the
// accused, a matter of a second. These probes are at most 8 an Interval.
//
// Failed members are not part of the round. One of them, in shuffled order, is
// probed every 30 intervals, more often when more members are failed than
// live: together the nodes of each side of a split make at least as many
// attempts in 30 intervals as they miss members, so its end is found, also
// from the smaller side. Members that left or were removed are not probed.
//
// # Time to a verdict
//
//	min   = SuspicionMult * max(1, log10 N) * Interval     N: members that run, this one included
//	max   = SuspicionMaxMult * min
//	timer = max - (max-min) * ln(c+1)/ln(k+1)              c: accusers beyond the first, k = 2
//
// and timer = min where fewer than two others could confirm (N < 4). N is that
// of the moment when the suspicion began. The timer runs from when this node
// first learnt of the suspicion or, if this node is the first to suspect, from
// when it sent the probe that stayed unanswered. The first accuser convicts
// when its timer ends, the other accusers up to half an Interval later,
// everybody else at twice the timer and up to half of it later, each only if
// there is no verdict yet.
//
// # How many events
//
// One NodeSuspected per accuser, target and incarnation, none when k+1
// accusers are known, one verdict per node and incarnation, and both together
// not more than one an Interval with bursts of ten. A member that refutes again
// and again without answering this node, because only its outgoing connections
// work, is not accused again before 2, 4, 8 ... 64 intervals have passed since
// it last refuted; every answer takes one doubling back.
//
// # Whom not to believe: oneself
//
// A node that is starved of CPU sees everybody late. It takes that into
// account in five ways. When of those that it asked, the member and the relays,
// nobody said anything at all, then that alone is no evidence against the
// member: it is probed again, with the longer timeouts of the worse health that
// this led to, and only when that ends alike, or a relay says no, accused. Local health (0 best to 7) stretches the period and
// the timeouts: an answer lowers it by one; an unanswered probe without
// relays, each relay that did not even say no, a refutation of this node's
// own, an accusation of this node that was refuted, and a late tick raise it
// by one. When a call comes more than a quarter of an Interval after Next the
// node was asleep: no suspicion ages by that time, and the probes that were
// under way then are no evidence. A failure that is reported that late is none
// either. And a node that was unwell when it began to suspect waits 1 + health
// times as long before it convicts, but not longer than max.
//
// All arithmetic is in integers, the logarithms too. All durations are
// proportional to Interval but for the measured round-trip times.
//
// # Measured
//
// In the simulated cluster of the tests, hops of 1 to 4 ms, TestDetection with
// -runs 16 (medians and 99th percentiles in seconds after a crash; whether
// connections are refused or packets dropped makes no difference to the last
// two columns):
//
//	  N   first suspicion   first verdict    all know     events
//	  3     0.6 /  2.0        4.6 /  6.0     4.6 /  6.0     2
//	 10     0.7 /  3.7        4.7 /  7.8     4.7 /  7.8     4
//	100     0.7 /  4.3        8.7 / 12.3     8.7 / 12.3     4
//
// A node that stops for 2 s, or the loss of 5 % of all messages, led to no
// verdict.
package swim
