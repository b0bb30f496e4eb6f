package replay_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// TestCheckEqualsNaiveScan holds all rules of check, in all of a history and in
// ranges of it, against a scan of the list of events and of the views of the state
// between them.
func TestCheckEqualsNaiveScan(t *testing.T) {
	r := rand.New(rand.NewPCG(seedOf(t), 1))
	broken := make(map[string]int)
	for range 3 {
		for _, dir := range troubledPast(t, r) {
			s := open(t, dir)
			n := naiveOf(t, s)
			for i := range 6 {
				var from, to string
				switch i % 3 {
				case 1:
					from, to = n.randomEnd(r), n.randomPoint(r)
				case 2:
					to = n.randomEnd(r) // a vector that does not reach from is no end
				}
				rules := replay.Rules{Unowned: time.Duration(1+r.IntN(20)) * time.Second, Short: time.Duration(1+r.IntN(20)) * time.Second,
					Moves: 1 + r.IntN(3), Window: time.Duration(1+r.IntN(60)) * time.Second}
				n.checkRange(t, s, from, to, rules, broken)
			}
		}
	}
	for _, rule := range []string{"one-owner", "epochs", "live-owner", "owned", "replicated", "caused", "flapping", "membership"} {
		if broken[rule] == 0 {
			t.Errorf("%s is never broken", rule)
		}
	}
}

// randomEnd returns a place in the history, a vector, or none.
func (n *naive) randomEnd(r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return ""
	case 1:
		v := events.Vector{}
		for range 3 {
			id := n.entries[r.IntN(len(n.entries))].Event.ID()
			v[id.Log] = id.Seq
		}
		if len(v) > 1 {
			return n.names.Vector(v)
		}
	}
	return n.randomPoint(r)
}

// covered says whether an event is up to such a place along the axis true.
func (n *naive) covered(t *testing.T, end string, e *replay.Entry) bool {
	t.Helper()
	var logs, seq int
	for i := range n.entries { // the newest event of each log that the vector names
		for part := range splitVector(end) {
			if n.names.Event(n.entries[i].Event.ID()) == part {
				if logs++; n.entries[i].Event.Log == e.Event.Log {
					seq = int(n.entries[i].Event.Seq)
				}
			}
		}
	}
	if logs > 1 {
		return e.Event.Seq <= uint64(seq)
	}
	return n.covers(end, replay.True, e)
}

// checkRange compares one checkup with the scan.
func (n *naive) checkRange(t *testing.T, s *replay.Source, from, to string, rules replay.Rules, broken map[string]int) {
	t.Helper()
	c := naiveCheck{rules: rules, names: n.names, found: make(map[string][]string), worst: make(map[string]int64), first: -1}
	q := replay.Query{Limit: 1 << 20}
	for i, text := range []string{from, to} {
		if text != "" {
			p, err := replay.Grammar{}.Point(text)
			if err != nil {
				t.Fatal(err)
			}
			*[]*replay.Point{&q.Range.From, &q.Range.To}[i] = p
		}
	}
	sorted := slices.Clone(n.entries)
	slices.SortFunc(sorted, func(a, b replay.Entry) int { return replay.KeyOf(&a.Event).Compare(replay.KeyOf(&b.Event)) })
	for i := range sorted {
		if to == "" || n.covered(t, to, &sorted[i]) {
			c.take(&sorted[i].Event, from == "" || !n.covered(t, from, &sorted[i]))
		}
	}
	c.scan(t)
	got, err := s.CheckInParts(context.Background(), q, rules, 1+len(n.entries)%7)
	if err != nil {
		t.Fatalf("%q..%q: %v", from, to, err)
	}
	if q.Limit = 0; len(from) > 0 {
		q.Limit = 3
	}
	some, err := s.Check(context.Background(), q, rules)
	if err != nil {
		t.Fatal(err)
	}
	for i, rule := range got.Rules {
		part := rule.Examples[:min(5, len(rule.Examples))]
		if q.Limit > 0 {
			part = rule.Examples[len(rule.Examples)-min(q.Limit, len(rule.Examples)):]
		}
		if !slices.Equal(some.Rules[i].Examples, part) || some.Rules[i].Count != rule.Count {
			t.Errorf("%s %q..%q -n %d: %s has the examples\n%+v, not\n%+v", s.Name, from, to, q.Limit, rule.Rule, some.Rules[i].Examples, part)
		}
		var have []string
		for _, v := range rule.Examples {
			have = append(have, fmt.Sprint(n.names.Event(v.Event), " ", v.Subject, " ", v.Millis))
		}
		want := c.found[rule.Rule]
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) || rule.Count != len(want) || (rule.Result == replay.Fail) != (len(want) > 0) {
			t.Errorf("%s %q..%q %+v: %s is broken\n at %q\nnot %q", s.Name, from, to, rules, rule.Rule, want, have)
		}
		if worst := c.worst[rule.Rule]; worst > 0 && (rule.Worst == nil || rule.Worst.Millis != worst) {
			t.Errorf("%s %q..%q: the worst of %s is %+v, want %d ms", s.Name, from, to, rule.Rule, rule.Worst, worst)
		}
		broken[rule.Rule] += rule.Count
	}
}

