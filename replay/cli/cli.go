// Package cli is the command line of the package replay: it parses words and
// flags, calls the library and prints what that returns.
//
// Data goes to stdout and messages to stderr. The exit code is the answer:
//
//	0    yes: done, equal, clean
//	1    no: different, violated, not found
//	2    the command makes no sense
//	3    a log cannot be read, or an output cannot be written
//	4    a log is damaged; what is intact was printed
//	5    there is not enough evidence for an answer
//	130  interrupted
package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Run is [Main] for a program that knows event types of an application.
func Run(ctx context.Context, r replay.Registry, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{ctx: ctx, registry: r, stdin: stdin, out: bufio.NewWriterSize(stdout, 256<<10), errs: stderr, terminal: isTerminal(stdout)}
	root := a.root()
	if len(args) > 0 && args[0] == cobra.ShellCompRequestCmd {
		unquoteFlags(root)
	}
	root.SetArgs(unflag(args))
	root.SetIn(stdin)
	root.SetOut(a.out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if flushErr := a.out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("write: %w", flushErr)
	}
	if err == nil {
		return a.code
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	code := exitCode(err)
	if code != exitYes && code != exitInterrupted {
		a.complain(cmd, err, code)
	}
	return max(code, a.code)
}

// app is one run of the program.
type app struct {
	ctx      context.Context // of the run; commands are methods and take no other
	registry replay.Registry
	stdin    io.Reader
	out      *bufio.Writer
	errs     io.Writer
	terminal bool // stdout is one
	code     int  // what to exit with when no error ends the command

	format  string
	zone    string
	now     string
	color   string
	quiet   bool
	node    nodeFlags
	grammar replay.Grammar
	assumed []replay.Point // times of day of which the date was assumed
	paint   bool
}

// root returns the whole tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "clusterkit-replay <command> [LOG...]",
		Short: "Answers questions about a cluster from its logs",
		Example: `  clusterkit-replay log data/n1 --partition 17        who moved partition 17, and why
  clusterkit-replay state data/n1 --at 14:03          who owned what then
  clusterkit-replay converge data/n1 data/n2 data/n3  do the nodes agree`,
		Long: `A LOG is a data directory, a wal directory, an archive, a checkpoint, a bundle (or one log of it:
file#n1), JSON lines, - for standard input, or http://host:port of a live node. Several are merged;
without one it is the current directory. Reading changes nothing, takes no lock and is safe beside a
running node. Words may come in any order.

Points:  first  head  head~20  @1234 (local index)  n2:77 (node:sequence)  n1:9,n2:4 (vector)
         2026-11-22T14:03:05Z  2026-11-22  14:03  -15m  now  +10m   Ranges:  A..B  A..  ..B
Exit codes:  0 yes  1 no  2 usage  3 cannot read  4 damaged  5 not enough evidence`,
		Version:       version(),
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return cmp.Or(noneEmpty(cmd), a.prepare()) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q%s", args[0], suggestion(cmd, args[0]))
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(helpTemplate)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return a.flagError(cmd, err) })
	root.Flags().Bool("version", false, "print the version and nothing else")
	flags := root.PersistentFlags()
	flags.StringVarP(&a.format, "output", "o", "table", "`format`: table, json, jsonl or csv")
	flags.StringVar(&a.zone, "tz", "UTC", "time `zone` of times read and of the times of tables")
	flags.StringVar(&a.color, "color", "auto", "`when`: auto, always or never")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no messages but errors")
	flags.StringVar(&a.now, "now", "", "`time` that -15m and 14:03 are relative to, instead of the clock's")
	a.node.add(flags)
	root.AddCommand(a.logCommand(), a.stateCommand(), a.diffCommand(), a.verifyCommand(), a.convergeCommand(),
		a.blameCommand(), a.showCommand(), a.bisectCommand(), a.statsCommand(), a.checkCommand(),
		a.whatifCommand(), a.bundleCommand(), a.exportCommand(), a.importCommand(), a.timelineCommand(),
		a.followCommand(), a.repairCommand(), a.completionCommand(), a.manCommand())
	root.SetHelpCommand(&cobra.Command{Use: "help [COMMAND]", Hidden: true, RunE: func(_ *cobra.Command, words []string) error {
		about, rest, err := root.Find(words)
		if err != nil || len(rest) > 0 {
			return usagef("there is no command %q%s", words[0], suggestion(root, words[0]))
		}
		return about.Help()
	}})
	root.CompletionOptions.DisableDefaultCmd = true // ours is in the same words as the rest
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "jsonl", "csv"}, cobra.ShellCompDirectiveNoFileComp))
	for _, cmd := range root.Commands() {
		a.addCompletion(cmd)
	}
	return root
}

