package cli

import (
	"bytes"
	"encoding/binary"
	"iter"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
)

// lineWriter prints the lines of a log in one of the formats. format runs in several
// goroutines at the same time, each of which makes blocks of text, or of cells; print
// gets these in order, and returns how many lines a block had.
type lineWriter struct {
	format func(b []byte, l *replay.Line) []byte
	print  func(b []byte) (int, error)
	flush  func() error // what is held back
	end    func() error
}

func (a *app) lineWriter(source *replay.Source, f *logFlags, g *graph) lineWriter {
	nothing := func() error { return nil }
	switch a.format {
	case "jsonl":
		return lineWriter{
			format: func(b []byte, l *replay.Line) []byte { return append(l.AppendJSON(b), '\n') },
			print:  func(b []byte) (int, error) { return bytes.Count(b, []byte("\n")), a.write(b) },
			flush:  nothing, end: nothing,
		}
	case "json":
		return a.arrayWriter()
	case "csv":
		columns := []string{"index", "received", "time", "event", "actor", "type", "subject", "cause", "what"}
		if source.Kind == replay.KindUnion {
			columns[0] = "logs"
		}
		w := a.csv(columns...)
		return lineWriter{
			format: func(b []byte, l *replay.Line) []byte { return appendCells(b, csvCells(l)) },
			print: func(b []byte) (int, error) {
				return rows(b, 1, func(parts [][]string) error { return w.row(parts[0]...) })
			},
			flush: nothing, end: w.end,
		}
	}
	return a.tableWriter(len(source.Titles()), f.changes, g)
}

// arrayWriter prints all lines as one array.
func (a *app) arrayWriter() lineWriter {
	open, end := "[", "[]\n"
	return lineWriter{
		format: func(b []byte, l *replay.Line) []byte { return l.AppendJSON(append(b, ",\n"...)) },
		print: func(b []byte) (int, error) {
			text := append([]byte(open), b[len(","):]...)
			open, end = ",", "\n]\n"
			return bytes.Count(b, []byte("\n")), a.write(text)
		},
		flush: func() error { return nil },
		end:   func() error { return a.write([]byte(end)) },
	}
}

// tableWriter prints lines for people, with a graph beside them and what each changed
// below it if that is asked for.
func (a *app) tableWriter(logs int, changes bool, g *graph) lineWriter {
	columns := []string{">INDEX", a.zoneName(), "EVENT", "BY", "TYPE", "SUBJECT", "CAUSE", "WHAT"}
	if logs > 0 {
		columns[0] = "IN"
	}
	if g != nil {
		columns = append([]string{"CAUSES"}, columns...)
	}
	t := newTable(a.out, a, columns...)
	return lineWriter{
		format: func(b []byte, l *replay.Line) []byte {
			cells, below := a.tableCells(l, logs), []string(nil)
			if g != nil {
				cells = append([]string{g.cell(&l.Event)}, cells...)
			}
			if changes {
				below = changeLines(l)
			}
			return appendCells(appendCells(b, cells), below)
		},
		print: func(b []byte) (int, error) {
			return rows(b, 2, func(parts [][]string) error {
				if err := t.row(parts[0]...); err != nil || len(parts[1]) == 0 {
					return err
				}
				return t.under(parts[1]...)
			})
		},
		flush: t.flush, end: t.flush,
	}
}

func csvCells(l *replay.Line) []string {
	e := &l.Event
	received := ""
	if l.Received > 0 {
		received = events.NewTimestamp(l.Received, 0).String()
	}
	return []string{whereabouts(l, 0, " "), received, e.Time.String(), l.Names.Event(e.ID()), e.Actor,
		string(e.Type), replay.Subject(e, l.Names), l.Names.Event(e.Cause), l.Names.What(e)}
}

// oneByOne makes each line a block when it comes, for a format to which the lines
// above matter.
func oneByOne(lines iter.Seq2[*replay.Line, error], format func([]byte, *replay.Line) []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var b []byte
		for line, err := range lines {
			if b = b[:0]; err == nil {
				b = format(b, line)
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// Cells travel as their number, and each as its length and its bytes.

func appendCells(b []byte, cells []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(cells)))
	for _, cell := range cells {
		b = append(binary.AppendUvarint(b, uint64(len(cell))), cell...)
	}
	return b
}

// rows calls do for each row of a block, which has so many parts of cells, and
// returns how many rows there were.
func rows(b []byte, parts int, do func(parts [][]string) error) (n int, err error) {
	text := string(b) // of which all cells are parts
	size := func() int {
		v, k := binary.Uvarint(b[len(b)-len(text):])
		text = text[k:]
		return int(v)
	}
	row := make([][]string, parts)
	for ; len(text) > 0; n++ {
		for i := range row {
			row[i] = make([]string, size())
			for j := range row[i] {
				k := size()
				row[i][j], text = text[:k], text[k:]
			}
		}
		if err := do(row); err != nil {
			return n, err
		}
	}
	return n, nil
}
