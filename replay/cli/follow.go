package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

// followFlags are the flags of follow.
type followFlags struct {
	filterFlags
	cursor string
	once   bool
}

func (a *app) followCommand() *cobra.Command {
	var f followFlags
	cmd := &cobra.Command{
		Use:   "follow [LOG] [-- COMMAND ARG...]",
		Short: "Print events as they come, and go on where it stopped",
		Long: `With --cursor FILE it writes down how far it came, and goes on exactly there the next time, on the log of
any node. With a COMMAND it runs that for each event, with the event as JSON on its standard input and CLUSTERKIT_TYPE,
_EVENT, _ID, _SUBJECT, _ORIGIN, _ACTOR, _TIME and _CURSOR in its environment; when the command fails, following ends
before that event. --where is asked of each event and the state before it; what was before is read once for that.

--until ends it, exit 0, where the log reaches that point: with what it has up to there and nothing after. An event
or a vector is reached when the last of it is known here, head is the end as it is now, and a time that of receipt, for
events come late: it ends before the first that was received after it or, where there is none, by the clock (+10m). A
live node does not say when it received what: it can be followed to a time to come, and not to a local index.`,
		Example: `  clusterkit-replay follow data/n1 -n 20                         the newest 20, and what comes
  clusterkit-replay follow http://host:8080 --type 'Node*'       of a live node, from now on
  clusterkit-replay follow data/n1 --cursor seen --since first -- ./notify.sh   each event once, whatever happens`,
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := a.prints(cmd, "table", "jsonl"); err != nil {
				return err
			}
			var run []string
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				words, run = words[:at], words[at:]
			}
			return a.runFollow(&f, words, run)
		},
	}
	flags := cmd.Flags()
	f.addFilters(cmd)
	f.addSpan(cmd)
	flags.Lookup("since").Usage = "begin after this `point`, instead of now"
	flags.Lookup("until").Usage = "end where the log reaches this `point`"
	f.addWhere(cmd)
	f.addLimit(cmd, "begin with the newest `N`")
	flags.StringVar(&f.cursor, "cursor", "", "`file` that remembers how far it came; it wins over --since and -n")
	flags.BoolVar(&f.once, "until-caught-up", false, "end when there is nothing more")
	return cmd
}

func (a *app) runFollow(f *followFlags, words, run []string) error {
	args, err := a.classify(words, (*arguments).onlyLogs)
	if err != nil {
		return err
	}
	name, err := args.oneLog()
	if err != nil {
		return err
	}
	if name == "-" {
		return usagef("follow reads a log that grows, not standard input")
	}
	q, err := a.query(&f.filterFlags, &args)
	if err != nil {
		return err
	}
	w := follower{app: a, f: f, run: run, following: replay.Following{Filter: q.Filter, Where: q.Where, Until: q.Until}}
	if err := w.begin(name, q); err != nil {
		return err
	}
	defer a.noteWhere(q.Where)
	return w.follow(name)
}

// follower is one run of follow.
type follower struct {
	*app
	f         *followFlags
	run       []string
	following replay.Following
	saved     string
	caughtUp  bool
	err       error // of saving
}

