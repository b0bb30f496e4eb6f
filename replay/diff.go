package replay

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Diff says what a state has become, in terms of the cluster and not of text.
// It is a patch: what it lists are all registers that differ.
type Diff struct {
	From       Mark              `json:"from"`
	To         Mark              `json:"to"`
	Same       bool              `json:"same"` // nothing below differs
	Cluster    []FieldChange     `json:"cluster,omitempty"`
	Nodes      []NodeChange      `json:"nodes,omitempty"`      // sorted by ID
	Partitions []PartitionChange `json:"partitions,omitempty"` // sorted by ID
	Registers  []RegisterChange  `json:"registers,omitempty"`  // all others, sorted
	Moves      int               `json:"moves"`                // copies that are on another node
	Damage     []Damage          `json:"damage,omitempty"`
}

// Mark is one side of a comparison: a state and where it was taken.
type Mark struct {
	Log    string           `json:"log"`              // as it was given
	Point  string           `json:"point"`            // as it was given
	Axis   Axis             `json:"axis,omitzero"`    // along which it was read
	Index  uint64           `json:"index,omitempty"`  // local index of the last record looked at
	Time   events.Timestamp `json:"time,omitzero"`    // of the newest event in it
	Events uint64           `json:"events,omitempty"` // that it stands for
	Digest events.Digest    `json:"digest,omitzero"`
}

// FieldChange is a field with its values before and after, in words.
type FieldChange struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// NodeChange is a node that differs. A node that is on one side only has no
// Fields but its status, which is "" on the other side.
type NodeChange struct {
	ID     string        `json:"id"`
	Fields []FieldChange `json:"fields"`
	Event  events.ID     `json:"event,omitzero"` // that made the later status
	Reason string        `json:"reason,omitempty"`
}

