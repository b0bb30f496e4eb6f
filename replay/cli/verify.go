package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

func (a *app) verifyCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "verify [LOG...]",
		Short: "Prove that a log is whole and means what it says",
		Example: `  clusterkit-replay verify data/n1                 every check, on everything
  clusterkit-replay verify data/n1 data/n2         the same for several logs
  clusterkit-replay verify data/n1 -o json         for programs`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runVerify(words, strict) },
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "a check that could not be made is not enough evidence: exit 5")
	return cmd
}

func (a *app) runVerify(words []string, strict bool) error {
	args, err := a.classify(words, (*arguments).onlyLogs)
	if err != nil {
		return err
	}
	if len(args.logs) == 0 {
		args.logs = []string{"."}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(150)) // what it holds is small
	var all []*replay.Verification
	sources, err := a.openAll(args.logs)
	if err != nil {
		return err
	}
	defer closeAll(sources)
	watch := a.watch("verify", sources...)
	defer watch.end()
	for _, source := range sources {
		v, err := replay.Verify(a.ctx, source)
		if err != nil {
			return err
		}
		all = append(all, v)
		a.code = max(a.code, verifyCode(v, strict))
		if a.format == "table" {
			a.printVerification(v, len(sources) > 1)
		}
	}
	return a.reportVerifications(all)
}

func verifyCode(v *replay.Verification, strict bool) int {
	switch {
	case len(v.Damage) > 0:
		return exitDamaged
	case v.Result == replay.Fail:
		return exitNo
	case v.Result == replay.Skip:
		return exitUnknown
	}
	for i := range v.Checks {
		if strict && v.Checks[i].Result == replay.Skip {
			return exitUnknown
		}
	}
	return exitYes
}

func (a *app) reportVerifications(all []*replay.Verification) error {
	if a.format == "table" {
		return nil // printed already
	}
	type line struct {
		Log string `json:"log"`
		*replay.Check
	}
	var lines []line
	for _, v := range all {
		for i := range v.Checks {
			lines = append(lines, line{v.Log, &v.Checks[i]})
		}
	}
	var whole any = all
	if len(all) == 1 {
		whole = all[0]
	}
	return a.data(answer{whole, linesOf(lines), []string{"log", "check", "result", "what", "findings"}, func(row func(...string)) {
		for _, l := range lines {
			row(l.Log, l.Name, string(l.Result), l.What, fmt.Sprint(len(l.Findings)+l.More))
		}
	}})
}

func (a *app) printVerification(v *replay.Verification, several bool) {
	if several {
		a.printf("%s\n", a.bold(v.Log))
	}
	for i := range v.Checks {
		c := &v.Checks[i]
		a.printf("%s  %-10s  %s\n", a.judge(string(c.Result)), c.Name, c.What)
		for j := range c.Findings {
			f := &c.Findings[j]
			a.printf("        %s%s\n", place(f), f.Text)
		}
		if c.More > 0 {
			a.printf("        and %d more\n", c.More)
		}
	}
	a.printf("%s\n", a.judge(fmt.Sprintf("%s  %s", v.Result, v.Log)))
}

// place says where a finding is.
func place(f *replay.Finding) string {
	text := ""
	if f.Index > 0 {
		text += fmt.Sprintf("@%d ", f.Index)
	}
	if !f.Event.IsZero() {
		text += f.Event.String() + " "
	}
	if f.File != "" && f.Index > 0 && f.Offset > 0 {
		text += fmt.Sprintf("(%s byte %d) ", f.File, f.Offset)
	}
	return text
}