// begin finds out from where to follow.
func (w *follower) begin(name string, q replay.Query) error {
	if w.f.cursor != "" {
		b, err := os.ReadFile(w.f.cursor)
		if err == nil {
			w.saved = strings.TrimSpace(string(b))
			if w.following.After, err = events.ParseVector(w.saved); err != nil {
				return fmt.Errorf("cursor %s: %w", w.f.cursor, err)
			}
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	since := q.Since
	if q.Limit > 0 {
		var err error
		if since, err = w.grammar.Point(fmt.Sprintf("head~%d", q.Limit)); err != nil {
			return err
		}
	}
	if since.IsZero() {
		return nil
	}
	source, err := w.open(name)
	if err != nil {
		return err
	}
	defer source.Close()
	m, err := source.StateAt(w.ctx, since, replay.Known)
	if errors.Is(err, replay.ErrNotKept) && q.Limit > 0 { // it has fewer
		m, err = source.StateAt(w.ctx, replay.First(), replay.Known)
	}
	if err != nil {
		return err
	}
	w.following.After = m.State.Vector()
	return w.save()
}

func (w *follower) follow(name string) error {
	w.following.CaughtUp = w.atEnd
	print := func(l *replay.Line) error { return w.write(append(l.AppendJSON(nil), '\n')) }
	end := func() error { return nil }
	if w.format == "table" {
		t := newTable(w.out, w.app, ">INDEX", w.zoneName(), "EVENT", "BY", "TYPE", "SUBJECT", "CAUSE", "WHAT")
		print, end = func(l *replay.Line) error { return t.row(w.tableCells(l, 0)...) }, t.flush
		w.following.CaughtUp = func() bool {
			w.err = errors.Join(w.err, t.flush())
			return w.atEnd()
		}
	}
	lines := 0
	for line, err := range replay.Follow(w.ctx, name, &w.following) {
		lines++
		var damage *replay.Damage
		var unseen *replay.Unseen
		switch {
		case errors.As(err, &damage):
			w.damaged(damage)
			continue
		case errors.As(err, &unseen):
			w.note("%v", unseen)
			continue
		case err == nil && len(w.run) > 0:
			err = w.execute(line)
		case err == nil:
			err = print(line)
		}
		if err != nil {
			return errors.Join(err, w.err)
		}
	}
	if err := errors.Join(end(), w.err, w.ctx.Err()); err != nil || w.f.until == "" {
		return err
	}
	if lines == 0 && !w.caughtUp && !w.f.once {
		w.note("no event matches from where it began to %s", w.f.until)
	}
	return errors.Join(w.out.Flush(), w.save())
}

// atEnd brings everything to where it belongs when there is nothing more to do.
func (w *follower) atEnd() bool {
	if err := w.out.Flush(); err != nil {
		w.err = errors.Join(w.err, err)
	} else {
		w.err = errors.Join(w.err, w.save())
	}
	if !w.caughtUp && !w.f.once {
		w.caughtUp = true
		w.note("caught up")
	}
	return !w.f.once && w.err == nil
}

// save writes down how far we came.
func (w *follower) save() error {
	cursor := w.following.After.String()
	if w.f.cursor == "" || cursor == w.saved {
		return nil
	}
	if w.err != nil {
		return nil // it was told why not
	}
	f, err := os.CreateTemp(filepath.Dir(w.f.cursor), ".cursor-*")
	if err != nil {
		return cannotWrite(w.f.cursor, err)
	}
	_, err = f.WriteString(cursor + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), w.f.cursor)
	}
	if err != nil {
		os.Remove(f.Name())
		return cannotWrite(w.f.cursor, err)
	}
	w.saved = cursor
	return nil
}

// execute runs the command for an event. The cursor moves when it succeeded.
func (w *follower) execute(l *replay.Line) error {
	e := &l.Event
	cmd := exec.CommandContext(w.ctx, w.run[0], w.run[1:]...)
	cmd.Stdin = strings.NewReader(string(l.AppendJSON(nil)) + "\n")
	cmd.Stdout, cmd.Stderr = w.out, w.errs
	cmd.Env = append(os.Environ(), "CLUSTERKIT_TYPE="+string(e.Type), "CLUSTERKIT_EVENT="+l.Names.Event(e.ID()), "CLUSTERKIT_ID="+e.ID().String(),
		"CLUSTERKIT_SUBJECT="+replay.Subject(e, l.Names), "CLUSTERKIT_ORIGIN="+l.Names.Log(e.Log), "CLUSTERKIT_ACTOR="+e.Actor,
		"CLUSTERKIT_TIME="+e.Time.String(), "CLUSTERKIT_CURSOR="+w.following.After.String())
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %s: %w", l.Names.Event(e.ID()), w.run[0], err)
	}
	return errors.Join(w.out.Flush(), w.save())
}
