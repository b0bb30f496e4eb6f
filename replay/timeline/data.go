package timeline

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// header is the part of a page's data that is JSON. All numbers in it and in
// the packed part that name texts count into Words.
type header struct {
	Version  int               `json:"v"`
	Cluster  string            `json:"cluster"`
	Axis     string            `json:"axis"`
	From     int64             `json:"from"`
	Until    int64             `json:"until"`
	Zone     string            `json:"zone"`
	Events   int               `json:"events"`
	Omitted  int               `json:"omitted"`
	Filtered bool              `json:"filtered,omitempty"`
	Logs     []logHeader       `json:"logs"`
	Views    []viewHeader      `json:"views"`
	Statuses []string          `json:"statuses"`
	Nodes    []nodeHeader      `json:"nodes"`
	Commands map[string]string `json:"commands"`
	Words    []string          `json:"words"`
}

type logHeader struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Quoted string   `json:"quoted"` // for a shell
	Events int      `json:"events"`
	Damage []string `json:"damage,omitempty"`
}

type viewHeader struct {
	Source     int      `json:"source"`
	Axis       string   `json:"axis"`
	Nodes      []string `json:"nodes"`
	Partitions [][2]int `json:"partitions"` // first and last of each run of numbers
}

type nodeHeader struct {
	ID     string `json:"id"`
	Colour string `json:"colour"`
}

// header returns the JSON part.
func (t *Timeline) header() *header {
	h := &header{Version: 1, Cluster: t.Cluster, Axis: t.Axis.String(), From: t.From, Until: t.Until, Zone: t.zone.String(),
		Events: t.Events, Omitted: t.Omitted, Filtered: t.Filtered, Commands: t.commands(), Words: t.words.list}
	if t.zone == time.Local {
		h.Zone = "" // the reader's own
	}
	for _, s := range statuses {
		h.Statuses = append(h.Statuses, string(s))
	}
	for i := range t.Sources {
		s := &t.Sources[i]
		l := logHeader{Name: s.Log, Title: s.Title, Quoted: quote(s.Log), Events: s.Events}
		for j := range s.Damage {
			l.Damage = append(l.Damage, s.Damage[j].Error())
		}
		h.Logs = append(h.Logs, l)
	}
	for _, v := range t.Views {
		out := viewHeader{Source: v.Source, Axis: v.Axis.String(), Nodes: []string{}, Partitions: [][2]int{}}
		for i := range v.Nodes {
			out.Nodes = append(out.Nodes, v.Nodes[i].ID)
		}
		for i := range v.Partitions {
			id, n := v.Partitions[i].ID, len(out.Partitions)
			if n > 0 && out.Partitions[n-1][1] == id-1 {
				out.Partitions[n-1][1] = id
			} else {
				out.Partitions = append(out.Partitions, [2]int{id, id})
			}
		}
		h.Views = append(h.Views, out)
	}
	for i, id := range t.nodes() {
		h.Nodes = append(h.Nodes, nodeHeader{id, hex(hue(i))})
	}
	return h
}

// writeData writes the packed part. All numbers are uvarints; those that may
// be negative are in zigzag form.
//
//	owners     count, then each: length, reason, owners
//	states     count, then each: length, reason, status, draining
//	views      each: node lanes, partition lanes (see lane), unowned, imbalance
//	behind     a curve for each log, when they are several
//	density    width, count, then each
//	markers    count, then each: milliseconds since the last, type, subject, actor,
//	           what, origin, sequence; and for each of several logs when it learnt of it:
//	           0 not said, 1 not held, else 2 + the zigzag of the delay
//	curve      count, then each point: milliseconds since the last, low, high, end
func (t *Timeline) writeData(w io.Writer) error {
	var b []byte
	flush := func() error {
		_, err := w.Write(b)
		b = b[:0]
		return err
	}
	for _, l := range []*labels{&t.owners, &t.states} {
		b = append(binary.AppendUvarint(b, uint64(len(l.at))), l.bytes...)
	}
	for _, v := range t.Views {
		for i := range v.Nodes {
			b = v.Nodes[i].lane.appendTo(b)
		}
		for i := range v.Partitions {
			if b = v.Partitions[i].lane.appendTo(b); len(b) < 1<<15 {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
		}
		b = v.Imbalance.appendTo(v.Unowned.appendTo(b))
	}
	for _, c := range t.Behind {
		b = c.appendTo(b)
	}
	b = binary.AppendUvarint(b, uint64(t.Density.Width))
	b = binary.AppendUvarint(b, uint64(len(t.Density.Count)))
	for _, n := range t.Density.Count {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = t.appendMarkers(b)
	return flush()
}

func (c *Curve) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.points)))
	last := int64(0)
	for _, p := range c.points {
		b = binary.AppendUvarint(b, uint64(p.from-last))
		for _, v := range []int32{p.low, p.high, p.end} {
			b = binary.AppendUvarint(b, uint64(max(v, 0)))
		}
		last = p.from
	}
	return b
}

func (t *Timeline) appendMarkers(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(t.marks)))
	last := int64(0)
	for i := range t.marks {
		m := &t.marks[i]
		b = binary.AppendUvarint(b, uint64(m.at-last))
		for _, v := range []uint32{m.typ, m.subject, m.actor, m.about, m.origin} {
			b = binary.AppendUvarint(b, uint64(v))
		}
		b = binary.AppendUvarint(b, m.seq)
		last = m.at
		for _, at := range t.marker(i).Learnt {
			switch {
			case at == 0:
				b = append(b, 0)
			case at < 0:
				b = append(b, 1)
			default:
				delay := at - t.From - m.at
				b = binary.AppendUvarint(b, uint64(delay<<1^delay>>63)+2)
			}
		}
	}
	return b
}

// iso returns a time as commands take it.
func iso(millis int64) string { return events.NewTimestamp(millis, 0).String() }
