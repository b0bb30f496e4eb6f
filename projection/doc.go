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
//     answered by the view, never by dropping an event.
//  3. Fold(all) = Fold(snapshot at any point, then the rest).
//  4. Merge(Fold(a), Fold(b)) = Fold(a and b). Merge is commutative,
//     associative and idempotent, so a state can stand in for events that are
//     no longer kept.
//
// From them follows what the digest is for: equal vectors mean equal states.
// Two nodes with equal vector sums and different state sums have found a bug
// or a fork, and merging their states repairs it.
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
package projection
