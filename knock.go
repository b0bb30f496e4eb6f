package clusterkit

import (
	"slices"
	"sync"
)

// mostKnocks is how many addresses a node remembers at which others wait for
// it.
const mostKnocks = 8

// knocks are the addresses of nodes that introduced themselves while this node
// had not joined yet, the newest last. Of new nodes the first by name begins,
// and those after it wait for it; when it was given addresses that lead nowhere,
// because the others have moved, theirs is the only news that there is somebody
// to begin with. Bounded, for anybody may knock. The zero value is empty; safe
// for concurrent use.
type knocks struct {
	mu    sync.Mutex // guards addrs
	addrs []string
}

// heard remembers an address.
func (k *knocks) heard(addr string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.addrs = slices.DeleteFunc(k.addrs, func(a string) bool { return a == addr })
	k.addrs = append(k.addrs, addr)
	k.addrs = k.addrs[max(len(k.addrs)-mostKnocks, 0):]
}

// besides returns the addresses that are neither a node's own nor among those
// that it tries anyway.
func (k *knocks) besides(own string, tried func(addr string) bool) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(k.addrs), func(a string) bool { return a == own || a == "" || tried(a) })
}
