// Command bench measures the log beside others, in one run on one disk, and
// prints a table.
//
//	go run . [-rounds 9] [-dir DIR] [-only append,group,read,random,beside,open,memory,retention]
//
// Every number is the median over rounds. In a round everybody has a turn, in
// an order that changes, and a ratio is the median of the ratios within the
// rounds; so what else happens on the machine disturbs all alike. Everybody
// stores the same bytes: events of 128 bytes, sealed. What is read back is
// compared with what was written, once for everybody, outside of the time.
//
// The column "by CPU time" is what the number would be if nobody else used the
// processors: where only they matter, the time that this process had of them is
// taken instead of the time that went by.
//
// The limit is raw: a file to which records are appended, without any framing,
// and fdatasync. It cannot find its records again, and is here for the disk.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
)

func main() {
	b := bench{logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	flag.IntVar(&b.rounds, "rounds", 9, "how often everybody has a turn")
	flag.StringVar(&b.dir, "dir", "", "where the files go; default is a temporary directory")
	flag.IntVar(&b.million, "events", 1_000_000, "events in the log that is read")
	flag.IntVar(&b.longest, "longest", 10_000_000, "events in the log that is only opened; 0 leaves it out")
	only := flag.String("only", "", "measure these, separated by commas; default is all")
	flag.Parse()
	if err := b.run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	rounds, million, longest int

	dir        string
	logger     *slog.Logger
	table      table
	longestDir string
	filled     []*filledStore // what the sections that read share
}

func (b *bench) run(only string) error {
	dir, err := os.MkdirTemp(b.dir, "log-bench-")
	if err != nil {
		return err
	}
	b.dir = dir
	defer os.RemoveAll(dir)
	sections := []struct {
		name string
		do   func() error
	}{
		{"append", b.measureAppend}, {"group", b.measureGroup}, {"read", b.measureRead}, {"random", b.measureRandom},
		{"beside", b.measureBeside}, {"open", b.measureOpen}, {"memory", b.measureMemory}, {"retention", b.measureRetention},
	}
	want := strings.Split(only, ",")
	for _, s := range sections {
		if only != "" && !slices.Contains(want, s.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", s.name)
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	b.table.print(os.Stdout)
	return nil
}
