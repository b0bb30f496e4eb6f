package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// stateFlags are the flags of state.
type stateFlags struct {
	at, axis   string
	nodes      []string
	partitions string
	as         string
}

func (a *app) stateCommand() *cobra.Command {
	var f stateFlags
	cmd := &cobra.Command{
		Use:   "state [LOG...] [--at POINT]",
		Short: "Print the state of the cluster at a point",
		Example: `  clusterkit-replay state data/n1 --at 14:03           who owned what at 14:03
  clusterkit-replay state data/n1 --at n2:77           right after the 77th event of n2
  clusterkit-replay state data/n1 --at -15m --axis known --node n3   what n1 believed of n3`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runState(&f, words) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.at, "at", "head", "the `point`")
	addAxis(cmd, &f.axis)
	flags.StringSliceVar(&f.nodes, "node", nil, "only these `nodes`, and the partitions that they hold")
	flags.StringVar(&f.partitions, "partition", "", partitionUsage)
	flags.StringVar(&f.as, "as", "", "print the bytes of this `file` of a data directory: cluster-state.json")
	return cmd
}

func (a *app) runState(f *stateFlags, words []string) error {
	args, err := a.classify(words)
	if err != nil {
		return err
	}
	if err := args.noSubject(); err != nil {
		return err
	}
	point, err := a.onePoint("at", f.at, &args)
	if err != nil {
		return err
	}
	axis, err := replay.ParseAxis(f.axis)
	if err != nil {
		return &usageError{err}
	}
	if f.as != "" && f.as != "cluster-state.json" {
		return usagef("--as %q: want cluster-state.json", f.as)
	}
	partitions, err := parsePartitions(f.partitions)
	if err != nil {
		return err
	}
	source, err := a.openOne(&args)
	if err != nil {
		return err
	}
	defer source.Close()
	m, err := source.StateAt(a.ctx, point, axis)
	if err != nil {
		return err
	}
	defer a.allDamaged(m.Damage)
	a.noteAssumed(m)
	if f.as != "" {
		b, err := projection.EncodeCheckpoint(m.State, m.Index)
		return errors.Join(err, a.write(b))
	}
	chosen, partly := chosenState(m, f.nodes, partitions), f.partitions != "" || len(f.nodes) > 0
	if partly && len(chosen.nodes)+len(chosen.partitions) == 0 {
		a.note("there is no such node or partition at %s", m.Point)
		a.code = exitNo
	}
	return a.printState(m, chosen, partly)
}

// onePoint returns the point of a flag, or the only one among the words.
func (a *app) onePoint(name, flag string, args *arguments) (replay.Point, error) {
	switch {
	case len(args.ranges) > 0 || len(args.points) > 1:
		return replay.Point{}, usagef("want one point")
	case len(args.points) == 1:
		return args.points[0], nil
	}
	return a.pointFlag(name, flag)
}

// noteAssumed says so when a time of day, whose date was assumed, lies behind
// the end of the log.
func (a *app) noteAssumed(m *replay.Moment) {
	for _, p := range a.assumed {
		if t, ok := p.Time(); ok && m.Time != 0 && m.Time.Time().Before(t) {
			a.note("%s is %s; the last event before it is of %s", p, t.In(a.grammar.Zone).Format(timeLayout), a.time(m.Time))
		}
	}
}

// chosen is the part of a state that was asked for.
type chosen struct {
	nodes      []projection.Node
	partitions []projection.Partition
}

func chosenState(m *replay.Moment, nodes []string, partitions []replay.Interval) chosen {
	c := m.State.Cluster()
	var out chosen
	for i := range c.Nodes {
		if len(partitions) == 0 && len(nodes) == 0 || slices.Contains(nodes, c.Nodes[i].ID) {
			out.nodes = append(out.nodes, c.Nodes[i])
		}
	}
	for i := range c.PartitionMap.Partitions {
		p := &c.PartitionMap.Partitions[i]
		in := func(r replay.Interval) bool { return r.First <= p.ID && p.ID <= r.Last }
		held := func(n string) bool { return p.HeldBy(n) }
		if (len(partitions) == 0 || slices.ContainsFunc(partitions, in)) &&
			(len(nodes) == 0 || len(partitions) > 0 || slices.ContainsFunc(nodes, held)) {
			out.partitions = append(out.partitions, *p)
		}
	}
	return out
}

