package cli

import (
	"errors"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// logFlags are the flags of log.
type logFlags struct {
	filterFlags
	changes bool
	graph   bool
}

func (a *app) logCommand() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:   "log [LOG...] [A..B]",
		Short: "Print the events of a log",
		Long: `Several LOGs are merged: each event once, with a column that says which LOGs hold it.
What a condition of --where can speak of, bisect --help lists.`,
		Example: `  clusterkit-replay log data/n1 --since -15m           what happened in the last 15 minutes
  clusterkit-replay log data/n1 --partition 17 -p      every owner of partition 17, and why
  clusterkit-replay log data/n1 -n 20 --type 'Node*'   the newest 20 events about nodes`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runLog(&f, words) },
	}
	f.addFilters(cmd)
	f.addSpan(cmd)
	f.addWhere(cmd)
	f.addAxis(cmd)
	f.addOrder(cmd, "only the newest `N`")
	cmd.Flags().BoolVarP(&f.changes, "patch", "p", false, "also say what each event changed")
	cmd.Flags().BoolVar(&f.graph, "graph", false, "draw which event caused which; … stands for causes that are not shown")
	return cmd
}

func (a *app) runLog(f *logFlags, words []string) error {
	args, err := a.classify(words, (*arguments).onlyRanges)
	if err != nil {
		return err
	}
	q, err := a.query(&f.filterFlags, &args)
	if err != nil {
		return err
	}
	q.Changes = f.changes
	if f.graph && (a.format != "table" || f.reverse) {
		return usagef("--graph draws a table, oldest first")
	}
	source, err := a.openOne(&args)
	if err != nil {
		return err
	}
	defer source.Close()
	if !a.terminal { // where the events themselves show how far it is
		defer a.watch("log", source).end()
	}
	var g *graph
	if f.graph {
		if g, err = newGraph(a, source, q); err != nil {
			return err
		}
	}
	w := a.lineWriter(source, f, g)
	blocks := source.Render(a.ctx, q, w.format)
	if f.graph {
		blocks = oneByOne(source.Log(a.ctx, q), w.format)
	}
	lines := 0
	for b, err := range blocks {
		var damage *replay.Damage
		if errors.As(err, &damage) {
			if err := w.flush(); err != nil {
				return err
			}
			a.damaged(damage)
			continue
		}
		if err == nil {
			var n int
			n, err = w.print(b)
			lines += n
		}
		if err != nil {
			return errors.Join(err, w.end())
		}
	}
	a.noteWhere(q.Where)
	if lines == 0 && a.code == exitYes {
		a.note("no event matches")
	}
	a.logNotKept(source, &q, lines)
	return w.end()
}

// logNotKept says so when more was to be shown than is there.
func (a *app) logNotKept(source *replay.Source, q *replay.Query, lines int) {
	if q.Limit == 0 || lines < q.Limit {
		a.notKept(source, q, lines)
	}
}

// whereabouts is the local index of an event or, of a union, who has it.
func whereabouts(l *replay.Line, of int, separator string) string {
	if l.Sources != nil && len(l.Sources) == of {
		return "all"
	}
	if l.Sources != nil {
		return strings.Join(l.Sources, separator)
	}
	if l.Index == 0 {
		return "-" // it came from a live node, which does not say
	}
	return strconv.FormatUint(l.Index, 10)
}

// tableCells says what people want to know of an event.
func (a *app) tableCells(l *replay.Line, logs int) []string {
	e := &l.Event
	what := l.Names.What(e)
	if late := l.Late(); late > 0 {
		known := " (known here "
		if l.Sources != nil {
			known = " (known to all of these "
		}
		what += known + replay.Span(late) + " later)"
	}
	return []string{whereabouts(l, logs, ","), a.time(e.Time), l.Names.Event(e.ID()), dash(e.Actor), string(e.Type),
		dash(replay.Subject(e, l.Names)), dash(l.Names.Event(e.Cause)), dash(what)}
}

// changeLines says what an event changed.
func changeLines(l *replay.Line) []string {
	if len(l.Changes) == 0 {
		switch text := l.Outcome.String(); text {
		case "superseded":
			return []string{"no change: a later event owns " + l.Event.Register + " already"}
		case "won", "fact":
			return []string{"no change of the state"}
		default:
			return []string{"no change: " + text}
		}
	}
	lines := make([]string, len(l.Changes))
	for i, c := range l.Changes {
		lines[i] = strings.TrimSpace(c.Field + ": " + dash(c.From) + " -> " + dash(c.To))
	}
	return lines
}
