// Package clusterkit makes an application part of a cluster. It answers three
// questions: who is in the cluster, who owns which partition, and how did it
// come to be so.
//
// Every change is an event in a write-ahead log. The state is a projection of
// those events; nodes stay in step by exchanging event ranges over HTTP, and
// between two writes that did not know of each other the last one wins.
//
//	ck, err := clusterkit.NewClusterKit(clusterkit.Options{
//		NodeID:   "n1",
//		HTTPAddr: ":8080",
//		DataDir:  "./cluster-data",
//	})
//	if err != nil { ... }
//	if err := ck.Start(); err != nil { ... }
//	defer ck.Stop()
//
// # The flow
//
// One goroutine, the writer, owns the log and the state. Everything that
// changes something passes through it, in this order and no other:
//
//	commands ---\
//	peers' events ---> decide -> append + fsync -> apply -> publish -> send
//	timers -----/      (replica.go, pure)          (immutable view)    (push to peers)
//
// So nothing is seen by anyone, here or elsewhere, before it is durable here.
// What waits while one batch is synced is committed together by the next sync.
// Readers take the published view from an atomic pointer; they never wait.
//
// # States of a node
//
//	NewClusterKit --> new --Start--> joining --learnt, then spoke--> member --Stop, Leave--> stopped
//	                                                                   |
//	                                                         log cannot be written
//	                                                                   v
//	                                                                 failed: commands return ErrFailed,
//	                                                                         queries go on, restart recovers
//
// A node learns before it speaks: after every start it first fetches all that
// some member knows, its own events included, and only then writes. A node
// that was restored from an old backup thus gets back what it had said before.
// A new node that knows of nobody speaks at once; one whose known nodes do not
// answer waits for them for ever, so that it founds no second cluster. A
// restarted node that finds none of the members it remembers speaks after
// LearnTimeout, in a new log: it cannot know whether it had written more than
// its disk holds, and where it had, two events would bear one name.
//
// When that has happened all the same, because a data directory was copied, the
// log has forked: see fork.go. And when two processes run under one NodeID the
// one that started later stops with ErrDuplicateNodeID: see twin.go.
//
// A member that learns that it was removed, by that event and not by hearsay
// (see removal.go), ends its part in the cluster by itself: commands return
// ErrRemoved, Done is closed, queries and /health go on until Stop.
//
// # Crash points
//
// A crash before the sync of a batch loses the batch: nobody had seen it, no
// command had returned. A crash after the sync loses nothing: the next start
// replays it. There is no third place, since nothing is sent, published or
// acknowledged in between. A write or sync that fails leaves the outcome of its
// batch unknown; the node then says nothing more (ErrFailed) until a restart
// has looked at the disk.
//
// # What it does not promise
//
// During a network split there can be two owners of a partition: each side
// believes its own coordinator as long as it has a majority of the members it
// has not given up, and the other side keeps its last view. There are no
// leases and no consensus; there is eventually one owner after the split
// heals. A partition's Token (its epoch and stamp) is a fencing token: a
// resource that remembers the highest it has seen can refuse a stale owner.
// Without Options.Secret or TLS anybody who reaches the port can speak as any
// node. A holder of the secret is trusted.
package clusterkit
