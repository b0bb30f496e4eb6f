package swim

// Options configure a [Detector]. The zero value of every field but Self
// works; a value that makes no sense (a negative Interval) means the default.
type Options struct {
	// Self is the node id of the node that runs the detector.
	Self string

	// Interval is the time between two probes in milliseconds, default 1000.
	// All other durations are proportional to it.
	Interval int64

	// Indirect is how many other members are asked to probe a member that did
	// not answer, default 3. Negative means none.
	Indirect int

	// SuspicionMult is the shortest time between suspicion and verdict, in
	// Intervals in a cluster of up to ten; beyond, it grows with log10 of the
	// size. Default 4.
	SuspicionMult int

	// SuspicionMaxMult is how many times longer a suspicion lasts that nobody
	// confirms. Default 6.
	SuspicionMaxMult int

	// Seed begins the sequence of random choices, together with Self: nodes
	// with one seed make different choices, a node with one seed and equal
	// calls always the same. Zero is a seed like any other.
	Seed uint64
}

func (o Options) withDefaults() Options {
	if o.Interval <= 0 {
		o.Interval = 1000
	}
	o.Interval = min(o.Interval, maxInterval)
	switch {
	case o.Indirect == 0:
		o.Indirect = 3
	case o.Indirect < 0:
		o.Indirect = 0
	}
	if o.SuspicionMult <= 0 {
		o.SuspicionMult = 4
	}
	if o.SuspicionMaxMult <= 0 {
		o.SuspicionMaxMult = 6
	}
	o.SuspicionMult = min(o.SuspicionMult, 1000)
	o.SuspicionMaxMult = min(o.SuspicionMaxMult, 1000)
	return o
}

// maxInterval, an hour, keeps every product below far from the end of int64.
const maxInterval = 3_600_000

// The durations that follow from the Interval.
const (
	timeoutMinDiv = 5   // 200 ms of 1 s
	timeoutMaxDiv = 2   // 500 ms
	jitterDiv     = 2   // accusers convict 0..500 ms after their timer
	slackDiv      = 4   // later than 250 ms is asleep
	urgentDiv     = 8   // at most 8 probes an Interval out of turn
	hasteDiv      = 2   // confirmations are sought within 500 ms
	retryMult     = 30  // failed members are tried every 30 s
	burst         = 10  // accusations that may follow at once
	maxFlaps      = 6   // 2^6 = 64 s is the longest hold
	confirmations = 2   // k
	rttSamples    = 128 // round-trip times that are remembered
)
