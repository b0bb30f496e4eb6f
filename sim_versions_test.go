package clusterkit

import "github.com/skshohagmiah/clusterkit/transport"

// Here is what an older program does not know: it neither sends nor understands
// what messages have gained since. Events of types and bodies that it does not
// know it keeps and hands on as they are, see opLater.
//
//	SyncRequest.Snapshot    a state that is brought unasked
//	SyncRequest.Buckets     where large vectors differ
//	SyncResponse.Acks       what came of what was brought
//	ProbeRequest.Reach      for how long to try another
//	ProbeResponse.Process   which process of a name answers
//	BrakeLifted             an event that does something
//
// One of another protocol is not let in at all: 426.

// asOlder returns a message as an older program writes or reads it.
func asOlder(message any) any {
	switch m := message.(type) {
	case *transport.SyncRequest:
		older := *m
		older.Snapshot, older.Buckets = nil, nil
		return &older
	case *transport.SyncResponse:
		older := *m
		older.Acks = nil
		return &older
	case *transport.ProbeRequest:
		older := *m
		older.Reach = 0
		return &older
	case *transport.ProbeResponse:
		older := *m
		older.Process = 0
		return &older
	}
	return message
}

// between returns a message as it arrives.
func (n *simNet) between(p, q *simHost, message any) any {
	if (p.old || q.old) && message != nil {
		n.world.coverage.saw(simOlder)
		return asOlder(message)
	}
	return message
}

// protocol is that of the program on a machine.
func (h *simHost) protocol() uint32 {
	if h.foreign {
		return protocol - 1
	}
	return protocol
}

// opOlder starts an older program on a machine; at the end all are new.
func (w *simWorld) opOlder(o simOp) bool {
	h := w.up(o.a)
	if h == nil || h.cluster != simCluster {
		return false
	}
	w.kill(h, false)
	h.old, h.foreign = true, o.b>>9%8 == 0
	w.startIn(h, w.downtime(o.b%2))
	return true
}

// upgrade replaces a program by the newest.
func (w *simWorld) upgrade(h *simHost) {
	if h.old {
		w.kill(h, false)
	}
	h.old, h.foreign = false, false
}