const helpTemplate = `{{with .Short}}{{.}}.

{{end}}{{if .HasExample}}Examples:
{{.Example}}

{{end}}Usage:
  {{if .Runnable}}{{.UseLine}}{{else}}{{.CommandPath}} <command>{{end}}
{{with .Long}}
{{.}}
{{end}}{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}`

// noneEmpty refuses flags without a value, as a variable leaves them that was not set.
func noneEmpty(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if text := f.Value.String(); text == "" || text == "[]" || text == `[""]` {
			err = usagef("--%s is empty", f.Name)
		}
	})
	return err
}

// prepare reads the flags that all commands share.
func (a *app) prepare() error {
	switch a.format {
	case "table", "json", "jsonl", "csv":
	default:
		return usagef("output format %q: want table, json, jsonl or csv", a.format)
	}
	zone, err := time.LoadLocation(a.zone)
	if err != nil {
		return usagef("time zone %q is not known", a.zone)
	}
	a.grammar = replay.Grammar{Now: time.Now(), Zone: zone}
	if a.now != "" {
		if a.grammar.Now, err = time.Parse(time.RFC3339, a.now); err != nil {
			return usagef("--now %q: want a time such as 2026-11-22T14:03:05Z", a.now)
		}
	}
	if a.ctx, err = a.node.with(a.ctx); err != nil {
		return err
	}
	switch a.color {
	case "always":
		a.paint = true
	case "never":
	case "auto":
		a.paint = a.terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	default:
		return usagef("--color %q: want auto, always or never", a.color)
	}
	return nil
}

// complain prints the error that ended the command.
func (a *app) complain(cmd *cobra.Command, err error, code int) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(a.errs, "%s: %s\n", cmd.Root().Name(), line)
	}
	if errors.Is(err, replay.ErrUnauthorized) {
		fmt.Fprintf(a.errs, "give it with --token-file or $%s; transport.ReadToken(secret, cluster) makes it\n", tokenVariable)
	}
	if code == exitUsage {
		fmt.Fprintf(a.errs, "see %s --help\n", cmd.CommandPath())
	}
}

// note prints a message that is no error.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.errs, "note: "+format+"\n", args...)
	}
}

// damaged notes damage that was met, whereupon the command does not end well.
func (a *app) damaged(d *replay.Damage) {
	a.out.Flush()        // in the order in which it was met, on a terminal
	a.code = exitDamaged // which is why other things are not known
	fmt.Fprintf(a.errs, "damaged: %s\n", d)
}

func (a *app) allDamaged(all []replay.Damage) {
	for i := range all {
		a.damaged(&all[i])
	}
}

// notKept says so when events that came before those that a log can show may lie in
// what was asked for. looked is how many events the answer rests on: when there were
// none, there is no evidence for it.
func (a *app) notKept(source *replay.Source, q *replay.Query, looked int) {
	if !source.Lacks(a.ctx, q) {
		return
	}
	n := source.Before(a.ctx)
	a.note("%s came before and cannot be shown: only the state they led to is kept", replay.Count(n, "event"))
	if looked == 0 && a.code < exitDamaged {
		a.code = exitUnknown
	}
}

// open opens a LOG; a bundle of several is their union.
func (a *app) open(name string) (*replay.Source, error) {
	all, err := a.openLogs(name)
	if err != nil {
		return nil, err
	}
	s, err := replay.Union(a.ctx, all...)
	if err != nil {
		return nil, errors.Join(err, closeAll(all))
	}
	return s, nil
}

// openLogs opens all the logs of a LOG.
func (a *app) openLogs(name string) (all []*replay.Source, err error) {
	switch {
	case name != "-":
		all, err = replay.OpenAll(a.ctx, name)
	case a.stdin == nil:
		return nil, usagef("- was read already, or there is no standard input")
	default:
		in := a.stdin
		a.stdin = nil
		all, err = replay.OpenReader(a.ctx, in, name)
	}
	for _, s := range all {
		s.Use(a.registry)
		if x := s.Extent(); x != nil {
			a.note("%s is a part of a log: %s", s.Name, x)
		}
	}
	return all, err
}

// openAll opens all LOGs, or none. They are opened all at once: each waits for
// its disk or its node.
func (a *app) openAll(names []string) ([]*replay.Source, error) {
	logs, errs := make([][]*replay.Source, len(names)), make([]error, len(names))
	var wg sync.WaitGroup // each goroutine ends when its LOG is open
	for i, name := range names {
		if name == "-" { // there is only one
			logs[i], errs[i] = a.openLogs(name)
			continue
		}
		wg.Go(func() { logs[i], errs[i] = a.openLogs(name) })
	}
	wg.Wait()
	all := slices.Concat(logs...)
	if err := cmp.Or(errs...); err != nil {
		return nil, errors.Join(err, closeAll(all))
	}
	return all, nil
}

func closeAll(all []*replay.Source) error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
