// Package coordination says what a node has to do for the cluster now: take
// the role of coordinator, or, having it, assign partitions. It is pure. Time
// is a parameter, in milliseconds of a clock that only goes forward; nothing
// here knows what o'clock it is.
//
// The coordinator is advisory. What it writes is ordered by term and epoch, so
// the assignments of the latest one win everywhere, but two may be at work at
// the same time while they cannot see each other.
//
// # Who coordinates
//
// A node is eligible while it is alive, not degraded, and neither draining nor
// leaving. The
// incumbent keeps the role while it is eligible or merely suspected. When the
// role is vacant the eligible nodes are ranked by the start of their process,
// then by ID, and a node claims the next term
//
//	at once + r·RankDelay         the incumbent is known to be gone, r is the rank
//	at once                       nobody was ever coordinator, and this node was
//	                              started as the first of a new cluster (Alone)
//	ClaimDelay + r·RankDelay      nobody was ever coordinator: after membership
//	                              has not changed for that long
//
// A process that has just started and knows of other nodes acts only when
// membership has not changed for ClaimDelay: in a cluster that restarts as a
// whole the others are about to be back.
//
// # The majority gate
//
// Claims and assignments are written only while the members that are seen alive
// and not suspected are more than half of those that neither left nor were
// removed. With one or two such members the gate is always open. A node for which
// it opens again holds back for HoldDown: it has yet to hear what the others did.
//
// # Four speeds
//
//	speed  what                                  when                      trigger
//	1      a partition without any owner         at once                   bootstrap
//	       fewer copies than there could be,     at once                   fill
//	       because there were not enough nodes
//	2      the primary is lost                   at once: a live replica   failover
//	                                             comes first, the lost node
//	                                             stays in the list; without
//	                                             one a new node is put first
//	3      a copy on a draining node             at once                   drain
//	       a copy on a degraded node             DegradedDelay later       drain
//	       a copy on a node that was removed     at once                   replace
//	       or left for good
//	       a copy on a node that failed or       RebalanceDelay later      replace
//	       was stopped
//	4      copies and primaries are not          membership has not        balance
//	       balanced                              changed for StableFor,
//	                                             nobody is suspected and no
//	                                             copy waits for its node
//
// A node counts as failed when it has been suspected or failed for RefuteDelay, in
// the eyes of this one: a verdict out of the blue, as of the smaller part of a split
// when that ends, is about to be refuted. The same is true of the coordinator.
//
// A suspected node is an owner like any other. A copy whose node is down longer
// than RebalanceDelay stays in the list while there is no node to replace it.
// Moving for balance follows a change of membership (or of the coordinator), so
// an assignment by an operator stands until then; only copies that it lacks are
// added. With [Options.Manual] the fourth speed is left to an operator.
//
// # The degraded
//
// A node that calls itself degraded loses the role, gets nothing new, and is
// drained when it has said so for DegradedDelay. Its word counts only while at
// most half of the nodes that run say the same: beyond that the cause is theirs
// in common, and no node is a better place.
//
// # Removal, and the brake
//
// The coordinator removes a node that it has seen failed for RemoveAfter, while
// more than half of the members are up, also where there are only two. No
// node calls another failed, or removes it, if with it more than half of the
// members would be lost within a minute ([Coordination.MayLose]): such an
// observer is more likely ill itself. An operator may lift this for a minute.
//
// Each decision is of one kind, the most urgent first. When it is carried out
// the next call makes the next one, until there is nothing to do; then the time
// to ask again is that of the next deadline, or [Never].
package coordination
