package clusterkit

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// peers is what this node believes of the others' knowledge. It is a cache:
// every answer corrects it, so a wrong entry costs a message, never an event.
type peers struct {
	self string

	mu    sync.Mutex // guards the fields below and everything in them
	all   map[string]*peer
	nodes []Node // of the newest view
}

// lingering is when an exchange no longer counts as under way, in milliseconds: its
// peer takes its time, which costs nothing here, and must not keep this node from
// talking to others.
const lingering = 1000

type peer struct {
	id   string
	addr string
	log  events.LogID

	has      []events.Head // what it holds, sorted by log; shared, never changed; nil while unknown
	equal    int64         // when digests were last found equal, or -never
	compared int64         // when digests were last found equal, or an exchange ended
	pullAt   int64         // when to fetch what it has and this node lacks; 0: nothing
	retry    bool          // at that time talk to it in any case: the last exchange broke
	busy     bool          // an exchange with it is under way,
	began    int64         // since then,
	again    bool          // and another one is wanted after it
}

func newPeers(self string) *peers {
	return &peers{self: self, all: make(map[string]*peer)}
}

// update takes up the members of a new view and forgets who is gone. It
// returns the forgotten ones.
func (p *peers) update(cluster *projection.Cluster) (gone []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.nodes) == len(cluster.Nodes) && (len(p.nodes) == 0 || &p.nodes[0] == &cluster.Nodes[0]) {
		return nil // the same list
	}
	p.nodes = cluster.Nodes
	present := make(map[string]bool, len(cluster.Nodes))
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		if n.ID == p.self || n.Status == projection.StatusRemoved {
			continue
		}
		present[n.ID] = true
		q := p.getLocked(n.ID)
		q.addr = n.Addr
		if q.log != n.Log {
			q.log, q.has = n.Log, nil // a new disk: it may have lost everything
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.all)) {
		switch {
		case present[id]:
		case p.all[id].busy:
			p.nodes = nil // look again next time
		default:
			delete(p.all, id)
			gone = append(gone, id)
		}
	}
	return gone
}

func (p *peers) getLocked(id string) *peer {
	q := p.all[id]
	if q == nil {
		q = &peer{id: id, equal: -never}
		p.all[id] = q
	}
	return q
}

// begin marks an exchange with id as under way. When there is one already, it
// is told to go round once more and begin reports false.
func (p *peers) begin(id string, now int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.getLocked(id)
	if q.busy {
		q.again = true
		return false
	}
	q.busy, q.began = true, now
	return true
}

// lingers reports whether an exchange with the peer is under way for long.
func (p *peers) lingers(id string, now int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.all[id]
	return q != nil && q.busy && now-q.began >= lingering
}

// room returns how many exchanges may begin when there are to be at most so
// many under way.
func (p *peers) room(most int, now int64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return most - p.talkingLocked(now)
}

// talkingLocked counts the exchanges under way that do not linger.
func (p *peers) talkingLocked(now int64) (n int) {
	for _, q := range p.all {
		if q.busy && now-q.began < lingering {
			n++
		}
	}
	return n
}

// end reports whether another exchange is wanted; then the peer stays busy.
func (p *peers) end(id string, ok bool, now int64) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.getLocked(id)
	again = q.again && ok
	q.busy, q.began, q.again = again, now, false
	if ok {
		q.compared = now
	}
	return again
}

// has returns what the peer is believed to hold, sorted by log, or nil. It is
// shared and must not be changed.
func (p *peers) has(id string) []events.Head {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.all[id]; q != nil {
		return q.has
	}
	return nil
}

// replaceHas takes the peer's own word for what it holds, which is kept.
func (p *peers) replaceHas(id string, has []events.Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if has == nil {
		has = []events.Head{} // it holds nothing, which is something to know
	}
	p.getLocked(id).has = has
}

// raiseHas adds events that the peer is now known to hold.
func (p *peers) raiseHas(id string, heads []events.Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.all[id]; q != nil && q.has != nil {
		q.has = raise(q.has, heads)
	}
}

// equal notes that the peer knows exactly what k says, which this node knew at
// the time now: when it asked, not when the answer came, for it may have learnt
// something meanwhile that the peer has not.
func (p *peers) equal(id string, k *knowledge, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.all[id]; q != nil {
		q.has, q.equal, q.compared, q.pullAt, q.retry = k.heads, now, now, 0, false
	}
}

// wantPull asks for a fetch from the peer at the given time, if what it has
// has not come by another way until then.
func (p *peers) wantPull(id string, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.all[id]; q != nil && q.pullAt == 0 {
		q.pullAt = at
	}
}

// wantRetry asks for another exchange at the given time, whatever is known of
// the peer then.
func (p *peers) wantRetry(id string, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.all[id]; q != nil {
		q.pullAt, q.retry = at, true
	}
}

// duePulls returns the peers to fetch from now, by name, and when the next is
// due. At most so many exchanges are to be under way; a fetch that has to wait
// for that may lapse, when what it was for comes by another way.
func (p *peers) duePulls(k *knowledge, now int64, most int) (due []target, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next = never
	talking := p.talkingLocked(now)
	for _, q := range p.all {
		switch {
		case q.pullAt == 0:
		case !q.retry && !k.lacks(q.has):
			q.pullAt = 0
		case q.pullAt > now:
			next = min(next, q.pullAt)
		case talking+len(due) >= most:
			q.pullAt = now + pullDelay
			next = min(next, q.pullAt)
		default:
			q.pullAt, q.retry = 0, false
			due = append(due, target{q.id, q.addr})
		}
	}
	slices.SortFunc(due, func(a, b target) int { return strings.Compare(a.id, b.id) })
	return due, next
}

// equalAt returns when the peer was last found to know the same.
func (p *peers) equalAt(id string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.all[id]; q != nil {
		return q.equal
	}
	return -never
}

// compared returns when the peer was last known to be in step.
func (p *peers) comparedAt(id string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.all[id]; q != nil {
		return q.compared
	}
	return -never
}

// never is a time that does not come.
const never = int64(1) << 62

// target is somebody to talk to.
type target struct{ id, addr string }
