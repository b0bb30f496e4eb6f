package events_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// typed says which payload each type carries: the table of types.go.
var typed = map[events.Type]events.Payload{
	events.ClusterConfigured:   (*events.ClusterConfig)(nil),
	events.LogStarted:          (*events.LogOwner)(nil),
	events.LogForked:           (*events.LogOwner)(nil),
	events.NodeJoined:          (*events.NodeRecord)(nil),
	events.NodeUpdated:         (*events.NodeRecord)(nil),
	events.NodeLeaving:         (*events.NodeRecord)(nil),
	events.NodeLeft:            (*events.NodeRecord)(nil),
	events.NodeRecovered:       (*events.NodeRecord)(nil),
	events.NodeSuspected:       (*events.Accusation)(nil),
	events.NodeFailed:          (*events.Accusation)(nil),
	events.NodeRemoved:         (*events.NodeOrder)(nil),
	events.NodeDrained:         (*events.NodeOrder)(nil),
	events.NodeUndrained:       (*events.NodeOrder)(nil),
	events.BrakeHeld:           (*events.NodeOrder)(nil),
	events.BrakeLifted:         (*events.NodeOrder)(nil),
	events.CoordinatorClaimed:  (*events.CoordinatorClaim)(nil),
	events.PartitionAssigned:   (*events.Assignment)(nil),
	events.RebalanceStarted:    (*events.Rebalance)(nil),
	events.RebalanceCompleted:  (*events.Rebalance)(nil),
	events.ValueSet:            (*events.Value)(nil),
	events.ValueDeleted:        (*events.Value)(nil),
	events.FloorRaised:         (*events.Collection)(nil),
	events.TombstonesCollected: (*events.Collection)(nil),
}

func TestTypes(t *testing.T) {
	for _, typ := range allTypes {
		want, known := typed[typ]
		if typ.IsKnown() != known {
			t.Errorf("%s: IsKnown is %v", typ, typ.IsKnown())
		}
		p, err := (&events.Event{Type: typ}).Payload()
		if !known {
			if !errors.Is(err, events.ErrUnknownType) || p != nil {
				t.Errorf("%s: %v, %v", typ, p, err)
			}
			continue
		}
		if err != nil || reflect.TypeOf(p) != reflect.TypeOf(want) {
			t.Errorf("%s carries %T, want %T: %v", typ, p, want, err)
		}
		if p != nil && !reflect.ValueOf(p).Elem().IsZero() {
			t.Errorf("%s: an empty body is %+v", typ, p)
		}
	}
	if len(typed) != len(allTypes)-2 {
		t.Error("the tables of this test differ")
	}
	for typ, app := range map[events.Type]bool{"app/x": true, "app/": true, "app": false, "application": false, events.NodeJoined: false} {
		if typ.IsApp() != app {
			t.Errorf("%s: IsApp is %v", typ, typ.IsApp())
		}
	}
}
