package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion " + strings.Join(shells, "|"),
		Short: "Print a script that completes commands, flags and names from the log",
		Long: `To switch it on for good, with clusterkit-replay in the PATH:
  bash        the first line above in ~/.bashrc, where the package bash-completion (2) is loaded before it
  zsh         the second line in ~/.zshrc, after "autoload -U compinit; compinit"
  fish        the third line in ~/.config/fish/config.fish
  powershell  in $PROFILE:  clusterkit-replay completion powershell | Out-String | Invoke-Expression

Names of nodes, partitions, types, operators and events are those of the LOG that the command line names
already, or of the current directory.`,
		Example: `  source <(clusterkit-replay completion bash)          in bash
  source <(clusterkit-replay completion zsh)           in zsh
  clusterkit-replay completion fish | source           in fish`,
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := a.prints(cmd, "text"); err != nil {
				return err
			}
			if len(words) != 1 {
				return usagef("completion of which shell? %s", strings.Join(shells, ", "))
			}
			root := cmd.Root()
			switch words[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
			return usagef("there is no completion for %q, but for %s%s", words[0], strings.Join(shells, ", "), nearest(words[0], shells, ""))
		},
	}
}

// addCompletion lets the words and flags of a command complete to what the log
// on the command line knows.
func (a *app) addCompletion(cmd *cobra.Command) {
	names := func(kind string) cobra.CompletionFunc {
		return func(_ *cobra.Command, words []string, part string) ([]string, cobra.ShellCompDirective) {
			return a.complete(kind, words, part), cobra.ShellCompDirectiveNoFileComp
		}
	}
	for flag, kind := range map[string]string{"node": events.KindNode, "origin": events.KindNode, "leave": events.KindNode, "fail": events.KindNode,
		"drain": events.KindNode, "partition": events.KindPartition, "type": "type", "actor": "actor"} {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, names(kind)) // the flag is there
		}
	}
	for flag, values := range map[string][]string{"axis": {"true", "known"}, "by": replay.Groupings} {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	switch cmd.Name() {
	case "blame":
		cmd.ValidArgsFunction = func(_ *cobra.Command, words []string, part string) ([]string, cobra.ShellCompDirective) {
			return a.complete("subject", words, part), cobra.ShellCompDirectiveDefault
		}
	case "show":
		cmd.ValidArgsFunction = func(_ *cobra.Command, words []string, part string) ([]string, cobra.ShellCompDirective) {
			return a.complete("event", words, part), cobra.ShellCompDirectiveDefault
		}
	}
}

// maxCompletions bounds what is offered.
const maxCompletions = 500

// complete lists the names of a kind that the state at the end of the log
// knows. Completion is silent: what cannot be read offers nothing.
func (a *app) complete(kind string, words []string, part string) []string {
	if a.prepare() != nil {
		return nil
	}
	args, err := a.classify(words)
	if err != nil {
		return nil
	}
	source, err := a.openOne(&args)
	if err != nil {
		return nil
	}
	defer source.Close()
	m, err := source.StateAt(a.ctx, replay.Head(), replay.Known)
	if err != nil {
		return nil
	}
	var all []string
	last := strings.LastIndexByte(part, ',') + 1 // of a list
	for _, name := range a.candidates(kind, m) {
		if name = part[:last] + name; strings.HasPrefix(name, part) && len(all) < maxCompletions {
			all = append(all, name)
		}
	}
	return all
}

func (a *app) candidates(kind string, m *replay.Moment) []string {
	c := m.State.Cluster()
	var all []string
	switch kind {
	case events.KindNode:
		for i := range c.Nodes {
			all = append(all, c.Nodes[i].ID+"\t"+string(c.Nodes[i].Status))
		}
	case events.KindPartition:
		for i := range c.PartitionMap.Partitions {
			all = append(all, strconv.Itoa(i)+"\t"+c.PartitionMap.Partitions[i].Primary)
		}
	case "event":
		for _, h := range m.State.Heads() {
			all = append(all, m.Names.Event(events.ID{Log: h.Log, Seq: h.Seq})+"\tthe newest of "+m.Names.Log(h.Log))
		}
		slices.Sort(all)
		all = append(all, "head\tthe newest", "first\tthe oldest")
	case "subject":
		for name, e := range m.State.Registers("") {
			if register, _ := events.SplitRegister(name); register != events.KindLog && register != events.KindAccusation && register != events.KindAdmin {
				all = append(all, name+"\t"+string(e.Type))
			}
		}
	case "type", "actor":
		for _, e := range m.State.Registers("") {
			word := e.Actor
			if kind == "type" {
				word = string(e.Type)
			}
			if word != "" && !slices.Contains(all, word) {
				all = append(all, word)
			}
		}
		slices.Sort(all)
	}
	return all
}

// manCommand prints a man page. It is made from the same tree of commands as
// the help, by a few lines of our own: what cobra has for it needs a Markdown
// converter.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man",
		Short: "Print the man page",
		Example: `  clusterkit-replay man | man -l -
  clusterkit-replay man > clusterkit-replay.1
  clusterkit-replay man | mandoc -T pdf > clusterkit-replay.pdf`,
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) > 0 {
				return usagef("man takes no argument")
			}
			if err := a.prints(cmd, "text"); err != nil {
				return err
			}
			a.printMan(cmd.Root())
			return nil
		},
	}
}

func (a *app) printMan(root *cobra.Command) {
	a.printf(".TH CLUSTERKIT-REPLAY 1\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B %s\n", roff(root.Name()), roff(root.Short), roff(root.Use))
	a.printf(".SH DESCRIPTION\n.nf\n%s\n.fi\n", roff(root.Long))
	a.manExamples(root)
	a.printf(".SH COMMANDS\n")
	for _, cmd := range root.Commands() {
		if !cmd.IsAvailableCommand() {
			continue
		}
		a.printf(".SS %s\n%s.\n.PP\n.B %s\n", roff(cmd.Name()), roff(cmd.Short), roff(cmd.UseLine()))
		if cmd.Long != "" {
			a.printf(".PP\n.nf\n%s\n.fi\n", roff(cmd.Long))
		}
		a.manExamples(cmd)
		if cmd.HasAvailableLocalFlags() {
			a.printf(".PP\n.nf\n%s\n.fi\n", roff(strings.TrimRight(cmd.LocalFlags().FlagUsages(), "\n")))
		}
	}
	a.printf(".SH OPTIONS OF EVERY COMMAND\n.nf\n%s\n.fi\n", roff(strings.TrimRight(root.PersistentFlags().FlagUsages(), "\n")))
	a.printf(".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nno colour, whatever the terminal\n.TP\n.B %s\nthe read token of live nodes that have a Secret, unless \\-\\-token\\-file gives it\n", tokenVariable)
}

func (a *app) manExamples(cmd *cobra.Command) {
	if cmd.HasExample() {
		a.printf(".PP\nExamples:\n.PP\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
}

// roff escapes text for troff.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		out.WriteString(line)
	}
	return out.String()
}

// unquoteFlags takes the quotes out of what flags are for, which in a help name
// the value: a shell shows the words as they are.
func unquoteFlags(cmd *cobra.Command) {
	unquote := func(f *pflag.Flag) { _, f.Usage = pflag.UnquoteUsage(f) }
	cmd.PersistentFlags().VisitAll(unquote)
	cmd.Flags().VisitAll(unquote)
	for _, sub := range cmd.Commands() {
		unquoteFlags(sub)
	}
}
