package cli

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// bundleFlags are the flags of bundle.
type bundleFlags struct {
	filterFlags
	to     string
	redact bool
	key    string
}

func (a *app) bundleCommand() *cobra.Command {
	var f bundleFlags
	cmd := &cobra.Command{
		Use:   "bundle [LOG...] [A..B] -o FILE",
		Short: "Put the logs of several nodes into one file",
		Long: `Every command reads the file as it reads the logs: all of it, or one log as FILE#n1.
A..B, --since and --until take a part of each log, as export does.

--redact replaces the names of nodes, zones, hosts, operators, keys and application types, the words of
reasons that are not ClusterKit's own, and all values. Equal names get equal replacements; numbers, ports,
times and log ids (a time and random bits) stay. Events are sealed anew, so that chains can still be checked: what was
broken stays broken. Bundles that are to be compared or merged with each other need one --redact-key.`,
		Example: `  clusterkit-replay bundle data/n1 data/n2 data/n3 -o incident.bundle
  clusterkit-replay bundle data/* -o incident.bundle --redact     for somebody who may not know the names
  clusterkit-replay bundle data/* -o incident.bundle --since -1h  of the last hour alone`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runBundle(&f, words) },
	}
	f.addPart(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.to, "output", "o", "", "the `file` to write, which must not exist; - for standard output")
	flags.BoolVar(&f.redact, "redact", false, "replace names, consistently")
	flags.StringVar(&f.key, "redact-key", "", "`file` with a secret: bundles made with the same secret use the same names; random by default")
	return cmd
}

func (a *app) runBundle(f *bundleFlags, words []string) error {
	args, q, err := a.partQuery(&f.filterFlags, words)
	if err != nil {
		return err
	}
	key, err := f.secret()
	if err != nil {
		return err
	}
	if len(args.logs) == 0 {
		args.logs = []string{"."}
	}
	sources, err := a.openAll(args.logs)
	if err != nil {
		return err
	}
	defer closeAll(sources)
	if err := a.parts(sources, q); err != nil {
		return err
	}
	var b *replay.Bundling
	err = a.writeNew(f.to, func(w io.Writer) error {
		b, err = replay.WriteBundle(a.ctx, w, key, sources...)
		return err
	})
	if err != nil {
		return err
	}
	a.allDamaged(b.Damage)
	return a.reportBundle(b, f.to)
}

func (a *app) reportBundle(b *replay.Bundling, to string) error {
	if to == "-" {
		return nil
	}
	a.printf("%s: %s, %s\n", to, replay.Count(len(b.Logs), "log"), replay.Count(b.Events, "event"))
	for _, l := range b.Logs {
		a.printf("  %s#%s\n", to, l.Name)
	}
	if b.Redacted != "" {
		a.printf("redacted; key %s\n", b.Redacted)
	}
	return nil
}

// secret returns the key of a redaction, nil for none.
func (f *bundleFlags) secret() ([]byte, error) {
	if f.key != "" {
		key, err := os.ReadFile(f.key)
		if err == nil && len(key) < 16 {
			err = usagef("--redact-key %s: %d bytes are too few for a secret, want 16 or more", f.key, len(key))
		}
		return key, err
	}
	if !f.redact {
		return nil, nil
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return key, nil
}

// writeNew lets do write a new file, which appears when it is whole, or to
// standard output.
func (a *app) writeNew(to string, do func(io.Writer) error) error {
	switch to {
	case "":
		return usagef("where to? -o FILE")
	case "-":
		if a.terminal {
			return usagef("a bundle is nothing for a terminal: -o FILE")
		}
		return do(a.out)
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s exists, and is not overwritten", to)
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".bundle-*")
	if err != nil {
		return cannotWrite(to, err)
	}
	w := bufio.NewWriter(f)
	err = errors.Join(do(w), w.Flush(), f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), to)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// addPart adds the flags that choose a part of a log.
func (f *filterFlags) addPart(cmd *cobra.Command) {
	f.addSpan(cmd)
	f.addAxis(cmd)
}

// partQuery reads the words and flags of a command that takes a part of a log.
func (a *app) partQuery(f *filterFlags, words []string) (arguments, replay.Query, error) {
	args, err := a.classify(words, (*arguments).onlyRanges)
	if err != nil {
		return args, replay.Query{}, err
	}
	q, err := a.query(f, &args)
	return args, q, err
}

// parts puts the parts that a query asks for in the place of the logs.
func (a *app) parts(sources []*replay.Source, q replay.Query) error {
	for _, p := range []replay.Point{q.Range.From, q.Range.To, q.Since, q.Until} {
		if len(sources) > 1 && strings.HasPrefix(p.String(), "@") {
			return usagef("%s is a local index, which means something else in each log; of several, name an event, a vector or a time", p)
		}
	}
	for i, s := range sources {
		p, err := s.Part(a.ctx, q)
		if err != nil {
			return err
		}
		sources[i] = p
	}
	return nil
}

// cannotWrite names the file that is wanted, and not the temporary one in which it is made.
func cannotWrite(name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("write %s: %w", name, err)
}

func (a *app) exportCommand() *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:   "export [LOG] [A..B]",
		Short: "Print a log, or a part of it, as JSON lines from which import makes it again",
		Long: `A part is the stretch of the log that answers what lies within A..B as the log does, with the state
before it; on the axis true, where news come late, it holds what came in between too. Of what lies outside,
commands say that it is not kept, exit 5. What other filters choose has gaps: log -o jsonl prints that.`,
		Example: `  clusterkit-replay export data/n1 > n1.jsonl          everything, in local order
  clusterkit-replay export data/n1 14:00..14:10 | clusterkit-replay import -o ten.bundle
  clusterkit-replay export data/n1 | ssh host clusterkit-replay verify -`,
		RunE: func(cmd *cobra.Command, words []string) error {
			args, q, err := a.partQuery(&f, words)
			if err := cmp.Or(a.prints(cmd, "jsonl"), err); err != nil {
				return err
			}
			source, err := a.openOne(&args)
			if err != nil {
				return err
			}
			defer source.Close()
			one := []*replay.Source{source}
			if err := a.parts(one, q); err != nil {
				return err
			}
			damage, err := replay.Export(a.ctx, one[0], a.out)
			a.allDamaged(damage)
			return err
		},
	}
	f.addPart(cmd)
	return cmd
}

func (a *app) importCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "import [FILE|-] -o FILE",
		Short: "Make a bundle of JSON lines",
		Long: `Reads what export writes, what log prints with -o jsonl, or what GET /events answers; the events get
their very bytes back. Exporting the bundle gives the same lines again.`,
		Example: `  clusterkit-replay import n1.jsonl -o n1.bundle
  clusterkit-replay export data/n1 | clusterkit-replay import -o n1.bundle
  curl http://host:8080/events | clusterkit-replay import -o n1.bundle`,
		RunE: func(_ *cobra.Command, words []string) error {
			if len(words) > 1 {
				return usagef("import reads one file")
			}
			in, name := a.stdin, "-"
			if len(words) == 1 && words[0] != "-" {
				f, err := os.Open(words[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in, name = f, words[0]
			}
			return a.writeNew(to, func(w io.Writer) error { return replay.Import(a.ctx, name, in, w) })
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "the `file` to write, which must not exist; - for standard output")
	return cmd
}