// naiveCheck is a history as a list: event i made view i+1 of view i.
type naiveCheck struct {
	rules  replay.Rules
	names  *replay.Names
	state  *projection.State
	list   []events.Event
	in     []bool // the range
	first  int    // of the range; -1 when it is empty
	last   int
	views  []*projection.Cluster
	parts  [][]projection.Partition
	found  map[string][]string
	worst  map[string]int64
	nodes  map[string]bool
	number int // of partitions that anything is said about
}

func (c *naiveCheck) take(e *events.Event, in bool) {
	if c.state == nil {
		c.state, c.nodes = projection.NewState(), make(map[string]bool)
		c.look()
	}
	if in {
		if c.last = len(c.list); c.first < 0 {
			c.first = len(c.list)
		}
	}
	c.list, c.in = append(c.list, *e), append(c.in, in)
	c.state.Apply(e)
	c.look()
}

func (c *naiveCheck) look() {
	const most = 16
	parts := make([]projection.Partition, most)
	for i := range parts {
		parts[i], _ = c.state.Partition(i)
	}
	c.views, c.parts, c.number = append(c.views, c.state.Cluster()), append(c.parts, parts), most
	for _, n := range c.state.Cluster().Nodes {
		c.nodes[n.ID] = true
	}
}

func (c *naiveCheck) breaks(rule string, k int, subject string, ms int64) {
	c.found[rule] = append(c.found[rule], fmt.Sprint(c.names.Event(c.list[k].ID()), " ", subject, " ", ms))
	c.worst[rule] = max(c.worst[rule], ms)
}

func (c *naiveCheck) scan(t *testing.T) {
	if c.first < 0 {
		return
	}
	for k := range c.list {
		if e := &c.list[k]; e.Type == events.PartitionAssigned && c.in[k] {
			p, err := e.Payload()
			if err != nil {
				t.Fatal(err)
			}
			c.assignment(k, p.(*events.Assignment).Replicas)
		}
	}
	for i := range c.number {
		subject := events.PartitionRegister(i)
		c.lasting("owned", subject, c.rules.Unowned, func(v int) bool { return i < c.views[v].Config.PartitionCount && !c.runs(v, c.parts[v][i].Primary) })
		c.lasting("replicated", subject, c.rules.Short, func(v int) bool { return i < c.views[v].Config.PartitionCount && c.lacks(v, &c.parts[v][i]) })
		c.changing("flapping", subject, func(v int) string { return c.parts[v][i].Primary })
	}
	for id := range c.nodes {
		c.changing("membership", events.NodeRegister(id), func(v int) string {
			n, ok := c.views[v].Node(id)
			if !ok {
				return ""
			}
			return string(n.Status)
		})
	}
}

// assignment judges event k, an assignment to these nodes.
func (c *naiveCheck) assignment(k int, replicas []string) {
	e, assigned, below := &c.list[k], false, false
	same := -1 // the one before of this epoch
	for j := range k {
		if o := &c.list[j]; o.Type == events.PartitionAssigned && o.Register == e.Register {
			assigned, below = true, below || o.Version > e.Version
			if o.Version == e.Version {
				same = j
			}
		}
	}
	if same >= 0 {
		p, _ := c.list[same].Payload()
		if !slices.Equal(p.(*events.Assignment).Replicas, replicas) {
			c.breaks("one-owner", k, e.Register, 0)
		}
	}
	if below {
		c.breaks("epochs", k, e.Register, 0)
	}
	if len(replicas) > 0 && !c.runs(k, replicas[0]) {
		c.breaks("live-owner", k, e.Register, 0)
	}
	for i := range c.number {
		p := &c.parts[k][i]
		had := append([]string{p.Primary}, p.Replicas...)
		if p.Primary == "" {
			had = nil
		}
		if events.PartitionRegister(i) == e.Register && assigned && e.Cause.IsZero() && e.Actor == c.names.Owner(e.Log) && !slices.Equal(had, replicas) {
			c.breaks("caused", k, e.Register, 0)
		}
	}
}

// runs reports whether a node serves in a view.
func (c *naiveCheck) runs(v int, id string) bool {
	n, ok := c.views[v].Node(id)
	return ok && slices.Contains([]projection.Status{projection.StatusAlive, projection.StatusSuspected, projection.StatusLeaving}, n.Status)
}

