package replay

import (
	"slices"
	"strings"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
)

// rename returns the fields of an event with other names.
func (r *Redaction) rename(e *events.Event) events.Event {
	out := events.Event{Log: e.Log, Seq: e.Seq, Time: e.Time, Type: r.typ(e.Type), Register: r.register(e.Register),
		Version: e.Version, Rank: e.Rank, Actor: r.actor(e.Actor), Cause: e.Cause, Body: r.body(e)}
	if p, _ := e.Payload(); p != nil {
		if c, ok := p.(*events.Collection); ok && e.Register == events.GoneRegister(c.Nodes) { // named by what it says
			out.Register = events.GoneRegister(r.gone(c.Nodes))
		}
	}
	return out
}

func (r *Redaction) typ(t events.Type) events.Type {
	if !t.IsApp() {
		return t
	}
	return events.AppPrefix + events.Type(r.name("type", string(t)))
}

func (r *Redaction) register(register string) string {
	kind, key := events.SplitRegister(register)
	switch kind {
	case "", events.KindPartition, events.KindCoordinator, events.KindLog, events.KindConfig, events.KindFloor, events.KindCollected:
		return register
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		return kind + "/" + r.node(key)
	case events.KindValue:
		return kind + "/" + r.name("key", key)
	}
	return r.name("register", kind) + "/" + r.name("key", key)
}

func (r *Redaction) actor(actor string) string {
	if rest, ok := strings.CutPrefix(actor, "operator:"); ok {
		return "operator:" + r.name("name", rest)
	}
	if actor == "" || actor == "app" || actor == "operator" {
		return actor
	}
	return r.node(actor)
}

// body returns the body with other names. What this version does not know, and
// what belongs to the application, becomes noise.
func (r *Redaction) body(e *events.Event) []byte {
	p, err := e.Payload()
	if err != nil {
		return r.noise(e.Body)
	}
	switch p := p.(type) {
	case *events.ClusterConfig:
		p.Name, p.Reason = r.name("cluster", p.Name), r.text(p.Reason)
	case *events.LogOwner:
		p.Node, p.Reason = r.node(p.Node), r.text(p.Reason)
	case *events.NodeRecord:
		p.ID, p.Name, p.Addr, p.Zone, p.Reason = r.node(p.ID), r.name("name", p.Name), r.address(p.Addr), r.name("zone", p.Zone), r.text(p.Reason)
		p.Services, p.Metadata, p.Degraded = r.pairs(p.Services), r.pairs(p.Metadata), r.text(p.Degraded)
	case *events.Accusation:
		p.Node, p.Reason = r.node(p.Node), r.text(p.Reason)
	case *events.NodeOrder:
		p.Node, p.Reason = r.node(p.Node), r.text(p.Reason)
	case *events.CoordinatorClaim:
		p.Node, p.Reason = r.node(p.Node), r.text(p.Reason)
	case *events.Assignment:
		p.Replicas, p.Previous, p.Reason = r.nodesOf(p.Replicas), r.nodesOf(p.Previous), r.text(p.Reason)
		p.Trigger = r.text(p.Trigger)
	case *events.Rebalance:
		p.Trigger, p.Reason = r.text(p.Trigger), r.text(p.Reason)
	case *events.Collection:
		p.Reason, p.Nodes = r.text(p.Reason), r.gone(p.Nodes)
	case *events.Value:
		p.Key, p.Value = r.name("key", p.Key), r.noise(p.Value)
	default:
		return r.noise(e.Body)
	}
	return events.Encode(p)
}

// gone replaces the names of nodes that are forgotten. They are sorted by name,
// and of one node there may be several.
func (r *Redaction) gone(nodes []string) []string {
	var out []string
	for _, text := range nodes {
		if g, err := events.ParseGoneNode(text); err == nil {
			g.ID = r.node(g.ID)
			out = append(out, g.String())
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		first, _, _ := strings.Cut(a, " ")
		second, _, _ := strings.Cut(b, " ")
		return strings.Compare(first, second)
	})
	return out
}

func (r *Redaction) pairs(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[r.name("key", k)] = r.name("value", v)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// text replaces, in words for people, all that is not a word of this library
// or a number. What was replaced keeps being told apart.
func (r *Redaction) text(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		n := strings.IndexAny(text, " ,;()\"'")
		switch {
		case n < 0:
			n = len(text)
			fallthrough
		case n > 0:
			out.WriteString(r.word(text[:n]))
			text = text[n:]
		default:
			out.WriteByte(text[0])
			text = text[1:]
		}
	}
	return out.String()
}

func (r *Redaction) word(word string) string {
	bare := strings.TrimRight(word, ":.?!")
	rest := word[len(bare):]
	switch {
	case r.nodes[bare]:
		return r.node(bare) + rest
	case bare == "", isNumber(bare), plainWords()[bare]:
		return word
	case strings.Contains(bare, ":"):
		return r.address(bare) + rest
	}
	return r.name("word", bare) + rest
}

// isNumber accepts numbers, with a unit of time.
func isNumber(word string) bool {
	word = strings.TrimLeft(word, "0123456789.+-")
	switch word {
	case "", "ms", "s", "m", "h", "d", "µs", "%":
		return true
	}
	return false
}

// plainWords are the words that this library itself uses in reasons and
// triggers. They say nothing about whoever uses it.
var plainWords = sync.OnceValue(func() map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(`a acks after again alive all an and another answer are as assigned at back balance been
before began below bootstrap by carries carry claims cluster command connection copies copy coordinator data deadline
did directory disk does down drain drained draining draws epochs event every exceeded existed fail failed failover
failure fewer fill first for fork forked from gets given gone good had has have held holds i/o in incarnation indirect
is it its join joined joins known later leave leaves leaving left less list log lost made majority me member members
missing more move moves never new newer no node nodes nor not nothing of old older oldest on one only operator or
other out over own owner owners partition partitions peer peers place placed primary probe probes ratio reached
refused refutation refuted refutes remove removed removal replace replaced replica replicas reset resumed return
returned returns said say sequence seen sent settle share shutdown since snapshot so some start started starts state
stop stopped stopping suspected take takes term than that the their then there these they through time timed timeout
to together too took turn two undrained unknown unreachable until up vacant was were when which while who with within
without would write writes wrong`) {
		m[w] = true
	}
	return m
})
