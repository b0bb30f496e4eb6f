package cli

import (
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
)

// The escape sequences in use. Colour only repeats what the words say.
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

func (a *app) style(code, text string) string {
	if !a.paint || text == "" {
		return text
	}
	return code + text + plain
}

func (a *app) bold(text string) string { return a.style(bold, text) }

// good and bad colour a verdict.
func (a *app) judge(text string) string {
	switch strings.Fields(text + " -")[0] {
	case string(replay.Pass), string(replay.Equal), "same":
		return a.style(green, text)
	case string(replay.Fail), string(replay.Forked), "state":
		return a.style(red, text)
	}
	return a.style(yellow, text)
}

// timeLayout is how tables write times: sortable, and read back by --at.
const timeLayout = "2006-01-02 15:04:05.000"

// time returns an event's time in the zone of the output.
func (a *app) time(t events.Timestamp) string {
	if t == 0 {
		return "-"
	}
	return t.Time().In(a.grammar.Zone).Format(timeLayout)
}

// zoneName is the name of the time column.
func (a *app) zoneName() string { return "TIME (" + a.grammar.Zone.String() + ")" }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
