package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
)

// graph draws which event caused which, in a column of its own: an event with
// effects opens a lane, from which they branch off. Where a filter hides the
// cause itself, the edge goes to the nearest shown event behind it, dotted.
//
//   - n3 is suspected
//     └*   n3 failed
//     ├*  partition 1 moves
//     └…*  partition 2 moved because of what is not shown
type graph struct {
	causes  map[events.ID]events.ID // of all events in the range, shown or not
	lines   []replay.Line
	parents []parent
	effects []int // still to come, of each line
	lanes   []int // the line whose effects branch off there; free when none
}

// free is a lane that nothing branches off from.
const free = -1

// parent is the shown line that an event goes back to, or none.
type parent struct {
	line   int
	elided bool // by way of events that are not shown
}

// learn reads what caused what among all events of the range that q asks for,
// also those that its filters hide. Damage is told when the lines are read.
func (g *graph) learn(a *app, source *replay.Source, q replay.Query) error {
	g.causes = make(map[events.ID]events.ID)
	all := replay.Query{Range: q.Range, Since: q.Since, Until: q.Until, Axis: q.Axis}
	for line, err := range source.Log(a.ctx, all) {
		var damage *replay.Damage
		switch {
		case errors.As(err, &damage):
		case err != nil:
			return err
		case !line.Event.Cause.IsZero():
			g.causes[line.Event.ID()] = line.Event.Cause
		}
	}
	return nil
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
	g.connect()
	for i := range g.lines {
		if err := do(&g.lines[i], g.cell(i)); err != nil {
			return err
		}
	}
	return nil
}

// connect finds the parent of each line, among those above it.
func (g *graph) connect() {
	shown := make(map[events.ID]int, len(g.lines))
	g.parents, g.effects = make([]parent, len(g.lines)), make([]int, len(g.lines))
	for i := range g.lines {
		e := &g.lines[i].Event
		g.parents[i] = g.parent(e.Cause, shown)
		if at := g.parents[i].line; at != free {
			g.effects[at]++
		}
		shown[e.ID()] = i
	}
}

// parent goes back from a cause to what is shown. The hidden events on the way
// are made to point there, so that a long chain is gone through once.
func (g *graph) parent(cause events.ID, shown map[events.ID]int) parent {
	var hidden []events.ID
	at := cause
	for !at.IsZero() && len(hidden) <= len(g.causes) { // or a forged log runs in a circle
		if i, ok := shown[at]; ok {
			for _, id := range hidden {
				g.causes[id] = at
			}
			return parent{i, at != cause}
		}
		hidden = append(hidden, at)
		at = g.causes[at]
	}
	for _, id := range hidden {
		delete(g.causes, id)
	}
	return parent{line: free}
}

// cell draws the lanes at a line, and opens and closes them.
func (g *graph) cell(line int) string {
	p := g.parents[line]
	from, gap := free, free
	if p.line != free {
		from = slices.Index(g.lanes, p.line)
	}
	at := g.vacant(from + 1)
	if p.elided {
		gap, at = at, g.vacant(at+1)
	}
	var cell strings.Builder
	for i := range g.lanes {
		open := g.lanes[i] != free
		switch {
		case i == at:
			cell.WriteByte('*')
		case i == from && g.effects[p.line] > 1:
			cell.WriteRune('├')
		case i == from:
			cell.WriteRune('└')
		case i == gap:
			cell.WriteRune('…')
		case from >= 0 && from < i && i < at:
			cell.WriteRune('┼')
		case open:
			cell.WriteRune('│')
		default:
			cell.WriteByte(' ')
		}
	}
	if from >= 0 {
		if g.effects[p.line]--; g.effects[p.line] == 0 {
			g.lanes[from] = free
		}
	}
	if g.effects[line] > 0 {
		g.lanes[at] = line
	}
	for n := len(g.lanes); n > 0 && g.lanes[n-1] == free; n-- {
		g.lanes = g.lanes[:n-1]
	}
	return strings.TrimRight(cell.String(), " ")
}

// vacant returns the first free lane from one on, made if there is none.
func (g *graph) vacant(at int) int {
	for at < len(g.lanes) && g.lanes[at] != free {
		at++
	}
	for len(g.lanes) <= at {
		g.lanes = append(g.lanes, free)
	}
	return at
}
