package clusterkit

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
)

// Cursor is a place in the history that means the same on every node: which
// events have been seen. The nil Cursor is the beginning. Raise it with every
// event that was dealt with:
//
//	cursor[event.Log] = event.Seq
//
// and keep its String form to resume after a restart, here or on another node.
type Cursor = events.Vector

// ParseCursor reads the String form of a cursor. Empty text is the beginning.
func ParseCursor(text string) (Cursor, error) { return events.ParseVector(text) }

// ErrCompacted is yielded by Events when events after the cursor are no longer
// kept here; Cluster has the state that they led to.
var ErrCompacted = errors.New("clusterkit: events after the cursor are no longer kept")

// Events yields the events that after does not cover, in the order in which
// this node came to know them, each log in its own order, and then goes on
// with new ones as they come. Nothing is queued: a slow reader reads from the
// log, so it can neither block the cluster nor lose an event. The sequence ends
// with ctx, after the first error, or when the node stops.
//
// With types it yields only events of those: events.PartitionAssigned,
// "app/order-shipped". Their Payload is of the Go type that events names beside
// the constant.
func (ck *ClusterKit) Events(ctx context.Context, after Cursor, types ...events.Type) iter.Seq2[events.Event, error] {
	all := ck.events(ctx, after, true)
	if len(types) == 0 {
		return all
	}
	types = slices.Clone(types)
	return func(yield func(events.Event, error) bool) {
		for e, err := range all {
			if (err != nil || slices.Contains(types, e.Type)) && !yield(e, err) {
				return
			}
		}
	}
}

func (ck *ClusterKit) events(ctx context.Context, after Cursor, follow bool) iter.Seq2[events.Event, error] {
	return func(yield func(events.Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(ck.ctx, cancel)()
		end := ck.log.Last()
		cursor := ck.log.Records(ck.log.Locate(after))
		defer cursor.Close()
		for index := uint64(0); follow || index < end; {
			record, err := cursor.Next(ctx)
			if err != nil {
				if e := ck.endOfEvents(ctx, err); e != nil {
					yield(events.Event{}, e)
				}
				return
			}
			if index = record.Index; record.Kind != eventlog.KindEvent {
				continue
			}
			e, err := events.Decode(record.Bytes)
			if err != nil {
				yield(events.Event{}, err)
				return
			}
			if after.Covers(e.ID()) {
				continue
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// endOfEvents tells the ordinary ends of a sequence from errors.
func (ck *ClusterKit) endOfEvents(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil, errors.Is(err, io.EOF), errors.Is(err, eventlog.ErrClosed):
		return nil
	case errors.Is(err, eventlog.ErrCompacted):
		return ErrCompacted
	}
	return err
}
