package timeline

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
)

// picture says how fine a still picture is.
type picture struct {
	columns, rows, nodes int
	style                bool // with a style of its own; a page brings one
}

var (
	full  = picture{columns: 1000, rows: 256, nodes: 64, style: true}
	still = picture{columns: 500, rows: 64, nodes: 32}
)

// The measures of a picture, in its own units.
const (
	pictureWidth = 1200
	gutter       = 120
	plotWidth    = 1000 // a multiple of the columns
	nodeHeight   = 18
	curveHeight  = 46
)

// pictureStyle is the style of a picture that stands alone.
const pictureStyle = `text{font:12px system-ui,sans-serif;fill:#24303c}.d{fill:#66727f}.b{fill:#fff}.g{stroke:#d5dbe1}.u{fill:#e8ecf0}.l{stroke:#24303c}` +
	`@media(prefers-color-scheme:dark){text{fill:#dde4eb}.d{fill:#8b98a5}.b{fill:#11161c}.g{stroke:#2b3540}.u{fill:#1d252d}.l{stroke:#dde4eb}}`

// WriteSVG writes the first view as a still picture, without signs of single
// events. It has room for 64 nodes and 256 partitions, evenly spread if there
// are more, and for a thousand moments: of what was so for less, it shows every
// so manieth. What that leaves out, and what is damaged, it says at its foot.
func (t *Timeline) WriteSVG(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	if err := t.writePicture(out, full); err != nil {
		return err
	}
	return out.Flush()
}

// drawing is a picture in the making.
type drawing struct {
	picture
	t    *Timeline
	view *View
	span int64 // of time, at least 1
	y    int
	body strings.Builder

	bottom int // of the lanes
}

func (t *Timeline) writePicture(out *bufio.Writer, p picture) error {
	d := drawing{picture: p, t: t, view: t.Views[0], span: max(t.Until-t.From, 1), y: 34}
	lines := d.lines()
	d.nodeLanes()
	d.curve("unowned", &d.view.Unowned, 1, hex(hues[5]), 0)
	d.curve("imbalance", &d.view.Imbalance, 1000, hex(hues[0]), 1)
	d.partitionLanes()
	d.ticks()
	d.legend()
	d.notes()
	fmt.Fprintf(out, `<svg class="still" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`,
		pictureWidth, d.y, html.EscapeString("The history of cluster "+t.Cluster))
	if p.style {
		out.WriteString("<style>" + pictureStyle + "</style>")
	}
	fmt.Fprintf(out, `<rect class="b" width="%d" height="%d"/>`, pictureWidth, d.y)
	out.WriteString(label(12, 20, "", t.title()))
	fmt.Fprintf(out, lines, d.bottom)
	out.WriteString(d.body.String())
	_, err := out.WriteString("</svg>\n")
	return err
}

// title says what a picture shows.
func (t *Timeline) title() string {
	from, until := t.clock(t.From), t.clock(t.Until)
	return fmt.Sprintf("%s · %s to %s %s · %s", t.Cluster, from, until, t.zone, replay.Count(t.Events, "event"))
}

func (t *Timeline) clock(millis int64) string {
	return time.UnixMilli(millis).In(t.zone).Format("2006-01-02 15:04:05")
}

// label is a text; class "d" makes it dim.
func label(x, y int, class, s string) string {
	if class != "" {
		class = ` class="` + class + `"`
	}
	return fmt.Sprintf(`<text x="%d" y="%d"%s>%s</text>`, x, y, class, html.EscapeString(s))
}

// x returns where a time since the beginning lies.
func (d *drawing) x(at int64) int { return gutter + int(at*plotWidth/d.span) }

// conditionColours are those of statuses, in their order.
var conditionColours = []string{"#2a9d8f", "#e9b44c", "#c1440e", "#8fb8de", "#9aa5b1", "#4a5560"}

