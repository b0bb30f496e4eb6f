package timeline

import (
	"bufio"
	"encoding/json"
	"io"
	"strconv"
)

// WriteTrace writes the timeline in the JSON of Chrome's trace viewer, which
// Perfetto opens: a process for the nodes and one for the partitions of each
// view, a thread for each lane, counters for the curves. Times are microseconds
// since Timeline.From, which otherData.from gives.
func (t *Timeline) WriteTrace(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	p := tracer{out: out, t: t}
	p.raw(`{"displayTimeUnit":"ms","otherData":{"cluster":` + text(t.Cluster) + `,"axis":"` + t.Axis.String() + `","from":"` + iso(t.From) + `"},"traceEvents":[`)
	for i, v := range t.Views {
		p.view(i, v)
	}
	p.markers()
	p.raw("\n]}\n")
	return out.Flush()
}

// text returns a text as JSON.
func text(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

type tracer struct {
	out   *bufio.Writer
	t     *Timeline
	begun bool
	buf   []byte
}

func (p *tracer) raw(s string) { p.out.WriteString(s) }

// event writes one event, given without its braces.
func (p *tracer) event(s string) {
	if p.begun {
		p.out.WriteByte(',')
	}
	p.begun = true
	p.out.WriteString("\n{")
	p.out.WriteString(s)
	p.out.WriteByte('}')
}

func (p *tracer) name(what string, pid, tid int, name string) {
	p.event(`"ph":"M","name":"` + what + `","pid":` + strconv.Itoa(pid) + `,"tid":` + strconv.Itoa(tid) + `,"args":{"name":` + text(name) + `}`)
}

func (p *tracer) view(i int, v *View) {
	whose := ""
	if v.Source >= 0 {
		whose = ", as " + p.t.Sources[v.Source].Title + " believed"
	}
	nodes, partitions := 2*i+1, 2*i+2
	p.name("process_name", nodes, 0, "nodes"+whose)
	p.name("process_name", partitions, 0, "partitions"+whose)
	for j := range v.Nodes {
		p.name("thread_name", nodes, j+1, v.Nodes[j].ID)
		for k, end := range v.Nodes[j].lane.all(p.t.Until - p.t.From) {
			s := p.t.state(k)
			p.slice(nodes, j+1, k.from, end, string(s.Status), `"incarnation":`+strconv.FormatUint(k.version, 10)+`,"why":`+text(s.Why))
		}
	}
	for j := range v.Partitions {
		p.name("thread_name", partitions, j+1, "partition "+strconv.Itoa(v.Partitions[j].ID))
		for k, end := range v.Partitions[j].lane.all(p.t.Until - p.t.From) {
			o := p.t.ownership(k)
			primary := "nobody"
			if len(o.Owners) > 0 {
				primary = o.Owners[0]
			}
			owners, _ := json.Marshal(o.Owners)
			p.slice(partitions, j+1, k.from, end, primary, `"owners":`+string(owners)+`,"epoch":"`+o.Epoch+`","why":`+text(o.Why))
		}
	}
	p.counter(nodes, "unowned partitions", &v.Unowned, 1)
	p.counter(nodes, "imbalance", &v.Imbalance, 1000)
}

func (p *tracer) slice(pid, tid int, from, end int64, name, args string) {
	b := append(p.buf[:0], `"ph":"X","pid":`...)
	b = strconv.AppendInt(b, int64(pid), 10)
	b = strconv.AppendInt(append(b, `,"tid":`...), int64(tid), 10)
	b = strconv.AppendInt(append(b, `,"ts":`...), from*1000, 10)
	b = strconv.AppendInt(append(b, `,"dur":`...), (end-from)*1000, 10)
	b = append(append(append(b, `,"name":`...), text(name)...), `,"args":{`...)
	p.buf = append(append(b, args...), '}')
	p.event(string(p.buf))
}

// counter writes a curve; its values are divided by unit.
func (p *tracer) counter(pid int, name string, c *Curve, unit float64) {
	for q := range c.all() {
		p.event(`"ph":"C","pid":` + strconv.Itoa(pid) + `,"ts":` + strconv.FormatInt(q.from*1000, 10) + `,"name":"` + name +
			`","args":{"value":` + strconv.FormatFloat(float64(q.end)/unit, 'g', -1, 64) + `}`)
	}
}

func (p *tracer) markers() {
	for m := range p.t.Markers() {
		p.event(`"ph":"i","s":"g","pid":1,"tid":0,"ts":` + strconv.FormatInt((m.Time-p.t.From)*1000, 10) + `,"name":` + text(m.Type) +
			`,"args":{"event":` + text(m.Event) + `,"subject":` + text(m.Subject) + `,"actor":` + text(m.Actor) + `,"what":` + text(m.What) + `}`)
	}
}
