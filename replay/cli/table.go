package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table prints rows under a heading in aligned columns. It holds back the
// first rows to learn how wide the columns are, and then streams: a longer
// cell that comes later pushes the rest of its own line.
type table struct {
	out     io.Writer
	columns []string
	right   []bool // columns of numbers
	bold    func(string) string

	held   []heldRow
	widths []int // nil until the heading is printed
	line   []byte
}

// heldRow is a row that is not printed yet, and what stands below it.
type heldRow struct {
	cells []string
	under []string
}

// heldRows is how many rows a table looks at before it decides on its widths.
const heldRows = 256

func newTable(out io.Writer, a *app, columns ...string) *table {
	t := &table{out: out, bold: a.bold, right: make([]bool, len(columns))}
	for i, name := range columns {
		if strings.HasPrefix(name, ">") {
			name, t.right[i] = name[1:], true
		}
		t.columns = append(t.columns, name)
	}
	return t
}

// row prints one row. The cells are kept only until flush.
func (t *table) row(cells ...string) error {
	if t.widths != nil {
		return t.print(cells, false)
	}
	if t.held = append(t.held, heldRow{cells: cells}); len(t.held) < heldRows {
		return nil
	}
	return t.flush()
}

// under prints lines below the last row.
func (t *table) under(lines ...string) error {
	if t.widths == nil {
		last := &t.held[len(t.held)-1]
		last.under = append(last.under, lines...)
		return nil
	}
	for _, line := range lines {
		if _, err := io.WriteString(t.out, "        "+line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// flush prints what was held back, and a heading when there was any row.
func (t *table) flush() error {
	if t.widths != nil || len(t.held) == 0 {
		return nil
	}
	t.widths = make([]int, len(t.columns))
	for i, name := range t.columns {
		t.widths[i] = width(name)
		for _, row := range t.held {
			t.widths[i] = max(t.widths[i], width(row.cells[i]))
		}
	}
	if err := t.print(t.columns, true); err != nil {
		return err
	}
	for _, row := range t.held {
		if err := t.print(row.cells, false); err != nil {
			return err
		}
		if err := t.under(row.under...); err != nil {
			return err
		}
	}
	t.held = nil
	return nil
}

func (t *table) print(cells []string, heading bool) error {
	b := t.line[:0]
	for i, cell := range cells {
		pad := max(t.widths[i]-width(cell), 0)
		if t.right[i] {
			b = appendSpaces(b, pad)
		}
		b = append(b, cell...)
		if i < len(cells)-1 {
			if !t.right[i] {
				b = appendSpaces(b, pad)
			}
			b = append(b, ' ', ' ')
		}
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	if heading {
		b = append(b[:0], t.bold(string(b))...)
	}
	t.line = append(b, '\n')
	_, err := t.out.Write(t.line)
	return err
}

func appendSpaces(b []byte, n int) []byte {
	for range n {
		b = append(b, ' ')
	}
	return b
}

// width returns how many columns a text takes, as far as counting characters
// can tell.
func width(s string) int { return utf8.RuneCountInString(s) }
