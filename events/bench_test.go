package events_test

import (
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// sample returns a PartitionAssigned of about 130 bytes, the event that a log
// holds most of.
func sample(tb testing.TB) events.Event {
	tb.Helper()
	log := events.NewLogID(1_790_000_000_000, [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	e, err := events.Seal(events.Event{
		Log: log, Seq: 4711, Time: events.NewTimestamp(1_790_000_123_456, 3),
		Type: events.PartitionAssigned, Register: events.PartitionRegister(17), Version: 7<<32 | 12,
		Actor: "node-1", Cause: events.ID{Log: log, Seq: 4700},
		Body: events.Encode(&events.Assignment{Partition: 17, Replicas: []string{"node-1", "node-2", "node-3"}, Trigger: "failure"}),
	}, events.Genesis(log))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func BenchmarkSeal(b *testing.B) {
	e := sample(b)
	e.Cause.Log[15]++ // the longest form
	var chain events.Chain
	b.ReportAllocs()
	b.SetBytes(int64(len(e.Raw())))
	for b.Loop() {
		s, err := events.Seal(e, chain)
		if err != nil {
			b.Fatal(err)
		}
		chain = s.Chain
	}
}

func BenchmarkDecode(b *testing.B) {
	e := sample(b)
	raw := e.Raw()
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := events.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecoder(b *testing.B) {
	e := sample(b)
	raw := e.Raw()
	var d events.Decoder
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := d.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLinks(b *testing.B) {
	e := sample(b)
	prev := events.Genesis(e.Log)
	b.ReportAllocs()
	b.SetBytes(int64(len(e.Raw())))
	for b.Loop() {
		if !e.Links(prev) {
			b.Fatal("does not link")
		}
	}
}

func BenchmarkPayload(b *testing.B) {
	e := sample(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Payload(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshalJSON(b *testing.B) {
	e := sample(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.MarshalJSON(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalJSON(b *testing.B) {
	e := sample(b)
	text, err := e.MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var e events.Event
		if err := e.UnmarshalJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	e := sample(b)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.AppendJSON(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrint is what a tool does that prints a log as JSON lines.
func BenchmarkPrint(b *testing.B) {
	e := sample(b)
	raw := e.Raw()
	var d events.Decoder
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		e, err := d.Decode(raw)
		if err != nil {
			b.Fatal(err)
		}
		line, err := e.AppendJSON(buf)
		if err != nil {
			b.Fatal(err)
		}
		buf = append(line, '\n')[:0]
	}
}
