package coordination_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
	"github.com/skshohagmiah/clusterkit/projection/placement"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run only the random life of this seed")
	livesFlag = flag.Int("lives", 300, "how many random lives to run")
	storyFlag = flag.Bool("story", false, "print what happens")
)

// TestRandomLives lets clusters live through joins, crashes, returns, goodbyes,
// orders and splits, and checks what must hold at every step (see sim.act and
// sim.carryOut: majority, epochs that grow, reasons, no decision for ever) and
// what must hold in the end.
func TestRandomLives(t *testing.T) {
	first, n := uint64(1), *livesFlag
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	written := 0
	for seed := first; seed < first+uint64(n); seed++ {
		written += life(t, seed)
		if t.Failed() {
			t.Fatalf("replay with: go test ./projection/coordination -run '^TestRandomLives$' -story -v -seed %d", seed)
		}
	}
	t.Logf("%d lives, %d assignments", n, written)
}

func life(t *testing.T, seed uint64) (written int) {
	r := rand.New(rand.NewPCG(seed, 2))
	opt := coordination.Options{}
	if r.IntN(4) == 0 {
		opt = coordination.Options{RebalanceDelay: -1, StableFor: -1, ClaimDelay: -1}
	}
	if opt.RemoveAfter = -1; r.IntN(4) == 0 {
		opt.RemoveAfter = 2 * time.Minute
	}
	s := newSim(t, 1+r.IntN(24), 1+r.IntN(4), opt)
	if *storyFlag {
		s.trace = func(format string, args ...any) { t.Logf("%9s  %s", s.clock(), fmt.Sprintf(format, args...)) }
	}
	s.join(r, 0, r.IntN(2) == 0)
	for i := 1; i < 12+r.IntN(30); i++ {
		s.happen(r, i)
		if r.IntN(2) == 0 {
			s.run(r.Int64N([]int64{50, 1000, 10_000, 100_000}[r.IntN(4)]))
		}
	}
	for range 3 { // who comes back may bring news of others
		s.recover(r)
	}
	s.join(r, 1000, false) // what operators assigned stands only until membership changes
	s.run(10 * time.Minute.Milliseconds())
	s.check()
	return s.assignments
}

func (s *sim) join(r *rand.Rand, i int, alone bool) {
	id := fmt.Sprintf("n%d", i)
	s.trace("%s starts", id)
	s.start(id, fmt.Sprintf("z%d", r.IntN(3)), uint32(1+r.IntN(3)), alone)
}

// happen lets one thing happen.
func (s *sim) happen(r *rand.Rand, i int) {
	up := s.ids(running)
	victim := s.pickOne(r, running)
	if len(up) == 0 || r.IntN(4) == 0 {
		s.join(r, i, false)
		return
	}
	switch what := r.IntN(12); what {
	case 0, 1:
		s.trace("%s is killed", victim)
		s.nodes[victim].running = false
		s.detect(r, victim)
	case 2:
		s.trace("%s stops", victim)
		s.goodbye(victim, coordination.ReasonShutdown)
	case 3:
		s.trace("%s leaves", victim)
		s.goodbye(victim, "left")
	case 4, 5, 6:
		if id := s.pickOne(r, func(n *node) bool { return !n.running }); id != "" {
			n := s.nodes[id]
			s.trace("%s restarts", id)
			s.start(id, n.zone, n.weight, false)
		}
	case 7:
		if len(up) > 2 {
			s.trace("%s is removed", victim)
			s.nodes[victim].running = r.IntN(2) == 0
			s.order(s.pickOne(r, running), victim, events.NodeRemoved)
			s.nodes[victim].running = false
		}
	case 8:
		s.trace("%s is drained", victim)
		s.order(s.pickOne(r, running), victim, events.NodeDrained)
	case 9:
		s.trace("%s is drained no more", victim)
		s.order(s.pickOne(r, running), victim, events.NodeUndrained)
	case 10:
		s.separate(r)
	case 11:
		if c := s.nodes[up[0]].state.Cluster(); len(c.PartitionMap.Partitions) > 0 {
			p := r.IntN(len(c.PartitionMap.Partitions))
			s.trace("%s gets partition %d by command", victim, p)
			s.write(up[0], p, 0, []string{victim})
		}
	}
}

