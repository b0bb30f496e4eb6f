package replay

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Expression is a condition over an event and a state, in the language of
// github.com/expr-lang/expr:
//
//	type == "PartitionAssigned" && owner(17) == "n3"
//	status("n3") == "failed" and len(alive()) < 2
//
// Of the event: type, subject, node (what it is about, or ""), partition (or
// -1), origin (who wrote it), actor, register, version, seq, index, trigger,
// reason, and time. Of the state: owner(p), replicas(p), epoch(p), status(n),
// alive(), coordinator(), value(k). Not safe for concurrent use.
type Expression struct {
	text    string
	program *vm.Program
	machine vm.VM
	env     environment
	failed  error
}

// ExpressionError is a mistake in an expression.
type ExpressionError struct {
	Text   string
	Reason string
}

func (e *ExpressionError) Error() string { return fmt.Sprintf("expression %q: %s", e.Text, e.Reason) }

// environment is what an expression sees.
type environment struct {
	Type      string    `expr:"type"`
	Subject   string    `expr:"subject"`
	Node      string    `expr:"node"`
	Partition int       `expr:"partition"`
	Origin    string    `expr:"origin"`
	Actor     string    `expr:"actor"`
	Register  string    `expr:"register"`
	Version   int       `expr:"version"`
	Seq       int       `expr:"seq"`
	Index     int       `expr:"index"`
	Trigger   string    `expr:"trigger"`
	Reason    string    `expr:"reason"`
	Time      time.Time `expr:"time"`

	state *stateReader
}

// ParseExpression reads an expression. Its error is an *ExpressionError.
func ParseExpression(text string) (*Expression, error) {
	x := &Expression{text: text}
	x.env.state = newStateReader()
	s := x.env.state
	program, err := expr.Compile(text, expr.Env(environment{}), expr.AsBool(),
		expr.Function("owner", func(p ...any) (any, error) { return first(s.replicas(p[0].(int))), nil }, new(func(int) string)),
		expr.Function("replicas", func(p ...any) (any, error) { return s.replicas(p[0].(int)), nil }, new(func(int) []string)),
		expr.Function("epoch", func(p ...any) (any, error) { return int(s.epoch(p[0].(int))), nil }, new(func(int) int)),
		expr.Function("status", func(p ...any) (any, error) { return s.status(p[0].(string)), nil }, new(func(string) string)),
		expr.Function("alive", func(...any) (any, error) { return s.alive(), nil }, new(func() []string)),
		expr.Function("coordinator", func(...any) (any, error) { return s.coordinator(), nil }, new(func() string)),
		expr.Function("value", func(p ...any) (any, error) { return s.value(p[0].(string)), nil }, new(func(string) string)),
	)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return nil, &ExpressionError{text, reason}
	}
	x.program = program
	return x, nil
}

// String returns the text of the expression.
func (x *Expression) String() string { return x.text }

// look takes up a state that e is about to change, or has changed: of one state
// an expression must see every change.
func (x *Expression) look(s *projection.State, e *Entry) { x.env.state.look(s, e) }

// Holds evaluates the expression, of which it must be asked for every change of
// a state that it is asked about again. One that cannot be evaluated, such as
// replicas(17)[1] where there is one replica, does not hold; see Err.
func (x *Expression) Holds(e *Entry, s *projection.State, names *Names) bool {
	x.look(s, e)
	x.env.load(e, names)
	out, err := x.machine.Run(x.program, x.env)
	if err != nil {
		if x.failed == nil {
			reason, _, _ := strings.Cut(err.Error(), "\n")
			x.failed = fmt.Errorf("%w (first at %s)", errors.New(reason), names.Event(e.id()))
		}
		return false
	}
	return out.(bool)
}

// Err returns why the expression could not be evaluated, the first time that
// happened.
func (x *Expression) Err() error { return x.failed }

