package clusterkit

import (
	"strings"
	"unicode"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
)

// replica is the pure state machine of a node: what it knows, what it says and
// how it answers. It does no I/O, starts no goroutine and reads no clock; the
// writer drives it, and so does a simulator.
//
// Its output is a batch of staged events, and the duty that goes with it:
// append them to the log and sync it; then commit, which applies them; then
// publish and send. Staged events are seen by nobody. When the append fails
// the replica must not be used again, for it has promised what the disk does
// not hold.
//
//	emit, ingest, speak, refute, coordinate --> staged --append+sync--> commit --> knowledge
type replica struct {
	node   string
	log    events.LogID
	config projection.Config

	state        *projection.State
	clock        events.Clock
	coordination *coordination.Coordination

	record   *events.NodeRecord // what this node says of itself
	spoken   bool               // it has joined: learnt first, then spoken
	claims   []events.ID        // what this process has last said of itself
	twin     *events.NodeRecord // another process that is this node too and stays; this one must stop
	unsaid   events.Head        // where its own log was seen to have forked before it spoke
	leaving  bool               // it has said that it is about to leave for good
	stopping bool               // it has said goodbye and answers no accusation

	heldUntil int64 // until then it need not be recorded again that the brake holds

	forgetting [len(forgettable)]forgetting // how far it is with forgetting tombstones

	staged   []events.Event
	heads    map[events.LogID]events.Head // of the logs with staged events
	versions map[string]uint64            // of the registers with staged events
}

func newReplica(node string, log events.LogID, config projection.Config, duties coordination.Options) *replica {
	return &replica{
		node: node, log: log, config: config,
		state:        projection.NewState(),
		coordination: coordination.New(node, duties),
		heads:        make(map[events.LogID]events.Head),
		versions:     make(map[string]uint64),
	}
}

// restore takes up an event that the log already holds.
func (r *replica) restore(e *events.Event) { r.state.Apply(e) }

// restored ends the replay: the clock goes on after the newest own event, and
// after what others wrote as far as one may follow them.
//
// Where the wall clock is behind that, a directory restored from an old backup would
// give the same times again, to other events of the same sequences: one fencing
// token could name two owners. So each process goes on elsewhere, by the chance in
// its name.
func (r *replica) restored(wall int64, process events.Timestamp) {
	r.clock.Restore(r.state.Time(r.log))
	r.clock.Observe(r.state.MaxTime(), wall)
	if last := r.clock.Last(); last >= events.NewTimestamp(wall, 0) {
		r.clock.Restore(last + 1 + process&0xffff)
	}
}

// head returns the newest event of a log, staged ones included.
func (r *replica) head(log events.LogID) events.Head {
	if h, ok := r.heads[log]; ok {
		return h
	}
	return r.state.Head(log)
}

// version returns the newest version of a register, staged ones included and
// those that are forgotten.
func (r *replica) version(register string) uint64 {
	stamp, _ := r.state.Stamp(register)
	return max(stamp.Version, r.versions[register], r.state.GoneVersion(register))
}

func (r *replica) stage(e events.Event) *events.Event {
	r.staged = append(r.staged, e)
	r.heads[e.Log] = e.Head()
	if e.Register != "" {
		r.versions[e.Register] = max(e.Version, r.versions[e.Register])
	}
	return &r.staged[len(r.staged)-1]
}

// unstage takes back all but the first n staged events.
func (r *replica) unstage(n int) {
	if n >= len(r.staged) {
		return
	}
	keep := r.staged[:n]
	r.staged = nil
	clear(r.heads)
	clear(r.versions)
	for _, e := range keep {
		r.stage(e)
	}
}

// emit stages a new event of this node's own log. The caller gives type,
// register, version, rank, actor, cause and body; an empty actor is this node.
func (r *replica) emit(wall int64, e events.Event) (*events.Event, error) {
	head := r.head(r.log)
	e.Log, e.Seq, e.Time = r.log, head.Seq+1, r.clock.Tick(wall)
	if e.Actor == "" {
		e.Actor = r.node
	}
	sealed, err := events.Seal(e, head.Chain)
	if err != nil {
		return nil, err
	}
	if e.Type.IsKnown() {
		if _, err := sealed.Payload(); err != nil { // nobody could read it
			return nil, err
		}
	}
	return r.stage(sealed), nil
}

