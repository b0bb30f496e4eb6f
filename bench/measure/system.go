package measure

import "errors"

// ErrNoChange is returned by Change when a system has nothing more to change.
var ErrNoChange = errors.New("nothing more to change")

// System is one library.
type System struct {
	Name string
	// Start starts a cluster of n nodes that join through the first, all at
	// once, and returns without waiting for more than the library makes one
	// wait.
	Start func(o Options) (Cluster, error)
}

// Options says what cluster is wanted.
type Options struct {
	Nodes int
	Dir   string // an empty directory
	// Silencing says that nodes will be silenced; a library whose sockets have
	// to be wrapped for that is wrapped only then.
	Silencing bool
	// Prepared is called when everything is prepared that a library can do
	// before it touches the network, such as opening files; the time of the
	// start begins with it, or with Start if it is never called.
	Prepared func()
}

// Cluster is a running cluster. Nodes are named by their index.
type Cluster interface {
	// Agree reports whether all nodes see each other alive.
	Agree() bool
	// Change changes something at a node. The function that it returns reports
	// whether another node has seen the change.
	Change(at int) (seen func(by int) bool, err error)
	// Leave lets a node say goodbye. It may block for longer than others need
	// to hear it.
	Leave(node int) error
	// Kill ends a node without a word.
	Kill(node int)
	// Silence drops what a node sends and is sent.
	Silence(node int)
	// Gone reports whether a node believes that another one no longer serves.
	Gone(by, node int) bool
	// Bytes counts what has passed between nodes, each byte once; negative
	// when that is not known.
	Bytes() int64
}