func (d *drawing) nodeLanes() {
	for i := range d.view.Nodes {
		if i == d.nodes {
			d.body.WriteString(label(12, d.y+13, "d", fmt.Sprintf("and %d more", len(d.view.Nodes)-i)))
			d.y += nodeHeight
			break
		}
		n := &d.view.Nodes[i]
		d.body.WriteString(label(12, d.y+13, "", shorten(n.ID)))
		last, end := "", 0
		for k, until := range n.lane.all(d.t.Until - d.t.From) {
			status := d.t.state(k).Status
			x, w := d.x(k.from), max(d.x(until)-d.x(k.from), 1)
			if colour := conditionColours[slices.Index(statuses, status)]; colour != last || x+w > end {
				height, down := 12, 3
				if status == projection.StatusLeft || status == projection.StatusRemoved {
					height, down = 4, 7
				}
				fmt.Fprintf(&d.body, `<path fill="%s" d="M%d %dh%dv%dh-%dz"/>`, colour, x, d.y+down, w, height, w)
				last, end = colour, x+w
			}
		}
		d.y += nodeHeight
	}
	d.y += 8
}

// shorten cuts a name that is too long for the gutter.
func shorten(s string) string {
	if r := []rune(s); len(r) > 15 {
		return string(r[:14]) + "…"
	}
	return s
}

// curve draws a curve; its values are divided by unit, and floor is the least
// that its scale reaches to.
func (d *drawing) curve(name string, c *Curve, unit int, colour string, floor int) {
	top := max(c.Max(), unit*(floor+1))
	base := d.y + curveHeight - 6
	y := func(v int32) int { return base - int(int64(v)*(curveHeight-14)/int64(top)) }
	d.body.WriteString(label(12, d.y+18, "", name))
	d.body.WriteString(label(12, d.y+34, "d", "max "+strconv.FormatFloat(float64(c.Max())/float64(unit), 'f', -1, 64)))
	fmt.Fprintf(&d.body, `<path class="g" d="M%d %dh%d"/><path fill="none" stroke="%s" stroke-width="1.5" d="M%d %d`, gutter, base, plotWidth, colour, gutter, base)
	x := -1
	for p := range c.all() {
		if at := d.x(p.from); at != x {
			x = at
			fmt.Fprintf(&d.body, "H%dV%d", at, y(p.high))
		}
		if p.low < p.high {
			fmt.Fprintf(&d.body, "V%d", y(p.low))
		}
		fmt.Fprintf(&d.body, "V%d", y(p.end))
	}
	fmt.Fprintf(&d.body, `H%d"/>`, gutter+plotWidth)
	d.y += curveHeight
}

// partitionLanes draws partitions as rows of cells, each in the colour of who
// owned it in the middle of the cell's time. All cells of a colour are one path.
func (d *drawing) partitionLanes() {
	lanes := d.view.Partitions
	rows := min(len(lanes), d.rows)
	if rows == 0 {
		return
	}
	height := max(3, min(14, 420/rows))
	d.y += 8
	fmt.Fprintf(&d.body, `<rect class="u" x="%d" y="%d" width="%d" height="%d"/>`, gutter, d.y, plotWidth, rows*height)
	nodes := d.t.nodes()
	paths := make([]strings.Builder, len(nodes))
	for row := range rows {
		p := &lanes[row*len(lanes)/rows]
		y := d.y + row*height
		if height >= 12 || row%max(1, 16/height) == 0 {
			d.body.WriteString(label(12, y+min(height, 12)-1, "d", fmt.Sprintf("partition %d", p.ID)))
		}
		d.row(p, func(owner string, from, until int) {
			if i, ok := slices.BinarySearchFunc(nodes, owner, replay.CompareNames); ok {
				fmt.Fprintf(&paths[i], "M%d %dh%d", from, y, until-from)
			}
		})
	}
	for i := range paths {
		if paths[i].Len() > 0 {
			gap := 0
			if height > 5 {
				gap = 1
			}
			fmt.Fprintf(&d.body, `<path fill="none" stroke="%s" stroke-width="%d" transform="translate(0 %.1f)" d="%s"/>`,
				hex(hue(i)), height-gap, float64(height-gap)/2, paths[i].String())
		}
	}
	d.y += rows * height
}

