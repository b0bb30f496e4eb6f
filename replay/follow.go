package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Following says from where to follow a log, and remembers how far it came.
type Following struct {
	// After is which events were seen already. A nil vector stands for all that
	// are there at the beginning. While a line is being handled it covers that
	// line and all before it: saved then, it is an exact place to go on from, on
	// the log of any node.
	After events.Vector
	// Filter chooses events; the others are passed over, in After too.
	Filter Filter
	// Where, when it is not nil, is asked of each event and the state before it,
	// in local order. For that everything up to After is folded in the beginning,
	// for which the whole history of a live node is read once.
	Where *Expression
	// Until, when it is not the zero Point, is where to end: at the first place of
	// the log, in local order, at which the point is reached. All that the log has
	// up to there is yielded, and nothing behind it, so that After is an exact place
	// to go on from. An event or a vector is reached when the last of it is known
	// here; head is the end as it was in the beginning; a time is reached before the
	// first record that was received after it or, where there is none yet, by the
	// clock. A live node does not say when it received what: of it one sees
	// all that it had at that time, and what it learnt until it was asked next; a time
	// that is over, and a local index, are a *PointError there. What a log
	// that cannot grow does not hold wraps ErrBeyond.
	Until Point
	// Poll is how long to wait at the end before looking again; 0 is 200 ms.
	Poll time.Duration
	// CaughtUp, when it is not nil, is called whenever the end was reached. When
	// it returns false the following ends.
	CaughtUp func() bool
}

// Unseen says that a log went on with a state received from a peer: what it
// stands for cannot be shown event by event. It does not end a sequence.
type Unseen struct {
	Origin   string // of the events
	From, To uint64 // sequences, both included
}

func (u *Unseen) Error() string {
	return fmt.Sprintf("%s:%d to %s:%d came as a state only", u.Origin, u.From, u.Origin, u.To)
}

// Follow yields the events of a LOG in local order, those to come too, across
// segments and their removal, until ctx ends or CaughtUp says so. A LOG that
// cannot grow, such as a bundle, ends at its end. A *Damage or an *Unseen does
// not end the sequence; every other error does, and wraps ErrNotKept when what
// comes after f.After is not kept any more.
func Follow(ctx context.Context, name string, f *Following) iter.Seq2[*Line, error] {
	return func(yield func(*Line, error) bool) {
		if f.Poll <= 0 {
			f.Poll = 200 * time.Millisecond
		}
		t := tail{Following: f, yield: yield, line: Line{Names: new(Names)}}
		var err error
		if isURL(name) {
			err = t.node(ctx, strings.TrimSuffix(name, "/"))
		} else {
			err = t.open(ctx, name)
		}
		if err != nil && err != errStop && err != errReached {
			yield(nil, err)
		}
	}
}

// tail follows one log.
type tail struct {
	*Following
	goal    goal
	yield   func(*Line, error) bool
	line    Line
	decoder events.Decoder
	folded  *projection.State // of what was read, when there is a condition
	lost    bool              // damage was met that folded lacks
	told    []Damage          // met while folding, perhaps to be met again
}

func (t *tail) open(ctx context.Context, name string) error {
	s, err := Open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	if names, err := s.Names(ctx); err == nil {
		t.line.Names = names
	}
	segments := s.feed.segments()
	from := segments[len(segments)-1].first
	if t.After == nil {
		heads, err := s.heads(ctx)
		if err != nil {
			return err
		}
		t.After = heads.Clone()
	} else if from, err = s.after(ctx, t.After); err != nil {
		return err
	}
	if t.goal, err = s.goal(ctx, t.Until); err != nil || t.goal.known(t.After) {
		return err
	}
	if err := t.fold(ctx, s); err != nil {
		return err
	}
	list := s.feed.entries(ctx, from)
	d, grows := s.feed.(*directory)
	if grows {
		list = d.follow(ctx, from, func() bool { return !t.goal.over(time.Now().Add(-settle)) && t.wait(ctx) })
	}
	for e, err := range list {
		if err := t.step(e, err); err != nil {
			return err
		}
	}
	if ctx.Err() == nil && t.CaughtUp != nil {
		t.CaughtUp()
	}
	if !grows && ctx.Err() == nil {
		return t.goal.missed(t.Until)
	}
	return ctx.Err()
}

// step takes what was read, unless the goal lies before it.
func (t *tail) step(e *Entry, err error) error {
	if t.goal.passed(e, err) {
		return errReached
	}
	if err := t.take(e, err); err != nil {
		return err
	}
	if t.goal.reached(e, err, t.After) {
		return errReached
	}
	return nil
}

