package events_test

import (
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skshohagmiah/clusterkit/events"
)

// allocated returns how many bytes f allocates, the least of three runs.
func allocated(f func()) uint64 {
	least := uint64(1 << 63)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// TestDecodeIsBounded: a hostile event costs no more memory than a few names
// and an error, whatever lengths it announces and however long it is.
func TestDecodeIsBounded(t *testing.T) {
	huge := strings.Repeat("x", events.MaxEventSize-200)
	for name, b := range map[string][]byte{
		"a huge body":             with(data(11, huge)),
		"a huge type":             with(data(4, huge)),
		"a huge actor":            with(data(8, huge)),
		"a huge later field":      with(data(14, huge)),
		"beyond the limit":        with(data(11, huge+huge)),
		"a length of 2^63":        with(part{11, append([]byte{11<<3 | 2}, protowire.AppendVarint(nil, 1<<63)...)}),
		"a length of 2^31":        with(part{11, append([]byte{11<<3 | 2}, protowire.AppendVarint(nil, 1<<31)...)}),
		"zeros":                   make([]byte, events.MaxEventSize),
		"ones, ending in a chain": append([]byte(strings.Repeat("\xff", events.MaxEventSize-18)), chain.data...),
	} {
		if n := allocated(func() { _, _ = events.Decode(b) }); n > 2048 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
}

// TestPayloadIsBounded: the worst that 256 KiB of body can be made into.
func TestPayloadIsBounded(t *testing.T) {
	fill := func(item string) []byte { return []byte(strings.Repeat(item, events.MaxEventSize/len(item))) }
	for name, test := range map[string]struct {
		typ  events.Type
		body []byte
		most uint64
	}{
		"empty replicas":      {events.PartitionAssigned, fill("\x12\x00"), 512 << 10},
		"empty map entries":   {events.NodeJoined, fill("2\x00"), 64 << 10}, // one key, over and over
		"one field repeated":  {events.NodeSuspected, fill("\x0a\x01x"), 16 << 10},
		"values repeated":     {events.ValueSet, fill("\x12\x08abcdefgh"), 512 << 10},
		"a huge text":         {events.NodeSuspected, data(1, string(fill("x"))).data, 2048},
		"a length of 2^63":    {events.ValueSet, append([]byte{2<<3 | 2}, protowire.AppendVarint(nil, 1<<63)...), 2048},
		"unknown fields only": {events.NodeJoined, fill("\x78\x01"), 2048},
	} {
		e := events.Event{Type: test.typ, Body: test.body}
		if n := allocated(func() { _, _ = e.Payload() }); n > test.most {
			t.Errorf("%s: %d bytes allocated, at most %d", name, n, test.most)
		}
	}
	body := []byte{}
	for i := range events.MaxItems { // as many different keys as are allowed
		body = append(body, data(6, string(join([]part{data(1, string(rune('一'+i)))}))).data...)
	}
	e := events.Event{Type: events.NodeJoined, Body: body}
	if n := allocated(func() { _, _ = e.Payload() }); n > 1<<20 {
		t.Errorf("a full map: %d bytes allocated for %d", n, len(body))
	}
}

// TestHotPathsDoNotAllocate holds what the benchmarks show.
func TestHotPathsDoNotAllocate(t *testing.T) {
	e := sample(t)
	buf := make([]byte, 0, 1024)
	for name, test := range map[string]struct {
		f    func()
		most float64
	}{
		"AppendJSON":  {func() { _, _ = e.AppendJSON(buf) }, 0},
		"MarshalJSON": {func() { _, _ = e.MarshalJSON() }, 1},
		"Links":       {func() { _ = e.Links(events.Chain{}) }, 0},
		"Seal":        {func() { _, _ = events.Seal(e, events.Chain{}) }, 1},
		"Decode":      {func() { _, _ = events.Decode(e.Raw()) }, 3},
		"Stamp":       {func() { _ = e.Stamp().Compare(e.Stamp()) }, 0},
		"IsKnown":     {func() { _ = e.Type.IsKnown() }, 0},
	} {
		if n := testing.AllocsPerRun(100, test.f); n > test.most {
			t.Errorf("%s: %v allocations, at most %v", name, n, test.most)
		}
	}
}
