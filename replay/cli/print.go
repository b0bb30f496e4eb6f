package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
)

// json prints a value as indented JSON.
func (a *app) json(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// jsonl prints values as JSON, one a line.
func (a *app) jsonl(values ...any) error {
	for _, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if _, err := a.out.Write(append(b, '\n')); err != nil {
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
