package clusterkit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
)

// Conflict is a pair of writes to one register that did not know of each
// other. One of them counts; the other is kept in the log.
type Conflict struct {
	Register  string
	Won, Lost events.Event
}

// Conflicts yields the pairs of concurrent writes in the history kept here, up
// to its present end: values, assignments, orders, claims, in the order in
// which this node came to know of them. It reads the log from its beginning, so
// it is for an operator's question or an application's repair, not for every
// request. The metric clusterkit_sync_conflicts_total counts them as they come.
//
// Writes of equal version are concurrent, for who has seen a write takes a
// higher one. Of one register the last 16 versions are compared: a write that
// comes even later than that was lost long ago and is not found.
func (ck *ClusterKit) Conflicts(ctx context.Context) iter.Seq2[Conflict, error] {
	return func(yield func(Conflict, error) bool) {
		seen := make(rivals)
		for e, err := range ck.events(ctx, nil, false) {
			if err != nil {
				yield(Conflict{}, err)
				return
			}
			rival, found := seen.meet(&e)
			if !found {
				continue
			}
			other, err := ck.event(rival.id)
			if err != nil {
				yield(Conflict{}, err)
				return
			}
			c := Conflict{Register: e.Register, Won: e, Lost: other}
			if e.Stamp().Compare(rival.stamp) < 0 {
				c.Won, c.Lost = other, e
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// event reads one event that the log holds.
func (ck *ClusterKit) event(id events.ID) (events.Event, error) {
	found, err := ck.log.Range(id.Log, id.Seq, 1, events.MaxEventSize)
	switch {
	case errors.Is(err, eventlog.ErrCompacted):
		return events.Event{}, ErrCompacted
	case err != nil:
		return events.Event{}, err
	case len(found) == 0:
		return events.Event{}, fmt.Errorf("clusterkit: event %s is not in the log", id)
	}
	return found[0], nil
}

// rivals are the latest writes to each register, oldest version first: of those
// of one version the one that won.
type rivals map[string][]rival

type rival struct {
	stamp events.Stamp
	id    events.ID
}

// memory is how many versions of a register are remembered.
const memory = 16

// meet takes up a write and returns the one that it is concurrent with, if any.
func (rs rivals) meet(e *events.Event) (other rival, found bool) {
	switch kind, _ := events.SplitRegister(e.Register); kind {
	case "", events.KindAccusation, events.KindLog:
		return rival{}, false // several who say the same are not at odds
	}
	met, now := rs[e.Register], rival{e.Stamp(), e.ID()}
	i, ok := slices.BinarySearchFunc(met, e.Version, func(r rival, v uint64) int {
		switch {
		case r.stamp.Version < v:
			return -1
		case r.stamp.Version > v:
			return 1
		}
		return 0
	})
	switch {
	case !ok:
		if met = slices.Insert(met, i, now); len(met) > memory {
			met = slices.Delete(met, 0, 1)
		}
		rs[e.Register] = met
		return rival{}, false
	case met[i].id.Log == e.Log:
		met[i] = now // one node says two things of itself within a version
		return rival{}, false
	}
	other = met[i]
	if now.stamp.Compare(other.stamp) > 0 {
		met[i] = now
	}
	return other, true
}
