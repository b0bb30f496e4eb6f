package cli

import (
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/cobra"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show EVENT [LOG...]",
		Short: "Print one event whole: its bytes, place, chain, causes and effects",
		Long: `EVENT is one event: n2:77 (node:sequence), @1234 (local index), head or first.
Of several LOGs it also says which hold it, and when each received it.`,
		Example: `  clusterkit-replay show n2:77 data/n1                everything about it
  clusterkit-replay show n2:77 data/n1 data/n2 data/n3   and who received it when
  clusterkit-replay show head data/n1                 the newest event`,
		RunE: func(_ *cobra.Command, words []string) error { return a.runShow(words) },
	}
}

func (a *app) runShow(words []string) error {
	args, err := a.classify(words)
	if err != nil {
		return err
	}
	if err := args.noSubject(); err != nil {
		return err
	}
	if len(args.points) != 1 || len(args.ranges) > 0 {
		return usagef("show needs one event, such as n2:77, @1234 or head")
	}
	if len(args.logs) == 0 {
		args.logs = []string{"."}
	}
	sources, err := a.openAll(args.logs)
	if err != nil {
		return err
	}
	defer closeAll(sources)
	x, err := replay.Show(a.ctx, args.points[0], sources...)
	if err != nil {
		return err
	}
	defer a.allDamaged(x.Damage)
	if x.Links == replay.Fail {
		a.code = exitNo
	}
	if a.format == "table" {
		return a.printExhibit(x)
	}
	return a.data(answer{x, nil, []string{"log", "held", "same", "index", "received", "late_ms", "file", "offset", "size"}, func(row func(...string)) {
		for i := range x.Holdings {
			h := &x.Holdings[i]
			row(h.Log, yesNo(h.Held), yesNo(h.Same), decimal(h.Index), stamp(h.Received), decimal(h.Late), h.File, decimal(h.Offset), decimal(int64(h.Size)))
		}
	}})
}

// stamp is a time as programs read it, nothing when there is none.
func stamp(t events.Timestamp) string {
	if t == 0 {
		return ""
	}
	return t.String()
}

func decimal[T int64 | uint64](n T) string {
	if n < 0 {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatUint(uint64(n), 10)
}

func (a *app) printExhibit(x *replay.Exhibit) error {
	var event map[string]json.RawMessage
	if err := json.Unmarshal(x.Event, &event); err != nil {
		return err
	}
	text := func(name string) string {
		var s string
		if json.Unmarshal(event[name], &s) != nil {
			s = string(event[name])
		}
		return s
	}
	a.printf("%s\n", a.bold(text("type")+" "+x.Name))
	line := func(name, value string) {
		if value != "" {
			a.printf("  %-9s %s\n", name, value)
		}
	}
	line("what", x.What)
	line("subject", x.Subject)
	line("time", a.time(x.Time)+"  (hybrid "+x.Time.String()+")")
	line("actor", text("actor"))
	line("register", text("register"))
	line("version", text("version"))
	line("id", x.ID.String())
	for _, name := range []string{"body", "body_base64", "raw"} {
		line(name, string(event[name]))
	}
	line("chain", x.Chain.String()+" links to "+before(x)+": "+a.judge(string(x.Links)))
	for i := range x.Holdings {
		h := &x.Holdings[i]
		switch {
		case !h.Held:
			line("log", h.Log+": "+h.Note)
		case !h.Same:
			line("log", h.Log+": @"+decimal(h.Index)+" holds another event of this name")
		default:
			line("log", h.Log+": @"+decimal(h.Index)+", received "+a.received(h)+", "+h.File+" byte "+decimal(h.Offset)+", "+strconv.Itoa(h.Size)+" bytes")
		}
	}
	if len(x.Causes) > 0 {
		a.printf("  %s\n", a.bold("because of"))
		a.printIndented(x.Causes, x.Names)
	}
	if len(x.Effects) > 0 {
		a.printf("  %s\n", a.bold("caused"))
		for i := range x.Effects {
			a.printIndented(x.Effects[i:i+1], x.Names)
		}
		if x.More > 0 {
			a.printf("    and %d more\n", x.More)
		}
	}
	a.printf("  %s\n", a.bold("bytes"))
	raw, err := hex.DecodeString(x.Raw)
	if err != nil {
		return err
	}
	return a.indent(hex.Dump(raw))
}

func before(x *replay.Exhibit) string {
	if x.Before == (events.Chain{}) {
		return "an event that is not kept"
	}
	return x.Before.String()
}

func (a *app) received(h *replay.Holding) string {
	if h.Received == 0 {
		return "at a time that is not known"
	}
	if h.Late != 0 {
		return a.time(h.Received) + " (" + replay.Span(h.Late) + " after its time)"
	}
	return a.time(h.Received)
}
