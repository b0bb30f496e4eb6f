package clusterkit

import (
	"github.com/skshohagmiah/clusterkit/events"
)

// A node that took leave may come back with its old directory. For a day the
// others still know it, and it goes on in its log. Later they have forgotten it,
// and nobody may speak in a log that is gone: so it begins a new one. Who was
// removed is kept out, for that was not its own decision.
//
//	its last word, on its own disk    its log is gone
//	NodeLeft, for good                it begins a new log, once it has proof of that
//	anything else                     ErrRemoved
//
// The own disk is asked, not the state: in a state that has learnt that the log
// is gone, what the node said last is forgotten. Where that is not kept on disk
// any more the node cannot tell, and must come with an empty directory.

// beginAnew begins a new log if this node took leave long ago, and reports
// whether it did. It runs in the writer, or before there is one.
func (ck *ClusterKit) beginAnew(r *replica) bool {
	if r.spoken || !r.state.Gone(r.log) || !ck.tookLeave(r.head(r.log)) {
		return false
	}
	log, err := ck.freshLog()
	if err != nil {
		ck.opt.Logger.Error("no new log after a long leave", "err", err)
		return false
	}
	r.log = log
	return true
}

// tookLeave reports whether the last event of this node's log says that it left
// for good.
func (ck *ClusterKit) tookLeave(last events.Head) bool {
	said, err := ck.log.Range(last.Log, last.Seq, 1, events.MaxEventSize)
	if err != nil || len(said) != 1 || said[0].Type != events.NodeLeft {
		return false
	}
	p, err := said[0].Payload()
	record, ok := p.(*events.NodeRecord)
	return err == nil && ok && record.Reason == leftForGood
}
