// Package projection gives events their meaning: [State] folds them into
// registers, [Cluster] is the view of the registers that people and programs
// use.
//
// The package is pure: no I/O, no goroutine, no lock, no logger, no clock, no
// chance. Nothing here is safe for concurrent use except a Cluster, which is
// immutable.
//
// It has no crash points: a State lives in memory and is made again from the
// log. What outlives the process is [State.AppendSnapshot] and
// [EncodeCheckpoint], both deterministic, versioned and checked when read.
//
// # State
//
// A register is a named cell ("node/n1", "partition/17"). It is owned by the
// event with the largest [events.Stamp] that ever wrote it; the State is the
// map from register to that event, and for each log the newest event held.
//
//	event --Check--> Duplicate | Gap | Broken
//	          |
//	        Apply--> Fact (writes no register) | Won | Superseded
//	                                              |
//	                   registers ---- Digest ---- heads
//	                       |
//	                    Cluster: nodes, partitions, coordinator, configuration
//
// # The laws
//
// Each has a property test over thousands of random histories.
//
//  1. Apply is idempotent, and any interleaving of the logs gives the same
//     state and the same digest. Within a log events come in sequence: a gap
//     is refused, so a vector never lies.
//  2. Apply looks at one register only. A rule that spans registers is
//     answered by the view, never by dropping an event. (But see Forgetting.)
//  3. Fold(all) = Fold(snapshot at any point, then the rest).
//  4. Merge(Fold(a), Fold(b)) = Fold(a and b). Merge is commutative,
//     associative and idempotent, so a state can stand in for events that are
//     no longer kept. (But see Forks for values that were collected.)
//
// From them follows what the digest is for: equal vectors mean equal states.
// Two nodes with equal vector sums and different state sums have found a bug
// or a fork, and merging their states repairs it.
//
// # Forgetting
//
// A deleted value leaves a tombstone, a ValueDeleted that owns its register, so
// that an old write that comes late does not bring the value back. Tombstones
// are forgotten by events, not by age at each node: a TombstonesCollected event
// C of values names three vectors and a version. It takes effect in a state that
// stands for all of C.stable and C.authors, and hides there the owner W of a value
// register if
//
//	W.version <= C.floor, and
//	    W is a tombstone in C.settled           it is old, and everybody has it
//	 or W is not in C.stable                    it is void: see below
//
// A hidden owner is taken out of the state. What W was written over stays
// hidden with it, and what comes later and W would have beaten, too: whatever
// is not in C.stable and has a version up to C.floor is hidden by C itself, and
// whatever has a larger version beats W, whose version is not above the floor.
// So the state remains a function of the events alone, and all laws hold, in
// whatever order events, collections and states come; law 2 with the addition
// that a collection may empty other registers, by their owners alone. Merging
// with a state that has forgotten a register drops it if its version is not
// above the floor: that state has seen it, or would hide it. A collection A that
// has taken effect is itself forgotten when a successor has: a C with a floor no
// lower and whose authors cover A and A.authors. What comes later and A would
// hide is new, hence in neither of their stable, and hidden by C.
//
// What makes this safe and not only lawful is what its author sees to: before C
// comes FloorRaised, after which nobody who has heard of it writes below the
// floor; and C.stable holds what everybody had written before they had heard of
// it. Then no member's write is void. Void are the writes of those who were not
// asked: who was removed and does not know it, or comes from a backup older than
// the floor and speaks before it learns. They never bring back what was deleted.
// A void write that is newer than the present owner, by its version, empties the
// register, since nobody can tell who had heard of which first.
//
//	FloorRaised --24 h, and all are seen to be equal--> TombstonesCollected
//
// Settled and stable need not name every log: of settled only those in which
// tombstones stand, of stable these and those in which the owner of a value
// stands. What is written in others is superseded, or hidden by a collection before.
//
// Nodes are forgotten in another way, because that can be simpler. A
// TombstonesCollected event of nodes names for each of them the incarnation and
// the revision of orders up to which everything is void, and its logs, some of
// them as closed. It hides
//
//	node/n, accusation/n    up to the incarnation
//	admin/n                 up to the revision
//	log/L                   LogStarted, but not LogForked
//
// at once and for ever. With a write it hides all that the write beats, which
// has no larger version, or no larger rank in log/L, whoever wrote them and in
// whatever order they come: so the laws hold, and nothing of that node that is
// old comes back, from wherever. What is forgotten by several collections is the
// union of what each forgets, so a collection is itself forgotten when another
// one says the same and more. The register is named by what it says, and by
// that alone ([events.GoneRegister]): so the branches of a log that forked may
// forget different nodes, and both count. There is one collection for every
// [MaxGone] nodes or logs, about.
//
// Logs of such nodes are logs like any other: their events are exchanged, their
// heads are in the vector and are compared. What the node wrote to registers that
// are not about itself stays. But a node that speaks in a log that is closed is
// removed, whatever it says ([State.Closed]): the logs of those are closed that
// somebody removed, and those of nodes that left are not. So who left may return
// with its directory, and who was removed with an empty one, both with a higher
// incarnation than any before ([State.GoneVersion]). (The former begins a new log
// all the same, so that there is a register that says whose it is.) An order to
// drain the node is forgotten with it.
//
// What remains of a node is thus the head of each log (50 bytes in a snapshot)
// and one text: its name, two numbers and the names of its logs (27 bytes each).
// Of a log that has forked the register remains as well.
//
// Registers of partitions, of nodes that are there and of their logs are never
// forgotten.
//
// # Oddities
//
// The fold never fails and never skips. An event whose body cannot be read, or
// contradicts the register it writes, owns the register by its stamp like any
// other; the view passes over it, and [State.Oddities] lists it. Being derived
// from the registers, the list is the same on all nodes. An event of a type
// that this version does not know is not odd; the view passes over it too.
//
// # Forks
//
// A log has forked when two different events bear one of its sequence numbers,
// for instance after a data directory was restored from a backup. Such events
// may even have equal stamps: then the larger encoded bytes own the register,
// and of two heads with equal sequences the larger chain, so that Merge stays
// commutative. Once the register log/<LogID> is owned by a LogForked event,
// which beats LogStarted by its rank, the log is known as forked. Its head
// then says nothing that could be compared, since another node may hold the
// other branch, so it leaves the vector sum of the digest; what remains to be
// compared, and is repaired by Merge, is the state.
//
// Where values are collected as well, the state is not a function of the events
// alone. Settled and stable name (log, seq), and of a log that has forked that
// names two events: a write W of the one branch counts as one that the author of
// a collection A knew, though he knew the other branch. If A.stable does not cover W's
// place and that of a successor C does, who had A when W came has hidden W, and
// who had C has not. To name chains as well would not help, since a state
// knows the chain of the newest event of a log only. To keep what is hidden until
// no log can fork any more would be to forget nothing. So laws 1, 3 and 4 are
// without such values; what brings them together is that Merge asks less than
// Apply: a register that one state has and the other one lacks is dropped if its
// version is not above the floor of a collection in effect there, whatever
// the vectors say. Which collections are in effect follows from the heads and from
// registers that nothing but a larger collection takes away, and these are joined first. Let
// F be the highest floor once they are the same everywhere. Then for each value
//
//	owners up to F, by stamp  <  forgotten  <  owners above F, by stamp
//
// is a total order, and Merge takes the larger of two: it is commutative,
// associative and idempotent again, and no state goes back. So when each
// has merged with what all others hold twice, all are equal, and so are in the end
// any that merge two at a time. What that may cost is a write up to F
// that one branch made and others had hidden: of such a register the forgetting
// wins. Nobody who has heard of the floor writes below it, so that is a write of a
// copy that has not, or one of before whose place in its log another event has
// taken; see what is void, above.
package projection
