package cli

import (
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
)

// graph draws which event caused which, in a column of its own: an event with
// effects opens a lane, from which they branch off.
//
//   - n3 is suspected
//     └*   n3 failed
//     ├*  partition 1 moves
//     └*  partition 2 moves
type graph struct {
	lines   []replay.Line
	effects map[events.ID]int // still to come, of each event
	lanes   []events.ID       // the event whose effects branch off there; zero when free
}

// take holds back a line: what to draw depends on those to come.
func (g *graph) take(l *replay.Line) error {
	kept := *l
	kept.Event = l.Event.Clone()
	kept.Changes = slices.Clone(l.Changes)
	g.lines = append(g.lines, kept)
	return nil
}

// draw calls do for each line with the cell that belongs in front of it.
func (g *graph) draw(do func(l *replay.Line, cell string) error) error {
	g.effects = make(map[events.ID]int)
	for i := range g.lines {
		if cause := g.lines[i].Event.Cause; !cause.IsZero() {
			g.effects[cause]++
		}
	}
	for i := range g.lines {
		if err := do(&g.lines[i], g.cell(&g.lines[i].Event)); err != nil {
			return err
		}
	}
	return nil
}

func (g *graph) cell(e *events.Event) string {
	from := -1
	if !e.Cause.IsZero() {
		from = slices.Index(g.lanes, e.Cause)
	}
	at := from + 1
	for at < len(g.lanes) && !g.lanes[at].IsZero() {
		at++
	}
	for len(g.lanes) <= at {
		g.lanes = append(g.lanes, events.ID{})
	}
	var cell strings.Builder
	for i := range g.lanes {
		open := !g.lanes[i].IsZero()
		switch {
		case i == at:
			cell.WriteByte('*')
		case i == from && g.effects[e.Cause] > 1:
			cell.WriteRune('├')
		case i == from:
			cell.WriteRune('└')
		case from >= 0 && from < i && i < at:
			cell.WriteRune('┼')
		case open:
			cell.WriteRune('│')
		default:
			cell.WriteByte(' ')
		}
	}
	if from >= 0 {
		if g.effects[e.Cause]--; g.effects[e.Cause] == 0 {
			g.lanes[from] = events.ID{}
		}
	}
	if g.effects[e.ID()] > 0 {
		g.lanes[at] = e.ID()
	}
	for n := len(g.lanes); n > 0 && g.lanes[n-1].IsZero(); n-- {
		g.lanes = g.lanes[:n-1]
	}
	return strings.TrimRight(cell.String(), " ")
}
