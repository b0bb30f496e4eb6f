package events

import "strings"

// Type says what happened. The names are constants in the past tense; a type
// that this version does not know is kept, folded and forwarded as it is.
type Type string

// The types of this version. The comment names the register that each writes
// and the Go type of its payload.
const (
	ClusterConfigured   Type = "ClusterConfigured"   // config/cluster, *ClusterConfig
	LogStarted          Type = "LogStarted"          // log/<LogID>, *LogOwner
	LogForked           Type = "LogForked"           // log/<LogID>, *LogOwner
	NodeJoined          Type = "NodeJoined"          // node/<id>, *NodeRecord
	NodeUpdated         Type = "NodeUpdated"         // node/<id>, *NodeRecord
	NodeLeaving         Type = "NodeLeaving"         // node/<id>, *NodeRecord
	NodeLeft            Type = "NodeLeft"            // node/<id>, *NodeRecord
	NodeRecovered       Type = "NodeRecovered"       // node/<id>, *NodeRecord: refutes an accusation
	NodeSuspected       Type = "NodeSuspected"       // accusation/<id>, *Accusation, rank 1
	NodeFailed          Type = "NodeFailed"          // accusation/<id>, *Accusation, rank 2
	NodeRemoved         Type = "NodeRemoved"         // admin/<id>, *NodeOrder
	NodeDrained         Type = "NodeDrained"         // admin/<id>, *NodeOrder
	NodeUndrained       Type = "NodeUndrained"       // admin/<id>, *NodeOrder
	BrakeHeld           Type = "BrakeHeld"           // no register, *NodeOrder: a verdict or a removal was held back
	BrakeLifted         Type = "BrakeLifted"         // no register, *NodeOrder: nothing is held back for a while
	CoordinatorClaimed  Type = "CoordinatorClaimed"  // coordinator, *CoordinatorClaim
	PartitionAssigned   Type = "PartitionAssigned"   // partition/<n>, *Assignment
	RebalanceStarted    Type = "RebalanceStarted"    // no register, *Rebalance
	RebalanceCompleted  Type = "RebalanceCompleted"  // no register, *Rebalance
	ValueSet            Type = "ValueSet"            // value/<key>, *Value
	ValueDeleted        Type = "ValueDeleted"        // value/<key>, *Value
	FloorRaised         Type = "FloorRaised"         // floor/<kind>, *Collection
	TombstonesCollected Type = "TombstonesCollected" // collected/<the event's own ID>, *Collection
)

// AppPrefix begins the type of every application event. Their body belongs to
// the application.
const AppPrefix = "app/"

// IsApp reports whether t is the type of an application event.
func (t Type) IsApp() bool { return strings.HasPrefix(string(t), AppPrefix) }

// IsKnown reports whether this version knows the payload of t.
func (t Type) IsKnown() bool { return payloadOf(t) != nil }

// The ranks of accusations: who is failed is no longer merely suspected.
const (
	RankSuspected = 1
	RankFailed    = 2
)