// row yields the owners of a partition as runs of cells.
func (d *drawing) row(p *PartitionLane, run func(owner string, from, until int)) {
	width := plotWidth / d.columns
	owner, from, cell := "", 0, 0
	flush := func(next string, at int) {
		if owner != "" && at > from {
			run(owner, gutter+from*width, gutter+at*width)
		}
		owner, from = next, at
	}
	for k, until := range p.lane.all(d.t.Until - d.t.From) {
		// The first cell whose middle lies in the interval, and the first behind it.
		first := max(cell, d.cell(k.from))
		cell = d.cell(until)
		if first >= cell {
			continue
		}
		name := ""
		if l := d.t.owners.list(k.label); len(l) > 1 {
			name = d.t.words.list[l[1]]
		}
		if name != owner {
			flush(name, first)
		}
	}
	flush("", max(cell, from))
}

// cell returns the first cell whose middle is not before a time.
func (d *drawing) cell(at int64) int {
	n := (at*2*int64(d.columns) - d.span + 2*d.span - 1) / (2 * d.span)
	return int(max(0, min(n, int64(d.columns))))
}

// spans is how many parts the axis of time has.
const spans = 5

// lines returns the lines of the axis, behind the lanes, with a verb for where
// they end.
func (d *drawing) lines() string {
	path := ""
	for i := range spans + 1 {
		path += fmt.Sprintf("M%d 30V%%[1]d", d.x(d.span*int64(i)/spans))
	}
	return `<path class="g" d="` + path + `"/>`
}

// ticks names times on the axis.
func (d *drawing) ticks() {
	d.y += 16
	d.bottom = d.y - 12
	for i := range spans + 1 {
		at := d.span * int64(i) / spans
		x := d.x(at)
		clock := time.UnixMilli(d.t.From + at).In(d.t.zone).Format("15:04:05")
		if d.span < 10_000 {
			clock = time.UnixMilli(d.t.From + at).In(d.t.zone).Format("15:04:05.000")
		}
		d.body.WriteString(label(x-24, d.y+2, "d", clock))
	}
	d.y += 14
}

// legend names the colours.
func (d *drawing) legend() {
	x := 12
	item := func(colour, name string) {
		if x > pictureWidth-140 {
			x, d.y = 12, d.y+18
		}
		fmt.Fprintf(&d.body, `<rect fill="%s" x="%d" y="%d" width="10" height="10"/>`, colour, x, d.y+2)
		d.body.WriteString(label(x+15, d.y+11, "", shorten(name)))
		x += 30 + 8*len([]rune(shorten(name)))
	}
	for i, status := range statuses {
		item(conditionColours[i], string(status))
	}
	x, d.y = 12, d.y+18
	for i, id := range d.t.nodes() {
		if i == d.nodes {
			break
		}
		item(hex(hue(i)), id)
	}
	d.y += 24
}

// notes says what the picture leaves out.
func (d *drawing) notes() {
	var notes []string
	if n := len(d.view.Nodes); n > d.nodes {
		notes = append(notes, fmt.Sprintf("%d of %d nodes are shown", d.nodes, n))
	}
	if n := len(d.view.Partitions); n > d.rows {
		notes = append(notes, fmt.Sprintf("%d of %d partitions are shown, evenly spread", d.rows, n))
	}
	if d.brief() {
		notes = append(notes, "owners of less than "+replay.Span(d.span/int64(d.columns)+1)+" may be missing")
	}
	if len(d.t.Views) > 1 {
		notes = append(notes, "what each log knew is not shown")
	}
	if len(notes) > 0 {
		d.note("Left out: " + strings.Join(notes, "; ") + ". The HTML page with scripts shows it all.")
	}
	damage := d.t.Damage()
	for i := range min(len(damage), 3) {
		d.note("Damaged: " + damage[i].Error())
	}
	if more := len(damage) - 3; more > 0 {
		d.note(fmt.Sprintf("Damaged: and in %d more places", more))
	}
}

// brief reports whether an interval is too short to be sure of a cell.
func (d *drawing) brief() bool {
	for i := range d.view.Partitions {
		for k, until := range d.view.Partitions[i].lane.all(d.t.Until - d.t.From) {
			if d.cell(k.from) == d.cell(until) && until > k.from {
				return true
			}
		}
	}
	return false
}

// note writes a line at the foot, cut to the width of the picture.
func (d *drawing) note(s string) {
	if r := []rune(s); len(r) > 180 {
		s = string(r[:179]) + "…"
	}
	d.body.WriteString(label(12, d.y+4, "d", s))
	d.y += nodeHeight
}