// wait passes the time until it is worth another look.
func (t *tail) wait(ctx context.Context) bool {
	if t.CaughtUp != nil && !t.CaughtUp() {
		return false
	}
	timer := time.NewTimer(t.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// take yields an event unless it was seen already.
func (t *tail) take(e *Entry, err error) error {
	seen := err == nil && e.IsEvent() && t.After.Covers(e.id())
	if seen && t.folded == nil {
		return nil
	}
	if err == nil && e.IsEvent() {
		err = e.loaded(&t.decoder)
	}
	switch {
	case isDamage(err) != nil:
		t.lost = true
		if len(mergeDamage(t.told, []Damage{*isDamage(err)})) == len(t.told) {
			return nil
		}
		return t.tell(err)
	case err != nil:
		return err
	case !e.IsEvent():
		return t.state(e)
	}
	t.line.Names.Learn(&e.Event)
	chosen := t.Filter.Match(&e.Event, t.line.Names)
	if t.folded != nil {
		chosen = t.Where.Holds(e, t.folded, t.line.Names) && chosen
		t.folded.Apply(&e.Event)
	}
	if seen {
		return nil
	}
	if next := t.After[e.log] + 1; e.seq > next {
		if err := t.tell(&Unseen{t.line.Names.Log(e.log), next, e.seq - 1}); err != nil {
			return err
		}
	}
	t.After[e.log] = e.seq
	if !chosen {
		return nil
	}
	t.line.Entry = *e
	if !t.yield(&t.line, nil) {
		return errStop
	}
	return nil
}

func (t *tail) tell(err error) error {
	if !t.yield(nil, err) {
		return errStop
	}
	return nil
}

// state goes on after a state that came in place of events.
func (t *tail) state(e *Entry) error {
	if e.Base && (t.folded == nil || !t.lost) {
		return nil
	}
	state, err := projection.ReadSnapshot(e.Snapshot)
	if err != nil {
		return t.tell(&Damage{File: e.File, Offset: e.Offset, From: e.Index, Until: e.Index + 1, Reason: err.Error()})
	}
	t.line.Names.LearnState(state)
	if t.folded != nil {
		t.folded = t.folded.Clone() // another state, of which nothing was read yet
		t.folded.Merge(state)
	}
	if t.lost = false; e.Base {
		return nil
	}
	for _, h := range state.Heads() {
		if next := t.After[h.Log] + 1; h.Seq >= next {
			t.After[h.Log] = h.Seq
			if err := t.tell(&Unseen{t.line.Names.Log(h.Log), next, h.Seq}); err != nil {
				return err
			}
		}
	}
	return nil
}

// fold makes the state of what was seen, when there is a condition to ask of it.
func (t *tail) fold(ctx context.Context, s *Source) error {
	if t.Where == nil {
		return nil
	}
	m, err := s.stateAt(ctx, Point{text: t.After.String()}, &cut{axis: Known, vector: t.After.Clone()})
	if err != nil {
		return err
	}
	t.folded, t.told, t.lost = m.State, m.Damage, len(m.Damage) > 0
	for i := range t.told { // without what lay there the condition may be answered wrongly
		if err := t.tell(&t.told[i]); err != nil {
			return err
		}
	}
	return nil
}

// foldNode makes it of the history of a live node.
func (t *tail) foldNode(ctx context.Context, base string) error {
	if t.Where == nil {
		return nil
	}
	s, err := Open(ctx, base)
	if err != nil {
		return err
	}
	defer s.Close()
	return t.fold(ctx, s)
}

// after returns a local index before which all events are covered by v.
func (s *Source) after(ctx context.Context, v events.Vector) (uint64, error) {
	segments := s.feed.segments()
	lo, hi := 0, len(segments) // those before lo begin with what is covered
	for lo < hi {
		mid := (lo + hi) / 2
		m, err := s.marksAt(ctx, mid)
		if err == nil && v.Dominates(m.vector()) {
			lo = mid + 1
		} else if err != nil && mid == 0 {
			return segments[0].first, nil // damaged: read everything
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0, fmt.Errorf("%s: %w: events after the cursor are gone", s.Name, ErrNotKept)
	}
	return segments[lo-1].first, nil
}

// follow reads on from a local index. At the end it calls idle and, when that
// says so, looks again.
func (d *directory) follow(ctx context.Context, from uint64, idle func() bool) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) { d.scan(ctx, from, idle, yield) }
}

// node follows a live node by asking it again and again for what comes after
// what was seen: that survives its restarts, and works through every proxy.
func (t *tail) node(ctx context.Context, base string) error {
	c, err := askCluster(ctx, base)
	if err != nil {
		return err
	}
	if t.After == nil {
		if t.After = c.Vector; t.After == nil {
			t.After = events.Vector{}
		}
	}
	t.line.Names.learnLive(ctx, base, c)
	if t.goal, err = goalOfNode(ctx, base, t.Until, c, t.line.Names); err != nil || t.goal.known(t.After) {
		return err
	}
	if err := t.foldNode(ctx, base); err != nil {
		return err
	}
	first := true
	for {
		begun := time.Now()
		err := t.ask(ctx, base)
		switch {
		case err == errStop || err == errReached || ctx.Err() != nil:
			return errors.Join(ctx.Err())
		case err != nil && (first || errors.Is(err, ErrNotKept)):
			return err
		case err == nil && t.goal.over(begun): // it has told all that it had then
			return nil
		}
		first = false
		if !t.wait(ctx) {
			return ctx.Err()
		}
	}
}

// ask takes what the node has after the cursor.
func (t *tail) ask(ctx context.Context, base string) error {
	return eachEvent(ctx, base, "/events?after="+url.QueryEscape(t.After.String()), func(v *events.Event) error {
		e := Entry{File: base, raw: v.Raw()}
		e.glance, _ = glanceAt(e.raw)
		return t.step(&e, nil)
	})
}

// eachEvent calls do for the events with which a live node answers.
func eachEvent(ctx context.Context, base, query string, do func(*events.Event) error) error {
	body, err := get(ctx, base+query)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewReaderSize(body, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(lines)
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		var v events.Event
		if err := v.UnmarshalJSON(line); err != nil {
			return &LineError{base, n, err}
		}
		if err := do(&v); err != nil {
			return err
		}
	}
}
