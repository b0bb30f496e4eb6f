package cli

import (
	"errors"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// filterFlags are the flags that choose events, and what was found at events. They
// never change what is folded, only what is shown or counted.
//
//	            filters  span      --where  -n  --reverse  --axis
//	log            x      x           x      x      x        x
//	stats          x      x           x      x            (true)
//	bisect         x      x       its own    x      x        x
//	check          x      x           x      x      x      (true)
//	timeline       x      x           x                      x
//	follow         x      x           x      x            (known)
//	blame                 x                  x      x        x      of --history
//	bundle                x                                  x      of each log
//	export                x                                  x
//
// The others answer for one point, or for all there is: where they choose, it is
// with --node and --partition.
type filterFlags struct {
	types, nodes, origins, actors []string
	partitions                    string
	since, until                  string
	where, axis                   string
	limit                         count
	reverse                       bool
}

// addFilters adds the flags that need no more than the event itself.
func (f *filterFlags) addFilters(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.types, "type", nil, "only these `types`; globs such as 'Node*' or 'app/*'")
	flags.StringSliceVar(&f.nodes, "node", nil, "only what is about these `nodes`, or gives or takes a partition from them")
	flags.StringSliceVar(&f.origins, "origin", nil, "only what these `nodes` wrote")
	flags.StringVar(&f.partitions, "partition", "", partitionUsage)
	flags.StringSliceVar(&f.actors, "actor", nil, "only what these `actors` asked for; globs such as 'operator:*'")
}

const partitionUsage = "only these partitions, `numbers` such as 3,10-20"

func (f *filterFlags) addSpan(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.since, "since", "", "from this `point` on")
	cmd.Flags().StringVar(&f.until, "until", "", "up to this `point`")
}

func (f *filterFlags) addWhere(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.where, "where", "", "only where this `condition` holds of the event and the state before it, such as 'owner(17)==\"n3\"'")
}

func (f *filterFlags) addOrder(cmd *cobra.Command, limited string) {
	f.addLimit(cmd, limited)
	cmd.Flags().BoolVar(&f.reverse, "reverse", false, "newest first")
}

func (f *filterFlags) addLimit(cmd *cobra.Command, usage string) {
	cmd.Flags().VarP(&f.limit, "limit", "n", usage)
}

// count is a flag that says how many: 0 when it is not given.
type count int

func (n *count) String() string { return strconv.Itoa(int(*n)) }

func (n *count) Type() string { return "int" }

func (n *count) Set(text string) error {
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		return errors.New("want a number from 1")
	}
	*n = count(value)
	return nil
}

func (f *filterFlags) addAxis(cmd *cobra.Command) { addAxis(cmd, &f.axis) }

func addAxis(cmd *cobra.Command, axis *string) {
	cmd.Flags().StringVar(axis, "axis", "", "`axis` of time: true (what was so) or known (what this node believed)")
}

// query turns the flags into a query.
func (a *app) query(f *filterFlags, args *arguments) (replay.Query, error) {
	q := replay.Query{Limit: int(f.limit), Reverse: f.reverse}
	q.Filter = replay.Filter{Types: f.types, Nodes: f.nodes, Origins: f.origins, Actors: f.actors}
	if err := q.Filter.Check(); err != nil {
		return q, &usageError{err}
	}
	var err error
	if q.Filter.Partitions, err = parsePartitions(f.partitions); err != nil {
		return q, err
	}
	if f.where != "" {
		if q.Where, err = replay.ParseExpression(f.where); err != nil {
			return q, &usageError{err}
		}
	}
	if q.Axis, err = replay.ParseAxis(f.axis); err != nil {
		return q, &usageError{err}
	}
	if q.Since, err = a.pointFlag("since", f.since); err != nil {
		return q, err
	}
	if q.Until, err = a.pointFlag("until", f.until); err != nil {
		return q, err
	}
	switch {
	case len(args.ranges) > 1:
		return q, usagef("two ranges, %s and %s: want one", args.ranges[0], args.ranges[1])
	case len(args.ranges) == 1:
		q.Range = args.ranges[0]
	}
	for _, ends := range [][2]replay.Point{{q.Range.From, q.Range.To}, {q.Since, q.Until}} {
		from, isTime := ends[0].Time()
		to, areTimes := ends[1].Time()
		if isTime && areTimes && to.Before(from) {
			return q, usagef("%s is after %s: nothing lies between them", ends[0], ends[1])
		}
	}
	return q, nil
}

// parsePartitions reads the flag --partition; none when it is not given.
func parsePartitions(text string) ([]replay.Interval, error) {
	if text == "" {
		return nil, nil
	}
	list, err := replay.ParseIntervals(text)
	if err != nil {
		return nil, usagef("--partition %w", err)
	}
	return list, nil
}

// pointFlag reads the point of a flag; the zero Point when it is not given.
func (a *app) pointFlag(name, text string) (replay.Point, error) {
	if text == "" {
		return replay.Point{}, nil
	}
	p, err := a.grammar.Point(text)
	if err != nil {
		return p, usagef("--%s %w", name, err)
	}
	if p.IsTimeOfDay() && strings.Contains(text, ":") {
		a.assumed = append(a.assumed, p)
	}
	return p, nil
}
