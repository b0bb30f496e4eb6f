package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/projection/coordination"
	"github.com/skshohagmiah/clusterkit/projection/placement"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// whatifFlags are the flags of whatif.
type whatifFlags struct {
	at, axis           string
	join               []string
	leave, fail, drain []string
	weights            []string
	replication        int
	list               bool
}

func (a *app) whatifCommand() *cobra.Command {
	var f whatifFlags
	cmd := &cobra.Command{
		Use:   "whatif [LOG...] [--at POINT] --leave NODE --join NODE,zone=Z,weight=W ...",
		Short: "Tell what would move if nodes came or went",
		Long: `The code that assigns partitions is asked what it would do with the cluster as it was, once all
its waits are over. Nothing is written. Exit 1 when a partition would be left without an owner or copies.`,
		Example: `  clusterkit-replay whatif data/n1 --leave n3                      what would move now
  clusterkit-replay whatif data/n1 --leave n3 --join n9,zone=b     replacing a node
  clusterkit-replay whatif data/n1 --at 14:03 --fail n2 --list     had n2 failed then, partition by partition`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runWhatif(&f, words) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.at, "at", "head", "the `point`")
	addAxis(cmd, &f.axis)
	flags.StringArrayVar(&f.join, "join", nil, "this `node` joins: n9 or n9,zone=b,weight=2")
	flags.StringSliceVar(&f.leave, "leave", nil, "these `nodes` leave for good")
	flags.StringSliceVar(&f.fail, "fail", nil, "these `nodes` fail and do not return")
	flags.StringSliceVar(&f.drain, "drain", nil, "these `nodes` are drained")
	flags.StringSliceVar(&f.weights, "weight", nil, "the weight that a node gets, as `node=weight`")
	flags.IntVar(&f.replication, "replication", 0, "the replication `factor` that is wanted; 0 leaves it")
	flags.BoolVar(&f.list, "list", false, "every partition that would change")
	return cmd
}

// change reads the flags.
func (f *whatifFlags) change() (coordination.Change, error) {
	c := coordination.Change{Leave: f.leave, Fail: f.fail, Drain: f.drain, Replication: f.replication}
	if f.replication < 0 {
		return c, usagef("--replication %d: want a number from 1", f.replication)
	}
	for _, text := range f.join {
		id, rest, _ := strings.Cut(text, ",")
		if id == "" {
			return c, usagef("--join %q: want the name of a node first", text)
		}
		n := placement.Node{ID: id, Weight: 1}
		for rest != "" {
			var part string
			part, rest, _ = strings.Cut(rest, ",")
			name, value, _ := strings.Cut(part, "=")
			weight, err := strconv.ParseUint(value, 10, 20)
			switch {
			case name == "zone":
				n.Zone = value
			case name == "weight" && err == nil && weight > 0:
				n.Weight = int(weight)
			default:
				return c, usagef("--join %q: want n9, n9,zone=b or n9,zone=b,weight=2; a node with a flag of its own each", text)
			}
		}
		c.Join = append(c.Join, n)
	}
	for _, text := range f.weights {
		id, value, _ := strings.Cut(text, "=")
		weight, err := strconv.ParseUint(value, 10, 20)
		if err != nil || weight == 0 {
			return c, usagef("--weight %q: want n3=2", text)
		}
		if c.Weights == nil {
			c.Weights = make(map[string]int)
		}
		c.Weights[id] = int(weight)
	}
	if len(c.Join)+len(c.Leave)+len(c.Fail)+len(c.Drain)+len(c.Weights) == 0 && c.Replication == 0 {
		return c, usagef("whatif needs something that happens: --leave n3, --join n9, --fail n2 ...")
	}
	return c, nil
}

func (a *app) runWhatif(f *whatifFlags, words []string) error {
	args, err := a.classify(words)
	if err != nil {
		return err
	}
	if err := args.noSubject(); err != nil {
		return err
	}
	at, err := a.onePoint("at", f.at, &args)
	if err != nil {
		return err
	}
	axis, err := replay.ParseAxis(f.axis)
	if err != nil {
		return &usageError{err}
	}
	change, err := f.change()
	if err != nil {
		return err
	}
	source, err := a.openOne(&args)
	if err != nil {
		return err
	}
	defer source.Close()
	w, err := source.WhatIf(a.ctx, at, axis, change)
	if err != nil {
		return err
	}
	if w.Unowned+w.Short > 0 {
		a.code = exitNo
	}
	defer a.allDamaged(w.Damage)
	return a.printForecast(w, f.list)
}

func (a *app) printForecast(w *replay.Forecast, list bool) error {
	if a.format != "table" {
		return a.data(answer{w, linesOf(w.Partitions), []string{"partition", "from", "to", "trigger", "reason"}, func(row func(...string)) {
			for i := range w.Partitions {
				p := &w.Partitions[i]
				row(strconv.Itoa(p.Partition), strings.Join(p.From, " "), strings.Join(p.To, " "), p.Trigger, p.Reason)
			}
		}})
	}
	a.printf("%s\n", a.bold("at "+w.At.Point+a.where(w.At)))
	a.printf("%s would change, %d of them their primary; %s would be made, at least %d needed\n",
		replay.Count(len(w.Partitions), "partition"), w.Primaries, replay.Count(w.Moves, "copy"), w.LowerBound)
	if w.Anyway > 0 {
		a.printf("about to be made without this: %s\n", replay.Count(w.Anyway, "copy"))
	}
	if w.Unowned+w.Short > 0 {
		a.printf("%s\n", a.style(red, fmt.Sprintf("%s would have no owner, %d fewer than %s", replay.Count(w.Unowned, "partition"), w.Short, replay.Count(w.Replication, "copy"))))
	}
	a.printf("\n")
	t := newTable(a.out, a, "NODE", ">COPIES", ">THEN", ">CHANGE", ">PRIMARIES", ">THEN")
	for _, n := range w.Nodes {
		if err := t.row(n.Node, strconv.Itoa(n.Copies[0]), strconv.Itoa(n.Copies[1]), fmt.Sprintf("%+d", n.Copies[1]-n.Copies[0]),
			strconv.Itoa(n.Primaries[0]), strconv.Itoa(n.Primaries[1])); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil || !list || len(w.Partitions) == 0 {
		return err
	}
	a.printf("\n")
	t = newTable(a.out, a, ">PARTITION", "FROM", "TO", "WHY")
	for i := range w.Partitions {
		p := &w.Partitions[i]
		if err := t.row(strconv.Itoa(p.Partition), replay.Owners(p.From), replay.Owners(p.To), p.Trigger+": "+p.Reason); err != nil {
			return err
		}
	}
	return t.flush()
}