// lacks reports whether a partition has fewer copies than it could have.
func (c *naiveCheck) lacks(v int, p *projection.Partition) bool {
	copies, could := make(map[string]bool), false
	for id := range c.nodes {
		if p.HeldBy(id) && c.runs(v, id) {
			copies[id] = true
		}
	}
	for _, n := range c.views[v].Nodes {
		could = could || !copies[n.ID] && n.Status == projection.StatusAlive && !n.Draining && n.Degraded == ""
	}
	return could && len(copies) < c.views[v].Config.ReplicationFactor
}

func (c *naiveCheck) at(k int) int64 { return c.list[k].Time.Millis() }

// lasting looks for what is so for too long in a row of views.
func (c *naiveCheck) lasting(rule, subject string, limit time.Duration, so func(view int) bool) {
	for k := c.first; k < len(c.list); k++ {
		if !so(k + 1) {
			continue
		}
		began := k
		for k < len(c.list) && so(k+1) {
			k++
		}
		end, counts := k, k < len(c.list) && c.in[min(k, len(c.in)-1)]
		if k == len(c.list) {
			end, counts = c.last, true // as far as is known
		}
		if ms := c.at(end) - c.at(began); counts && ms > limit.Milliseconds() {
			c.breaks(rule, end, subject, ms)
		}
	}
}

// changing looks for what changes too often.
func (c *naiveCheck) changing(rule, subject string, value func(view int) string) {
	var times []int64
	for k := c.first; k < len(c.list); k++ {
		if was := value(k); was == "" || was == value(k+1) {
			continue
		}
		times = append(times, c.at(k))
		often := 0
		for _, ms := range times {
			if c.at(k)-ms <= c.rules.Window.Milliseconds() {
				often++
			}
		}
		if often > c.rules.Moves && c.in[k] {
			c.breaks(rule, k, subject, 0)
		}
	}
}

// troubledPast writes a past in which nodes are suspected, fail, are drained and
// removed, and return, the configuration changes, and partitions are given to
// them, or to nobody, with and without a cause.
func troubledPast(t *testing.T, r *rand.Rand) (dirs []string) {
	t.Helper()
	dir, ids := t.TempDir(), []string{"n1", "n2", "n3"}
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.Random(t, dir, r, 20)
		for range 150 {
			n, other := h.Node(ids[r.IntN(3)]), ids[r.IntN(3)]
			cause := []events.ID{{}, {Log: n.Log, Seq: 1}}[r.IntN(2)]
			switch r.IntN(21) {
			case 20:
				stamp, _ := n.State.Stamp(events.NodeRegister(n.ID))
				n.Emit(events.Event{Type: events.NodeUpdated, Register: events.NodeRegister(n.ID), Version: max(stamp.Version, 1),
					Body: events.Encode(&events.NodeRecord{ID: n.ID, Degraded: []string{"", "slow"}[r.IntN(2)]})})
			case 0, 1:
				n.Accuse(events.NodeSuspected, other, cause, "no answer")
			case 2, 3:
				n.Accuse(events.NodeFailed, other, cause, "no answer for long")
			case 4, 5, 6:
				n.Announce([]events.Type{events.NodeRecovered, events.NodeLeaving, events.NodeLeft, events.NodeJoined}[r.IntN(4)], cause, "so it is")
			case 7, 8, 9, 10, 11:
				from := r.IntN(3)
				owners := ids[from : from+r.IntN(4-from)]
				if r.IntN(9) == 0 {
					owners = slices.Concat(owners, owners)
				}
				n.Assign(r.IntN(5)*r.IntN(3), owners, "balance", "by chance", cause)
			case 12:
				n.Configure(6+r.IntN(5), 1+r.IntN(5), cause)
			case 13:
				stamp, _ := n.State.Stamp(events.NodeRegister(other))
				what := []events.Type{events.NodeDrained, events.NodeUndrained, events.NodeRemoved}[r.IntN(3)]
				n.Emit(events.Event{Type: what, Register: events.AdminRegister(other), Actor: "operator:ada",
					Body: events.Encode(&events.NodeOrder{Node: other, Incarnation: stamp.Version, Reason: "as ordered"})})
			case 14:
				n.Claim("by chance")
			case 15, 16:
				n.Sync(h.Node(other))
			default:
				time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
			}
		}
		h.Close()
	})
	for _, id := range ids {
		dirs = append(dirs, filepath.Join(dir, id))
	}
	return dirs
}

// splitVector yields the parts of a vector as it is written.
func splitVector(text string) iter.Seq[string] { return strings.SplitSeq(text, ",") }
