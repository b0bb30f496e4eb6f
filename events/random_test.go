package events_test

import (
	"flag"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the property tests; 0 takes a new one each time")

// chance is the source of everything random in a property test. When the test
// fails it tells how to see the failure again.
func chance(t *testing.T) *random {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64() | 1
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: go test ./events -run '^%s$' -seed %d", t.Name(), seed)
		}
	})
	return &random{rand.New(rand.NewPCG(seed, 1))}
}

type random struct{ *rand.Rand }

// allTypes lists every type of this version, one application event and one of
// a later version.
var allTypes = []events.Type{
	events.ClusterConfigured, events.LogStarted, events.LogForked, events.NodeJoined, events.NodeUpdated,
	events.NodeLeaving, events.NodeLeft, events.NodeRecovered, events.NodeSuspected, events.NodeFailed,
	events.NodeRemoved, events.NodeDrained, events.NodeUndrained, events.BrakeHeld, events.BrakeLifted, events.CoordinatorClaimed,
	events.PartitionAssigned, events.RebalanceStarted, events.RebalanceCompleted, events.ValueSet,
	events.ValueDeleted, events.FloorRaised, events.TombstonesCollected, "app/order-shipped", "NodeDreamt",
}

func pick[T any](r *random, from ...T) T { return from[r.IntN(len(from))] }

func (r *random) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r *random) logID() (id events.LogID) {
	for id.IsZero() {
		copy(id[:], r.bytes(len(id)))
	}
	return id
}

// number is often at an edge.
func (r *random) number(most uint64) uint64 {
	v := r.Uint64() >> r.IntN(64)
	switch r.IntN(8) {
	case 0:
		return most
	case 1:
		return 0
	}
	if most < 1<<64-1 {
		v %= most + 1
	}
	return v
}

func (r *random) time() events.Timestamp {
	return max(1, events.Timestamp(r.number(uint64(events.MaxTimestamp))))
}

// text returns valid text, with characters that JSON and UTF-8 find special.
func (r *random) text(most int) string {
	var b strings.Builder
	for n := r.IntN(min(most, 24) + 1); n > 0; n-- {
		c := pick(r, "a", "Z", "7", "-", "/", ":", " ", `"`, `\`, "<", ">", "&", "'", "é", "\u00a0", "\u2028",
			"\u2029", "\ufeff", "\ufffd", "世", "\U0001f409", "%s", "null")
		if b.Len()+len(c) > most {
			break
		}
		b.WriteString(c)
	}
	if r.IntN(50) == 0 {
		return strings.Repeat("x", most)
	}
	return b.String()
}

// fill sets the fields of a payload, each to zero now and then.
func (r *random) fill(p events.Payload) events.Payload {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		if r.IntN(4) == 0 {
			continue
		}
		switch f := v.Field(i).Addr().Interface().(type) {
		case *string:
			*f = r.text(events.MaxText)
		case *uint32:
			*f = uint32(r.number(events.MaxSmall))
		case *uint64:
			*f = r.number(1<<64 - 1)
		case *events.Timestamp:
			*f = r.time()
		case *[]byte:
			*f = r.bytes(r.IntN(40))
		case *[]string:
			for range r.IntN(5) {
				*f = append(*f, r.text(64))
			}
		case *map[string]string:
			*f = map[string]string{}
			for range r.IntN(5) {
				(*f)[r.text(64)] = r.text(200)
			}
		default:
			panic("a payload field of a new kind: " + v.Type().Field(i).Name)
		}
	}
	return p
}

// body returns a body for t, of what a known type can carry or of anything
// when it is not known.
func (r *random) body(t events.Type) []byte {
	if p := events.NewPayload(t); p != nil {
		return events.Encode(r.fill(p))
	}
	return r.bytes(r.IntN(60))
}

// draft returns an event that Seal accepts.
func (r *random) draft() events.Event {
	e := events.Event{Log: r.logID(), Seq: 1 + r.number(1<<64-2), Time: r.time(), Type: pick(r, allTypes...),
		Actor: r.text(events.MaxActorLength)}
	if r.IntN(4) > 0 {
		e.Register = "x" + r.text(events.MaxRegister-1)
		e.Version, e.Rank = r.number(events.MaxVersion), uint8(r.number(255))
	}
	switch r.IntN(3) {
	case 0:
		e.Cause = events.ID{Log: r.logID(), Seq: 1 + r.number(1<<64-2)}
	case 1:
		if e.Seq > 1 {
			e.Cause = events.ID{Log: e.Log, Seq: 1 + r.Uint64N(e.Seq-1)}
		}
	}
	e.Body = r.body(e.Type)
	return e
}

// sealed returns an event and the chain before it.
func (r *random) sealed(t testing.TB) (events.Event, events.Chain) {
	t.Helper()
	prev := events.Chain(r.bytes(16))
	e, err := events.Seal(r.draft(), prev)
	if err != nil {
		t.Fatal(err)
	}
	return e, prev
}
