package events_test

import (
	"fmt"

	"github.com/skshohagmiah/clusterkit/events"
)

// A node writes to its own log: each event is linked to the one before.
func ExampleSeal() {
	log := events.NewLogID(1_790_000_000_000, [10]byte{})
	var clock events.Clock
	first, err := events.Seal(events.Event{
		Log: log, Seq: 1, Time: clock.Tick(1_790_000_000_120),
		Type: events.NodeSuspected, Register: events.AccusationRegister("n3"), Version: 4, Rank: events.RankSuspected,
		Actor: "n1", Body: events.Encode(&events.Accusation{Node: "n3", Incarnation: 4, Reason: "no answer"}),
	}, events.Genesis(log))
	if err != nil {
		panic(err)
	}
	second, err := events.Seal(events.Event{
		Log: log, Seq: 2, Time: clock.Tick(1_790_000_000_119), // the wall clock went back
		Type: "app/note", Cause: first.ID(),
	}, first.Chain)
	if err != nil {
		panic(err)
	}

	// Somebody else reads it.
	read, err := events.Decode(second.Raw())
	if err != nil {
		panic(err)
	}
	fmt.Println(read.Time, read.Links(first.Chain), read.Links(events.Genesis(log)))
	// Output: 2026-09-21T14:13:20.120Z+1 true false
}

// The version decides first, the clock only between concurrent writes.
func ExampleStamp_Compare() {
	seen := events.Stamp{Version: 8, Time: events.NewTimestamp(1_000, 0)}   // by a clock that is far behind
	unseen := events.Stamp{Version: 7, Time: events.NewTimestamp(9_000, 0)} // it had seen this write
	fmt.Println(seen.Compare(unseen))
	// Output: 1
}

func ExampleEvent_AppendJSON() {
	log := events.NewLogID(1_790_000_000_000, [10]byte{})
	e, err := events.Seal(events.Event{
		Log: log, Seq: 1, Time: events.NewTimestamp(1_790_000_000_120, 0),
		Type: events.PartitionAssigned, Register: events.PartitionRegister(17), Version: 7<<32 | 1, Actor: "n1",
		Body: events.Encode(&events.Assignment{Partition: 17, Replicas: []string{"n1", "n2"}, Trigger: "failure"}),
	}, events.Genesis(log))
	if err != nil {
		panic(err)
	}
	line, err := e.AppendJSON(nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", line)

	var back events.Event
	if err := back.UnmarshalJSON(line); err != nil {
		panic(err)
	}
	fmt.Println(back.Links(events.Genesis(log)))
	// Output:
	// {"id":"01M3250V000000000000000000:1","time":"2026-09-21T14:13:20.120Z","type":"PartitionAssigned","register":"partition/17","version":30064771073,"actor":"n1","body":{"partition":17,"replicas":["n1","n2"],"trigger":"failure"},"chain":"aacae5b15a430dc09ccc775d2ba31151"}
	// true
}

// A vector is a cursor: what it does not cover is what its holder lacks.
func ExampleVector() {
	a, b := events.NewLogID(1, [10]byte{}), events.NewLogID(2, [10]byte{})
	mine := events.Vector{a: 7}
	mine.Merge(events.Vector{a: 5, b: 2})
	fmt.Println(mine)
	fmt.Println(mine.Covers(events.ID{Log: a, Seq: 7}), mine.Covers(events.ID{Log: b, Seq: 3}))
	// Output:
	// 00000000010000000000000000:7,00000000020000000000000000:2
	// true false
}
