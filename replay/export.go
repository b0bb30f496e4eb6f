package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/skshohagmiah/clusterkit/events"
)

// exportHead is the first line of an export. The lines after it are, in local
// order, an event each as [Line.AppendJSON] writes it, and
//
//	{"index":1,"received":"...","base":true,"snapshot":"<base64>"}   the state that begins a segment
//	{"index":9,"received":"...","snapshot":"<base64>"}               a state received from a peer
//	{"damage":{"file":"...","offset":4711, ...}}                     what could not be read
//
// Only the events are needed: what GET /events answers, or the command log
// prints with -o jsonl, is read as well.
type exportHead struct {
	Export  string `json:"clusterkit"` // "log"
	Version int    `json:"v"`
	Node    string `json:"node,omitempty"`
	Cluster string `json:"cluster,omitempty"`

	Redacted string `json:"redacted,omitempty"` // fingerprints of the keys, when names were replaced

	Extent *Extent `json:"part,omitempty"` // of a part of a log
}

// Export writes a log as JSON lines, from which Import makes the same log
// again: the bytes of every event, its index and its time of receipt. What is
// damaged is returned, and noted where it was.
func Export(ctx context.Context, s *Source, w io.Writer) ([]Damage, error) {
	names, err := s.Names(ctx)
	if err != nil {
		return nil, err
	}
	x := exporter{w: bufio.NewWriterSize(w, 256<<10), line: Line{Names: names.plain()}}
	x.json(exportHead{"log", 1, s.node, s.cluster, s.redacted, s.extent})
	begun := false
	for e, err := range s.feed.entries(ctx, 0) {
		if !begun && err == nil && !e.Base {
			x.opening(ctx, s)
		}
		begun = begun || err == nil
		if err == nil && e.IsEvent() {
			err = x.event(e)
		} else if err == nil {
			x.snapshot(e)
		}
		damage := isDamage(err)
		if damage != nil {
			x.damage = append(x.damage, *damage)
			x.json(map[string]*Damage{"damage": damage})
		} else if err != nil {
			return x.damage, errors.Join(err, x.w.Flush())
		}
		if x.err != nil {
			break
		}
	}
	if !begun {
		x.opening(ctx, s)
	}
	return x.damage, errors.Join(x.err, x.w.Flush())
}

type exporter struct {
	w       *bufio.Writer
	err     error
	buf     []byte
	line    Line
	decoder events.Decoder
	damage  []Damage
}

func (x *exporter) event(e *Entry) error {
	if err := e.load(&x.decoder); err != nil {
		return err
	}
	x.line.Entry = *e
	x.buf = append(x.line.AppendJSON(x.buf[:0]), '\n')
	_, x.err = x.w.Write(x.buf)
	return nil
}

// opening writes the state with which a log begins that has no record of it.
func (x *exporter) opening(ctx context.Context, s *Source) {
	if e := s.opening(ctx); e != nil {
		x.snapshot(e)
	}
}

func (x *exporter) snapshot(e *Entry) {
	b := strconv.AppendUint(append(x.buf[:0], `{"index":`...), e.Index, 10)
	if e.Received > 0 {
		b = append(b, `,"received":"`...)
		b = append(append(b, events.NewTimestamp(e.Received, 0).String()...), '"')
	}
	if e.Base {
		b = append(b, `,"base":true`...)
	}
	b = base64.StdEncoding.AppendEncode(append(b, `,"snapshot":"`...), e.Snapshot)
	x.buf = append(b, "\"}\n"...)
	_, x.err = x.w.Write(x.buf)
}

func (x *exporter) json(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = x.w.Write(append(b, '\n'))
	}
	if x.err == nil {
		x.err = err
	}
}

