package metrics

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// maxPeerID is the longest name of a node, in bytes. What is longer is not one.
const maxPeerID = 64

// peerTable holds what is known of single peers. A peer has a place in it from
// the first time that it is spoken of, as long as there is one free.
//
// Peers come and go rarely and are noted often, so the map is never changed
// but replaced: whoever notes something takes no lock.
type peerTable struct {
	most int

	lag, seen, skew *prometheus.Desc

	mu  sync.Mutex // is held while all is replaced
	all atomic.Pointer[map[string]*peer]
}

type peer struct {
	seen atomic.Int64  // Unix time in nanoseconds; 0: never
	skew atomic.Uint64 // bits of a float64 in seconds; NaN: not known
}

func newPeerTable(b *builder, most int) *peerTable {
	t := &peerTable{
		most: most,
		lag: b.desc("sync_peer_lag_events",
			"Events that this node holds and a peer is not known to hold.", "peer"),
		seen: b.desc("sync_peer_last_success_timestamp_seconds",
			"When this node and a peer last exchanged or compared what they know, in seconds since 1970.", "peer"),
		skew: b.desc("clock_skew_seconds",
			"The wall clock of a peer minus that of this node.", "peer"),
	}
	t.all.Store(&map[string]*peer{})
	return t
}

// PeerSeen notes that this node and a peer have just exchanged or compared
// what they know.
func (m *Metrics) PeerSeen(id string) {
	if m == nil {
		return
	}
	if p := m.peers.place(id); p != nil {
		p.seen.Store(time.Now().UnixNano())
	}
}

// ClockSkew notes how far the wall clock of a peer is ahead of this node's.
func (m *Metrics) ClockSkew(id string, ahead time.Duration) {
	if m == nil {
		return
	}
	if p := m.peers.place(id); p != nil {
		p.skew.Store(math.Float64bits(ahead.Seconds()))
	}
}

// ForgetPeer ends the series of a peer that is no longer a member. An exchange
// with it that is still under way may bring them back; where State lists the
// peers, only until the next scrape.
func (m *Metrics) ForgetPeer(id string) {
	if m == nil {
		return
	}
	m.peers.change(func(all map[string]*peer) { delete(all, id) })
}

// place returns the place of a peer, or nil when there is none for it.
func (t *peerTable) place(id string) *peer {
	all := *t.all.Load()
	p := all[id]
	if p != nil || len(all) >= t.most || !validPeerID(id) {
		return p
	}
	t.change(func(all map[string]*peer) { p = t.admit(all, id) })
	return p
}

// admit gives a peer a place if it has none and one is free.
func (t *peerTable) admit(all map[string]*peer, id string) *peer {
	p := all[id]
	if p == nil && len(all) < t.most {
		p = &peer{}
		p.skew.Store(math.Float64bits(math.NaN()))
		all[id] = p
	}
	return p
}

// change replaces the map by a changed copy. One change at a time.
func (t *peerTable) change(edit func(all map[string]*peer)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := maps.Clone(*t.all.Load())
	edit(all)
	t.all.Store(&all)
}

// validPeerID refuses what cannot be a label value, as one such series would
// fail every scrape, and what cannot be a node.
func validPeerID(id string) bool {
	return id != "" && len(id) <= maxPeerID && utf8.ValidString(id)
}

// keep gives the listed peers a place each, as far as there are, and takes it
// from all others: whoever is listed no longer is gone, even if a late answer
// of it was noted after ForgetPeer.
func (t *peerTable) keep(listed []Peer) {
	present := make(map[string]bool, len(listed))
	ids := make([]string, 0, len(listed))
	for i := range listed {
		if id := listed[i].ID; validPeerID(id) && !present[id] {
			present[id] = true
			ids = append(ids, id)
		}
	}
	slices.Sort(ids) // who gets the last place is no accident
	t.change(func(all map[string]*peer) {
		for id := range all {
			if !present[id] {
				delete(all, id)
			}
		}
		for _, id := range ids {
			t.admit(all, id)
		}
	})
}

func (t *peerTable) describe(ch chan<- *prometheus.Desc) {
	ch <- t.lag
	ch <- t.seen
	ch <- t.skew
}

// collect emits what was noted.
func (t *peerTable) collect(ch chan<- prometheus.Metric) {
	for id, p := range *t.all.Load() {
		if seen := p.seen.Load(); seen != 0 {
			ch <- gauge(t.seen, float64(seen)/1e9, id)
		}
		if skew := math.Float64frombits(p.skew.Load()); !math.IsNaN(skew) {
			ch <- gauge(t.skew, skew, id)
		}
	}
}

// collectLag emits the lag of the listed peers that have a place.
func (t *peerTable) collectLag(ch chan<- prometheus.Metric, listed []Peer) {
	all := *t.all.Load()
	lags := make([]Peer, 0, len(all))
	for _, p := range listed {
		if all[p.ID] != nil && p.Lag >= 0 {
			lags = append(lags, p)
		}
	}
	slices.SortStableFunc(lags, func(a, b Peer) int { return cmp.Compare(a.ID, b.ID) })
	lags = slices.CompactFunc(lags, func(a, b Peer) bool { return a.ID == b.ID }) // two of one name fail a scrape
	for _, p := range lags {
		ch <- gauge(t.lag, float64(p.Lag), p.ID)
	}
}
