package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Names says whose logs are whose, so that people may say "n2" for a LogID. A
// node that began a new log, because its disk was lost or its old log had
// forked, has several; the first of them is then "n2#1", the next "n2#2".
//
// The zero value knows no names. Not safe for concurrent use while it learns.
type Names struct {
	owner map[events.LogID]string
	logs  map[string][]events.LogID // sorted, that is, by age
	text  map[events.LogID]string   // as Log returns it

	registry Registry // of the source, for What
}

// NamesOf returns the names that a state knows.
func NamesOf(s *projection.State) *Names {
	n := new(Names)
	n.LearnState(s)
	return n
}

// LearnState takes up the names that a state knows.
func (n *Names) LearnState(s *projection.State) {
	for _, e := range s.Registers(events.KindLog) {
		n.Learn(e)
	}
	for _, e := range s.Registers(events.KindCollected) {
		n.Learn(e)
	}
}

// Learn takes up what e says about the owner of a log, if it does, or about
// those of nodes that are forgotten.
func (n *Names) Learn(e *events.Event) {
	if e.Type == events.TombstonesCollected {
		n.learnGone(e)
		return
	}
	if e.Type != events.LogStarted && e.Type != events.LogForked {
		return
	}
	_, key := events.SplitRegister(e.Register)
	log, err := events.ParseLogID(key)
	if err != nil {
		return
	}
	if p, err := e.Payload(); err == nil {
		n.add(log, p.(*events.LogOwner).Node)
	}
}

func (n *Names) learnGone(e *events.Event) {
	p, err := e.Payload()
	if err != nil {
		return
	}
	for _, text := range p.(*events.Collection).Nodes {
		if g, err := events.ParseGoneNode(text); err == nil {
			for _, l := range g.Logs {
				n.add(l.ID, g.ID)
			}
		}
	}
}

// LearnNames takes up the names that another log knows.
func (n *Names) LearnNames(o *Names) {
	for log, node := range o.owner {
		n.add(log, node)
	}
}

func (n *Names) add(log events.LogID, node string) {
	if node == "" || n.owner[log] != "" {
		return
	}
	if n.owner == nil {
		n.owner = make(map[events.LogID]string)
		n.logs = make(map[string][]events.LogID)
		n.text = make(map[events.LogID]string)
	}
	n.owner[log] = node
	logs := append(n.logs[node], log)
	slices.SortFunc(logs, events.LogID.Compare)
	n.logs[node] = logs
	for i, log := range logs {
		n.text[log] = node
		if len(logs) > 1 {
			n.text[log] = node + "#" + strconv.Itoa(i+1)
		}
	}
}

// Owner returns the node that writes a log, or "" when that is not known.
func (n *Names) Owner(log events.LogID) string { return n.owner[log] }

// Log returns the name of a log: that of its node, or the LogID itself.
func (n *Names) Log(log events.LogID) string {
	if text := n.text[log]; text != "" {
		return text
	}
	return log.String()
}

// Event returns the name of an event, such as "n2:77"; "" for the zero ID.
func (n *Names) Event(id events.ID) string {
	if id.IsZero() {
		return ""
	}
	return n.Log(id.Log) + ":" + strconv.FormatUint(id.Seq, 10)
}

// Vector returns the names of a vector's parts, such as "n1:9,n2:4", sorted.
func (n *Names) Vector(v events.Vector) string {
	parts := make([]string, 0, len(v))
	for log, seq := range v {
		parts = append(parts, n.Event(events.ID{Log: log, Seq: seq}))
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// Resolve returns the log that a name stands for: "n2", "n2#1" or a LogID.
func (n *Names) Resolve(name string) (events.LogID, error) {
	if log, err := events.ParseLogID(name); err == nil {
		return log, nil
	}
	node, ordinal, numbered := strings.Cut(name, "#")
	logs := n.logs[node]
	switch {
	case len(logs) == 0:
		return events.LogID{}, fmt.Errorf("no node %s has written here%s", node, n.some())
	case numbered:
		i, err := strconv.Atoi(ordinal)
		if err != nil || i < 1 || i > len(logs) {
			return events.LogID{}, fmt.Errorf("%s has %d logs, #1 to #%d", node, len(logs), len(logs))
		}
		return logs[i-1], nil
	case len(logs) > 1:
		return events.LogID{}, fmt.Errorf("%s has %d logs, say %s#1 to %s#%d", node, len(logs), node, node, len(logs))
	}
	return logs[0], nil
}

// Nodes returns the names of all nodes that have written, sorted.
func (n *Names) Nodes() []string {
	nodes := make([]string, 0, len(n.logs))
	for node := range n.logs {
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	return nodes
}

// some tells who has written, for a message about somebody who has not.
func (n *Names) some() string {
	const most = 8
	nodes := n.Nodes()
	if len(nodes) == 0 {
		return ""
	}
	slices.SortFunc(nodes, compareNames)
	text := strings.Join(nodes[:min(most, len(nodes))], ", ")
	if len(nodes) > most {
		text += fmt.Sprintf(" and %d more", len(nodes)-most)
	}
	return ", only " + text
}

// CompareNames orders names, numbers in them by value: n2 before n10.
func CompareNames(a, b string) int { return compareNames(a, b) }

func compareNames(a, b string) int {
	for a != "" && b != "" {
		na, nb := leadingDigits(a), leadingDigits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y), cmp.Compare(na, nb)); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}
