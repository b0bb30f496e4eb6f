package main

import (
	"fmt"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
	tidwall "github.com/tidwall/wal"
)

// shrinking is a store that loses its oldest events while others are appended.
type shrinking struct {
	name  string
	open  func(dir string) (append func([]events.Event) error, close func() error, err error)
	worst series // milliseconds, in a turn
	p999  series
	turns int
}

// measureRetention measures the appends during the removal of old events: in
// each turn, 32 MiB go through a log of which 8 MiB are kept, in batches of
// 100 events.
func (b *bench) measureRetention() error {
	ours := func(o eventlog.Options) func(string) (func([]events.Event) error, func() error, error) {
		o.Snapshot = func() []byte { return []byte("a state") }
		return func(dir string) (func([]events.Event) error, func() error, error) {
			l, err := eventlog.Open(dir, o)
			if err != nil {
				return nil, nil, err
			}
			return func(e []events.Event) error { _, err := l.Append(e); return err }, l.Close, nil
		}
	}
	keeping := b.options()
	removing := b.options()
	removing.Retention.Bytes = 8 << 20
	all := []*shrinking{{name: "log, keeps all", open: ours(keeping)}, {name: "log, Retention", open: ours(removing)},
		{name: "tidwall/wal, TruncateFront", open: openTruncating}}
	if err := rounds(b.rounds, len(all), func(who int) error { return all[who].turn(b) }); err != nil {
		return err
	}
	for i, s := range all {
		r := row{what: "longest append while old events go", who: s.name, values: s.worst, write: milliseconds, base: all[0].worst}
		if i == 1 {
			r.goal = atMost(5, "<= 5 ms")
		}
		b.table.add(r)
	}
	for _, s := range all {
		b.table.add(row{what: "p99.9 of them", who: s.name, values: s.p999, write: milliseconds, base: all[0].p999})
	}
	return nil
}

// openTruncating keeps the last 8 MiB by TruncateFront, every 4 MiB.
func openTruncating(dir string) (func([]events.Event) error, func() error, error) {
	l, err := tidwall.Open(dir, &tidwall.Options{SegmentSize: 4 << 20})
	if err != nil {
		return nil, nil, err
	}
	const every, keep = 4 << 20 / recordSize, 8 << 20 / recordSize
	last := uint64(0)
	var batch tidwall.Batch
	return func(e []events.Event) error {
		for i := range e {
			last++
			batch.Write(last, e[i].Raw())
		}
		err := l.WriteBatch(&batch)
		if last > keep && last/every > (last-uint64(len(e)))/every && err == nil {
			err = l.TruncateFront(last - keep)
		}
		return err
	}, l.Close, nil
}

func (s *shrinking) turn(b *bench) error {
	const perBatch, total = 100, 32 << 20 / recordSize
	s.turns++
	dir, err := mkdir(b.dir, "retention", s.name, fmt.Sprint(s.turns))
	if err != nil {
		return err
	}
	add, done, err := s.open(dir)
	if err != nil {
		return err
	}
	from := newSource(1)
	var took []float64
	for n := 0; n < total; n += perBatch {
		batch := from.batch(perBatch)
		began := time.Now()
		if err := add(batch); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		took = append(took, time.Since(began).Seconds()*1e3)
	}
	if err := done(); err != nil {
		return err
	}
	s.p999 = append(s.p999, quantile(took, 0.999))
	s.worst = append(s.worst, took[len(took)-1])
	return nil
}