// write emits an event whose register counts revisions: one more than this
// node knows, and above what is forgotten.
func (r *replica) write(wall int64, e events.Event) (*events.Event, error) {
	kind, _ := events.SplitRegister(e.Register)
	e.Version = max(r.version(e.Register), r.state.Floor(kind)) + 1
	return r.emit(wall, e)
}

// ingested says what became of a batch of events from elsewhere.
type ingested struct {
	accepted   int
	duplicates int
	gaps       int         // events that do not follow what is held
	broken     []events.ID // events that contradict what is held: a fork
	void       int         // events of logs that are known as forked: who sends them does not know it
	newest     events.Timestamp
}

// ingest stages the events of a peer that are new here. A duplicate is
// nothing; a gap ends its log for this batch, so a vector never lies; an event
// that does not link to what is held is a fork and is never applied.
func (r *replica) ingest(wall int64, batch []events.Event) ingested {
	var in ingested
	for i := range batch {
		e := &batch[i]
		switch head := r.head(e.Log); {
		case e.Seq < head.Seq:
			in.duplicates++
		case e.Seq == head.Seq:
			in.duplicates++
			if e.Chain != head.Chain {
				in.broken = append(in.broken, e.ID())
			}
		case r.state.Forked(e.Log):
			in.void++
		case e.Seq != head.Seq+1:
			in.gaps++
		case !e.Links(head.Chain), e.Log == r.log && r.spoken:
			// Once this node has spoken nobody else may write to its log; if
			// somebody does, two processes share one identity.
			in.broken = append(in.broken, e.ID())
		default:
			r.stage(*e)
			r.clock.Observe(e.Time, wall)
			if e.Log == r.log {
				r.clock.Restore(e.Time) // its own, given back after a restore
			}
			in.newest = max(in.newest, e.Time)
			in.accepted++
		}
	}
	return in
}

// applied is an event together with what it did to the state.
type applied struct {
	event    *events.Event
	outcome  projection.Outcome
	conflict bool // a concurrent write to the same register: one of both lost
}

// commit applies the staged events, which must be durable by now.
func (r *replica) commit() []applied {
	done := make([]applied, 0, len(r.staged))
	for i := range r.staged {
		e := &r.staged[i]
		before, had := r.state.Stamp(e.Register)
		a := applied{event: e, outcome: r.state.Apply(e)}
		a.conflict = had && e.Register != "" && before.Version == e.Version && before.Log != e.Log &&
			before.Rank == e.Rank
		if a.outcome == projection.Won && e.Log != r.log {
			r.overruled(e)
		}
		done = append(done, a)
	}
	r.staged = nil
	clear(r.heads)
	clear(r.versions)
	return done
}

// overruled lets this node look at the balance again when another one has
// assigned a partition.
func (r *replica) overruled(e *events.Event) {
	if e.Type != events.PartitionAssigned {
		return
	}
	if p, err := e.Payload(); err == nil {
		r.coordination.Overruled(p.(*events.Assignment).Trigger)
	}
}

// merge joins a state that stands in for events that are no longer kept. The
// result must be made durable before it replaces the state: see adopt.
func (r *replica) merge(other *projection.State) (joined *projection.State, changed bool) {
	joined = r.state.Clone()
	changed = joined.Merge(other)
	return joined, changed
}

func (r *replica) adopt(joined *projection.State, wall int64) {
	for _, e := range joined.Registers(events.KindPartition) {
		if before, ok := r.state.Stamp(e.Register); ok && before != e.Stamp() {
			r.overruled(e) // also by what another process wrote in this node's log
		}
	}
	r.state = joined
	r.clock.Observe(joined.MaxTime(), wall)
	if !r.spoken {
		r.clock.Restore(joined.Time(r.log)) // its own, given back after a restore
	}
}

// incarnation returns the incarnation in which this node lives now, 0 before
// it has ever spoken.
func (r *replica) incarnation() uint64 { return r.version(events.NodeRegister(r.node)) }

// nextIncarnation is larger than every incarnation that anybody has spoken of.
func (r *replica) nextIncarnation() uint64 {
	next := max(r.incarnation(), r.version(events.AccusationRegister(r.node)))
	if order, ok := r.state.Register(events.AdminRegister(r.node)); ok {
		if p, err := order.Payload(); err == nil {
			next = max(next, p.(*events.NodeOrder).Incarnation)
		}
	}
	return next + 1
}

