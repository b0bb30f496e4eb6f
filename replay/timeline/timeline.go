// Package timeline draws the history of a cluster: who was a member, in which
// condition, and who owned each partition, over time.
//
// [Build] folds one log or several into a [Timeline], whose methods write it as
// one HTML file to look at, as SVG, as a trace for Perfetto, or as JSON.
//
// # What it promises
//
// A timeline shows what the logs say and nothing else. Times are in Unix
// milliseconds; what happens within one millisecond shows its outcome only. The
// same logs, options and version give the same bytes. Names in logs are
// somebody else's input: no writer lets one become markup or code.
//
// Of several logs the main view is the union of what they hold, along the axis
// true. Each log then has a view of its own as well, along the axis known: what
// that node believed, and when. The difference between the two is what the
// cluster had not agreed upon yet.
//
// # What it costs
//
// An interval takes about three bytes, so a million assignments make a page of
// four megabytes. Curves and markers are bounded: a curve halves its resolution
// when it has too many points, keeping the extremes; when an application writes
// very many events, one of every two, four or more is drawn, evenly.
//
// The page is looked at in a real browser by browser/check.sh, which the gate
// does not run; the tests hold what can be told without one: the policy, that
// names stay text, the packed data, the still picture.
//
// The package starts no goroutine of its own. A Timeline does not change after
// Build, and may be written from several goroutines.
package timeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
)

// errNoTimes is returned along the axis known by a log that does not say when
// it learnt of its events.
var errNoTimes = fmt.Errorf("%w: this log does not say when it learnt of its events; use the axis true", replay.ErrNotKept)

// Options choose what is drawn. The zero value draws everything.
type Options struct {
	Range        replay.Range
	Since, Until replay.Point
	Axis         replay.Axis // Known only with a single log; Natural is True

	// Filter chooses lanes: with Partitions only those partitions, with Nodes
	// only those nodes. What it does not match makes no marker. The curves are
	// those of the whole cluster all the same.
	Filter replay.Filter

	// Where, when not nil, chooses markers too: where it holds of the event and
	// the state before it.
	Where *replay.Expression

	// Zone is that of the times which the pictures show; nil is UTC.
	Zone *time.Location

	// Command is how the reader calls the command line, for the commands that
	// a page shows. Default: clusterkit-replay.
	Command string
}

// Timeline is a history, ready to be drawn.
type Timeline struct {
	Cluster     string
	Axis        replay.Axis
	From, Until int64 // in Unix milliseconds
	Events      int   // in the range
	Sources     []Source
	Views       []*View  // the history itself; then, of several logs, what each believed
	Omitted     int      // events that have no marker, because there are too many
	Filtered    bool     // only chosen events have markers, see Options.Filter and Where
	Density     Density  // how many events, over time
	Behind      []*Curve // for each of several logs how many events it had not received yet

	marks   []mark
	zone    *time.Location
	command string
	words   words
	owners  labels // sets of owners, with the reason why
	states  labels // what a node can be, with the reason why
	learnt  []int64
}

// Source is one of the logs.
type Source struct {
	Log    string // as it was named
	Node   string // whose log it is; "" when not known
	Title  string // what it is called in pictures, each differently
	Events int    // of the range that it holds
	Damage []replay.Damage
}

// titled gives every log a title of its own: the node's name, unless it has
// none or another log has the same.
func (t *Timeline) titled() {
	count := make(map[string]int)
	for i := range t.Sources {
		count[t.Sources[i].Node]++
	}
	for i := range t.Sources {
		s := &t.Sources[i]
		if s.Title = s.Node; s.Node == "" || count[s.Node] > 1 {
			s.Title = s.Log
		}
	}
}

// View is one way to see the history: as it was, or as one node saw it.
type View struct {
	Source     int // -1 for all of them together
	Axis       replay.Axis
	Nodes      []NodeLane      // sorted, n2 before n10
	Partitions []PartitionLane // sorted
	Unowned    Curve           // partitions without a living primary
	Imbalance  Curve           // load of the most loaded living node, in thousandths of its fair share
}

// NodeLane is what became of one node.
type NodeLane struct {
	ID   string
	lane lane
}

// PartitionLane is who owned one partition.
type PartitionLane struct {
	ID   int
	lane lane
}

// Intervals counts what is drawn: the intervals of all lanes of all views.
func (t *Timeline) Intervals() int {
	n := 0
	for _, v := range t.Views {
		for i := range v.Nodes {
			n += v.Nodes[i].lane.count
		}
		for i := range v.Partitions {
			n += v.Partitions[i].lane.count
		}
	}
	return n
}

// Damage returns all damage that was met.
func (t *Timeline) Damage() []replay.Damage {
	var all []replay.Damage
	for i := range t.Sources {
		all = append(all, t.Sources[i].Damage...)
	}
	return all
}

// Build folds the history that the sources hold. Damage is told in the answer,
// which then lacks what was lost there; with several sources each tells its
// own. It wraps replay.ErrEmpty when there is nothing in the range, and has the
// errors of [replay.Walk].
func Build(ctx context.Context, o Options, sources ...*replay.Source) (*Timeline, error) {
	t := &Timeline{Axis: o.Axis, Filtered: !o.Filter.IsZero() || o.Where != nil, zone: o.Zone, command: o.Command}
	if t.Axis == replay.Natural {
		t.Axis = replay.True
	}
	if t.zone == nil {
		t.zone = time.UTC
	}
	if t.command == "" {
		t.command = "clusterkit-replay"
	}
	t.words.id("")
	for _, s := range sources {
		t.Sources = append(t.Sources, Source{Log: s.Name, Node: s.Node()})
		if t.Cluster == "" {
			t.Cluster = s.ClusterName()
		}
	}
	t.titled()
	main, err := t.view(ctx, &o, -1, sources...)
	if err != nil {
		return nil, err
	}
	t.Views = append(t.Views, main)
	if len(sources) == 1 {
		return t, nil
	}
	for i, s := range sources {
		believed := o
		believed.Axis = replay.Known
		v, err := t.view(ctx, &believed, i, s)
		if errors.Is(err, replay.ErrEmpty) || errors.Is(err, errNoTimes) {
			continue // a checkpoint, say, or what came through a pipe
		}
		if err != nil {
			return nil, err
		}
		t.Views = append(t.Views, v)
	}
	return t, nil
}
