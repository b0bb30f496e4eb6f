package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/skshohagmiah/clusterkit/events"
)

// recordSize is how many bytes every event has.
const recordSize = 128

// source makes the events of one origin, the same ones each time.
type source struct {
	id    events.LogID
	seq   uint64
	chain events.Chain
	pcg   *rand.PCG
	body  [recordSize]byte
}

func newSource(n byte) *source {
	id := events.NewLogID(1_700_000_000_000, [10]byte{9: n})
	return &source{id: id, chain: events.Genesis(id), pcg: rand.NewPCG(uint64(n), 1)}
}

func (s *source) next() events.Event {
	s.seq++
	const fixed = 18 + 1 + 9 + 2 + 8 + 2 + 3 + 2 + 18 // log, tag of seq, time, type, actor, tag and length of body, chain
	size := recordSize - fixed - len(binary.AppendUvarint(nil, s.seq))
	for i := 0; i < size; i += 8 {
		binary.LittleEndian.PutUint64(s.body[i:], s.pcg.Uint64())
	}
	e, err := events.Seal(events.Event{Log: s.id, Seq: s.seq, Time: events.NewTimestamp(1_700_000_000_000+int64(s.seq), 0),
		Type: "app/test", Actor: "app", Body: s.body[:size]}, s.chain)
	if err != nil {
		panic(err)
	}
	if len(e.Raw()) != recordSize {
		panic(fmt.Sprintf("event %d has %d bytes, want %d", s.seq, len(e.Raw()), recordSize))
	}
	s.chain = e.Chain
	return e
}

func (s *source) batch(n int) []events.Event {
	out := make([]events.Event, n)
	for i := range out {
		out[i] = s.next()
	}
	return out
}

// checker compares what is read with what a source makes.
type checker struct{ source }

func newChecker(n byte) *checker { return &checker{*newSource(n)} }

func (c *checker) check(b []byte) error {
	if e := c.next(); !bytes.Equal(b, e.Raw()) {
		return fmt.Errorf("event %d is not what was written: %x", c.seq, b)
	}
	return nil
}
