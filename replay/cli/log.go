package cli

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
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
	if a.format == "jsonl" {
		return a.renderLog(source, q)
	}
	var g graph
	if f.graph {
		if err := g.learn(a, source, q); err != nil {
			return err
		}
	}
	lines := 0
	p := a.linePrinter(source, f, &g)
	for line, err := range source.Log(a.ctx, q) {
		var damage *replay.Damage
		if errors.As(err, &damage) {
			if err := p.flush(); err != nil {
				return err
			}
			a.damaged(damage)
			continue
		}
		if lines++; err == nil {
			err = p.print(line)
		}
		if err != nil {
			return errors.Join(err, p.end())
		}
	}
	a.noteWhere(q.Where)
	if lines == 0 && a.code == exitYes {
		a.note("no event matches")
	}
	a.logNotKept(source, &q, lines)
	return p.end()
}

// logNotKept says so when more was to be shown than is there.
func (a *app) logNotKept(source *replay.Source, q *replay.Query, lines int) {
	if q.Limit == 0 || lines < q.Limit {
		a.notKept(source, q, lines)
	}
}

// renderLog prints a log as JSON lines, which are the same in any order of
// making them.
func (a *app) renderLog(source *replay.Source, q replay.Query) error {
	lines := 0
	for b, err := range source.Render(a.ctx, q, func(b []byte, l *replay.Line) []byte { return append(l.AppendJSON(b), '\n') }) {
		var damage *replay.Damage
		if errors.As(err, &damage) {
			a.damaged(damage)
			continue
		}
		lines += bytes.Count(b, []byte("\n"))
		if err == nil {
			err = a.write(b)
		}
		if err != nil {
			return err
		}
	}
	a.logNotKept(source, &q, lines)
	return nil
}

// linePrinter prints the lines of a log in one of the formats.
type linePrinter struct {
	print func(*replay.Line) error
	flush func() error // what is held back
	end   func() error
}

func (a *app) linePrinter(source *replay.Source, f *logFlags, g *graph) linePrinter {
	nothing := func() error { return nil }
	switch a.format {
	case "json":
		return a.jsonLines()
	case "csv":
		columns := []string{"index", "received", "time", "event", "actor", "type", "subject", "cause", "what"}
		if source.Kind == replay.KindUnion {
			columns[0] = "logs"
		}
		w := a.csv(columns...)
		return linePrinter{func(l *replay.Line) error { return w.row(csvLine(l)...) }, nothing, w.end}
	}
	logs := len(source.Titles())
	first := ">INDEX"
	if logs > 0 {
		first = "IN"
	}
	columns := []string{first, a.zoneName(), "EVENT", "BY", "TYPE", "SUBJECT", "CAUSE", "WHAT"}
	if !f.graph {
		t := newTable(a.out, a, columns...)
		return linePrinter{func(l *replay.Line) error { return a.tableLine(t, l, logs, f.changes) }, t.flush, t.flush}
	}
	t := newTable(a.out, a, append([]string{"CAUSES"}, columns...)...)
	return linePrinter{func(l *replay.Line) error { return a.tableLine(t, l, logs, f.changes, g.cell(&l.Event)) }, t.flush, t.flush}
}

// jsonLines prints all lines as one array.
func (a *app) jsonLines() linePrinter {
	buf, n := []byte{}, 0
	return linePrinter{
		print: func(l *replay.Line) error {
			sep := ",\n"
			if n++; n == 1 {
				sep = "[\n"
			}
			buf = l.AppendJSON(append(buf[:0], sep...))
			_, err := a.out.Write(buf)
			return err
		},
		flush: func() error { return nil },
		end: func() error {
			text := "\n]\n"
			if n == 0 {
				text = "[]\n"
			}
			_, err := a.out.WriteString(text)
			return err
		},
	}
}

func csvLine(l *replay.Line) []string {
	e := &l.Event
	received := ""
	if l.Received > 0 {
		received = events.NewTimestamp(l.Received, 0).String()
	}
	return []string{whereabouts(l, 0, " "), received, e.Time.String(), l.Names.Event(e.ID()), e.Actor,
		string(e.Type), replay.Subject(e, l.Names), l.Names.Event(e.Cause), l.Names.What(e)}
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

// tableLine prints one event for people.
func (a *app) tableLine(t *table, l *replay.Line, logs int, changes bool, before ...string) error {
	e := &l.Event
	what := l.Names.What(e)
	if late := l.Late(); late > 0 {
		known := " (known here "
		if l.Sources != nil {
			known = " (known to all of these "
		}
		what += known + replay.Span(late) + " later)"
	}
	err := t.row(append(before, whereabouts(l, logs, ","), a.time(e.Time), l.Names.Event(e.ID()), dash(e.Actor), string(e.Type),
		dash(replay.Subject(e, l.Names)), dash(l.Names.Event(e.Cause)), dash(what))...)
	if err != nil || !changes {
		return err
	}
	return t.under(changeLines(l)...)
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
