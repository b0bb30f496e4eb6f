package replay

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skshohagmiah/clusterkit/events"
)

// Subject returns what an event is about, in the form that commands take:
// "node/n3", "partition/17", "value/k". What is said about a node in other
// registers than its own is about the node all the same. It is "" for an event
// that is about nothing in particular.
func Subject(e *events.Event, names *Names) string {
	kind, key := events.SplitRegister(e.Register)
	switch kind {
	case events.KindAccusation, events.KindAdmin:
		return events.NodeRegister(key)
	case events.KindLog:
		if log, err := events.ParseLogID(key); err == nil {
			return "log/" + names.Log(log)
		}
	}
	return e.Register
}

// What returns what an event says, in words: old and new owners, reasons. An
// event of an application, or of a type that this version does not know, is
// described by its size.
func What(e *events.Event) string {
	p, err := e.Payload()
	if err != nil {
		return describeBytes(e.Body)
	}
	switch p := p.(type) {
	case *events.ClusterConfig:
		return withReason(p.Name+": "+Count(int(p.PartitionCount), "partition")+", replication "+strconv.Itoa(int(p.ReplicationFactor)), p.Reason)
	case *events.LogOwner:
		return describeLog(e, p)
	case *events.NodeRecord:
		return describeNode(e, p)
	case *events.Accusation:
		return withReason("incarnation "+strconv.FormatUint(p.Incarnation, 10), p.Reason)
	case *events.NodeOrder:
		if e.Register == "" {
			return withReason(p.Node, p.Reason) // the brake was held or lifted
		}
		return withReason("up to incarnation "+strconv.FormatUint(p.Incarnation, 10), p.Reason)
	case *events.CoordinatorClaim:
		return withReason(p.Node+", term "+strconv.FormatUint(e.Version, 10), p.Reason)
	case *events.Assignment:
		return describeAssignment(e, p)
	case *events.Rebalance:
		return withReason(Count(int(p.Moves), "move"), because(p.Trigger, p.Reason))
	case *events.Collection:
		if len(p.Nodes) > 0 {
			return withReason(Count(len(p.Nodes), "node")+" that are gone", p.Reason)
		}
		return withReason(p.Kind+" up to version "+strconv.FormatUint(p.Floor, 10), p.Reason)
	case *events.Value:
		if e.Type == events.ValueDeleted {
			return "deleted"
		}
		return Quote(p.Value)
	}
	return ""
}

func describeLog(e *events.Event, p *events.LogOwner) string {
	if e.Type == events.LogForked {
		return withReason("forked at "+strconv.FormatUint(p.Seq, 10), p.Reason)
	}
	return withReason("of "+p.Node, p.Reason)
}

func describeNode(e *events.Event, p *events.NodeRecord) string {
	b := []byte("incarnation " + strconv.FormatUint(e.Version, 10))
	if e.Type == events.NodeJoined || e.Type == events.NodeUpdated {
		b = append(b, ", "+p.Addr...)
		if p.Zone != "" {
			b = append(b, ", zone "+p.Zone...)
		}
		if p.Weight > 1 {
			b = append(b, ", weight "+strconv.Itoa(int(p.Weight))...)
		}
	}
	return withReason(string(b), p.Reason)
}

func describeAssignment(e *events.Event, p *events.Assignment) string {
	return withReason(Owners(p.Previous)+" -> "+Owners(p.Replicas)+", epoch "+Epoch(e.Version), because(p.Trigger, p.Reason))
}

// because joins why something was done, as a code, and the same in words.
func because(trigger, reason string) string {
	if strings.HasPrefix(reason, trigger+": ") { // of the first of several changes
		return reason
	}
	if trigger != "" && reason != "" {
		return trigger + ": " + reason
	}
	return trigger + reason
}

func withReason(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + "; " + reason
}

// Owners returns a list of replicas as text, the primary first: "n1,n2", or
// "nobody".
func Owners(replicas []string) string {
	if len(replicas) == 0 {
		return "nobody"
	}
	return strings.Join(replicas, ",")
}

// Epoch returns a partition's epoch as text: the coordinator's term, a dot,
// the counter.
func Epoch(epoch uint64) string {
	return strconv.FormatUint(epoch>>32, 10) + "." + strconv.FormatUint(epoch&(1<<32-1), 10)
}

// Quote returns bytes in a short form for people: as quoted text when they are
// text, else by their number.
func Quote(b []byte) string {
	const most = 48
	if !utf8.Valid(b) {
		return describeBytes(b)
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			return describeBytes(b)
		}
	}
	if utf8.RuneCount(b) > most {
		return strconv.Quote(string([]rune(string(b))[:most])) + "... " + Count(len(b), "byte")
	}
	return strconv.Quote(string(b))
}

func describeBytes(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return Count(len(b), "byte")
}

// Count returns a number with its unit: "1 event", "2 events", "2 copies".
func Count[N int | int64 | uint64](n N, unit string) string {
	switch stem, y := strings.CutSuffix(unit, "y"); {
	case n == 1:
	case y:
		unit = stem + "ies"
	default:
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// Size returns a number of bytes in a short form for people.
func Size(n int64) string {
	switch {
	case n < 10_000:
		return Count(n, "byte")
	case n < 1_000_000:
		return strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64) + " kB"
	case n < 1_000_000_000:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
	}
	return strconv.FormatFloat(float64(n)/1e9, 'f', 2, 64) + " GB"
}

// Span returns a number of milliseconds in a short form for people.
func Span(ms int64) string {
	switch {
	case ms < 1000:
		return strconv.FormatInt(ms, 10) + "ms"
	case ms < 60_000:
		return strconv.FormatFloat(float64(ms)/1e3, 'f', 1, 64) + "s"
	case ms < 3_600_000:
		return strconv.FormatInt(ms/60_000, 10) + "m" + strconv.FormatInt(ms/1000%60, 10) + "s"
	}
	return strconv.FormatInt(ms/3_600_000, 10) + "h" + strconv.FormatInt(ms/60_000%60, 10) + "m"
}
