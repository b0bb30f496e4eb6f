package main

import (
	"fmt"
	"runtime"
	"time"
)

// appender is a store to which one goroutine appends events one by one.
type appender struct {
	maker
	dir   string
	store store
	from  *source

	took   []float64 // microseconds of each append of this round
	allocs uint64
	count  uint64
	p50    series
}

// measureAppend measures one durable append at a time. A round consists of
// short blocks in which everybody has a turn, so that a busy second of the disk
// hits all.
func (b *bench) measureAppend() error {
	const blocks, perBlock = 8, 50
	var all []*appender
	for i, m := range append([]maker{rawMaker("raw append + fdatasync")}, makers()...) {
		a := &appender{maker: m, from: newSource(byte(i + 1))}
		var err error
		if a.dir, err = mkdir(b.dir, "append", fmt.Sprint(i)); err != nil {
			return err
		}
		if a.store, err = m.open(b, a.dir); err != nil {
			return err
		}
		all = append(all, a)
	}
	for _, a := range all { // the first appends make files and buffers
		if err := a.block(perBlock); err != nil {
			return err
		}
		a.took, a.allocs, a.count = a.took[:0], 0, 0
	}
	for range b.rounds {
		if err := rounds(blocks, len(all), func(who int) error { return all[who].block(perBlock) }); err != nil {
			return err
		}
		for _, a := range all {
			a.p50 = append(a.p50, quantile(a.took, 0.5))
			a.took = a.took[:0]
		}
	}
	for i, a := range all {
		if err := a.store.close(); err != nil {
			return err
		}
		if err := a.verify(b, byte(i+1)); err != nil {
			return err
		}
	}
	b.appendRows(all)
	return nil
}

// block appends some events and takes the time of each.
func (a *appender) block(n int) error {
	batch := a.from.batch(n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range batch {
		began := time.Now()
		if err := a.store.append(batch[i : i+1]); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		took := time.Since(began)
		if len(a.took) == cap(a.took) {
			before.Mallocs++
		}
		a.took = append(a.took, float64(took.Nanoseconds())/1e3)
	}
	runtime.ReadMemStats(&after)
	a.allocs += after.Mallocs - before.Mallocs
	a.count += uint64(n)
	return nil
}

// verify opens what was written again and compares all of it.
func (a *appender) verify(b *bench, n byte) error {
	return verifyStore(b, a.maker, a.dir, a.from.seq, newChecker(n).check)
}

// verifyStore reads all that is in a directory and compares it with what was
// written.
func verifyStore(b *bench, m maker, dir string, want uint64, check func([]byte) error) error {
	var back uint64
	err := m.readAll(b, dir, func(p []byte) error { back++; return check(p) })
	if err == nil && back != want {
		err = fmt.Errorf("%d events come back, want %d", back, want)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return nil
}

func (b *bench) appendRows(all []*appender) {
	log := all[1]
	for i, a := range all {
		r := row{what: "one durable append, p50", who: a.name, values: a.p50, write: microseconds, base: all[0].p50}
		switch {
		case i == 1:
			r.got = a.p50.ratio(all[0].p50)
			r.goal = atMost(0.72, "<= 0.72 of raw")
		case a.name == "raft-wal" || a.name == "etcd wal":
			r.got = log.p50.ratio(a.p50)
			r.goal = atMost(1.03, fmt.Sprintf("log <= 1.03 of it: %.2f", r.got))
		}
		b.table.add(r)
	}
	for i, a := range all {
		r := row{what: "allocations of it", who: a.name, values: series{float64(a.allocs) / float64(a.count)}, write: count}
		if i == 1 {
			r.goal = atMost(0.01, "0")
		}
		b.table.add(r)
	}
}
