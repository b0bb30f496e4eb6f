package swim

// Never is what [Detector.Next] returns when nothing is to be done before the
// next call of another method.
const Never = int64(1<<63 - 1)

// Member is one node of the cluster view.
type Member struct {
	ID          string
	Addr        string // host:port that peers dial
	Incarnation uint64
	Status      Status
}

// Status is what the cluster view says of a member. The text is that of the
// view's JSON.
type Status string

// The statuses of DESIGN section 2. An unknown one is treated as removed.
const (
	Alive     Status = "alive"
	Suspected Status = "suspected"
	Failed    Status = "failed"
	Leaving   Status = "leaving"
	Left      Status = "left"
	Removed   Status = "removed"
)

// runs reports whether a member of this status is thought to run.
func (s Status) runs() bool { return s == Alive || s == Suspected || s == Leaving }

// Action is what the caller has to do: a [Probe], an [Indirect], a [Suspect]
// or a [Convict]. Actions of one call may be carried out in any order.
type Action interface{ action() }

// Probe asks the caller to ask Target at Addr whether it is there, and to
// tell it of any accusation. Exactly one Result is due, within Timeout:
// Acked when the target itself answered that it works, else Missed, at once
// when the connection was refused. Another node behind that address is Missed.
type Probe struct {
	ID      uint64
	Target  string
	Addr    string
	Timeout int64 // ms
	// Retry says that the target is failed: this is to find out whether it is
	// back. If it answers it must learn that it was declared failed.
	Retry bool
}

// Indirect asks the caller to ask every member of Via "can you reach Target
// at Addr within Reach?". One Result per member of Via is due, within
// Timeout: Acked when the relay reached the target, Nacked when it said that
// it could not, Missed when the relay itself gave no answer.
type Indirect struct {
	ID      uint64
	Target  string
	Addr    string
	Via     []Member
	Reach   int64 // ms that a relay shall wait for the target
	Timeout int64 // ms that the caller shall wait for the relays
}

// Suspect asks the caller to write NodeSuspected, unless by then the target
// has a higher incarnation or is failed, left or removed. It is not repeated.
type Suspect struct {
	Target      string
	Incarnation uint64
	Reason      string
}

// Convict asks the caller to write NodeFailed, unless by then the target has
// a higher incarnation or is failed, left or removed. It is not repeated.
type Convict struct {
	Target      string
	Incarnation uint64
	Reason      string
}

func (Probe) action()    {}
func (Indirect) action() {}
func (Suspect) action()  {}
func (Convict) action()  {}

// Outcome says how a probe ended.
type Outcome uint8

// The outcomes of a Probe and of each relay of an Indirect.
const (
	Missed Outcome = iota // nobody answered in time
	Acked                 // the target answered
	Nacked                // the relay answered that it cannot reach the target
)

// Report is the outcome of a Probe, or of one relay of an Indirect.
type Report struct {
	ID      uint64 // of the Probe or Indirect
	Outcome Outcome
	RTT     int64  // ms from request to answer; of an Acked Probe only
	Detail  string // why it was Missed, for people: "connection refused"; may be empty
}