// detect lets the others find out that a node is down, or leaves them in doubt.
func (s *sim) detect(r *rand.Rand, victim string) {
	side := s.nodes[victim].side
	by := s.pickOne(r, func(n *node) bool { return n.running && n.side == side })
	if by == "" {
		return
	}
	s.accuse(by, victim, events.NodeSuspected)
	s.run(r.Int64N(5000))
	if s.nodes[by].running && !s.nodes[victim].running && r.IntN(4) > 0 {
		s.trace("%s calls %s failed", by, victim)
		s.accuse(by, victim, events.NodeFailed)
	}
}

// separate splits the cluster, lets the sides call each other failed, and
// heals it after a while.
func (s *sim) separate(r *rand.Rand) {
	for _, n := range s.nodes {
		n.side = 0
	}
	for _, id := range s.ids(running) {
		s.nodes[id].side = r.IntN(2)
	}
	s.trace("split: %v", s.ids(func(n *node) bool { return n.side == 1 }))
	for _, accusation := range []events.Type{events.NodeSuspected, events.NodeFailed} {
		for _, id := range s.ids(running) {
			n := s.nodes[id]
			if by := s.pickOne(r, func(o *node) bool { return o.running && o.side != n.side }); by != "" {
				s.accuse(by, id, accusation)
			}
		}
		s.run(r.Int64N(100_000))
	}
	s.heal()
}

func (s *sim) heal() {
	for _, n := range s.nodes {
		n.side = 0
	}
	s.trace("the split heals")
	s.sync()
	s.settle()
}

// recover brings the cluster to a state in which it can come to rest: nobody
// in doubt, and a majority up.
func (s *sim) recover(r *rand.Rand) {
	if len(s.ids(running)) == 0 {
		s.join(r, 999, false)
	}
	for _, id := range s.ids(func(n *node) bool { return !n.running }) {
		by := s.ids(running)[0]
		n, ok := s.nodes[by].state.Cluster().Node(id)
		switch {
		case !ok || n.Status == projection.StatusLeft || n.Status == projection.StatusRemoved:
		case n.Status == projection.StatusFailed && r.IntN(2) == 0 && coordination.Majority(s.view()):
		case r.IntN(2) == 0 || !coordination.Majority(s.view()):
			s.start(id, s.nodes[id].zone, s.nodes[id].weight, false)
		default:
			s.accuse(by, id, events.NodeFailed)
		}
	}
	for _, id := range s.ids(running) {
		if c := s.view(); !coordination.Majority(c) {
			s.start("fresh-"+id, "z0", 1, false)
		}
	}
}

// check looks at the end of a life.
func (s *sim) check() {
	s.t.Helper()
	cluster := s.view()
	for _, id := range s.ids(running) {
		if d := s.nodes[id].state.Cluster().Digest; d != cluster.Digest {
			s.t.Errorf("%s knows something else than the others", id)
		}
	}
	if next := s.nextWake(); next != coordination.Never {
		s.t.Errorf("with nothing to do a node wants to be asked in %d ms", next-s.now)
	}
	var able []placement.Node
	up := map[string]bool{}
	for _, n := range cluster.Nodes {
		if n.Status == projection.StatusAlive && !n.Draining {
			able = append(able, placement.Node{ID: n.ID, Zone: n.Zone, Weight: n.Weight})
			up[n.ID] = true
		}
	}
	if len(able) == 0 || !coordination.Majority(cluster) {
		return
	}
	if !up[cluster.Coordinator] {
		s.t.Errorf("%s coordinates and is not able to", cluster.Coordinator)
	}
	all := lists(cluster)
	if len(all) != int(s.config.PartitionCount) {
		s.t.Errorf("%d partitions, want %d", len(all), s.config.PartitionCount)
	}
	rf := int(s.config.ReplicationFactor)
	for p, list := range all {
		live := slices.DeleteFunc(slices.Clone(list), func(id string) bool { return !up[id] })
		if len(live) != min(rf, len(able)) || len(list) > rf || !up[list[0]] {
			s.t.Errorf("partition %d is held by %v, of which %v are able; want %d", p, list, live, min(rf, len(able)))
		}
	}
	s.checkBalance(all, able, rf)
}

func (s *sim) checkBalance(all [][]string, able []placement.Node, rf int) {
	best := placement.Place(all, able, rf)
	if moves := placement.Moves(all, best); moves != 0 {
		s.t.Errorf("in the end %d copies are not where they belong", moves)
	}
	for p := range all {
		if all[p][0] != best[p][0] {
			s.t.Errorf("in the end partition %d has primary %s, should have %s", p, all[p][0], best[p][0])
		}
	}
}
