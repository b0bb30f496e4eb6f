package projection_test

import (
	"fmt"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Two nodes write the same register without knowing of each other. Whatever
// order their logs are read in, the outcome is the same.
func Example() {
	write := func(n byte, value string) events.Event {
		log := events.NewLogID(1_790_000_000_000, [10]byte{n})
		e, err := events.Seal(events.Event{Log: log, Seq: 1, Time: events.NewTimestamp(1_790_000_000_000+int64(n), 0),
			Type: events.ValueSet, Register: events.ValueRegister("colour"), Version: 1,
			Body: events.Encode(&events.Value{Key: "colour", Value: []byte(value)})}, events.Genesis(log))
		if err != nil {
			panic(err)
		}
		return e
	}
	red, blue := write(1, "red"), write(2, "blue")

	here, there := projection.NewState(), projection.NewState()
	fmt.Println("here: ", here.Apply(&red), here.Apply(&blue))
	fmt.Println("there:", there.Apply(&blue), there.Apply(&red))
	fmt.Println("equal:", here.Digest() == there.Digest())
	for key, owner := range here.Registers(events.KindValue) {
		value, _ := owner.Payload()
		fmt.Printf("%s is %s\n", key, value.(*events.Value).Value)
	}
	// Output:
	// here:  won won
	// there: won superseded
	// equal: true
	// colour is blue
}

// A store that remembers the largest token it has seen refuses an owner that
// was replaced and does not know it yet.
func ExampleToken() {
	assignment := func(epoch uint64) projection.Token {
		p := projection.Partition{Epoch: epoch}
		return p.Token()
	}
	old, new := assignment(1<<32|7), assignment(2<<32|1)

	var largest projection.Token
	write := func(t projection.Token) {
		if t.Compare(largest) < 0 {
			fmt.Println("refused")
			return
		}
		largest = t
		fmt.Println("written")
	}
	write(old)
	write(new)
	write(old)
	// Output:
	// written
	// written
	// refused
}
