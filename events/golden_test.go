package events_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/events"
)

var update = flag.Bool("update", false, "write the golden file of the present format again")

// present is the golden file of the format that this version writes. Those
// before it stay for ever, and are read by every version after them.
const present = "testdata/v1.golden"

// history returns a small log that has one event of each type, in which
// everything that can be set is set at least once.
func history(t testing.TB) []events.Event {
	t.Helper()
	log := events.NewLogID(1_790_000_000_000, [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	other := events.NewLogID(1_790_000_000_777, [10]byte{0xf0, 0xe1, 0xd2, 0xc3, 0xb4, 0xa5, 0x96, 0x87, 0x78, 0x69})
	at := func(counter uint16) events.Timestamp { return events.NewTimestamp(1_790_000_001_234, counter) }
	node := &events.NodeRecord{ID: "n1", Name: "Node <one> & \"only\"", Addr: "10.0.0.1:8080", Zone: "eu-1a", Weight: 3,
		Services: map[string]string{"grpc": "10.0.0.1:9000", "admin": ""}, Metadata: map[string]string{"größe": "日本 \u2028"},
		JoinedAt: at(0), StartedAt: at(7), Reason: "start"}
	gone := &events.NodeRecord{ID: "n1", Addr: "10.0.0.1:8080", Reason: "shutdown"}
	accused := &events.Accusation{Node: "n3", Incarnation: 4, Reason: "no answer to 3 probes"}
	order := &events.NodeOrder{Node: "n3", Incarnation: 4, Reason: "broken disk"}
	assigned := &events.Assignment{Partition: 17, Replicas: []string{"n1", "n2", "n3"}, Previous: []string{"n3", "n2"},
		Trigger: "failure", Reason: "n3 failed"}
	frame := &events.Rebalance{Moves: 11, Trigger: "failure", Reason: "n3 failed"}
	ill := node.Clone()
	ill.Degraded = "the disk is slow"
	expelled := &events.NodeOrder{Node: "n3", Incarnation: 4, Reason: "sold", Log: other.String()}
	drafts := []events.Event{
		{Type: events.LogStarted, Register: events.LogRegister(log), Version: 1, Body: events.Encode(&events.LogOwner{Node: "n1"})},
		{Type: events.ClusterConfigured, Register: events.ConfigRegister, Version: 1, Actor: "n1",
			Body: events.Encode(&events.ClusterConfig{Name: "my-app", PartitionCount: 64, ReplicationFactor: 3, Reason: "bootstrap"})},
		{Type: events.NodeJoined, Register: events.NodeRegister("n1"), Version: 1, Actor: "n1", Body: events.Encode(node)},
		{Type: events.NodeUpdated, Register: events.NodeRegister("n1"), Version: 1, Rank: 1, Actor: "operator:ann", Body: events.Encode(node)},
		{Type: events.NodeSuspected, Register: events.AccusationRegister("n3"), Version: 4, Rank: events.RankSuspected,
			Actor: "n1", Body: events.Encode(accused)},
		{Type: events.NodeFailed, Register: events.AccusationRegister("n3"), Version: 4, Rank: events.RankFailed,
			Actor: "n1", Cause: events.ID{Log: log, Seq: 5}, Body: events.Encode(accused)},
		{Type: events.CoordinatorClaimed, Register: events.CoordinatorRegister, Version: 7, Actor: "n1",
			Body: events.Encode(&events.CoordinatorClaim{Node: "n1", Reason: "vacant"})},
		{Type: events.RebalanceStarted, Actor: "n1", Cause: events.ID{Log: log, Seq: 6}, Body: events.Encode(frame)},
		{Type: events.PartitionAssigned, Register: events.PartitionRegister(17), Version: 7<<32 | 12, Actor: "n1",
			Cause: events.ID{Log: log, Seq: 6}, Body: events.Encode(assigned)},
		{Type: events.PartitionAssigned, Register: events.PartitionRegister(0), Version: 7<<32 | 13, Actor: "n1",
			Cause: events.ID{Log: other, Seq: 300}, Body: events.Encode(&events.Assignment{})},
		{Type: events.RebalanceCompleted, Actor: "n1", Cause: events.ID{Log: log, Seq: 6}, Body: events.Encode(frame)},
		{Type: events.NodeRecovered, Register: events.NodeRegister("n1"), Version: 2, Actor: "n1", Body: events.Encode(node)},
		{Type: events.NodeRemoved, Register: events.AdminRegister("n3"), Version: 1, Actor: "operator:ann", Body: events.Encode(order)},
		{Type: events.NodeDrained, Register: events.AdminRegister("n3"), Version: 2, Actor: "operator:ann", Body: events.Encode(order)},
		{Type: events.NodeUndrained, Register: events.AdminRegister("n3"), Version: 3, Actor: "operator:ann", Body: events.Encode(order)},
		{Type: events.ValueSet, Register: events.ValueRegister("greeting"), Version: 1, Actor: "app",
			Body: events.Encode(&events.Value{Key: "greeting", Value: []byte("hello\x00\xff")})},
		{Type: events.ValueDeleted, Register: events.ValueRegister("greeting"), Version: 2, Actor: "app",
			Body: events.Encode(&events.Value{Key: "greeting"})},
		{Type: events.LogForked, Register: events.LogRegister(other), Version: 1, Rank: 1,
			Body: events.Encode(&events.LogOwner{Node: "n2", Reason: "two events 41", Seq: 41})},
		{Type: events.NodeLeaving, Register: events.NodeRegister("n1"), Version: 3, Rank: 2, Actor: "n1", Body: events.Encode(gone)},
		{Type: events.NodeLeft, Register: events.NodeRegister("n1"), Version: 3, Rank: 3, Actor: "n1", Body: events.Encode(gone)},
		{Type: "app/order-shipped", Actor: "app", Body: []byte(`{"order":7}`)},
		{Type: "NodeDreamt", Register: "dream/n1", Version: 1, Rank: 255, Body: []byte{8, 1}},
		{Type: events.NodeUpdated, Register: events.NodeRegister("n1"), Version: 4, Actor: "n1", Body: events.Encode(ill)},
		{Type: events.NodeRemoved, Register: events.AdminRegister("n3"), Version: 4, Actor: "operator:ann", Body: events.Encode(expelled)},
		{Type: events.BrakeHeld, Actor: "n1", Body: events.Encode(order)},
		{Type: events.BrakeLifted, Actor: "operator:ann", Body: events.Encode(&events.NodeOrder{Reason: "the room is on fire"})},
		{Type: events.FloorRaised, Register: events.FloorRegister(events.KindValue), Version: 2, Actor: "n1",
			Body: events.Encode(&events.Collection{Kind: events.KindValue, Floor: 2, Reason: "1 tombstone"})},
		{Type: events.TombstonesCollected, Register: events.CollectedRegister(events.ID{Log: log, Seq: 28}), Version: 1, Actor: "n1",
			Cause: events.ID{Log: log, Seq: 27}, Body: events.Encode(&events.Collection{Kind: events.KindValue, Floor: 2, Reason: "settled",
				Settled: []string{events.ID{Log: log, Seq: 20}.String()}, Stable: []string{events.ID{Log: log, Seq: 27}.String()}})},
	}
	prev := events.Genesis(log)
	for i, e := range drafts {
		e.Log, e.Seq, e.Time = log, uint64(i+1), at(uint16(i))
		sealed, err := events.Seal(e, prev)
		if err != nil {
			t.Fatal(err)
		}
		drafts[i], prev = sealed, sealed.Chain
	}
	return append(drafts, fromTheFuture(t, log, uint64(len(drafts)+1), prev))
}

// fromTheFuture returns an event with two fields that this version does not
// know.
func fromTheFuture(t testing.TB, log events.LogID, seq uint64, prev events.Chain) events.Event {
	t.Helper()
	b := join([]part{data(1, string(log[:])), varint(2, seq), fixed64(3, 1_790_000_001_234<<16|99), data(4, "NodeDreamt"),
		data(11, "body"), varint(12, 300), data(14, "later")})
	e, err := events.Decode(append(b, chainAfter(prev, b)...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestGoldenIsWhatWeWrite(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# One event of each type: name, bytes in hexadecimal, JSON. One log, in order, each\n# linked to the one before. Written by go test ./events -run Golden -update.\n")
	types := map[events.Type]bool{}
	for _, e := range history(t) {
		types[e.Type] = true
		fmt.Fprintf(&b, "\n%s\n%x\n%s\n", e.Type, e.Raw(), toJSON(t, e))
	}
	for _, typ := range allTypes {
		if !types[typ] {
			t.Errorf("the golden history has no %s", typ)
		}
	}
	if *update {
		if err := os.WriteFile(present, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(present)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the format has changed; nodes of the version before cannot read it (-want +got):\n%s", diff)
	}
}

// TestGoldenIsRead reads the golden files of all formats that there ever were.
func TestGoldenIsRead(t *testing.T) {
	files, err := filepath.Glob("testdata/v*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var prev events.Chain
		entries := strings.Split(string(content), "\n\n")[1:]
		if len(entries) < len(allTypes) {
			t.Errorf("%s: only %d events", file, len(entries))
		}
		for i, entry := range entries {
			lines := strings.Split(strings.TrimSuffix(entry, "\n"), "\n")
			if len(lines) != 3 {
				t.Fatalf("%s: event %d has %d lines", file, i+1, len(lines))
			}
			raw, err := hex.DecodeString(lines[1])
			if err != nil {
				t.Fatal(err)
			}
			e, err := events.Decode(raw)
			if err != nil {
				t.Fatalf("%s: event %d: %v", file, i+1, err)
			}
			if i == 0 {
				prev = events.Genesis(e.Log)
			}
			if string(e.Type) != lines[0] || e.Seq != uint64(i+1) || !e.Links(prev) {
				t.Errorf("%s: event %d is %s %s or does not link", file, i+1, e.Type, e.ID())
			}
			if got := toJSON(t, e); got != lines[2] {
				t.Errorf("%s: event %d in JSON (-want +got):\n%s", file, i+1, cmp.Diff(lines[2], got))
			}
			var back events.Event
			if err := back.UnmarshalJSON([]byte(lines[2])); err != nil || !bytes.Equal(back.Raw(), raw) {
				t.Errorf("%s: event %d does not come back from JSON: %v", file, i+1, err)
			}
			if _, err := e.Payload(); err != nil && e.Type.IsKnown() {
				t.Errorf("%s: event %d: %v", file, i+1, err)
			}
			prev = e.Chain
		}
	}
}
