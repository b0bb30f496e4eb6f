// Package measure runs clusters of one library after another, all nodes in one
// process on loopback, and measures what every membership library has to do.
//
//	start        from the first node's start until every node sees every other
//	propagation  one change at one node until all have seen it
//	leave        a node says goodbye, until all know that it has gone
//	kill         a node's sockets close without a word, until all know
//	silence      what a node sends and is sent is dropped, until all know
//	idle         bytes per second and node when nothing happens: payload of
//	             datagrams and streams, requests and answers, without the
//	             headers of TCP, UDP and IP
//	goroutines   per node, when nothing happens
//	memory       per node: heap in use after a collection, and stacks
//	false verdicts  of a minute in which the only processor is kept busy by a
//	             loop beside the cluster, at one node about another
//
// Every cluster has a process of its own: [Main] starts its own program again
// for each, so that nothing of one is counted with another.
package measure