// speak joins the cluster: what was learnt before is all this node can know of
// its own past.
func (r *replica) speak(wall int64, record *events.NodeRecord, reason string) error {
	r.record = record.Clone()
	r.record.JoinedAt = r.joinedAt(wall)
	if r.head(r.log).Seq == 0 { // made with the directory, or for this start
		owner := &events.LogOwner{Node: r.node, Reason: "data directory made"}
		if _, err := r.emit(wall, events.Event{Type: events.LogStarted, Register: events.LogRegister(r.log),
			Version: 1, Body: events.Encode(owner)}); err != nil {
			return err
		}
	}
	if _, err := r.announce(wall, events.NodeJoined, r.nextIncarnation(), events.ID{}, reason); err != nil {
		return err
	}
	r.spoken = true
	if r.unsaid.Seq > 0 && !r.forkKnown(r.unsaid.Log) {
		return r.markForked(wall, r.unsaid)
	}
	return nil
}

func (r *replica) joinedAt(wall int64) events.Timestamp {
	if own, ok := r.state.Register(events.NodeRegister(r.node)); ok {
		if p, err := own.Payload(); err == nil && p.(*events.NodeRecord).JoinedAt != 0 {
			return p.(*events.NodeRecord).JoinedAt
		}
	}
	return events.NewTimestamp(wall, 0)
}

// announce writes this node's own register: the whole record, with a reason.
func (r *replica) announce(wall int64, t events.Type, incarnation uint64, cause events.ID, reason string) (*events.Event, error) {
	record := *r.record
	record.Reason = reason
	e, err := r.emit(wall, events.Event{Type: t, Register: events.NodeRegister(r.node),
		Version: incarnation, Cause: cause, Body: events.Encode(&record)})
	if err == nil {
		r.claims = append(r.claims[max(len(r.claims)-keptClaims+1, 0):], e.ID())
	}
	return e, err
}

// react stages what the present state makes necessary: the refutation of an
// accusation, a claim, assignments. It returns when to ask again at the
// latest, in the milliseconds of now; the writer asks after every commit too.
func (r *replica) react(now, wall int64) (wake int64, err error) {
	if !r.spoken || r.stopping {
		return 1<<63 - 1, nil
	}
	if err := r.defend(wall); err != nil || r.stopping {
		return 1<<63 - 1, err
	}
	if err := r.refute(wall); err != nil {
		return now, err
	}
	cluster := r.state.Cluster()
	if cluster.Coordinator == r.node {
		if err := r.configure(wall, events.ID{}); err != nil {
			return now, err
		}
	}
	r.coordination.Observe(cluster, now)
	decision, wake := r.coordination.Next(cluster, now)
	return wake, r.carryOut(wall, cluster, decision)
}

// refute answers an accusation of this node's present incarnation: it lives. So
// it does when what it said is void, because it did not know when it spoke that
// a node of its name was forgotten.
func (r *replica) refute(wall int64) error {
	own := events.NodeRegister(r.node)
	if _, ok := r.state.Stamp(own); !ok && r.versions[own] == 0 {
		_, err := r.announce(wall, r.alive(), r.nextIncarnation(), events.ID{}, "was not to be told from one that is forgotten")
		return err
	}
	accused, ok := r.state.Register(events.AccusationRegister(r.node))
	if !ok || accused.Version < r.incarnation() {
		return nil
	}
	_, err := r.announce(wall, r.alive(), r.nextIncarnation(), accused.ID(),
		"refutes "+string(accused.Type)+" by "+accused.Actor)
	return err
}

// alive is how this node says that it lives: a node that is leaving goes on
// doing so.
func (r *replica) alive() events.Type {
	if r.leaving {
		return events.NodeLeaving
	}
	return events.NodeRecovered
}

// answerAccusation refutes what this node was told and has not yet read.
func (r *replica) answerAccusation(wall int64, incarnation uint64, accuser string) error {
	if !r.spoken || r.stopping || r.incarnation() > incarnation {
		return nil
	}
	_, err := r.announce(wall, r.alive(), max(r.nextIncarnation(), incarnation+1), events.ID{},
		"refutes an accusation that "+accuser+" told of")
	return err
}

