package projection

import (
	"maps"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
)

// view is the material of the next Cluster. What a Cluster has been given is
// never changed again but replaced.
type view struct {
	of     [kinds][]*register // the registers of each kind in the view
	stale  []*register        // those that changed since the last refresh
	buried bool               // some of them are forgotten, and about to be swept away

	config      Config
	coordinator string
	term        uint64
	claim       events.ID
	nodes       []Node
	partitions  []Partition
	owners      map[events.LogID]string // by log registers

	cluster *Cluster // the last one, nil when it is no longer true
}

// refresh brings the view up to date with the registers.
func (s *State) refresh() {
	v := &s.view
	if len(v.stale) == 0 {
		return
	}
	var nodes []string
	var partitions, logs []*register
	var config bool
	for _, r := range v.stale {
		r.stale = false
		switch r.kind {
		case kindNode, kindAccusation, kindAdmin:
			nodes = append(nodes, r.key())
		case kindPartition:
			partitions = append(partitions, r)
		case kindCoordinator:
			s.refreshCoordinator(r)
		case kindConfig:
			config = s.refreshConfig(r) || config
		case kindLog:
			logs = append(logs, r)
		}
	}
	v.stale = v.stale[:0]
	if len(nodes) > 0 {
		s.refreshNodes(nodes)
	}
	if len(logs) > 0 {
		s.refreshOwners(logs)
	}
	if config {
		v.partitions, partitions = unassigned(v.config.PartitionCount), v.of[kindPartition]
	} else if len(partitions) > 0 {
		v.partitions = slices.Clone(v.partitions)
	}
	for _, r := range partitions {
		if r.partition >= 0 && int(r.partition) < len(v.partitions) {
			v.partitions[r.partition] = r.assignment()
		}
	}
}

func unassigned(n int) []Partition {
	all := make([]Partition, n)
	for i := range all {
		all[i] = Partition{ID: i, Replicas: []string{}}
	}
	return all
}

// refreshCoordinator reads the claim. When it makes no sense there is no
// coordinator, but the term is used up.
func (s *State) refreshCoordinator(r *register) {
	v := &s.view
	v.coordinator, v.term, v.claim = "", r.event.Version, r.event.ID()
	p, err := r.read()
	if claim, ok := p.(*events.CoordinatorClaim); ok && err == nil {
		v.coordinator = claim.Node
	}
}

func (s *State) refreshConfig(r *register) (changed bool) {
	var next Config
	p, err := r.read()
	if c, ok := p.(*events.ClusterConfig); ok && err == nil {
		next = Config{c.Name, int(c.PartitionCount), int(c.ReplicationFactor)}
	}
	changed = next.PartitionCount != s.view.config.PartitionCount
	s.view.config = next
	return changed
}

// refreshNodes derives the named nodes again and replaces the list.
func (s *State) refreshNodes(changed []string) {
	slices.Sort(changed)
	changed = slices.Compact(changed)
	old := s.view.nodes
	next := make([]Node, 0, len(old)+len(changed))
	for _, id := range changed {
		i, found := findNode(old, id)
		next = append(next, old[:i]...)
		if old = old[i:]; found {
			old = old[1:]
		}
		if n, ok := s.Node(id); ok {
			next = append(next, n)
		}
	}
	s.view.nodes = append(next, old...)
}

// refreshOwners reads again whose the logs of these registers are.
func (s *State) refreshOwners(changed []*register) {
	owners := maps.Clone(s.view.owners)
	for _, r := range changed {
		log, err := events.ParseLogID(r.key())
		if err != nil {
			continue
		}
		p, err := r.read()
		if owner, ok := p.(*events.LogOwner); ok && err == nil && owner.Node != "" && !r.gone {
			owners[log] = owner.Node
		} else {
			delete(owners, log)
		}
	}
	s.view.owners = owners
}
