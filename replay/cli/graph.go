package cli

import (
	"errors"
	"maps"
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
//
// What to draw depends on the effects to come, so the log is read before it is
// drawn. Of the events that cause nothing, nothing is kept: of all others there are
// few.
type graph struct {
	causes  map[events.ID]events.ID // of events that are causes, shown or not
	shown   map[events.ID]bool      // causes, and whether they stand above
	effects map[events.ID]int       // still to come
	lanes   []events.ID             // whose effects branch off there; zero when free
}

// newGraph reads what caused what among all events of the range that q asks for,
// also those that its filters hide. Damage is told when the lines are drawn.
func newGraph(a *app, source *replay.Source, q replay.Query) (*graph, error) {
	g := &graph{causes: make(map[events.ID]events.ID), shown: make(map[events.ID]bool), effects: make(map[events.ID]int)}
	all := replay.Query{Range: q.Range, Since: q.Since, Until: q.Until, Axis: q.Axis}
	err := each(a, source, all, func(e *events.Event) {
		if !e.Cause.IsZero() {
			g.shown[e.Cause] = false
		}
	})
	if err == nil && (q.Limit > 0 || q.Where != nil || !q.Filter.IsZero()) { // else none is hidden
		err = each(a, source, all, func(e *events.Event) {
			if _, ok := g.shown[e.ID()]; ok && !e.Cause.IsZero() {
				g.causes[e.ID()] = e.Cause
			}
		})
	}
	if err != nil {
		return nil, err
	}
	q.Changes = false
	drawn := graph{causes: maps.Clone(g.causes), shown: maps.Clone(g.shown)} // as it will be drawn
	return g, each(a, source, q, func(e *events.Event) {
		if parent, _ := drawn.parent(e.Cause); !parent.IsZero() {
			g.effects[parent]++
		}
		drawn.show(e.ID())
	})
}

// each calls do for every event that q asks for.
func each(a *app, source *replay.Source, q replay.Query, do func(*events.Event)) error {
	for line, err := range source.Log(a.ctx, q) {
		var damage *replay.Damage
		switch {
		case err == nil:
			do(&line.Event)
		case !errors.As(err, &damage):
			return err
		}
	}
	return nil
}

func (g *graph) show(id events.ID) {
	if _, ok := g.shown[id]; ok {
		g.shown[id] = true
	}
}

// parent goes back from a cause to what is shown, and reports whether that is
// another event; the zero ID when nothing is. The hidden events on the way
// are made to point there, so that a long chain is gone through once.
func (g *graph) parent(cause events.ID) (parent events.ID, elided bool) {
	var hidden []events.ID
	at := cause
	for !at.IsZero() && len(hidden) <= len(g.causes) { // or a forged log runs in a circle
		if g.shown[at] {
			for _, id := range hidden {
				g.causes[id] = at
			}
			return at, at != cause
		}
		hidden = append(hidden, at)
		at = g.causes[at]
	}
	for _, id := range hidden {
		delete(g.causes, id)
	}
	return events.ID{}, false
}

// cell draws the lanes at the next event, and opens and closes them.
func (g *graph) cell(e *events.Event) string {
	parent, elided := g.parent(e.Cause)
	from, gap := -1, -1
	if !parent.IsZero() {
		from = slices.Index(g.lanes, parent)
	}
	at := g.vacant(from + 1)
	if elided {
		gap, at = at, g.vacant(at+1)
	}
	var cell strings.Builder
	for i := range g.lanes {
		switch {
		case i == at:
			cell.WriteByte('*')
		case i == from && g.effects[parent] > 1:
			cell.WriteRune('├')
		case i == from:
			cell.WriteRune('└')
		case i == gap:
			cell.WriteRune('…')
		case from >= 0 && from < i && i < at:
			cell.WriteRune('┼')
		case !g.lanes[i].IsZero():
			cell.WriteRune('│')
		default:
			cell.WriteByte(' ')
		}
	}
	if from >= 0 {
		if g.effects[parent]--; g.effects[parent] <= 0 {
			g.lanes[from] = events.ID{}
		}
	}
	if g.show(e.ID()); g.effects[e.ID()] > 0 {
		g.lanes[at] = e.ID()
	}
	for n := len(g.lanes); n > 0 && g.lanes[n-1].IsZero(); n-- {
		g.lanes = g.lanes[:n-1]
	}
	return strings.TrimRight(cell.String(), " ")
}

// vacant returns the first free lane from one on, made if there is none.
func (g *graph) vacant(at int) int {
	for at < len(g.lanes) && !g.lanes[at].IsZero() {
		at++
	}
	for len(g.lanes) <= at {
		g.lanes = append(g.lanes, events.ID{})
	}
	return at
}
