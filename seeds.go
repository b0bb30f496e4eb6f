package clusterkit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit/transport"
)

// place is where somebody may be found.
type place struct {
	addr string // as it was given, which is what a certificate names
	dial string // one address of it
}

// Bounds of one resolution of a name.
const (
	lookupTime = 5 * time.Second
	lookupMost = 64 // addresses of one name
)

// lookup resolves a host name to all its addresses.
type lookup func(ctx context.Context, host string) ([]string, error)

// resolver returns how names are resolved here, or nil when that is left to who
// dials: an application that brings its own DialContext may have its own names.
func (o *Options) resolver() lookup {
	switch {
	case o.lookup != nil:
		return o.lookup
	case o.DialContext != nil:
		return nil
	}
	return net.DefaultResolver.LookupHost
}

// seeds returns the places of the known nodes, in random order. Names are
// resolved anew each time, and one that has many addresses, as that of all the
// nodes of a cluster may, gives as many places: were one of them left to
// chance, a node could find itself again and again and nobody else.
func (ck *ClusterKit) seeds(ctx context.Context) ([]place, []error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	resolve := ck.opt.resolver()
	var mu sync.Mutex // guards the next two
	var found []place
	var errs []error
	var wg sync.WaitGroup
	for _, addr := range ck.opt.KnownNodes {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || resolve == nil || net.ParseIP(host) != nil {
			mu.Lock()
			found = append(found, place{addr, addr})
			mu.Unlock()
			continue
		}
		wg.Go(func() { // ends with ctx at the latest
			hosts, err := resolve(ctx, host)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("resolve %s: %w", addr, err))
			}
			for _, h := range some(slices.Clone(hosts), lookupMost) {
				found = append(found, place{addr, net.JoinHostPort(h, port)})
			}
		})
	}
	wg.Wait()
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found, errs
}

// target returns how to go on talking to who answered at a place: at the very
// address that was reached. Over TLS that may be one which no certificate
// names; then at the one that the node gives, or else by the given name.
func (ck *ClusterKit) target(at place, resp *transport.JoinResponse) target {
	if ck.opt.TLS == nil {
		return target{resp.From, at.dial}
	}
	for i := range resp.Members {
		if m := &resp.Members[i]; m.ID == resp.From && m.Addr != "" {
			return target{resp.From, m.Addr}
		}
	}
	return target{resp.From, at.addr}
}
