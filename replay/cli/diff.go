package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// diffFlags are the flags of diff.
type diffFlags struct {
	at, axis   string
	nodes      []string
	partitions string
	stat       bool
}

func (a *app) diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [LOG...] A..B | LOG LOG [--at POINT]",
		Short: "Compare two states: of two points, or of two logs",
		Example: `  clusterkit-replay diff data/n1 14:03..14:10      what those minutes changed
  clusterkit-replay diff data/n1 data/n2           in what two nodes differ
  clusterkit-replay diff data/n1 -1h.. --stat      how much the last hour changed`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runDiff(&f, words) },
	}
	cmd.Flags().StringVar(&f.at, "at", "head", "the `point` at which two logs are compared")
	addAxis(cmd, &f.axis)
	cmd.Flags().StringSliceVar(&f.nodes, "node", nil, "only these `nodes`, and the partitions that they held or hold")
	cmd.Flags().StringVar(&f.partitions, "partition", "", partitionUsage)
	cmd.Flags().BoolVar(&f.stat, "stat", false, "only how much differs")
	return cmd
}

func (a *app) runDiff(f *diffFlags, words []string) error {
	args, err := a.classify(words)
	if err != nil {
		return err
	}
	if err := args.noSubject(); err != nil {
		return err
	}
	axis, err := replay.ParseAxis(f.axis)
	if err != nil {
		return &usageError{err}
	}
	partitions, err := parsePartitions(f.partitions)
	if err != nil {
		return err
	}
	points, err := a.diffPoints(f, &args)
	if err != nil {
		return err
	}
	sources, err := a.diffSources(&args)
	if err != nil {
		return err
	}
	defer closeAll(sources)
	if err := replay.SameRedaction(sources...); err != nil {
		return err
	}
	var moments [2]*replay.Moment
	for i := range moments {
		source := sources[min(i, len(sources)-1)]
		if moments[i], err = source.StateAt(a.ctx, points[i], axis); err != nil {
			return err
		}
		a.noteAssumed(moments[i])
	}
	d := replay.Compare(moments[0].State, moments[1].State).Of(f.nodes, partitions)
	d.From, d.To = moments[0].Mark, moments[1].Mark
	d.Damage = append(moments[0].Damage, moments[1].Damage...)
	if !d.Same {
		a.code = exitNo
	}
	defer a.allDamaged(d.Damage)
	if a.format != "table" {
		return a.data(answer{d, nil, []string{"kind", "id", "field", "from", "to", "why"}, func(row func(...string)) { diffRows(d, row) }})
	}
	a.printf("%s\n", a.bold("from "+a.markText(d.From)))
	a.printf("%s\n", a.bold("to   "+a.markText(d.To)))
	if !f.stat {
		if err := a.printDiff(d); err != nil {
			return err
		}
	}
	a.printStat(d)
	return nil
}

// twoLogs reports whether two logs are compared, and not two points.
func (args *arguments) twoLogs() bool {
	return len(args.logs) == 2 && len(args.ranges) == 0 && len(args.points) <= 1
}

// diffSources opens the two logs that are compared; or one, or several as one, of
// which two points are.
func (a *app) diffSources(args *arguments) ([]*replay.Source, error) {
	if args.twoLogs() && args.logs[0] != args.logs[1] { // else once is enough, and all there is of standard input
		return a.openAll(args.logs)
	}
	if args.twoLogs() {
		args.logs = args.logs[:1]
	}
	source, err := a.openOne(args)
	return []*replay.Source{source}, err
}

