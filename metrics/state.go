package metrics

import "github.com/prometheus/client_golang/prometheus"

// State is what is the case at one instant, as this node sees it.
type State struct {
	Members    Members
	Partitions Partitions
	Owned      Owned
	Log        Log
	// Isolated says that other members are known and none is reachable.
	Isolated bool
	// Degraded says that this node runs and is of little use: its disk is slow,
	// or its application says that it is not well.
	Degraded bool
	// DegradedMembers counts the members, this node included, that have said so
	// of themselves, have not left and were not removed. Members counts them too.
	DegradedMembers int
	// Peers are the members beside this node, without those that left or were
	// removed. Whoever is not listed loses its series.
	Peers []Peer
}

// Members counts the members, this node included, by their state. Each is in
// one state.
type Members struct{ Alive, Suspected, Failed, Leaving, Left, Removed int }

// Partitions counts the partitions of the cluster. Each is in one state, so
// their sum is the number of partitions.
//
// The copies that a partition wants are as many as the replication factor, or
// as the members that have not left or been removed if those are fewer. A
// failed member counts among the members and its copies do not, so the loss of
// a node shows here until its copies are replaced; a cluster that is meant to
// be small is not in want of anything.
type Partitions struct {
	Assigned        int // a primary, and as many copies as it wants
	Underreplicated int // a primary, and fewer copies
	Unassigned      int // no primary
}

// Owned counts the partitions that this node holds.
type Owned struct{ Primary, Replica int }

// Log tells the size of this node's log.
type Log struct {
	LastIndex uint64 // of the newest record; 0 when there is none
	Bytes     int64
	Segments  int
}

// Peer is another member.
type Peer struct {
	ID string
	// Lag is how many events this node holds that the peer is not known to
	// hold. Negative: not known.
	Lag int
}

// stateDescs describes the metrics that are read from a State.
type stateDescs struct {
	members, partitions, owned, isolated, degraded, ill *prometheus.Desc
	lastIndex, bytes, segments                          *prometheus.Desc
}

func newStateDescs(b *builder) stateDescs {
	return stateDescs{
		members:    b.desc("members", "Members as this node sees them, itself included, by state.", "state"),
		partitions: b.desc("partitions", "Partitions of the cluster as this node sees them, by state.", "state"),
		owned:      b.desc("partitions_owned", "Partitions that this node holds, by role.", "role"),
		isolated:   b.desc("isolated", "1 when other members are known and none is reachable, else 0."),
		degraded: b.desc("degraded",
			"1 when this node runs and is of little use, since its disk is slow or its application is not well, else 0."),
		ill: b.desc("members_degraded",
			"Members, this node included, that say of themselves that they are of little use; members counts them too."),
		lastIndex: b.desc("log_last_index", "Index of the newest record of the log."),
		bytes:     b.desc("log_size_bytes", "Size of all segments of the log."),
		segments:  b.desc("log_segments", "Segments of the log."),
	}
}

func (d *stateDescs) describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.members, d.partitions, d.owned, d.isolated, d.degraded, d.ill, d.lastIndex, d.bytes, d.segments} {
		ch <- desc
	}
}

func (d *stateDescs) collect(ch chan<- prometheus.Metric, s *State) {
	ch <- gauge(d.members, float64(s.Members.Alive), MemberAlive)
	ch <- gauge(d.members, float64(s.Members.Suspected), MemberSuspected)
	ch <- gauge(d.members, float64(s.Members.Failed), MemberFailed)
	ch <- gauge(d.members, float64(s.Members.Leaving), MemberLeaving)
	ch <- gauge(d.members, float64(s.Members.Left), MemberLeft)
	ch <- gauge(d.members, float64(s.Members.Removed), MemberRemoved)

	ch <- gauge(d.partitions, float64(s.Partitions.Assigned), "assigned")
	ch <- gauge(d.partitions, float64(s.Partitions.Underreplicated), "underreplicated")
	ch <- gauge(d.partitions, float64(s.Partitions.Unassigned), "unassigned")
	ch <- gauge(d.owned, float64(s.Owned.Primary), "primary")
	ch <- gauge(d.owned, float64(s.Owned.Replica), "replica")

	ch <- gauge(d.isolated, yes(s.Isolated))
	ch <- gauge(d.degraded, yes(s.Degraded))
	ch <- gauge(d.ill, float64(s.DegradedMembers))
	ch <- gauge(d.lastIndex, float64(s.Log.LastIndex))
	ch <- gauge(d.bytes, float64(s.Log.Bytes))
	ch <- gauge(d.segments, float64(s.Log.Segments))
}

// yes is 1 for what is so, else 0.
func yes(so bool) float64 {
	if so {
		return 1
	}
	return 0
}

// gauge makes the value of one scrape. The label values are valid UTF-8 and
// as many as desc has, so this cannot fail.
func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
