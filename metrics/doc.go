// Package metrics measures one node for Prometheus.
//
// A *Metrics is a prometheus.Collector whose methods take plain arguments: the
// node calls one where a thing happens and knows nothing of Prometheus, and
// this package knows nothing of the node. All names begin with clusterkit_;
// README.md has the table, which a test holds to what a scrape returns.
//
// # Two ways in
//
//	happens      sync, append, probe, request ... --> a method: counter, histogram
//	is the case  members, partitions, log sizes,  --> Options.State, read by a
//	             owned, isolated, lag of peers        scrape and never else
//
// What is the case is not pushed: a node that is idle does nothing for its
// metrics, and the numbers of one scrape belong to one instant.
//
// # Promises
//
//   - Every method is safe for concurrent use, and does nothing on a nil
//     *Metrics, so a caller needs no condition.
//   - An observation allocates nothing and costs some tens of nanoseconds: the
//     children of all vectors are resolved before. Counters of zero exist from
//     the start, so rate and increase see the first event.
//   - The number of series is bounded whatever peers and applications send. A
//     label takes its values from a closed set; another value counts as
//     "other" ("error" for results, "app" for events of applications). Only
//     "peer" is open: it is bounded by Options.MaxPeers, and the series of a
//     peer go with ForgetPeer, or when State no longer lists it.
//   - Nothing is global: neither the default registry nor any other variable
//     is touched. Several nodes live in one process, also in one registry.
//   - A negative amount or duration, which only a clock that was set back can
//     produce, counts as zero. A counter never falls.
//
// # Labels of every series
//
// "cluster" is the name of the cluster and "node" the name of this node. Two
// nodes of one process share the target's "instance", and Prometheus demands
// that series of one name have the same label names, so "node" is there always,
// not only when it is needed. It has the values of "peer", which lets queries
// join both ends of a conversation, and survives a change of address, which
// "instance" does not.
//
// # States
//
// New makes a complete Metrics, that counts whether or not it is registered.
// Register and Unregister put it into and take it out of registries of the
// application; Handler serves a registry of its own, which alone has the
// collectors of the Go runtime and of the process as well. There is nothing to
// close.
package metrics
