package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
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
