package timeline

import (
	"iter"
	"strconv"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay"
)

// The most markers of a timeline, of the cluster's events and of the
// application's.
const (
	maxMarkers    = 1 << 16
	maxAppMarkers = 1 << 14
)

// Marker is an event that is drawn as a point: everything but assignments,
// which are the beginnings of intervals.
type Marker struct {
	Time    int64  `json:"time"`  // in Unix milliseconds, along the axis of the timeline
	Event   string `json:"event"` // its name, such as "n2:77"
	Type    string `json:"type"`
	Subject string `json:"subject,omitempty"`
	Actor   string `json:"actor,omitempty"`
	What    string `json:"what,omitempty"`

	// Learnt has for each of several logs when it came to know the event, in
	// Unix milliseconds: 0 when it does not say, -1 when it does not hold it.
	Learnt []int64 `json:"learnt,omitempty"`
}

// mark is a marker in words.
type mark struct {
	at                                 int64 // milliseconds since Timeline.From
	seq                                uint64
	origin, typ, subject, actor, about uint32
}

// Markers yields the markers in the order of their times.
func (t *Timeline) Markers() iter.Seq[Marker] {
	return func(yield func(Marker) bool) {
		for i := range t.marks {
			if !yield(t.marker(i)) {
				return
			}
		}
	}
}

func (t *Timeline) marker(i int) Marker {
	m, word := &t.marks[i], t.words.list
	out := Marker{Time: t.From + m.at, Event: word[m.origin] + ":" + strconv.FormatUint(m.seq, 10), Type: word[m.typ],
		Subject: word[m.subject], Actor: word[m.actor], What: word[m.about]}
	if n := len(t.Sources); n > 1 {
		out.Learnt = t.learnt[i*n : (i+1)*n : (i+1)*n]
	}
	return out
}

// mark notes a marker, unless there are too many. Of the events of an
// application it then keeps every second, every fourth and so on, so that they
// are thinned evenly.
func (b *builder) mark(s *replay.Step, at int64) {
	t, e := b.timeline, &s.Event
	app := isApp(string(e.Type))
	if app {
		b.every = max(b.every, 1)
		if b.skipped++; b.skipped < b.every {
			t.Omitted++
			return
		}
		b.skipped = 0
		if b.apps == maxAppMarkers {
			b.thin()
		}
		b.apps++
	} else if len(t.marks)-b.apps >= maxMarkers {
		t.Omitted++
		return
	}
	t.marks = append(t.marks, mark{at: at, seq: e.Seq, origin: t.words.id(b.names.Log(e.Log)), typ: t.words.id(string(e.Type)),
		subject: t.words.id(replay.Subject(e, b.names)), actor: t.words.id(e.Actor), about: t.words.id(replay.What(e))})
	if len(t.Sources) > 1 {
		t.learnt = append(t.learnt, s.Learnt...)
	}
}

// isApp reports whether an event of that type is written by applications, as
// often as they please.
func isApp(t string) bool {
	return events.Type(t).IsApp() || t == string(events.ValueSet) || t == string(events.ValueDeleted)
}

// thin drops every second marker of the application.
func (b *builder) thin() {
	t, kept, n := b.timeline, 0, len(b.timeline.Sources)
	b.apps = 0
	odd := false
	for i, m := range t.marks {
		if isApp(t.words.list[m.typ]) {
			if odd = !odd; !odd {
				t.Omitted++
				continue
			}
			b.apps++
		}
		if t.marks[kept] = m; n > 1 {
			copy(t.learnt[kept*n:], t.learnt[i*n:(i+1)*n])
		}
		kept++
	}
	t.marks = t.marks[:kept]
	if n > 1 {
		t.learnt = t.learnt[:kept*n]
	}
	b.every *= 2
}
