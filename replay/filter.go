package replay

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// Filter chooses events. Each field that is not empty must agree; within a
// field one of its values must. The zero Filter chooses all.
type Filter struct {
	Types      []string   // globs: "Node*", "app/order-*"
	Nodes      []string   // what is about a node, or gives it a partition or takes one
	Origins    []string   // who wrote it: a node or a LogID
	Partitions []Interval // of partition numbers
	Actors     []string   // globs: who asked for it
}

// Interval holds the numbers First to Last, both included.
type Interval struct{ First, Last int }

// ParseIntervals reads "3" or "3,10-20".
func ParseIntervals(text string) ([]Interval, error) {
	var all []Interval
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		a, err := strconv.ParseUint(first, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number or a range such as 10-20", part)
		}
		b, err := strconv.ParseUint(last, 10, 31)
		if err != nil || b < a {
			return nil, fmt.Errorf("%q is not a number or a range such as 10-20", part)
		}
		all = append(all, Interval{int(a), int(b)})
	}
	return all, nil
}

// Check reports a pattern that cannot be read.
func (f *Filter) Check() error {
	for _, pattern := range slices.Concat(f.Types, f.Actors) {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("pattern %q: %w", pattern, err)
		}
	}
	return nil
}

// IsZero reports whether the filter chooses every event.
func (f *Filter) IsZero() bool {
	return len(f.Types)+len(f.Nodes)+len(f.Origins)+len(f.Partitions)+len(f.Actors) == 0
}

// Match reports whether the filter chooses e.
func (f *Filter) Match(e *events.Event, names *Names) bool {
	return (len(f.Types) == 0 || matchAny(f.Types, string(e.Type))) &&
		(len(f.Partitions) == 0 || f.matchPartition([]byte(e.Register))) &&
		(len(f.Actors) == 0 || matchAny(f.Actors, e.Actor)) &&
		(len(f.Origins) == 0 || f.matchOrigin(e.Log, names)) &&
		(len(f.Nodes) == 0 || f.matchNode(e, names))
}

// mayMatch is a cheap test, from the first bytes of an event. What it refuses
// Match refuses too; when exact says so, what it lets pass Match lets pass too.
func (f *Filter) mayMatch(g *glance, names *Names) bool {
	return (len(f.Types) == 0 || matchAny(f.Types, string(g.typ))) &&
		(len(f.Partitions) == 0 || f.matchPartition(g.register)) &&
		(len(f.Origins) == 0 || f.matchOrigin(g.log, names))
}

// exact reports whether mayMatch is all that there is to test.
func (f *Filter) exact() bool { return len(f.Nodes)+len(f.Actors) == 0 }

func matchAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == text {
			return true
		}
		ok, _ := path.Match(p, text)
		return ok
	})
}

// partitionOf returns the number of the partition whose register it is, or -1.
func partitionOf(register []byte) int {
	key, ok := bytes.CutPrefix(register, []byte(events.KindPartition+"/"))
	if !ok || len(key) == 0 || len(key) > 9 {
		return -1
	}
	n := 0
	for _, c := range key {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

func (f *Filter) matchPartition(register []byte) bool {
	n := partitionOf(register)
	return n >= 0 && f.holds(n)
}

// holds reports whether a partition is one of those asked for.
func (f *Filter) holds(n int) bool {
	for i := range f.Partitions {
		if f.Partitions[i].First <= n && n <= f.Partitions[i].Last {
			return true
		}
	}
	return false
}

func (f *Filter) matchOrigin(log events.LogID, names *Names) bool {
	owner := names.Owner(log)
	return owner != "" && slices.Contains(f.Origins, owner) || slices.Contains(f.Origins, names.Log(log)) ||
		slices.Contains(f.Origins, log.String())
}

func (f *Filter) matchNode(e *events.Event, names *Names) bool {
	about := func(node string) bool { return slices.Contains(f.Nodes, node) }
	kind, key := events.SplitRegister(e.Register)
	switch kind {
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		return about(key)
	case events.KindPartition, events.KindCoordinator:
		switch p, _ := e.Payload(); p := p.(type) {
		case *events.Assignment:
			return slices.ContainsFunc(p.Replicas, about) || slices.ContainsFunc(p.Previous, about)
		case *events.CoordinatorClaim:
			return about(p.Node)
		}
	case events.KindLog:
		log, err := events.ParseLogID(key)
		return err == nil && about(names.Owner(log))
	}
	return false
}
