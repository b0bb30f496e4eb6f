package swim

// maxHealth is the worst health a node ascribes to itself.
const maxHealth = 7

// health is Lifeguard's local health multiplier: 0 is well, 7 is the worst.
type health int

func (h *health) add(n int) { *h = health(min(max(int(*h)+n, 0), maxHealth)) }

// factor is by how much the node slows down.
func (h health) factor() int64 { return int64(h) + 1 }

// bucket limits how many accusations a node writes: one an Interval, with
// bursts. Credit is kept in milliseconds, so no fraction is ever lost.
type bucket struct {
	interval int64
	credit   int64
	at       int64
}

func newBucket(interval int64) bucket { return bucket{interval: interval, credit: burst * interval} }

func (b *bucket) take(now int64) bool {
	b.credit = min(b.credit+max(now-b.at, 0), burst*b.interval)
	b.at = now
	if b.credit < b.interval {
		return false
	}
	b.credit -= b.interval
	return true
}

// ready is when the next accusation may be written.
func (b *bucket) ready() int64 { return b.at + max(b.interval-b.credit, 0) }

// rtts remembers the last round-trip times.
type rtts struct {
	samples [rttSamples]int64
	count   int
	next    int
}

func (r *rtts) add(rtt int64) {
	r.samples[r.next] = max(rtt, 0)
	r.next = (r.next + 1) % rttSamples
	r.count = min(r.count+1, rttSamples)
}

// p99 returns the 99th percentile: the largest but one of 128, the largest of
// fewer than 100.
func (r *rtts) p99() int64 {
	var first, second int64
	for _, s := range r.samples[:r.count] {
		if s > first {
			first, second = s, first
		} else if s > second {
			second = s
		}
	}
	if r.count < 100 {
		return first
	}
	return second
}
