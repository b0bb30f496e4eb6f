package timeline_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/skshohagmiah/clusterkit/replay/timeline"
)

// traceEvent is what the trace event format says of an event: pid, tid, ts and
// ph always, the rest by ph.
type traceEvent struct {
	Ph   *string         `json:"ph"`
	Name *string         `json:"name"`
	Pid  *int            `json:"pid"`
	Tid  *int            `json:"tid"`
	Ts   *int64          `json:"ts"`
	Dur  *int64          `json:"dur"`
	S    *string         `json:"s"`
	Args json.RawMessage `json:"args"`
}

// TestTraceFormat holds a trace to what the format asks of it: the fields of
// each phase, names for every track, time that runs forward on each, and slices
// of a track that do not overlap.
func TestTraceFormat(t *testing.T) {
	incident(t)
	for _, logs := range [][]string{{"n1"}, {"n1", "n2", "n3"}} {
		var b bytes.Buffer
		if err := build(t, timeline.Options{}, logs...).WriteTrace(&b); err != nil {
			t.Fatal(err)
		}
		var trace struct {
			DisplayTimeUnit string
			TraceEvents     []traceEvent
		}
		if err := json.Unmarshal(b.Bytes(), &trace); err != nil {
			t.Fatal(err)
		}
		if trace.DisplayTimeUnit != "ms" && trace.DisplayTimeUnit != "ns" {
			t.Errorf("displayTimeUnit is %q", trace.DisplayTimeUnit)
		}
		seen := make(map[string]int)
		c := traceCheck{reached: make(map[track]int64), named: make(map[track]bool)}
		for i := range trace.TraceEvents {
			e := &trace.TraceEvents[i]
			if why := c.check(e); why != "" {
				s, _ := json.Marshal(e)
				t.Fatalf("event %d: %s: %s", i, why, s)
			}
			seen[*e.Ph]++
		}
		for _, ph := range []string{"M", "X", "C", "i"} {
			if seen[ph] == 0 {
				t.Errorf("%d logs: no event has the phase %s", len(logs), ph)
			}
		}
	}
}

// track is what time runs forward on: a thread, a counter of a process, or the
// signs of all.
type track struct {
	pid, tid int
	name     string
}

type traceCheck struct {
	reached map[track]int64
	named   map[track]bool
}

// check says what is wrong with an event, "" when nothing is.
func (c *traceCheck) check(e *traceEvent) string {
	switch {
	case e.Ph == nil || e.Name == nil || *e.Name == "":
		return "it has no phase or no name"
	case e.Pid == nil || *e.Pid < 1:
		return "it has no process"
	case e.Tid == nil && *e.Ph != "C":
		return "it has no thread"
	case *e.Ph != "M" && (e.Ts == nil || *e.Ts < 0):
		return "it has no time"
	}
	at := track{pid: *e.Pid}
	switch *e.Ph {
	case "M":
		var args struct{ Name string }
		if json.Unmarshal(e.Args, &args) != nil || args.Name == "" {
			return "it names nothing"
		}
		if *e.Name == "thread_name" {
			at.tid = *e.Tid
		} else if *e.Name != "process_name" {
			return "metadata of an unknown name"
		}
		if c.named[at] {
			return "named twice"
		}
		c.named[at] = true
		return ""
	case "X":
		at.tid = *e.Tid
		if e.Dur == nil || *e.Dur < 0 {
			return "a slice without duration"
		}
		if !c.named[at] || !c.named[track{pid: *e.Pid}] {
			return "on a track without name"
		}
	case "C":
		at.name = *e.Name
		var args map[string]float64
		if json.Unmarshal(e.Args, &args) != nil || len(args) != 1 {
			return "a counter is one number"
		}
	case "i":
		at = track{name: "signs"}
		if e.S == nil || *e.S != "g" && *e.S != "p" && *e.S != "t" {
			return "a sign without scope"
		}
	default:
		return "an unknown phase"
	}
	if *e.Ts < c.reached[at] {
		return "time runs backwards, or slices overlap"
	}
	c.reached[at] = *e.Ts
	if e.Dur != nil {
		c.reached[at] += *e.Dur
	}
	return ""
}
