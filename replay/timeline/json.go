package timeline

import (
	"bufio"
	"encoding/json"
	"io"
)

// WriteJSON writes the timeline as one JSON object for programs: cluster, axis,
// from and until, logs, views with their lanes and curves, markers. Times are
// in Unix milliseconds, imbalance in thousandths of a fair share.
func (t *Timeline) WriteJSON(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	p := jsonPrinter{out: out}
	p.open("{\n")
	p.member("v", 1)
	p.member("cluster", t.Cluster)
	p.member("axis", t.Axis)
	p.member("from", t.From)
	p.member("until", t.Until)
	p.member("events", t.Events)
	p.member("omitted", t.Omitted)
	p.member("logs", jsonLogs(t))
	p.name("views")
	p.open("[\n")
	for _, v := range t.Views {
		p.next()
		t.jsonView(&p, v)
	}
	p.close("]")
	if len(t.Behind) > 0 {
		p.name("behind")
		p.open("[\n")
		for _, c := range t.Behind {
			p.value(jsonCurve(t, c))
		}
		p.close("]")
	}
	p.name("markers")
	p.open("[\n")
	for m := range t.Markers() {
		p.value(m)
	}
	p.close("]")
	p.close("}\n")
	if p.err != nil {
		return p.err
	}
	return out.Flush()
}

type jsonLog struct {
	Log    string `json:"log"`
	Node   string `json:"node,omitempty"`
	Events int    `json:"events"`
	Damage any    `json:"damage,omitempty"`
}

func jsonLogs(t *Timeline) []jsonLog {
	var all []jsonLog
	for i := range t.Sources {
		s := &t.Sources[i]
		l := jsonLog{Log: s.Log, Node: s.Node, Events: s.Events}
		if len(s.Damage) > 0 {
			l.Damage = s.Damage
		}
		all = append(all, l)
	}
	return all
}

// jsonCurve returns points as [from, low, high, end].
func jsonCurve(t *Timeline, c *Curve) [][4]int64 {
	all := [][4]int64{}
	for p := range t.Points(c) {
		all = append(all, [4]int64{p.From, int64(p.Low), int64(p.High), int64(p.End)})
	}
	return all
}

func (t *Timeline) jsonView(p *jsonPrinter, v *View) {
	p.open("{")
	if v.Source >= 0 {
		p.member("source", v.Source)
	}
	p.member("axis", v.Axis)
	p.member("unowned", jsonCurve(t, &v.Unowned))
	p.member("imbalance", jsonCurve(t, &v.Imbalance))
	p.name("nodes")
	p.open("[\n")
	for i := range v.Nodes {
		p.next()
		p.open("{")
		p.member("id", v.Nodes[i].ID)
		p.name("intervals")
		p.open("[")
		for c := range t.Conditions(&v.Nodes[i]) {
			p.value(c)
		}
		p.close("]")
		p.close("}")
	}
	p.close("]")
	p.name("partitions")
	p.open("[\n")
	for i := range v.Partitions {
		p.next()
		p.open("{")
		p.member("id", v.Partitions[i].ID)
		p.name("intervals")
		p.open("[")
		for o := range t.Ownerships(&v.Partitions[i]) {
			p.value(o)
		}
		p.close("]")
		p.close("}")
	}
	p.close("]")
	p.close("}")
}

// jsonPrinter writes JSON piece by piece, so that a large timeline is never
// held as text. Each level knows whether something stands before.
type jsonPrinter struct {
	out   *bufio.Writer
	begun []bool
	err   error
}

func (p *jsonPrinter) open(s string) {
	p.out.WriteString(s)
	p.begun = append(p.begun, false)
}

func (p *jsonPrinter) close(s string) {
	p.begun = p.begun[:len(p.begun)-1]
	p.out.WriteString(s)
}

// next separates what follows from what stands before.
func (p *jsonPrinter) next() {
	last := &p.begun[len(p.begun)-1]
	if *last {
		p.out.WriteString(",\n")
	}
	*last = true
}

func (p *jsonPrinter) name(name string) {
	p.next()
	p.out.WriteString(text(name) + ":")
}

func (p *jsonPrinter) value(v any) {
	p.next()
	p.write(v)
}

func (p *jsonPrinter) member(name string, v any) {
	p.name(name)
	p.write(v)
}

func (p *jsonPrinter) write(v any) {
	b, err := json.Marshal(v)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.out.Write(b)
}
