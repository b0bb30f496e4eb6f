package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

func (a *app) statsCommand() *cobra.Command {
	var f filterFlags
	var by string
	cmd := &cobra.Command{
		Use:   "stats [LOG...] [A..B]",
		Short: "Count events, moves and delays",
		Example: `  clusterkit-replay stats data/n1                      by type of event
  clusterkit-replay stats data/n1 --by hour            when was much going on
  clusterkit-replay stats data/n1 --by trigger --type PartitionAssigned   why partitions moved`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runStats(&f, by, words) },
	}
	f.addFilters(cmd)
	f.addSpan(cmd)
	f.addWhere(cmd)
	f.addLimit(cmd, "only the newest `N` events")
	cmd.Flags().StringVar(&by, "by", "type", "`what` to group by: "+strings.Join(replay.Groupings, ", "))
	return cmd
}

func (a *app) runStats(f *filterFlags, by string, words []string) error {
	args, err := a.classify(words, (*arguments).onlyRanges)
	if err != nil {
		return err
	}
	if !slices.Contains(replay.Groupings, by) {
		return usagef("--by %q: want one of %s", by, strings.Join(replay.Groupings, ", "))
	}
	q, err := a.query(f, &args)
	if err != nil {
		return err
	}
	source, err := a.openOne(&args)
	if err != nil {
		return err
	}
	defer source.Close()
	defer a.watch("stats", source).end()
	s, err := source.Stats(a.ctx, q, by)
	if err != nil {
		return err
	}
	defer a.allDamaged(s.Damage)
	a.noteWhere(q.Where)
	a.notKept(source, &q, int(s.Events))
	if a.format == "table" {
		return a.printStats(s)
	}
	return a.data(answer{s, linesOf(s.Groups), []string{by, "count", "bytes"}, func(row func(...string)) {
		for _, g := range s.Groups {
			row(g.Key, decimal(g.Count), decimal(g.Bytes))
		}
	}})
}

func (a *app) printStats(s *replay.Stats) error {
	a.printf("%s\n", a.bold(fmt.Sprintf("%s, %s..%s: %s of %s in %s", s.Log, s.From, s.To, replay.Count(s.Events, "event"), replay.Size(s.Bytes), replay.Count(s.Segments, "segment"))))
	if s.Events == 0 {
		return nil
	}
	a.printf("from %s to %s, %.3g events a second; busiest second %s with %d; longest silence %s from %s\n\n",
		a.time(s.First), a.time(s.Last), s.Rate, a.time(s.Busiest.At), s.Busiest.Events, replay.Span(s.Gap.Millis), a.time(s.Gap.From))
	t := newTable(a.out, a, strings.ToUpper(s.By), ">EVENTS", ">SHARE", ">BYTES")
	for _, g := range s.Groups {
		if err := t.row(dash(g.Key), decimal(g.Count), fmt.Sprintf("%.1f%%", 100*float64(g.Count)/float64(s.Events)), decimal(g.Bytes)); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if len(s.Moves) > 0 {
		a.printf("\ncopies moved: %s\n", groupWords(s.Moves))
		a.printf("most assigned partitions: %s\n", groupWords(s.Churn))
	}
	if len(s.Delays) > 0 {
		a.printf("\n")
		d := newTable(a.out, a, "ORIGIN", ">EVENTS", ">DELAY P50", ">P99", ">MAX", ">CLOCK AHEAD")
		for _, o := range s.Delays {
			if err := d.row(o.Origin, decimal(o.Events), replay.Span(int64(o.P50)), replay.Span(int64(o.P99)), replay.Span(o.Max), replay.Span(o.Ahead)); err != nil {
				return err
			}
		}
		return d.flush()
	}
	return nil
}

// groupWords lists groups in one line.
func groupWords(groups []replay.Group) string {
	words := make([]string, len(groups))
	for i, g := range groups {
		words[i] = dash(g.Key) + " " + decimal(g.Count)
	}
	return strings.Join(words, ", ")
}
