package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"
)

// table is what is printed in the end.
type table struct{ rows []row }

// row is one number of one store.
type row struct {
	what, who string
	values    series
	write     func(float64) string
	base      series  // what the ratio is to; may be missing
	cpu       series  // the same, had the process had a processor to itself; may be missing
	goal      *goal   // may be missing
	got       float64 // what the goal is about, if it is not the median
}

// goal is a bound.
type goal struct {
	text  string
	bound float64
	most  bool // else at least
}

func atMost(bound float64, text string) *goal  { return &goal{text, bound, true} }
func atLeast(bound float64, text string) *goal { return &goal{text, bound, false} }

func (g *goal) holds(got float64) bool { return g.most && got <= g.bound || !g.most && got >= g.bound }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

// cells writes a row.
func (r *row) cells() []string {
	cells := []string{r.what, r.who, r.write(r.values.median()), "", "", "", ""}
	if r.base != nil {
		cells[3] = fmt.Sprintf("%.2f", r.values.ratio(r.base))
	}
	if r.cpu != nil {
		cells[4] = r.write(r.cpu.median())
	}
	if r.goal == nil {
		return cells
	}
	got := r.got
	if got == 0 {
		got = r.values.median()
	}
	cells[5] = r.goal.text
	switch {
	case r.goal.holds(got):
		cells[6] = "yes"
	case r.cpu != nil && r.goal.holds(r.cpu.median()):
		cells[6] = "by CPU time"
	default:
		cells[6] = "NO"
	}
	return cells
}

func (t *table) print(w io.Writer) {
	lines := [][]string{{"measured", "who", "median", "ratio", "by CPU time", "goal", "reached"}}
	for i := range t.rows {
		lines = append(lines, t.rows[i].cells())
	}
	width := make([]int, len(lines[0]))
	for n := len(lines) - 1; n >= 0; n-- {
		if n > 1 && lines[n][0] == lines[n-1][0] {
			lines[n][0] = ""
		}
		for i, c := range lines[n] {
			width[i] = max(width[i], len(c))
		}
	}
	for n, cells := range lines {
		fmt.Fprint(w, "|")
		for i, c := range cells {
			fmt.Fprintf(w, " %-*s |", width[i], c)
		}
		fmt.Fprintln(w)
		if n == 0 {
			fmt.Fprintln(w, "|"+strings.Repeat("---|", len(cells)))
		}
	}
}

// series are the values of one store, one of each round.
type series []float64

func (s series) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio is the median of the ratios within the rounds.
func (s series) ratio(base series) float64 {
	var r series
	for i := range s {
		r = append(r, s[i]/base[i])
	}
	return r.median()
}

// quantile returns what a share of the values does not exceed. It sorts them.
func quantile(values []float64, share float64) float64 {
	slices.Sort(values)
	return values[min(int(share*float64(len(values))), len(values)-1)]
}

// rounds gives everybody a turn, so many times, each time in another order.
func rounds(n, everybody int, turn func(who int) error) error {
	for round := range n {
		order := rand.New(rand.NewPCG(uint64(round), 1)).Perm(everybody)
		for _, who := range order {
			if err := turn(who); err != nil {
				return err
			}
		}
	}
	return nil
}

// cpuTime returns how long the processors have worked for this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The units of the table.

func perSecond(rate float64) string {
	switch {
	case rate >= 1e6:
		return fmt.Sprintf("%.2f M/s", rate/1e6)
	case rate >= 1e4:
		return fmt.Sprintf("%.0f k/s", rate/1e3)
	case rate >= 1e3:
		return fmt.Sprintf("%.1f k/s", rate/1e3)
	}
	return fmt.Sprintf("%.0f /s", rate)
}

func microseconds(n float64) string { return fmt.Sprintf("%.1f us", n) }
func milliseconds(n float64) string { return fmt.Sprintf("%.1f ms", n) }
func mebibytes(n float64) string    { return fmt.Sprintf("%.1f MiB", n) }
func count(n float64) string        { return fmt.Sprintf("%.3g", n) }
