package events

// MaxSkew is how far, in milliseconds, the clock of another node can drag this
// node's clock ahead of its wall time.
const MaxSkew = 10_000

// Clock is a hybrid logical clock. It reads no wall clock itself: the caller
// passes the wall time in Unix milliseconds. The zero value is ready to use.
// Not safe for concurrent use.
type Clock struct{ last Timestamp }

// Last returns the newest time the clock has given or seen.
func (c *Clock) Last() Timestamp { return c.last }

// Tick returns the time of a new local event: later than every time given or
// seen before, and not before wall. A counter that overflows carries into the
// milliseconds. At [MaxTimestamp] the clock stands still, so that a node goes
// on writing whatever it was made to believe; the order of its events is then
// their sequence.
func (c *Clock) Tick(wall int64) Timestamp {
	c.last = min(max(c.last+1, NewTimestamp(wall, 0)), MaxTimestamp)
	return c.last
}

// Observe takes note of the time of an event from elsewhere. A time more than
// MaxSkew ahead of wall moves the clock only that far, so that one bad clock
// cannot drag the others.
func (c *Clock) Observe(t Timestamp, wall int64) {
	limit := min(NewTimestamp(wall, 0)+MaxSkew<<16, MaxTimestamp)
	c.last = max(c.last, min(t, limit))
}

// Restore sets the clock to at least t, the newest time of this node's own
// events, after a restart.
func (c *Clock) Restore(t Timestamp) { c.last = max(c.last, min(t, MaxTimestamp)) }
