package cli

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// bundleFlags are the flags of bundle.
type bundleFlags struct {
	to     string
	redact bool
	key    string
}

func (a *app) bundleCommand() *cobra.Command {
	var f bundleFlags
	cmd := &cobra.Command{
		Use:   "bundle LOG... -o FILE",
		Short: "Put the logs of several nodes into one file",
		Long: `Every command reads the file as it reads the logs: all of it, or one log as FILE#n1.

--redact replaces the names of nodes, zones, hosts, operators, keys and application types, the words of
reasons that are not ClusterKit's own, and all values. Equal names get equal replacements; numbers, ports,
times and log ids (a time and random bits) stay. Events are sealed anew, so that chains can still be checked: what was
broken stays broken. Bundles that are to be compared or merged with each other need one --redact-key.`,
		Example: `  clusterkit-replay bundle data/n1 data/n2 data/n3 -o incident.bundle
  clusterkit-replay bundle data/* -o incident.bundle --redact     for somebody who may not know the names
  clusterkit-replay log incident.bundle                             read it like any log`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runBundle(&f, words) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.to, "output", "o", "", "the `file` to write, which must not exist; - for standard output")
	flags.BoolVar(&f.redact, "redact", false, "replace names, consistently")
	flags.StringVar(&f.key, "redact-key", "", "`file` with a secret: bundles made with the same secret use the same names; random by default")
	return cmd
}

func (a *app) runBundle(f *bundleFlags, words []string) error {
	args, err := a.classify(words, (*arguments).onlyLogs)
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
		return fmt.Errorf("%s exists", to)
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".bundle-*")
	if err != nil {
		return err
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

func (a *app) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export [LOG]",
		Short: "Print a whole log as JSON lines, from which import makes it again",
		Example: `  clusterkit-replay export data/n1 > n1.jsonl          everything, in local order
  clusterkit-replay export incident.bundle#n2 | jq .   one log of a bundle
  clusterkit-replay export data/n1 | ssh host clusterkit-replay verify -`,
		RunE: func(_ *cobra.Command, words []string) error {
			args, err := a.classify(words, (*arguments).onlyLogs)
			if err != nil {
				return err
			}
			source, err := a.openOne(&args)
			if err != nil {
				return err
			}
			defer source.Close()
			damage, err := replay.Export(a.ctx, source, a.out)
			a.allDamaged(damage)
			return err
		},
	}
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