func (a *app) printState(m *replay.Moment, c chosen, partly bool) error {
	cluster := m.State.Cluster()
	if a.format != "table" {
		v := struct {
			At      replay.Mark         `json:"at"`
			Cluster *projection.Cluster `json:"cluster"`
			Damage  []replay.Damage     `json:"damage,omitempty"`
		}{m.Mark, cluster, m.Damage}
		if partly {
			part := *cluster
			part.Nodes, part.PartitionMap.Partitions = c.nodes, c.partitions
			v.Cluster = &part
		}
		columns := []string{"kind", "id", "status", "incarnation", "addr", "zone", "weight", "primary", "replicas", "epoch", "event", "why"}
		return a.data(answer{v, nil, columns, func(row func(...string)) { stateRows(m, c, row) }})
	}
	if !partly {
		a.printSummary(m)
	}
	nodes := newTable(a.out, a, "NODE", "STATUS", ">INC", ">OWNS", ">HOLDS", "ZONE", ">WEIGHT", "ADDR", "BY EVENT", "WHY")
	for i := range c.nodes {
		n := &c.nodes[i]
		owns, holds := shares(cluster, n.ID)
		status := string(n.Status)
		if n.Draining {
			status += ", draining"
		}
		if err := nodes.row(n.ID, status, strconv.FormatUint(n.Incarnation, 10), strconv.Itoa(owns), strconv.Itoa(holds),
			dash(n.Zone), strconv.Itoa(n.Weight), n.Addr, m.Names.Event(n.Cause()), dash(n.Reason())); err != nil {
			return err
		}
	}
	if err := nodes.flush(); err != nil {
		return err
	}
	if len(c.nodes) > 0 && len(c.partitions) > 0 {
		a.printf("\n")
	}
	parts := newTable(a.out, a, ">PARTITION", "PRIMARY", "REPLICAS", ">EPOCH", "BY EVENT", "WHY")
	for i := range c.partitions {
		p := &c.partitions[i]
		if err := parts.row(strconv.Itoa(p.ID), dash(p.Primary), dash(strings.Join(p.Replicas, ",")), replay.Epoch(p.Epoch),
			dash(m.Names.Event(p.Event())), dash(m.WhyOwned(p.ID))); err != nil {
			return err
		}
	}
	return parts.flush()
}

// printSummary prints what the whole state comes to.
func (a *app) printSummary(m *replay.Moment) {
	c := m.State.Cluster()
	alive, unowned, short := 0, 0, 0
	for i := range c.Nodes {
		if s := c.Nodes[i].Status; s == projection.StatusAlive || s == projection.StatusSuspected {
			alive++
		}
	}
	want := min(c.Config.ReplicationFactor, max(alive, 1))
	for i := range c.PartitionMap.Partitions {
		switch p := &c.PartitionMap.Partitions[i]; {
		case p.Primary == "":
			unowned++
		case 1+len(p.Replicas) < want:
			short++
		}
	}
	a.printf("%s\n", a.bold(fmt.Sprintf("state of %s at %s%s", dash(c.Name), m.Point, a.where(m.Mark))))
	a.printf("%d nodes, %d alive; %d partitions, %d unowned, %d short of copies; coordinator %s, term %d; digest %s\n",
		len(c.Nodes), alive, len(c.PartitionMap.Partitions), unowned, short, dash(c.Coordinator), c.Term, shortDigest(m.Mark))
	for _, odd := range m.State.Oddities() {
		a.printf("odd: %s is owned by %s %s: %s\n", odd.Register, odd.Type, m.Names.Event(odd.Event), odd.Reason)
	}
	a.printf("\n")
}

// where says on which axis a mark was found, and where.
func (a *app) where(m replay.Mark) string {
	text := " (" + m.Axis.String()
	if m.Index > 0 {
		text += ", @" + strconv.FormatUint(m.Index, 10)
	}
	if m.Time > 0 {
		text += ", last event " + a.time(m.Time)
	}
	return text + ")"
}

// shortDigest is enough of the state's sum for people to compare.
func shortDigest(m replay.Mark) string {
	text := m.Digest.String()
	return text[:8] + "." + text[32:40]
}

func shares(c *projection.Cluster, node string) (owns, holds int) {
	for i := range c.PartitionMap.Partitions {
		p := &c.PartitionMap.Partitions[i]
		if p.Primary == node {
			owns++
		}
		if p.HeldBy(node) {
			holds++
		}
	}
	return owns, holds
}

func stateRows(m *replay.Moment, c chosen, row func(...string)) {
	for i := range c.nodes {
		n := &c.nodes[i]
		row("node", n.ID, string(n.Status), strconv.FormatUint(n.Incarnation, 10), n.Addr, n.Zone,
			strconv.Itoa(n.Weight), "", "", "", m.Names.Event(n.Cause()), n.Reason())
	}
	for i := range c.partitions {
		p := &c.partitions[i]
		row("partition", strconv.Itoa(p.ID), "", "", "", "", "", p.Primary, strings.Join(p.Replicas, " "),
			strconv.FormatUint(p.Epoch, 10), m.Names.Event(p.Event()), m.WhyOwned(p.ID))
	}
}

func (a *app) write(b []byte) error {
	_, err := a.out.Write(b)
	return err
}