// LineError says which line of JSON lines cannot be read.
type LineError struct {
	Name string
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s: line %d: %v", e.Name, e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// Import reads JSON lines, as Export writes them, and writes a bundle that
// holds their log. An error of a line is a *LineError; what was written until
// then is of no use. It wraps ErrEmpty when there is no line at all.
func Import(ctx context.Context, name string, r io.Reader, w io.Writer) error {
	lines := bufio.NewReader(r)
	if _, err := lines.Peek(1); err == io.EOF {
		return fmt.Errorf("read %s: %w: there is no line", name, ErrEmpty)
	}
	b := newBundleWriter(w, true, BundleInfo{})
	if err := importLines(ctx, name, lines, b, false); err != nil {
		return err
	}
	return b.close()
}

// importer turns lines into blocks.
type importer struct {
	b     *bundleWriter
	begun bool
	index uint64
	log   BundleLog
}

// extra is what a line says beside the event.
type extra struct {
	Index    uint64            `json:"index"`
	Received events.Timestamp  `json:"received"`
	Node     string            `json:"node"`
	Logs     []string          `json:"logs"`
	Outcome  string            `json:"outcome"`
	Changes  []json.RawMessage `json:"changes"`

	Base     bool    `json:"base"`
	Snapshot *[]byte `json:"snapshot"`
	Damage   *Damage `json:"damage"`

	Export  string          `json:"clusterkit"`
	Version int             `json:"v"`
	Cluster string          `json:"cluster"`
	Masked  string          `json:"redacted"`
	Extent  *Extent         `json:"part"`
	Error   json.RawMessage `json:"error"`

	X int `json:"x"` // ends what splitLine cuts off
}

// importLines takes what JSON lines hold into a bundle. The lines of a live node
// may break off, because it died or ended its answer with an error: what came
// before that is taken, and what did not come is damage.
func importLines(ctx context.Context, name string, r io.Reader, b *bundleWriter, live bool) error {
	lines := bufio.NewReaderSize(r, 256<<10)
	i := importer{b: b, log: BundleLog{Name: "log"}}
	for n := 1; ; n++ {
		line, err := readLine(lines)
		if err == io.EOF && len(line) == 0 {
			i.begin()
			return b.err
		}
		if ctx.Err() != nil && (err != nil || n%1024 == 0) {
			return ctx.Err()
		}
		if err != nil && err != io.EOF {
			if live {
				return i.breakOff(name, err)
			}
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := i.line(line); err != nil {
			if live && errors.Is(err, errEnded) {
				return i.breakOff(name, err)
			}
			return &LineError{name, n, err}
		}
		if b.err != nil {
			return b.err
		}
	}
}

// errEnded is wrapped by the line with which a node says that it cannot go on.
var errEnded = errors.New("the node ended its answer")

// breakOff ends a log with that the rest is missing.
func (i *importer) breakOff(name string, err error) error {
	i.begin()
	i.b.damage(Damage{File: name, From: i.index + 1, Reason: "the answer broke off: " + err.Error()})
	return i.b.err
}

// readLine reads a line of bounded length. Its bytes are valid until the next.
func readLine(r *bufio.Reader) ([]byte, error) {
	const most = maxBlock / 3 * 4
	line, err := r.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	long := append([]byte(nil), line...)
	for err == bufio.ErrBufferFull {
		line, err = r.ReadSlice('\n')
		if long = append(long, line...); len(long) > most {
			return nil, errors.New("a line is too long")
		}
	}
	return long, err
}

func (i *importer) begin() {
	if !i.begun {
		i.b.begin(i.log)
		i.begun = true
	}
}

func (i *importer) line(line []byte) error {
	before, event := splitLine(line)
	var x extra
	if err := strict(before, &x); err != nil {
		return err
	}
	e := Entry{Index: x.Index, Received: x.Received.Millis()}
	switch {
	case len(x.Error) > 0:
		return fmt.Errorf("%w: %s", errEnded, x.Error)
	case x.Export != "":
		if i.begun || x.Version != 1 || x.Export != "log" {
			return errors.New("not the beginning of an export that this version can read")
		}
		i.log.Node, i.log.Cluster, i.log.Redacted, i.log.Extent = x.Node, x.Cluster, x.Masked, x.Extent
		if x.Node != "" {
			i.log.Name = x.Node
		}
		return nil
	case x.Damage != nil:
		i.begin()
		i.b.damage(*x.Damage)
		return nil
	case event != nil:
		var v events.Event
		if err := v.UnmarshalJSON(undecoded(event)); err != nil {
			return err
		}
		e.raw = v.Raw()
	case x.Snapshot != nil:
		e.Snapshot, e.Base = *x.Snapshot, x.Base
		if e.Snapshot == nil {
			e.Snapshot = []byte{}
		}
	default:
		return errors.New("neither an event nor a snapshot")
	}
	i.begin()
	if e.Index == 0 {
		e.Index = i.index + 1
	}
	if e.Index <= i.index {
		return fmt.Errorf("index %d after %d", e.Index, i.index)
	}
	i.index = e.Index
	i.b.add(&e)
	return nil
}

// splitLine parts what a line says about an event from the event itself, which
// always begins with its id.
func splitLine(line []byte) (before, event []byte) {
	const key = `"id":"`
	for at := 0; at+len(key) <= len(line); at++ {
		if line[at] == '"' && string(line[at:at+len(key)]) == key {
			return append(append([]byte(nil), line[:at]...), `"x":0}`...), append([]byte{'{'}, line[at:]...)
		}
		if line[at] == '\\' {
			at++
		}
	}
	return line, nil
}

// undecoded cuts off what a registry made of the body.
func undecoded(event []byte) []byte {
	const chain, decoded = `,"chain":"`, `,"decoded":`
	if i := bytes.Index(event, []byte(chain)); i >= 0 {
		if end := i + len(chain) + 2*len(events.Chain{}) + 1; end < len(event) && bytes.HasPrefix(event[end:], []byte(decoded)) {
			return append(event[:end:end], '}')
		}
	}
	return event
}

func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more after the end")
	}
	return nil
}
