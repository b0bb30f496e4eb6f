package timeline

import (
	"encoding/binary"
	"iter"
)

// A lane is a sequence of intervals without a gap, packed so that a million of
// them are a few megabytes, in memory as in a page:
//
//	start     uvarint   milliseconds since the interval before, or since Timeline.From
//	value     uvarint   label<<2 | step
//	version   uvarint   only with step 2: its upper and its lower half
//
// step says how the version follows from the one before: 0 it is the same, 1 it
// is one larger, 2 it follows. The last interval lasts until Timeline.Until.
type lane struct {
	bytes   []byte
	count   int
	current interval // not packed yet, as a later one of the same millisecond takes its place
	last    int64    // start and version of the one packed before
	version uint64
	open    bool // there is a current one
}

// interval is how something was from a time on.
type interval struct {
	from    int64 // milliseconds since Timeline.From
	label   uint32
	version uint64 // the epoch of a partition, the incarnation of a node
}

// add notes that something is so from a time on, which is not before the last
// one.
func (l *lane) add(i interval) {
	if l.open {
		if l.current.label == i.label && l.current.version == i.version {
			return
		}
		if i.from > l.current.from {
			l.pack()
		}
	} else {
		l.count++
	}
	l.current, l.open = i, true
}

// pack puts the current interval behind the others.
func (l *lane) pack() {
	c := &l.current
	if l.bytes == nil {
		l.bytes = make([]byte, 0, 32)
	}
	l.bytes = appendInterval(l.bytes, c, l.last, l.version)
	l.last, l.version = c.from, c.version
	l.count++
}

func appendInterval(b []byte, c *interval, last int64, version uint64) []byte {
	step := uint64(2)
	if d := c.version - version; d <= 1 {
		step = d
	}
	b = binary.AppendUvarint(b, uint64(c.from-last))
	b = binary.AppendUvarint(b, uint64(c.label)<<2|step)
	if step == 2 {
		b = binary.AppendUvarint(b, c.version>>32)
		b = binary.AppendUvarint(b, c.version&(1<<32-1))
	}
	return b
}

// appendTo appends the whole lane, the current interval too.
func (l *lane) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(l.count))
	b = append(b, l.bytes...)
	if l.open {
		b = appendInterval(b, &l.current, l.last, l.version)
	}
	return b
}

// all yields the intervals, and where each ends; end is that of the last one.
func (l *lane) all(end int64) iter.Seq2[interval, int64] {
	return func(yield func(interval, int64) bool) {
		var i interval
		b := l.bytes
		have := false
		for len(b) > 0 {
			next := i
			b = readInterval(b, &next)
			if have && !yield(i, next.from) {
				return
			}
			i, have = next, true
		}
		if !l.open || have && !yield(i, l.current.from) {
			return
		}
		yield(l.current, max(end, l.current.from))
	}
}

// readInterval reads what appendInterval wrote; i is the one before.
func readInterval(b []byte, i *interval) []byte {
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		b = b[n:]
		return v
	}
	i.from += int64(next())
	value := next()
	i.label = uint32(value >> 2)
	switch value & 3 {
	case 1:
		i.version++
	case 2:
		upper := next()
		i.version = upper<<32 | next()
	}
	return b
}
