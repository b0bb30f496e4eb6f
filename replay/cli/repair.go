package cli

import (
	"os"
	"path/filepath"
	"strings"

	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

func (a *app) repairCommand() *cobra.Command {
	var to string
	var from []string
	cmd := &cobra.Command{
		Use:   "repair DIR -o NEWDIR [--from DIR,...]",
		Short: "Write a sound log from a damaged one, with what peers have of the rest",
		Long: `DIR is only read. What cannot be read of it is copied to NEWDIR/quarantine, and taken from the data directories
of peers where the chains show that it is the same. Put NEWDIR in the place of DIR when you are content.
Exit 0 when nothing is lost, 1 when something is.`,
		Example: `  clusterkit-replay repair data/n1 -o repaired                          what can be read
  clusterkit-replay repair data/n1 -o repaired --from data/n2,data/n3   and what the others have
  clusterkit-replay converge repaired data/n2                           then compare`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runRepair(words, to, from) },
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "the `directory` to write, empty or not there")
	cmd.Flags().StringSliceVar(&from, "from", nil, "data `directories` of peers")
	return cmd
}

func (a *app) runRepair(words []string, to string, from []string) error {
	args, err := a.classify(words, (*arguments).onlyLogs)
	if err != nil {
		return err
	}
	if len(args.logs) != 1 || to == "" {
		return usagef("repair reads one data directory and writes another: repair DIR -o NEWDIR")
	}
	for _, dir := range append([]string{args.logs[0]}, from...) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return usagef("%s is not a data directory", dir)
		}
	}
	s, err := eventlog.Repair(args.logs[0], to, from...)
	if err != nil {
		return err
	}
	if len(s.Lost) > 0 || s.Uncertain || s.NoBase {
		a.code = exitNo
	}
	a.printf("%s: %s read, %s from peers\n", to, replay.Count(s.Records, "record"), replay.Count(s.Filled, "event"))
	for i := range s.Holes {
		for _, p := range s.Holes[i].Parts {
			a.printf("  %s, byte %d: %s\n", a.short(p.File, args.logs[0]), p.Offset, p.Reason)
		}
	}
	for _, passed := range s.Passed {
		a.printf("  passed over: %s\n", passed)
	}
	names := a.namesOf(to)
	for _, l := range s.Lost {
		lost := "lost: " + names.Log(l.Log) + ":" + decimal(l.From)
		if l.To-l.From > 1 {
			lost += " to " + decimal(l.To-1)
		}
		a.printf("  %s\n", a.style(red, lost))
	}
	if s.Uncertain {
		a.printf("  there may be more in a hole that nothing refers to\n")
	}
	if s.NoBase {
		a.printf("  the first snapshot is lost: states before the second one are not complete\n")
	}
	if s.NewLog {
		a.printf("  the node will write under a new log id\n")
	}
	return nil
}

// namesOf returns whose logs are whose in a directory.
func (a *app) namesOf(dir string) *replay.Names {
	source, err := a.open(dir)
	if err == nil {
		defer source.Close()
		if names, err := source.Names(a.ctx); err == nil {
			return names
		}
	}
	return new(replay.Names)
}

// short names a file as the user named its directory.
func (a *app) short(file, dir string) string {
	abs, err := filepath.Abs(dir)
	if rest, ok := strings.CutPrefix(file, abs); ok && err == nil {
		return dir + rest
	}
	return file
}
