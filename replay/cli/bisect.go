package cli

import (
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

func (a *app) bisectCommand() *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:   "bisect --where CONDITION [LOG...] [A..B]",
		Short: "Find the events that made a condition true or false",
		Long: `The condition is over the state after each event, and over the event itself:
  owner(17) replicas(17) epoch(17) status("n3") alive() coordinator() value("k")
  type subject node partition origin actor register version seq index trigger reason time
All flips are found in one pass, however often the condition changes; --type and the like choose which are listed.
Exit 1 when there is none.`,
		Example: `  clusterkit-replay bisect data/n1 --where 'owner(17)=="n3"'           when did n3 own partition 17
  clusterkit-replay bisect data/n1 -1h.. --where 'len(alive()) < 3'    when were fewer than three alive
  clusterkit-replay bisect data/n1 --where 'len(replicas(17)) == 0'    when had it no owner`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runBisect(words, &f) },
	}
	cmd.Flags().StringVar(&f.where, "where", "", "the `condition`")
	f.addFilters(cmd)
	f.addSpan(cmd)
	f.addAxis(cmd)
	f.addOrder(cmd, "only the newest `N` flips")
	return cmd
}

func (a *app) runBisect(words []string, f *filterFlags) error {
	args, err := a.classify(words, (*arguments).onlyRanges)
	if err != nil {
		return err
	}
	if f.where == "" {
		return usagef("bisect needs a condition: --where 'owner(17)==\"n3\"'")
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
	defer a.watch("bisect", source).end()
	b, err := source.Bisect(a.ctx, q)
	if err != nil {
		return err
	}
	defer a.allDamaged(b.Damage)
	a.noteWhere(q.Where)
	if len(b.Flips) == 0 {
		a.code = exitNo
	}
	a.notKept(source, &q, len(b.Flips))
	return a.printBisection(b, source.Name)
}

// noteWhere says so when a condition could not be evaluated somewhere.
func (a *app) noteWhere(x *replay.Expression) {
	if x != nil && x.Err() != nil {
		a.note("where the condition cannot be evaluated it counts as false: %v", x.Err())
	}
}

func (a *app) printBisection(b *replay.Bisection, log string) error {
	if a.format != "table" {
		return a.data(answer{b, linesOf(b.Flips), []string{"holds", "index", "time", "event", "type", "subject", "actor", "what"}, func(row func(...string)) {
			for i := range b.Flips {
				f := &b.Flips[i]
				row(yesNo(f.Holds), decimal(f.Index), f.Time.String(), b.Names.Event(f.Event), string(f.Type), f.Subject, f.Actor, f.What)
			}
		}})
	}
	a.printf("%s\n", a.bold(b.Where+" in "+b.From+".."+b.To+" ("+b.Axis.String()+"): "+yesNo(b.Before)+" before, "+yesNo(b.After)+" after"))
	t := newTable(a.out, a, "", ">INDEX", a.zoneName(), "EVENT", "TYPE", "SUBJECT", "WHAT")
	for i := range b.Flips {
		f := &b.Flips[i]
		if err := t.row("-> "+yesNo(f.Holds), decimal(f.Index), a.time(f.Time), b.Names.Event(f.Event), string(f.Type), dash(f.Subject), f.What); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if n := len(b.Flips); n > 0 {
		a.printf("%s in %s; look closer with: clusterkit-replay show %s %s\n", replay.Count(n+b.More, "flip"), replay.Count(b.Events, "event"), b.Names.Event(b.Flips[0].Event), log)
	} else {
		a.printf("no flip in %s\n", replay.Count(b.Events, "event"))
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
