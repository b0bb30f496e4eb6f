// Package replay answers questions about a cluster from its logs: what was so at
// some moment, who caused it, what changed, do the nodes agree, is the log whole.
// The command clusterkit-replay prints what this package returns.
//
//	source, err := replay.Open(ctx, "data/n1")
//	defer source.Close()
//	at, err := replay.Grammar{}.Point("2026-11-22T14:03:05Z")
//	m, err := source.StateAt(ctx, at, replay.True)
//	m.State.Cluster().Partition(17)
//
// # Sources
//
// A [Source] is an opened LOG: a data directory, archived segments, a checkpoint,
// a bundle, JSON lines or a live node; [Union] makes one of several. Reading
// takes no lock, writes nothing and is safe beside the node that writes the log.
// All but the events of a live node, and of a pipe, which are spooled into a
// temporary file, is read where it is; unless a method says so, memory does not grow
// with the history. A Source is for one goroutine at a time.
//
// # Two orders
//
// Every node keeps the same events, each in the order in which it learnt of
// them. So there are two axes: [True], by the events' own times, which is the same
// on all nodes, and [Known], the order of one log. A [Point] is a place on either.
//
//	received   n1:1  n1:2  n2:1  n1:3        n2:2        Known: what this node believed
//	           |     |     |      \        /
//	time       n1:1  n1:2  n2:1   n2:2  n1:3             True: what was so
//
// # What is not known
//
// An answer is never better than the log. What is damaged is told as a [Damage],
// in the answer or in a sequence that goes on behind it, and what is intact is
// answered all the same. What the log does not reach, at its beginning because
// history was removed or at the end of a [Source.Part], wraps [ErrNotKept] or
// [ErrBeyond]; nothing is made up of the nearest state that there is. The word
// equal stands only where something was compared.
//
// Of events that a node received in the form of a state there is that state and
// no more: [Unseen] and the outcomes say so where it matters.
//
// # Parts, bundles, lines
//
// [WriteBundle] puts logs into one file, [Export] one log into JSON lines, and
// [Import] makes a log of those: every record keeps its bytes, its local index
// and its time of receipt. [Source.Part] is a stretch of a log, for either; within it
// every question has the same answer as on the whole, and it writes down where it
// begins and ends. [Redaction] replaces names such that chains can still be checked.
package replay