// load fills in what an event says.
func (n *environment) load(e *Entry, names *Names) {
	ev := &e.Event
	n.Type, n.Register, n.Actor, n.Origin = string(ev.Type), ev.Register, ev.Actor, names.Owner(ev.Log)
	n.Version, n.Seq, n.Index, n.Time = int(ev.Version), int(ev.Seq), int(e.Index), ev.Time.Time()
	n.Subject, n.Node, n.Partition, n.Trigger, n.Reason = Subject(ev, names), "", -1, "", ""
	switch kind, key := events.SplitRegister(ev.Register); kind {
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		n.Node = key
	case events.KindPartition:
		n.Partition = partitionOf([]byte(ev.Register))
	}
	p, err := ev.Payload()
	if err != nil {
		return
	}
	switch p := p.(type) {
	case *events.Assignment:
		n.Trigger, n.Reason = p.Trigger, p.Reason
	case *events.Rebalance:
		n.Trigger, n.Reason = p.Trigger, p.Reason
	case *events.NodeRecord:
		n.Reason = p.Reason
	case *events.Accusation:
		n.Reason = p.Reason
	case *events.NodeOrder:
		n.Reason = p.Reason
	case *events.CoordinatorClaim:
		n.Node, n.Reason = p.Node, p.Reason
	}
}

// stateReader answers questions about a state that changes event by event,
// without building the view of all of it each time.
type stateReader struct {
	state      *projection.State
	partitions map[int]held
	cluster    *projection.Cluster // of the last event about a node
	stale      bool
}

// held is an assignment as it was read.
type held struct {
	register string
	stamp    events.Stamp
	replicas []string
}

func newStateReader() *stateReader { return &stateReader{partitions: make(map[int]held)} }

// look takes up a state, which e has changed or is about to change.
func (r *stateReader) look(s *projection.State, e *Entry) {
	if r.state != s {
		r.state, r.cluster = s, nil
		clear(r.partitions)
	}
	if r.stale {
		r.cluster, r.stale = nil, false
	}
	switch kind, _ := events.SplitRegister(e.Event.Register); kind {
	case events.KindPartition, events.KindValue, "":
	default:
		r.cluster, r.stale = nil, true
	}
}

// partition returns the assignment of a partition.
func (r *stateReader) partition(p int) held {
	h, ok := r.partitions[p]
	if !ok {
		h.register = events.PartitionRegister(p)
	}
	stamp, assigned := r.state.Stamp(h.register)
	if !assigned || stamp == h.stamp {
		return h
	}
	h.stamp, h.replicas = stamp, nil
	if e, ok := r.state.Register(h.register); ok {
		if payload, err := e.Payload(); err == nil {
			if a, ok := payload.(*events.Assignment); ok {
				h.replicas = a.Replicas
			}
		}
	}
	r.partitions[p] = h
	return h
}

func (r *stateReader) replicas(p int) []string { return r.partition(p).replicas }
func (r *stateReader) epoch(p int) uint64      { return r.partition(p).stamp.Version }

// view returns the cluster, as it was at the last event about a node: owners
// of partitions are not taken from it.
func (r *stateReader) view() *projection.Cluster {
	if r.cluster == nil {
		r.cluster = r.state.Cluster()
	}
	return r.cluster
}

func (r *stateReader) status(id string) string {
	n, ok := r.view().Node(id)
	if !ok {
		return ""
	}
	return string(n.Status)
}

func (r *stateReader) alive() []string {
	var ids []string
	for i := range r.view().Nodes {
		if n := &r.view().Nodes[i]; n.Status == projection.StatusAlive || n.Status == projection.StatusSuspected {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func (r *stateReader) coordinator() string { return r.view().Coordinator }

func (r *stateReader) value(key string) string {
	e, ok := r.state.Register(events.ValueRegister(key))
	if !ok {
		return ""
	}
	if p, err := e.Payload(); err == nil {
		if v, ok := p.(*events.Value); ok {
			return string(v.Value)
		}
	}
	return ""
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// Names lists what an expression can be made of, for help and completion.
func (*Expression) Names() []string {
	return slices.Sorted(slices.Values([]string{"type", "subject", "node", "partition", "origin", "actor", "register", "version", "seq",
		"index", "trigger", "reason", "time", "owner(p)", "replicas(p)", "epoch(p)", "status(n)", "alive()", "coordinator()", "value(k)"}))
}