// diffPoints says at which two points.
func (a *app) diffPoints(f *diffFlags, args *arguments) (points [2]replay.Point, err error) {
	at, err := a.pointFlag("at", f.at)
	if err != nil {
		return points, err
	}
	points = [2]replay.Point{replay.First(), replay.Head()}
	switch {
	case args.twoLogs() && len(args.points) == 1:
		return [2]replay.Point{args.points[0], args.points[0]}, nil
	case args.twoLogs():
		return [2]replay.Point{at, at}, nil
	case len(args.ranges) == 1 && len(args.points) == 0:
		r := args.ranges[0]
		if !r.From.IsZero() {
			points[0] = r.From
		}
		if !r.To.IsZero() {
			points[1] = r.To
		}
	case len(args.points) == 2 && len(args.ranges) == 0:
		points = [2]replay.Point(args.points)
	default:
		return points, usagef("diff compares two points of one log, or of several as one (A..B), or two logs")
	}
	return points, nil
}

func (a *app) markText(m replay.Mark) string { return m.Log + " at " + m.Point + a.where(m) }

// printDiff prints every change, a line each.
func (a *app) printDiff(d *replay.Diff) error {
	for _, c := range d.Cluster {
		a.printf("~ cluster %s: %s -> %s\n", c.Field, dash(c.From), dash(c.To))
	}
	for i := range d.Nodes {
		n := &d.Nodes[i]
		parts := make([]string, len(n.Fields))
		for j, c := range n.Fields {
			parts[j] = c.Field + " " + dash(c.From) + " -> " + dash(c.To)
		}
		a.printf("%s node/%s: %s%s\n", sign(n.Fields[0]), n.ID, strings.Join(parts, ", "), nodeReason(n))
	}
	for i := range d.Partitions {
		p := &d.Partitions[i]
		why := p.Trigger
		if p.Reason != "" {
			why = strings.TrimPrefix(why+": "+p.Reason, ": ")
		}
		if why != "" {
			why = "; " + why
		}
		a.printf("~ partition/%d: %s -> %s, epoch %s -> %s%s\n", p.ID, replay.Owners(p.From), replay.Owners(p.To),
			replay.Epoch(p.FromEpoch), replay.Epoch(p.ToEpoch), why)
	}
	for i := range d.Registers {
		r := &d.Registers[i]
		a.printf("~ %s: %s -> %s\n", r.Register, dash(r.FromWhat), dash(r.ToWhat))
	}
	return nil
}

// sign marks what is new, gone or changed.
func sign(c replay.FieldChange) string {
	switch {
	case c.Field == "status" && c.From == "":
		return "+"
	case c.Field == "status" && c.To == "":
		return "-"
	}
	return "~"
}

func nodeReason(n *replay.NodeChange) string {
	if n.Reason == "" {
		return ""
	}
	return "; " + n.Reason
}

func (a *app) printStat(d *replay.Diff) {
	if d.Same {
		a.printf("%s: nothing differs\n", a.judge("same"))
		return
	}
	a.printf("%s: %d of the cluster, %s, %s (%s moved), %s\n", a.judge("different"), len(d.Cluster), replay.Count(len(d.Nodes), "node"),
		replay.Count(len(d.Partitions), "partition"), replay.Count(d.Moves, "copy"), replay.Count(len(d.Registers), "other register"))
}

func diffRows(d *replay.Diff, row func(...string)) {
	for _, c := range d.Cluster {
		row("cluster", "", c.Field, c.From, c.To, "")
	}
	for i := range d.Nodes {
		for _, c := range d.Nodes[i].Fields {
			row("node", d.Nodes[i].ID, c.Field, c.From, c.To, d.Nodes[i].Reason)
		}
	}
	for i := range d.Partitions {
		p := &d.Partitions[i]
		row("partition", strconv.Itoa(p.ID), "owners", strings.Join(p.From, " "), strings.Join(p.To, " "), p.Reason)
		row("partition", strconv.Itoa(p.ID), "epoch", fmt.Sprint(p.FromEpoch), fmt.Sprint(p.ToEpoch), p.Reason)
	}
	for i := range d.Registers {
		row("register", d.Registers[i].Register, "", d.Registers[i].FromWhat, d.Registers[i].ToWhat, "")
	}
}
