package metrics

// Why a partition got other owners: the trigger of its assignment. Any other
// counts as "other".
const (
	MoveBootstrap = "bootstrap" // it never had owners, or too few copies
	MoveFailure   = "failure"   // an owner failed
	MoveLeave     = "leave"     // an owner left, or was removed
	MoveReplace   = "replace"   // a lost copy is replaced
	MoveReturn    = "return"    // an owner came back
	MoveDrain     = "drain"     // an owner is drained
	MoveBalance   = "balance"   // for balance
	MoveManual    = "manual"    // by command
)

var moveReasons = []string{MoveBootstrap, MoveFailure, MoveLeave, MoveReplace, MoveReturn, MoveDrain, MoveBalance, MoveManual}

func newMoveCounters(b *builder) counters {
	return b.counters("partition_moves_total",
		"Assignments of a partition that this node learnt of, its own included, by reason.", "reason", moveReasons, other)
}

// PartitionMoved counts a partition that got other owners, for one of the Move
// reasons.
func (m *Metrics) PartitionMoved(reason string) {
	if m != nil {
		m.partitions.of(reason).Inc()
	}
}
