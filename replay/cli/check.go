package cli

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

func (a *app) checkCommand() *cobra.Command {
	var f filterFlags
	var rules replay.Rules
	cmd := &cobra.Command{
		Use:   "check [LOG...] [A..B]",
		Short: "Hold the whole history against invariants",
		Long: `The rules, and what breaks them:
  one-owner   an epoch that a partition was given before, and then to others; looked for as far back as the log goes
  epochs      an assignment below an epoch that was assigned before; when it bears one of those it breaks both
  live-owner  an assignment to a node that has failed, left, was removed or never joined
  owned       --unowned: for so long nobody owned the partition, or one that no longer served
  replicated  --short: for so long a copy was missing that a node, alive, well and not draining, could have taken
  caused      a node assigned on its own account, and named no cause
  flapping    --moves in --window: another primary, or nobody
  membership  --moves in --window: another status
Filters choose which violations count: by the event at which they were found, --partition and --node also by what
they are about. What lasts until the end was found at no event. The history is read and held against all of it.`,
		Example: `  clusterkit-replay check data/n1                      did everything always hold
  clusterkit-replay check data/n1 --unowned 1s         with a stricter limit
  clusterkit-replay check data/n1 -1d.. -o json        of the last day, for programs`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runCheck(rules, &f, words) },
	}
	f.addFilters(cmd)
	f.addSpan(cmd)
	f.addWhere(cmd)
	f.addOrder(cmd, "the newest `N` examples of each rule, instead of the first 5")
	flags := cmd.Flags()
	flags.DurationVar(&rules.Unowned, "unowned", 10*time.Second, "how long a partition may have no live owner")
	flags.DurationVar(&rules.Short, "short", 5*time.Minute, "how long a partition may have fewer copies than it could")
	flags.IntVar(&rules.Moves, "moves", 6, "how often, `N` times, a primary or a status may change within the window")
	flags.DurationVar(&rules.Window, "window", 10*time.Minute, "the window in which --moves counts")
	return cmd
}

func (a *app) runCheck(rules replay.Rules, f *filterFlags, words []string) error {
	args, err := a.classify(words, (*arguments).onlyRanges)
	if err != nil {
		return err
	}
	for _, limit := range []struct {
		flag  string
		value int64
	}{{"unowned", int64(rules.Unowned)}, {"short", int64(rules.Short)}, {"moves", int64(rules.Moves)}, {"window", int64(rules.Window)}} {
		if limit.value <= 0 {
			return usagef("--%s: want a limit above zero", limit.flag)
		}
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
	defer a.watch("check", source).end()
	c, err := source.Check(a.ctx, q, rules)
	if err != nil {
		return err
	}
	switch c.Result {
	case replay.Fail:
		a.code = exitNo
	case replay.Skip:
		a.code = exitUnknown
	}
	a.noteWhere(q.Where)
	a.notKept(source, &q, int(c.Events))
	defer a.allDamaged(c.Damage)
	return a.printCheckup(c, &q)
}

func (a *app) printCheckup(c *replay.Checkup, q *replay.Query) error {
	if a.format != "table" {
		return a.data(answer{whole: c, lines: linesOf(c.Rules),
			columns: []string{"rule", "result", "count", "what", "subject", "time", "event", "text"},
			rows: func(row func(cells ...string)) {
				for i := range c.Rules {
					r := &c.Rules[i]
					cells := []string{r.Rule, string(r.Result), strconv.Itoa(r.Count), r.What, "", "", "", ""}
					if len(r.Examples) > 0 {
						v := &r.Examples[0]
						copy(cells[4:], []string{v.Subject, v.Time.String(), c.Names.Event(v.Event), v.Text})
					}
					row(cells...)
				}
			}})
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		a.printf("%s  %-11s  %s\n", a.judge(string(r.Result)), r.Rule, r.What)
		for j := range r.Examples {
			a.printViolation(&r.Examples[j], c.Names, "")
		}
		if n := r.Count - len(r.Examples); n > 0 {
			a.printf("        and %d more\n", n)
			if r.Worst != nil && !slices.Contains(r.Examples, *r.Worst) {
				a.printViolation(r.Worst, c.Names, "worst: ")
			}
		}
		if len(r.Examples) > 0 {
			a.printf("        look closer with: clusterkit-replay %s\n", closer(r, c))
		}
	}
	of := ""
	if !q.Filter.IsZero() || q.Where != nil {
		of = "; counted is what the filters choose"
	}
	a.printf("%s\n", a.judge(fmt.Sprintf("%s  %s, %s%s", c.Result, c.Log, replay.Count(c.Events, "event"), of)))
	return nil
}

// closer returns the command that says more about the first example of a rule: the
// event, where that broke it, else what was so of the subject all the time.
func closer(r *replay.RuleViolation, c *replay.Checkup) string {
	v := &r.Examples[0]
	switch r.Rule {
	case replay.RuleOneOwner, replay.RuleEpochs, replay.RuleLiveOwner, replay.RuleCaused:
		return "show " + c.Names.Event(v.Event) + " " + c.Log
	}
	return "blame " + v.Subject + " " + c.Log + " --history"
}

func (a *app) printViolation(v *replay.Violation, names *replay.Names, mark string) {
	a.printf("        %s%s  %s  %s: %s\n", mark, a.time(v.Time), names.Event(v.Event), v.Subject, v.Text)
}
