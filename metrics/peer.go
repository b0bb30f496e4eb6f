package metrics

import (
	"cmp"
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
type peerTable struct {
	most int

	lag, seen, skew *prometheus.Desc

	mu  sync.RWMutex // guards all, not what it points to
	all map[string]*peer
}

type peer struct {
	seen atomic.Int64  // Unix time in nanoseconds; 0: never
	skew atomic.Uint64 // bits of a float64 in seconds; NaN: not known
}

func newPeerTable(b *builder, most int) peerTable {
	return peerTable{
		most: most,
		lag: b.desc("sync_peer_lag_events",
			"Events that this node holds and a peer is not known to hold.", "peer"),
		seen: b.desc("sync_peer_last_success_timestamp_seconds",
			"When this node and a peer last exchanged or compared what they know, in seconds since 1970.", "peer"),
		skew: b.desc("clock_skew_seconds",
			"The wall clock of a peer minus that of this node.", "peer"),
		all: make(map[string]*peer),
	}
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
	m.peers.mu.Lock()
	defer m.peers.mu.Unlock()
	delete(m.peers.all, id)
}

// place returns the place of a peer, or nil when there is none for it.
func (t *peerTable) place(id string) *peer {
	t.mu.RLock()
	p := t.all[id]
	full := len(t.all) >= t.most
	t.mu.RUnlock()
	if p != nil || full || !validPeerID(id) {
		return p
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.placeLocked(id)
}

func (t *peerTable) placeLocked(id string) *peer {
	p := t.all[id]
	if p == nil && len(t.all) < t.most {
		p = &peer{}
		p.skew.Store(math.Float64bits(math.NaN()))
		t.all[id] = p
	}
	return p
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
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.all {
		if !present[id] {
			delete(t.all, id)
		}
	}
	for _, id := range ids {
		t.placeLocked(id)
	}
}

func (t *peerTable) describe(ch chan<- *prometheus.Desc) {
	ch <- t.lag
	ch <- t.seen
	ch <- t.skew
}

// collect emits what was noted.
func (t *peerTable) collect(ch chan<- prometheus.Metric) {
	type noted struct {
		id   string
		seen int64
		skew float64
	}
	t.mu.RLock()
	all := make([]noted, 0, len(t.all))
	for id, p := range t.all {
		all = append(all, noted{id, p.seen.Load(), math.Float64frombits(p.skew.Load())})
	}
	t.mu.RUnlock()
	for _, p := range all { // not under the lock: ch may block
		if p.seen != 0 {
			ch <- gauge(t.seen, float64(p.seen)/1e9, p.id)
		}
		if !math.IsNaN(p.skew) {
			ch <- gauge(t.skew, p.skew, p.id)
		}
	}
}

// collectLag emits the lag of the listed peers that have a place.
func (t *peerTable) collectLag(ch chan<- prometheus.Metric, listed []Peer) {
	t.mu.RLock()
	lags := make([]Peer, 0, len(t.all))
	for _, p := range listed {
		if t.all[p.ID] != nil && p.Lag >= 0 {
			lags = append(lags, p)
		}
	}
	t.mu.RUnlock()
	slices.SortStableFunc(lags, func(a, b Peer) int { return cmp.Compare(a.ID, b.ID) })
	lags = slices.CompactFunc(lags, func(a, b Peer) bool { return a.ID == b.ID }) // two of one name fail a scrape
	for _, p := range lags {
		ch <- gauge(t.lag, float64(p.Lag), p.ID)
	}
}
