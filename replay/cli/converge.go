package cli

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

func (a *app) convergeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "converge LOG LOG...",
		Short: "Tell whether nodes agree, and if not, on what",
		Long: `Verdicts:
  equal           the same events, the same state                          exit 0
  behind          some lack events that others have: that heals            exit 1
  state differs   the same events, not the same state: a fault             exit 1
  forked          two different events under one name: does not heal       exit 1
  cannot compare  not enough is kept, nothing is common, or names were     exit 5
                  replaced with different keys (bundle --redact-key)

Logs are compared by their ends: equal chains there prove that the same events came before.
Whether all of them can still be read is another question, which verify answers.`,
		Example: `  clusterkit-replay converge data/n1 data/n2 data/n3     do the three agree
  clusterkit-replay converge data/* -o json              for programs
  clusterkit-replay converge data/n1 backup/n1           what the backup lacks`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runConverge(words) },
	}
}

func (a *app) runConverge(words []string) error {
	args, err := a.classify(words, (*arguments).onlyLogs)
	if err != nil {
		return err
	}
	sources, err := a.openAll(args.logs)
	if err != nil {
		return err
	}
	defer closeAll(sources)
	if len(sources) < 2 {
		return usagef("converge compares two logs or more")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // it is soon over
	c, err := replay.Converge(a.ctx, sources...)
	if err != nil {
		return err
	}
	a.code = convergeCode(c)
	if err := a.printConvergence(c); err != nil {
		return err
	}
	for i := range c.Sides {
		a.allDamaged(c.Sides[i].Damage)
	}
	return nil
}

func convergeCode(c *replay.Convergence) int {
	switch c.Verdict {
	case replay.Equal:
		return exitYes
	case replay.CannotCompare:
		return exitUnknown
	}
	return exitNo
}

func (a *app) printConvergence(c *replay.Convergence) error {
	if a.format != "table" {
		return a.data(answer{c, nil, []string{"log", "origin", "head", "verdict", "missing"}, func(row func(...string)) { originRows(c, row) }})
	}
	columns := []string{"ORIGIN"}
	for i := range c.Sides {
		columns = append(columns, ">"+c.Sides[i].Title())
	}
	t := newTable(a.out, a, append(columns, "")...)
	for i := range c.Origins {
		o := &c.Origins[i]
		cells := []string{o.Name}
		for _, seq := range o.Heads {
			cells = append(cells, dash(strconv.FormatUint(seq, 10)))
		}
		if err := t.row(append(cells, a.originWords(c, o))...); err != nil {
			return err
		}
	}
	total := []string{"events"}
	state := []string{"state"}
	for i := range c.Sides {
		total = append(total, strconv.FormatUint(c.Sides[i].Events, 10))
		state = append(state, shortDigest(c.Sides[i].Mark))
	}
	if err := errors.Join(t.row(append(total, "")...), t.row(append(state, "")...), t.flush()); err != nil {
		return err
	}
	for i := range c.Origins {
		if f := c.Origins[i].Fork; f != nil {
			a.printFork(c, &c.Origins[i], f)
		}
	}
	if c.State != nil {
		if err := a.printDiff(c.State); err != nil {
			return err
		}
	}
	for _, note := range c.Notes {
		a.printf("%s\n", note)
	}
	a.printf("%s\n", a.judge(string(c.Verdict))+verdictWords[c.Verdict])
	return nil
}

func originRows(c *replay.Convergence, row func(...string)) {
	for i := range c.Origins {
		o := &c.Origins[i]
		for j, seq := range o.Heads {
			missing := uint64(0)
			for _, m := range o.Missing {
				if m.Side == j {
					missing = m.Count
				}
			}
			row(c.Sides[j].Log, o.Name, decimal(seq), string(o.Verdict), decimal(missing))
		}
	}
}

var verdictWords = map[replay.Verdict]string{
	replay.Equal:         ": all end in the same events and the same state",
	replay.Behind:        ": nothing contradicts; what is missing will come",
	replay.CannotCompare: "",
	replay.StateDiffers:  ": the same events led to different states",
	replay.Forked:        ": the histories contradict each other; this does not heal by itself",
}

// originWords says in one line what is wrong with one origin's log.
func (a *app) originWords(c *replay.Convergence, o *replay.OriginCheck) string {
	text := ""
	add := func(s string) {
		if text != "" {
			text += "; "
		}
		text += s
	}
	for _, m := range o.Missing {
		s := fmt.Sprintf("%s lacks %d, the oldest %s:%d", c.Sides[m.Side].Title(), m.Count, o.Name, m.From)
		if m.What != "" {
			s += " (" + a.time(m.Time) + " " + m.What + ")"
		}
		add(s)
	}
	if o.Fork != nil {
		add(fmt.Sprintf("forked at %s:%d", o.Name, o.Fork.Seq))
	}
	if o.Note != "" {
		add(o.Note)
	}
	return text
}

func (a *app) printFork(c *replay.Convergence, o *replay.OriginCheck, f *replay.Fork) {
	a.printf("\nfork: two events bear the name %s:%d, the first that differs\n", o.Name, f.Seq)
	for i, side := range f.Sides {
		a.printf("  %s: %s %s\n", c.Sides[side].Title(), dash(f.Time[i]), dash(f.What[i]))
	}
}
