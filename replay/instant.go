package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// layouts are the forms of a time with a date. Fractions of a second are read
// by all of them that have seconds.
var layouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
}

// clockLayouts are the forms of a time of day.
var clockLayouts = []string{"15:04:05", "15:04"}

// parseTime reads the forms of a time. It answers false for a text that is
// none.
func (g Grammar) parseTime(text string) (Point, bool, error) {
	if t, err := events.ParseTimestamp(text); err == nil && strings.Contains(text, "Z+") {
		return Point{kind: pointTime, time: t}, true, nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, g.zone()); err == nil {
			return g.instant(t, false)
		}
	}
	for _, layout := range clockLayouts {
		t, err := time.ParseInLocation(layout, text, g.zone())
		if err != nil {
			continue
		}
		if g.Now.IsZero() {
			return Point{}, true, fmt.Errorf("a time of day needs a date here")
		}
		y, m, d := g.Now.In(g.zone()).Date()
		hour, minute, second := t.Clock()
		return g.instant(time.Date(y, m, d, hour, minute, second, t.Nanosecond(), g.zone()), true)
	}
	return g.parseAgo(text)
}

// parseAgo reads "now", "-15m", "now-15m", "+10m" and "now+10m".
func (g Grammar) parseAgo(text string) (Point, bool, error) {
	ago := strings.TrimPrefix(text, "now")
	if text != "now" && !strings.HasPrefix(ago, "-") && !strings.HasPrefix(ago, "+") {
		return Point{}, false, nil
	}
	if g.Now.IsZero() {
		return Point{}, true, fmt.Errorf("there is no now here")
	}
	if ago == "" {
		return g.instant(g.Now, false)
	}
	d, err := parseSpan(ago[1:])
	if err != nil {
		return Point{}, true, err
	}
	if ago[0] == '-' {
		d = -d
	}
	return g.instant(g.Now.Add(d), false)
}

// parseSpan reads a duration, in which d stands for 24 hours.
func parseSpan(text string) (time.Duration, error) {
	var days time.Duration
	rest := text
	if n, after, ok := strings.Cut(text, "d"); ok {
		v, err := number(n)
		if err != nil || v > 36500 {
			return 0, fmt.Errorf("%q is not a span of time", text)
		}
		days, rest = time.Duration(v)*24*time.Hour, after
	}
	if rest == "" && days > 0 {
		return days, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
		return 0, fmt.Errorf("%q is not a span of time such as 90s, 15m, 2h, 1d12h", text)
	}
	return days + d, nil
}

func (g Grammar) instant(t time.Time, clock bool) (Point, bool, error) {
	if t.UnixMilli() < 0 {
		return Point{}, true, fmt.Errorf("before 1970")
	}
	return Point{kind: pointTime, time: endOf(t), clock: clock}, true, nil
}

// endOf returns the last event time of the millisecond of t.
func endOf(t time.Time) events.Timestamp { return events.NewTimestamp(t.UnixMilli(), 0xffff) }

func (g Grammar) zone() *time.Location {
	if g.Zone == nil {
		return time.UTC
	}
	return g.Zone
}
