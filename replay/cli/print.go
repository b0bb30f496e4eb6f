package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// json prints a value as indented JSON.
func (a *app) json(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// jsonl prints values as JSON, one a line.
func (a *app) jsonl(values ...any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

// answer is what a command found, as programs read it.
type answer struct {
	whole   any      // of json
	lines   []any    // of jsonl; nil when that is the whole in one line
	columns []string // of csv
	rows    func(row func(cells ...string))
}

// linesOf returns a line for each element of a list.
func linesOf[T any](list []T) []any {
	lines := make([]any, len(list))
	for i := range list {
		lines[i] = &list[i]
	}
	return lines
}

// data prints an answer in the format that was asked for, which is not table.
func (a *app) data(x answer) error {
	switch {
	case a.format == "json":
		return a.json(x.whole)
	case a.format == "jsonl" && x.lines == nil:
		return a.jsonl(x.whole)
	case a.format == "jsonl":
		return a.jsonl(x.lines...)
	}
	w := a.csv(x.columns...)
	x.rows(func(cells ...string) { w.row(cells...) }) // into a buffer; end reports errors
	return w.end()
}

// prints refuses the formats in which a command cannot answer: those asked for beyond
// the ones it has.
func (a *app) prints(cmd *cobra.Command, formats ...string) error {
	if cmd.Flags().Changed("output") && !slices.Contains(formats, a.format) {
		return usagef("%s has no output format %s, only %s", cmd.Name(), a.format, strings.Join(formats, " and "))
	}
	return nil
}

// csv returns a writer of rows under a heading.
func (a *app) csv(columns ...string) *csvWriter {
	w := &csvWriter{csv.NewWriter(a.out)}
	w.w.Write(columns) // into a buffer; end reports errors
	return w
}

type csvWriter struct{ w *csv.Writer }

func (w *csvWriter) row(cells ...string) error { return w.w.Write(cells) }

func (w *csvWriter) end() error {
	w.w.Flush()
	return w.w.Error()
}

// printf prints a line of a table's surroundings.
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }

// indent prints lines further to the right.
func (a *app) indent(text string) error {
	for line := range strings.Lines(text) {
		a.printf("    %s", line)
	}
	return nil
}

// printIndented prints a chain of causes further to the right.
func (a *app) printIndented(why []replay.Reason, names *replay.Names) {
	for i := range why {
		r := &why[i]
		if r.Missing != "" {
			a.printf("    %s: %s\n", names.Event(r.Event), r.Missing)
			continue
		}
		a.printf("    %s  %s  %s %s by %s: %s\n", a.time(r.Time), names.Event(r.Event), r.Type, dash(r.Subject), dash(r.Actor), dash(r.What))
	}
}
