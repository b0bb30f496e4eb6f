package cli

import (
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// blameFlags are the flags of blame.
type blameFlags struct {
	filterFlags
	at           string
	history, why bool
}

func (a *app) blameCommand() *cobra.Command {
	var f blameFlags
	cmd := &cobra.Command{
		Use:   "blame SUBJECT [LOG...]",
		Short: "Say which event made something what it is, and why",
		Long: `SUBJECT is partition/17, node/n3, value/k, config/cluster or coordinator.
--why follows the causes of the present state to their root; --history lists all there was. --since, --until, -n and
--reverse list what of it began then, or so many, or in that order; they change nothing of what it was.
Without any of these only what the answer needs is read, from the end back: older damage is not met, verify finds it.`,
		Example: `  clusterkit-replay blame partition/17 data/n1 --why        why has it these owners
  clusterkit-replay blame node/n3 data/n1 --history         when was it alive, suspected, failed
  clusterkit-replay blame value/greeting data/n1 --at -1h  who had set it an hour ago`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runBlame(&f, words) },
	}
	f.addSpan(cmd)
	f.addOrder(cmd, "only the newest `N` of the history")
	flags := cmd.Flags()
	flags.StringVar(&f.at, "at", "head", "the `point`")
	f.addAxis(cmd)
	flags.BoolVar(&f.history, "history", false, "all there ever was, with how long it lasted")
	flags.BoolVar(&f.why, "why", false, "follow the causes to their root")
	return cmd
}

func (a *app) runBlame(f *blameFlags, words []string) error {
	args, err := a.classify(words)
	if err != nil {
		return err
	}
	if len(args.subjects) != 1 {
		return usagef("blame needs one subject, such as partition/17 or node/n3")
	}
	subject, err := replay.ParseSubject(args.subjects[0])
	if err != nil {
		return &usageError{err}
	}
	at, err := a.onePoint("at", f.at, &args)
	if err != nil {
		return err
	}
	q, err := a.query(&f.filterFlags, &args)
	if err != nil {
		return err
	}
	f.history = f.history || f.since != "" || f.until != "" || f.limit > 0 || f.reverse
	source, err := a.openOne(&args)
	if err != nil {
		return err
	}
	defer source.Close()
	var b *replay.Blame
	if why := f.why || a.format != "table"; f.history || a.format == "json" || a.format == "jsonl" {
		b, err = source.BlameHistory(a.ctx, subject, at, q, why)
	} else { // which do not show it
		b, err = source.BlamePresent(a.ctx, subject, at, q.Axis, why)
	}
	if err != nil {
		return err
	}
	defer a.allDamaged(b.Damage)
	if f.history && (f.limit == 0 || len(b.History) < int(f.limit)) {
		a.notKept(source, &q, len(b.History))
	}
	if f.history && len(b.History) == 0 && a.code == exitYes {
		a.note("nothing of the history began in that span")
	}
	return a.printBlame(b, f)
}

func (a *app) printBlame(b *replay.Blame, f *blameFlags) error {
	switch {
	case a.format != "table" && f.history:
		return a.data(answer{b, linesOf(b.History), []string{"from", "until", "lasted_ms", "value", "event", "type", "actor", "cause", "what"}, func(row func(...string)) {
			for i := range b.History {
				h := &b.History[i]
				row(h.From.String(), stamp(h.Until), decimal(h.Lasted(a.grammar.Now).Milliseconds()), h.Value, b.Names.Event(h.Event),
					string(h.Type), h.Actor, b.Names.Event(h.Cause), h.What)
			}
		}})
	case a.format != "table":
		return a.data(answer{b, nil, []string{"field", "value", "since", "event", "type", "actor", "previous"}, func(row func(...string)) {
			for i := range b.Fields {
				c := &b.Fields[i]
				row(c.Field, c.Value, c.Time.String(), b.Names.Event(c.Event), string(c.Type), c.Actor, c.Previous)
			}
		}})
	}
	a.printf("%s\n", a.bold(b.Subject+" at "+b.At.Point+a.where(b.At)))
	t := newTable(a.out, a, "FIELD", "VALUE", "SINCE ("+a.grammar.Zone.String()+")", "FOR", "EVENT", "TYPE", "BY", "WAS")
	for i := range b.Fields {
		c := &b.Fields[i]
		lasted := a.grammar.Now.Sub(c.Time.Time())
		if err := t.row(c.Field, dash(c.Value), a.time(c.Time), since(lasted), b.Names.Event(c.Event), string(c.Type), dash(c.Actor), dash(c.Previous)); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if f.why {
		a.printf("\n%s\n", a.bold("why"))
		a.printReasons(b.Why, b.Names)
	}
	if f.history {
		a.printf("\n")
		return a.printHistory(b)
	}
	return nil
}

// printReasons prints a chain of causes, each below what it caused.
func (a *app) printReasons(why []replay.Reason, names *replay.Names) {
	for i := range why {
		r := &why[i]
		arrow := strings.Repeat("   ", i)
		if i > 0 {
			arrow = strings.Repeat("   ", i-1) + "<- "
		}
		if r.Missing != "" {
			a.printf("%s%s: %s\n", arrow, names.Event(r.Event), r.Missing)
			continue
		}
		a.printf("%s%s  %s  %s %s by %s: %s\n", arrow, a.time(r.Time), names.Event(r.Event), r.Type, dash(r.Subject), dash(r.Actor), dash(r.What))
	}
}

func (a *app) printHistory(b *replay.Blame) error {
	t := newTable(a.out, a, "FROM ("+a.grammar.Zone.String()+")", "UNTIL", "LASTED", "WAS", "EVENT", "BY", "CAUSE", "WHAT")
	for i := range b.History {
		h := &b.History[i]
		if err := t.row(a.time(h.From), a.time(h.Until), since(h.Lasted(a.grammar.Now)), h.Value, b.Names.Event(h.Event), dash(h.Actor),
			dash(b.Names.Event(h.Cause)), string(h.Type)+" "+h.What); err != nil {
			return err
		}
	}
	return t.flush()
}

// since returns a span of time in a short form.
func since(d time.Duration) string {
	if d >= 48*time.Hour {
		return decimal(int64(d/(24*time.Hour))) + "d" + decimal(int64(d/time.Hour)%24) + "h"
	}
	return replay.Span(max(d.Milliseconds(), 0))
}