// accuse says that a member does not answer, unless what that rests on has
// changed: it lives in a later incarnation, has gone, or is accused as much
// already.
func (r *replica) accuse(wall int64, t events.Type, rank uint8, node string, incarnation uint64, reason string) error {
	n, ok := r.state.Cluster().Node(node)
	if !ok || !r.spoken || r.stopping || n.Incarnation != incarnation ||
		n.Status == projection.StatusFailed || n.Status == projection.StatusLeft || n.Status == projection.StatusRemoved {
		return nil
	}
	register := events.AccusationRegister(node)
	var cause events.ID
	if before, ok := r.state.Register(register); ok && before.Version == incarnation {
		cause = before.ID()
	}
	_, err := r.emit(wall, events.Event{Type: t, Register: register, Version: incarnation, Rank: rank, Cause: cause,
		Body: events.Encode(&events.Accusation{Node: node, Incarnation: incarnation, Reason: legible(reason)})})
	return err
}

// legible makes a text that may come from an error fit for an event.
func legible(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	return strings.ToValidUTF8(text[:min(len(text), 1024)], "")
}

// carryOut stages the events of a decision.
func (r *replica) carryOut(wall int64, cluster *projection.Cluster, d coordination.Decision) error {
	if d.Claim {
		if err := r.claim(wall, d); err != nil {
			return err
		}
	}
	if n, ok := cluster.Node(d.Remove); ok {
		_, err := r.remove(wall, n, "", d.Cause, d.Reason)
		return err
	}
	if len(d.Assignments) == 0 {
		return nil
	}
	frame := &events.Rebalance{Moves: uint32(d.Moves), Trigger: d.Assignments[0].Trigger, Reason: d.Reason}
	if d.Moves > 0 {
		if _, err := r.emit(wall, events.Event{Type: events.RebalanceStarted, Cause: d.Assignments[0].Cause,
			Body: events.Encode(frame)}); err != nil {
			return err
		}
	}
	for i := range d.Assignments {
		if err := r.assign(wall, &d.Assignments[i], d.Epoch+uint64(i), ""); err != nil {
			return err
		}
	}
	if d.Moves > 0 {
		_, err := r.emit(wall, events.Event{Type: events.RebalanceCompleted, Cause: d.Assignments[0].Cause,
			Body: events.Encode(frame)})
		return err
	}
	return nil
}

// claim takes the vacant role of coordinator. The first one also writes down
// the configuration.
func (r *replica) claim(wall int64, d coordination.Decision) error {
	body := events.Encode(&events.CoordinatorClaim{Node: r.node, Reason: d.Reason})
	claimed, err := r.emit(wall, events.Event{Type: events.CoordinatorClaimed, Register: events.CoordinatorRegister,
		Version: d.Term, Cause: d.Cause, Body: body})
	if err != nil {
		return err
	}
	return r.configure(wall, claimed.ID())
}

// configure writes the configuration down when nobody has: the first
// coordinator does so with its claim, a later one when what the first one wrote
// was lost with its disk.
func (r *replica) configure(wall int64, cause events.ID) error {
	if r.version(events.ConfigRegister) > 0 {
		return nil
	}
	_, err := r.write(wall, events.Event{Type: events.ClusterConfigured, Register: events.ConfigRegister,
		Cause: cause, Body: events.Encode(settings(r.config))})
	return err
}

// settings returns the configuration in the form of an event.
func settings(c projection.Config) *events.ClusterConfig {
	return &events.ClusterConfig{Name: c.ClusterName,
		PartitionCount:    uint32(c.PartitionCount),
		ReplicationFactor: uint32(c.ReplicationFactor)}
}

func (r *replica) assign(wall int64, a *coordination.Assignment, epoch uint64, actor string) error {
	body := events.Encode(&events.Assignment{Partition: uint32(a.Partition), Replicas: a.Replicas,
		Previous: a.Previous, Trigger: a.Trigger, Reason: a.Reason})
	_, err := r.emit(wall, events.Event{Type: events.PartitionAssigned, Actor: actor,
		Register: events.PartitionRegister(a.Partition), Version: epoch, Cause: a.Cause, Body: body})
	return err
}
