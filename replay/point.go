package replay

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// PointError is returned when a text names no point, or none that this log can
// have. It is a mistake of whoever wrote the text, not of the log.
type PointError struct {
	Text   string
	Reason string
}

func (e *PointError) Error() string { return fmt.Sprintf("point %q: %s", e.Text, e.Reason) }

// pointKind says which form a point was written in.
type pointKind uint8

const (
	pointFirst  pointKind = iota + 1 // before the oldest event that is kept
	pointHead                        // the end, or so many events before it
	pointIndex                       // a local index
	pointEvent                       // an event, by node and sequence
	pointTime                        // a time
	pointVector                      // what events are known, by node
)

// Point is a place in a history, as people write it:
//
//	first                  before the oldest event that is kept
//	head, head~20          after the newest event; twenty events before that
//	@1234                  a local index of this log
//	n2:77                  an event, by node (or LogID) and sequence
//	2026-11-22T14:03:05Z   a time: RFC 3339, with the "+3" of an event's own time
//	2026-11-22, 14:03      a day's beginning; a time of today
//	-15m, now, +10m        so long ago, or from now, in s, m, h or d
//	n1:9,n2:4              which events are known, of each node
//
// The zero Point names nothing. A point means a state: the one right after the
// event that it names, or the one at that millisecond's end.
type Point struct {
	kind  pointKind
	text  string
	n     uint64           // of head~n and @n, and the sequence of n2:77
	name  string           // of n2:77
	time  events.Timestamp // of the last event that a time still covers
	clock bool             // a time of day, whose date was assumed
	parts []Point          // of a vector, each an event
}

// IsZero reports whether p names nothing.
func (p Point) IsZero() bool { return p.kind == 0 }

// IsTimeOfDay reports whether p is a time whose date was assumed.
func (p Point) IsTimeOfDay() bool { return p.clock }

// Time returns the time that p is, if it is one.
func (p Point) Time() (time.Time, bool) { return p.time.Time(), p.kind == pointTime }

// String returns the text that p was parsed from.
func (p Point) String() string { return p.text }

// Head is the end of a log.
func Head() Point { return Point{kind: pointHead, text: "head"} }

// First is the beginning of what a log keeps.
func First() Point { return Point{kind: pointFirst, text: "first"} }

// At is the local index i.
func At(i uint64) Point {
	return Point{kind: pointIndex, n: i, text: "@" + strconv.FormatUint(i, 10)}
}

// Instant is a time.
func Instant(t time.Time) Point {
	return Point{kind: pointTime, time: endOf(t), text: t.UTC().Format(time.RFC3339Nano)}
}

// Grammar reads points. The zero value reads them in UTC, and knows of no time
// that "14:03" or "-15m" could be relative to, so it refuses those two.
type Grammar struct {
	Now  time.Time      // what "-15m" counts from
	Zone *time.Location // in which times of day and dates are read; nil is UTC
}

// Point reads one point. Every error is a *PointError.
func (g Grammar) Point(text string) (Point, error) {
	p, err := g.parse(text)
	if err != nil {
		return Point{}, &PointError{text, err.Error()}
	}
	p.text = text
	return p, nil
}

func (g Grammar) parse(text string) (Point, error) {
	switch {
	case text == "":
		return Point{}, fmt.Errorf("empty")
	case text == "first":
		return First(), nil
	case text == "head":
		return Head(), nil
	case strings.HasPrefix(text, "head~"):
		n, err := number(text[len("head~"):])
		return Point{kind: pointHead, n: n}, err
	case text[0] == '@':
		n, err := number(text[1:])
		return Point{kind: pointIndex, n: n}, err
	case strings.Contains(text, ","):
		return parseVector(text)
	}
	if p, ok, err := g.parseTime(text); ok || err != nil {
		return p, err
	}
	if strings.Contains(text, ":") {
		return parseEvent(text)
	}
	return Point{}, fmt.Errorf("want @1234, n2:77, head, head~20, first, a time, -15m or a vector n1:9,n2:4")
}

func number(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || s[0] == '+' {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n, nil
}

// parseEvent reads "n2:77", "n2#1:77" or "<LogID>:77".
func parseEvent(text string) (Point, error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return Point{}, fmt.Errorf("%q is not <node>:<sequence>", text)
	}
	seq, err := number(text[i+1:])
	if err != nil {
		return Point{}, err
	}
	name := text[:i]
	if seq == 0 {
		return Point{}, fmt.Errorf("sequences begin at 1%s", norTime(name))
	}
	if _, err := events.ParseLogID(name); err != nil {
		node, _, _ := strings.Cut(name, "#")
		if err := events.CheckNodeID(node); err != nil {
			return Point{}, err
		}
	}
	return Point{kind: pointEvent, name: name, n: seq}, nil
}

// norTime says of what looks like the hour of a time that it is none.
func norTime(name string) string {
	if _, err := number(name); err != nil || len(name) > 2 {
		return ""
	}
	return "; nor is it a time of day"
}

func parseVector(text string) (Point, error) {
	p := Point{kind: pointVector}
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ","), ",") {
		e, err := parseEvent(part)
		if err != nil {
			return Point{}, err
		}
		for _, other := range p.parts {
			if other.name == e.name {
				return Point{}, fmt.Errorf("%s is named twice", e.name)
			}
		}
		p.parts = append(p.parts, e)
	}
	return p, nil
}

// Range is what lies after From and not after To. A zero From is the beginning,
// a zero To the end.
type Range struct{ From, To Point }

// String returns the text of the range.
func (r Range) String() string { return r.From.text + ".." + r.To.text }

// Range reads "A..B", "A.." or "..B".
func (g Grammar) Range(text string) (Range, error) {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		return Range{}, &PointError{text, "want A..B"}
	}
	var r Range
	var err error
	if from != "" {
		if r.From, err = g.Point(from); err != nil {
			return Range{}, err
		}
	}
	if to != "" {
		r.To, err = g.Point(to)
	}
	return r, err
}
