package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// suggestion returns ", did you mean x?" for a command that does not exist.
func suggestion(cmd *cobra.Command, word string) string {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return nearest(word, names, "")
}

// flagError explains a mistake in the flags, with the nearest name.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	text := err.Error()
	if word, ok := strings.CutPrefix(text, "unknown shorthand flag: "); ok {
		_, word, _ = strings.Cut(word, " in ")
		if word[1] >= '0' && word[1] <= '9' {
			return usagef("%s is no flag, and no time ago: that has a unit, ms, s, m, h or d, as in -15m", word)
		}
		return usagef("%s has no flag %s", cmd.Name(), word)
	}
	name, ok := strings.CutPrefix(text, "unknown flag: --")
	if !ok {
		text, _, number := strings.Cut(text, ": strconv.")
		if text = strings.ReplaceAll(text, `"now-`, `"-`); number { // as it was written
			text += ": want a number"
		}
		return usagef("%s", text)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	name, _, _ = strings.Cut(name, "=")
	if chooses := []string{"type", "node", "origin", "partition", "actor", "where", "limit", "reverse"}; slices.Contains(chooses, name) &&
		(cmd.Name() == "export" || cmd.Name() == "bundle") {
		return usagef("%s has no flag --%s: chosen events have gaps and are no log; log -o jsonl prints them, and import reads that", cmd.Name(), name)
	}
	return usagef("%s has no flag --%s%s", cmd.Name(), name, nearest(name, names, "--"))
}

// nearest names the candidate that is at most a few letters away.
func nearest(word string, candidates []string, prefix string) string {
	best, at := "", 3
	for _, c := range candidates {
		d := distance(word, c)
		if strings.HasPrefix(c, word) {
			d = min(d, 1)
		}
		if d < at {
			best, at = c, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + prefix + best + "?"
}

// distance is that of Levenshtein.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
