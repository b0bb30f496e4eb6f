package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/skshohagmiah/clusterkit/replay"
)

// arguments are the words of a command line that are no flags, told apart by
// what they are, so that they may come in any order: what exists as a path, or
// is a URL, or is "-", is a LOG; what reads as a point or a range is that; the
// rest is the subject.
type arguments struct {
	logs     []string
	points   []replay.Point
	ranges   []replay.Range
	subjects []string
}

// classify tells the words of a command apart. Each of refuse says what the command
// does not take.
func (a *app) classify(words []string, refuse ...func(*arguments) error) (arguments, error) {
	var args arguments
	for _, word := range words {
		if isLog(word) {
			args.logs = append(args.logs, word)
			continue
		}
		if strings.Contains(word, "..") && !strings.Contains(word, "/") {
			r, err := a.grammar.Range(word)
			if err != nil {
				return args, err
			}
			args.ranges = append(args.ranges, r)
			continue
		}
		p, err := a.grammar.Point(word)
		if err == nil {
			args.points = append(args.points, p)
			continue
		}
		if looksLikePoint(word) {
			return args, err
		}
		args.subjects = append(args.subjects, word)
	}
	for _, refused := range refuse {
		if err := refused(&args); err != nil {
			return args, err
		}
	}
	return args, nil
}

func isLog(word string) bool {
	if word == "-" || strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://") {
		return true
	}
	_, err := os.Stat(word)
	if file, _, ok := strings.Cut(word, "#"); err != nil && ok { // one log of a bundle
		_, err = os.Stat(file)
	}
	return err == nil
}

// looksLikePoint reports whether a word was meant as a point and is a wrong
// one, so that the error can say so.
func looksLikePoint(word string) bool {
	return strings.HasPrefix(word, "@") || strings.HasPrefix(word, "head") || strings.HasPrefix(word, "now-") || strings.HasPrefix(word, "+") ||
		strings.Contains(word, ":") && !strings.Contains(word, "/")
}

// noSubject refuses words that are neither logs nor points, for commands that
// take nothing else.
func (args *arguments) noSubject() error {
	if len(args.subjects) == 0 {
		return nil
	}
	return unreadable(args.subjects[0])
}

// unreadable says why a word is no LOG: a name that looks like a path was
// meant to be one.
func unreadable(word string) error {
	_, err := os.Stat(word)
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || strings.ContainsAny(word, "/.")) {
		return err
	}
	return usagef("%q is neither a log that exists nor a point", word)
}

// oneLog returns the only LOG of a command, "." when none was named.
func (args *arguments) oneLog() (string, error) {
	switch len(args.logs) {
	case 0:
		return ".", nil
	case 1:
		return args.logs[0], nil
	}
	return "", usagef("this command reads one LOG, not %d", len(args.logs))
}

// noPoints refuses points, for commands that take none but in flags.
func (args *arguments) noPoints() error {
	if len(args.points) > 0 {
		return usagef("%q is a point, and this command takes none there", args.points[0])
	}
	return nil
}

// noRanges refuses ranges.
func (args *arguments) noRanges() error {
	if len(args.ranges) > 0 {
		return usagef("this command takes no range")
	}
	return nil
}

// onlyLogs refuses everything but LOGs.
func (args *arguments) onlyLogs() error {
	return cmp.Or(args.onlyRanges(), args.noRanges())
}

// onlyRanges refuses everything but LOGs and ranges.
func (args *arguments) onlyRanges() error {
	return cmp.Or(args.noSubject(), args.noPoints())
}

var ago = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+(\.\.|$)`) })

// unflag rewrites "-15m", which cobra would take for flags, to "now-15m".
func unflag(words []string) []string {
	out := make([]string, len(words))
	for i, word := range words {
		if word == "--" {
			copy(out[i:], words[i:])
			return out
		}
		if strings.HasPrefix(word, "-") && ago().MatchString(word) {
			word = "now" + word
		}
		if from, to, ok := strings.Cut(word, "..-"); ok {
			word = from + "..now-" + to
		}
		out[i] = word
	}
	return out
}

// openOne opens the LOG of a command, "." when none was named; several are
// merged.
func (a *app) openOne(args *arguments) (*replay.Source, error) {
	names := args.logs
	if len(names) == 0 {
		names = []string{"."}
	}
	all, err := a.openAll(names)
	if err != nil {
		return nil, err
	}
	merged, err := replay.Union(a.ctx, all...)
	if err != nil {
		return nil, errors.Join(err, closeAll(all))
	}
	return merged, nil
}
