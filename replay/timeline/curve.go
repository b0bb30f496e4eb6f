package timeline

import "iter"

// maxPoints bounds the points of a curve.
const maxPoints = 4096

// Curve is a number over time, in steps. When it changes too often, several
// changes make one point, which keeps their extremes.
type Curve struct {
	points []point
	group  int // how many changes make a point
	filled int // of the last one
	value  int32
	begun  bool
}

// point is what a curve does from a time on, until the next point.
type point struct {
	from           int64 // milliseconds since Timeline.From
	low, high, end int32
}

// Point is what a curve does from a time on, until the next point.
type Point struct {
	From      int64 // in Unix milliseconds
	Low, High int   // the extremes meanwhile
	End       int   // and the value in the end
}

// Max returns the largest value.
func (c *Curve) Max() int {
	most := int32(0)
	for i := range c.points {
		most = max(most, c.points[i].high)
	}
	return int(most)
}

// add notes the value from a time on.
func (c *Curve) add(at int64, value int32) {
	if c.begun && value == c.value {
		return
	}
	c.begun, c.value = true, value
	c.group = max(c.group, 1)
	if n := len(c.points); n > 0 && (c.filled < c.group || c.points[n-1].from == at) {
		p := &c.points[n-1]
		if p.from == at && c.filled <= 1 {
			p.low, p.high, p.end = value, value, value // what lasted no time was not so
			return
		}
		p.low, p.high, p.end = min(p.low, value), max(p.high, value), value
		c.filled++
		return
	}
	if len(c.points) == maxPoints {
		c.halve()
	}
	c.points, c.filled = append(c.points, point{at, value, value, value}), 1
}

// halve makes one point of two.
func (c *Curve) halve() {
	for i := range maxPoints / 2 {
		a, b := &c.points[2*i], &c.points[2*i+1]
		c.points[i] = point{a.from, min(a.low, b.low), max(a.high, b.high), b.end}
	}
	c.points = c.points[:maxPoints/2]
	c.group *= 2
}

// all yields the points, with the value that held before each.
func (c *Curve) all() iter.Seq2[point, int32] {
	return func(yield func(point, int32) bool) {
		before := int32(0)
		for _, p := range c.points {
			if !yield(p, before) {
				return
			}
			before = p.end
		}
	}
}

// Density counts events in equal spans of time.
type Density struct {
	Width int64 // of a span, in milliseconds
	Count []int
}

// maxSpans bounds the spans of a density.
const maxSpans = 1024

// add counts an event at a time since the beginning.
func (d *Density) add(at int64) {
	d.Width = max(d.Width, 1)
	for at/d.Width >= maxSpans {
		d.Width *= 2
		for i := range d.Count {
			if n := d.Count[i]; i%2 == 0 {
				d.Count[i/2] = n
			} else {
				d.Count[i/2] += n
			}
		}
		d.Count = d.Count[:(len(d.Count)+1)/2]
	}
	for int64(len(d.Count)) <= at/d.Width {
		d.Count = append(d.Count, 0)
	}
	d.Count[at/d.Width]++
}