// PartitionChange is a partition whose owners or epoch differ.
type PartitionChange struct {
	ID        int       `json:"id"`
	From      []string  `json:"from"` // replicas, the primary first
	To        []string  `json:"to"`
	FromEpoch uint64    `json:"from_epoch"`
	ToEpoch   uint64    `json:"to_epoch"`
	Event     events.ID `json:"event,omitzero"` // that made the later assignment
	Trigger   string    `json:"trigger,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// RegisterChange is any other register whose owner differs; a side that does
// not have it has the zero ID.
type RegisterChange struct {
	Register string    `json:"register"`
	From     events.ID `json:"from,omitzero"`
	To       events.ID `json:"to,omitzero"`
	FromWhat string    `json:"from_what,omitempty"`
	ToWhat   string    `json:"to_what,omitempty"`
}

// Compare returns what b has become since a. The marks are left to the caller.
func Compare(a, b *projection.State) *Diff {
	d := &Diff{}
	ca, cb := a.Cluster(), b.Cluster()
	d.Cluster = compareFields(clusterFields(ca), clusterFields(cb))
	d.compareNodes(ca, cb)
	d.comparePartitions(ca, cb, b)
	d.compareRegisters(a, b)
	d.Same = len(d.Cluster)+len(d.Nodes)+len(d.Partitions)+len(d.Registers) == 0
	return d
}

// Of returns the part of a diff that is about some nodes, with the partitions that
// they held or hold, or about some partitions; all of it when neither is given. Same
// and Moves are those of the part.
func (d *Diff) Of(nodes []string, partitions []Interval) *Diff {
	if len(nodes)+len(partitions) == 0 {
		return d
	}
	part := &Diff{From: d.From, To: d.To, Damage: d.Damage}
	for i := range d.Nodes {
		if slices.Contains(nodes, d.Nodes[i].ID) {
			part.Nodes = append(part.Nodes, d.Nodes[i])
		}
	}
	of := Filter{Partitions: partitions}
	held := func(id string) bool { return slices.Contains(nodes, id) }
	for i := range d.Partitions {
		p := &d.Partitions[i]
		chosen := slices.ContainsFunc(p.From, held) || slices.ContainsFunc(p.To, held)
		if len(partitions) > 0 {
			chosen = of.holds(p.ID)
		}
		if chosen {
			part.Partitions = append(part.Partitions, *p)
			part.Moves += p.moves()
		}
	}
	part.Same = len(part.Nodes)+len(part.Partitions) == 0
	return part
}

// quality is a name and a value, in words.
type quality struct{ name, value string }

func compareFields(a, b []quality) []FieldChange {
	var changes []FieldChange
	for i := range a {
		if a[i].value != b[i].value {
			changes = append(changes, FieldChange{a[i].name, a[i].value, b[i].value})
		}
	}
	return changes
}

func clusterFields(c *projection.Cluster) []quality {
	return []quality{
		{"cluster_name", c.Config.ClusterName},
		{"partition_count", strconv.Itoa(c.Config.PartitionCount)},
		{"replication_factor", strconv.Itoa(c.Config.ReplicationFactor)},
		{"coordinator", c.Coordinator},
		{"term", strconv.FormatUint(c.Term, 10)},
	}
}

func nodeFields(n *projection.Node) []quality {
	if n == nil {
		return []quality{{"status", ""}, {"incarnation", ""}, {"addr", ""}, {"draining", ""}, {"name", ""}, {"zone", ""},
			{"weight", ""}, {"services", ""}, {"metadata", ""}, {"started_at", ""}, {"degraded", ""}}
	}
	draining := ""
	if n.Draining {
		draining = "yes"
	}
	return []quality{
		{"status", string(n.Status)},
		{"incarnation", strconv.FormatUint(n.Incarnation, 10)},
		{"addr", n.Addr},
		{"draining", draining},
		{"name", n.Name},
		{"zone", n.Zone},
		{"weight", strconv.Itoa(n.Weight)},
		{"services", pairs(n.Services)},
		{"metadata", pairs(n.Metadata)},
		{"started_at", n.StartedAt.String()},
		{"degraded", n.Degraded},
	}
}

// pairs returns a map as "a=1 b=2", sorted.
func pairs(m map[string]string) string {
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(append(append(b, k...), '='), m[k]...)
	}
	return string(b)
}

func (d *Diff) compareNodes(a, b *projection.Cluster) {
	ids := make(map[string]bool)
	for _, c := range []*projection.Cluster{a, b} {
		for i := range c.Nodes {
			ids[c.Nodes[i].ID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		na, _ := a.Node(id)
		nb, _ := b.Node(id)
		changes := compareFields(nodeFields(na), nodeFields(nb))
		if len(changes) == 0 {
			continue
		}
		c := NodeChange{ID: id, Fields: changes}
		if nb != nil {
			c.Event, c.Reason = nb.Cause(), nb.Reason()
		}
		if na == nil || nb == nil {
			c.Fields = changes[:1]
		}
		d.Nodes = append(d.Nodes, c)
	}
}

func (d *Diff) comparePartitions(a, b *projection.Cluster, later *projection.State) {
	for i := range max(len(a.PartitionMap.Partitions), len(b.PartitionMap.Partitions)) {
		pa, pb := partitionOr(a, i), partitionOr(b, i)
		c := PartitionChange{ID: i, From: holders(pa), To: holders(pb), FromEpoch: pa.Epoch, ToEpoch: pb.Epoch, Event: pb.Event()}
		if slices.Equal(c.From, c.To) && pa.Event() == pb.Event() && c.FromEpoch == c.ToEpoch {
			continue
		}
		if e, ok := later.Register(events.PartitionRegister(i)); ok {
			if p, err := e.Payload(); err == nil {
				if assigned, ok := p.(*events.Assignment); ok {
					c.Trigger, c.Reason = assigned.Trigger, assigned.Reason
				}
			}
		}
		d.Moves += c.moves()
		d.Partitions = append(d.Partitions, c)
	}
}

// moves returns how many copies are on a node that had none before.
func (p *PartitionChange) moves() int {
	n := 0
	for _, node := range p.To {
		if !slices.Contains(p.From, node) {
			n++
		}
	}
	return n
}

func partitionOr(c *projection.Cluster, i int) *projection.Partition {
	if p := c.Partition(i); p != nil {
		return p
	}
	return &projection.Partition{ID: i}
}

// holders returns all nodes that hold a partition, the primary first.
func holders(p *projection.Partition) []string {
	if p.Primary == "" {
		return []string{}
	}
	return append([]string{p.Primary}, p.Replicas...)
}

// compareRegisters lists the registers that differ and that neither nodes nor
// partitions nor the fields of the cluster account for.
func (d *Diff) compareRegisters(a, b *projection.State) {
	told := make(map[string]bool)
	for i := range d.Nodes {
		told[d.Nodes[i].ID] = true
	}
	for i := range d.Partitions {
		told[events.PartitionRegister(d.Partitions[i].ID)] = true
	}
	for i := range d.Cluster {
		switch d.Cluster[i].Field {
		case "coordinator", "term":
			told[events.CoordinatorRegister] = true
		default:
			told[events.ConfigRegister] = true
		}
	}
	skip := func(register string) bool {
		switch kind, key := events.SplitRegister(register); kind {
		case events.KindNode, events.KindAccusation, events.KindAdmin:
			return told[key]
		case events.KindPartition, events.KindConfig, events.KindCoordinator:
			return told[register]
		}
		return false
	}
	for name, ea := range a.Registers("") {
		eb, ok := b.Register(name)
		if ok && eb.ID() == ea.ID() && eb.Chain == ea.Chain || skip(name) {
			continue
		}
		c := RegisterChange{Register: name, From: ea.ID(), FromWhat: What(ea)}
		if ok {
			c.To, c.ToWhat = eb.ID(), What(&eb)
		}
		d.Registers = append(d.Registers, c)
	}
	for name, eb := range b.Registers("") {
		if _, ok := a.Stamp(name); !ok && !skip(name) {
			d.Registers = append(d.Registers, RegisterChange{Register: name, To: eb.ID(), ToWhat: What(eb)})
		}
	}
	slices.SortFunc(d.Registers, func(x, y RegisterChange) int {
		return strings.Compare(x.Register, y.Register)
	})
}
