package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/timeline"
	"github.com/spf13/cobra"
)

// timelineFlags are the flags of timeline.
type timelineFlags struct {
	filterFlags
	file, format string
}

func (a *app) timelineCommand() *cobra.Command {
	var f timelineFlags
	cmd := &cobra.Command{
		Use:   "timeline -o FILE [LOG...] [A..B]",
		Short: "Draw who was a member and who owned what, over time",
		Long: `The page is one file that needs no network. It shows nodes and partitions as lanes, events,
curves of unowned partitions and of imbalance, and for what is selected the command that
says more. Of several LOGs it also shows what each node knew, and when.
Lanes and curves are those of all events; --type, --actor, --origin and --where choose which events have a sign,
--node and --partition also which lanes are drawn.
The format follows from the name: .html, .svg, .trace.json (Perfetto), .json.`,
		Example: `  clusterkit-replay timeline -o report.html data/n1                  all there is
  clusterkit-replay timeline -o report.html data/n1 data/n2 data/n3  and what each node knew
  clusterkit-replay timeline -o hour.svg data/n1 -1h.. --node n3     a picture of the last hour of n3`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runTimeline(&f, words) },
	}
	flags := cmd.Flags()
	f.addFilters(cmd)
	f.addSpan(cmd)
	f.addWhere(cmd)
	f.addAxis(cmd)
	flags.StringVarP(&f.file, "output", "o", "", "the `file` to write; - is stdout")
	flags.StringVar(&f.format, "format", "", "`format`: html, svg, trace (for Perfetto) or json; by the name of the file when not given")
	return cmd
}

func (a *app) runTimeline(f *timelineFlags, words []string) error {
	args, err := a.classify(words, (*arguments).onlyRanges)
	if err != nil {
		return err
	}
	write, err := f.writer(a)
	if err != nil {
		return err
	}
	q, err := a.query(&f.filterFlags, &args)
	if err != nil {
		return err
	}
	if len(args.logs) == 0 {
		args.logs = []string{"."}
	}
	if q.Axis == replay.Known && len(args.logs) > 1 {
		return usagef("the axis known is that of one LOG; of several, the page shows each one's")
	}
	sources, err := a.openAll(args.logs)
	if err != nil {
		return err
	}
	defer closeAll(sources)
	// Little garbage is made here and much is kept, so collecting it often costs
	// little and saves a third of the memory.
	defer debug.SetGCPercent(debug.SetGCPercent(30))
	t, err := timeline.Build(a.ctx, timeline.Options{Range: q.Range, Since: q.Since, Until: q.Until, Axis: q.Axis, Filter: q.Filter, Where: q.Where, Zone: a.grammar.Zone}, sources...)
	if err != nil {
		return err
	}
	defer func() { a.allDamaged(t.Damage()) }()
	a.noteWhere(q.Where)
	if t.Omitted > 0 {
		a.note("without a sign of its own: %s; the application wrote too many", replay.Count(t.Omitted, "event"))
	}
	if f.file == "-" {
		return write(t, a.out)
	}
	if err := writeFile(f.file, func(w io.Writer) error { return write(t, w) }); err != nil {
		return err
	}
	info, err := os.Stat(f.file)
	if err == nil {
		a.note("%s: %s, %s, %s", f.file, replay.Size(info.Size()), replay.Count(t.Events, "event"), replay.Count(t.Intervals(), "interval"))
	}
	return nil
}

// writer returns what writes the format that was asked for.
func (f *timelineFlags) writer(a *app) (func(*timeline.Timeline, io.Writer) error, error) {
	if f.file == "" {
		if a.terminal {
			return nil, usagef("timeline needs -o FILE, such as -o report.html")
		}
		f.file = "-"
	}
	format := f.format
	if format == "" {
		switch name := strings.ToLower(f.file); {
		case strings.HasSuffix(name, ".svg"):
			format = "svg"
		case strings.HasSuffix(name, ".trace.json"), strings.HasSuffix(name, ".trace"):
			format = "trace"
		case strings.HasSuffix(name, ".json"):
			format = "json"
		default:
			format = "html"
		}
	}
	switch format {
	case "html":
		return (*timeline.Timeline).WriteHTML, nil
	case "svg":
		return (*timeline.Timeline).WriteSVG, nil
	case "trace":
		return (*timeline.Timeline).WriteTrace, nil
	case "json":
		return (*timeline.Timeline).WriteJSON, nil
	}
	return nil, usagef("--format %q: want html, svg, trace or json", format)
}

// writeFile writes a file that is either whole or not there: under another name
// first. What stood there before stays until then.
func writeFile(name string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return writeInto(name, write) // a pipe or a device
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return cannotWrite(name, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	b := bufio.NewWriterSize(f, 256<<10)
	err = write(b)
	if err == nil {
		err = errors.Join(b.Flush(), f.Chmod(0o644))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}

func writeInto(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return errors.Join(write(f), f.Close())
}
