package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"time"
)

// filledStore is a store of one kind; all have the same events.
type filledStore struct {
	maker
	dir string
}

// fill makes the stores, once.
func (b *bench) fill() ([]*filledStore, error) {
	if b.filled != nil {
		return b.filled, nil
	}
	for _, m := range append(makers(), rawMaker("bare pread")) {
		dir := filepath.Join(b.dir, "filled", m.name)
		if _, err := mkdir(dir); err != nil {
			return nil, err
		}
		if err := fillStore(b, m, dir, b.million); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		if err := verifyStore(b, m, dir, uint64(b.million), newChecker(1).check); err != nil {
			return nil, err
		}
		b.filled = append(b.filled, &filledStore{m, dir})
	}
	return b.filled, nil
}

func fillStore(b *bench, m maker, dir string, n int) error {
	s, err := m.open(b, dir)
	if err != nil {
		return err
	}
	from := newSource(1)
	for done := 0; done < n && err == nil; {
		batch := from.batch(min(1000, n-done))
		done += len(batch)
		err = s.append(batch)
	}
	if e := s.close(); err == nil {
		err = e
	}
	return err
}

// way is one way of reading everything.
type way struct {
	maker
	dir string

	rate, cpu, allocs series
}

// measureRead measures reading everything in order, opening included.
func (b *bench) measureRead() error {
	f, err := b.fill()
	if err != nil {
		return err
	}
	decoded := maker{"log, decoded", openLog, decodeLog}
	kept := maker{"log, decoded, to be kept", openLog, keepLog}
	all := []*way{{maker: f[0].maker, dir: f[0].dir}, {maker: decoded, dir: f[0].dir}, {maker: kept, dir: f[0].dir}}
	all[0].name = "log, verified"
	for _, s := range f[1 : len(f)-1] { // reading raw in order is no measure of anything
		all = append(all, &way{maker: s.maker, dir: s.dir})
	}
	err = rounds(b.rounds, len(all), func(who int) error { return all[who].turn(b) })
	if err != nil {
		return err
	}
	for i, w := range all {
		r := row{what: "sequential read", who: w.name, values: w.rate, write: perSecond, base: all[0].rate, cpu: w.cpu}
		switch i {
		case 0:
			r.goal = atLeast(12e6, ">= 12 M/s")
		case 1:
			r.goal = atLeast(4e6, ">= 4 M/s")
		}
		b.table.add(r)
	}
	b.table.add(row{what: "allocations per record of it", who: all[0].name, values: all[0].allocs, write: count, goal: atMost(0.01, "0")})
	return nil
}

// fewTurns is how many turns those get who take a second or more for each.
const fewTurns = 3

func (w *way) turn(b *bench) error {
	if (w.name == "etcd wal" || w.name == "raft-wal" || w.name == "rosedb wal") && len(w.rate) == fewTurns {
		return nil
	}
	want := b.million
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	records, size := 0, 0
	began, busy := time.Now(), cpuTime()
	err := w.readAll(b, w.dir, func(p []byte) error { records++; size += len(p); return nil })
	took := time.Since(began)
	busy = cpuTime() - busy
	runtime.ReadMemStats(&after)
	if err == nil && (records != want || size != want*recordSize) {
		err = fmt.Errorf("%d events with %d bytes", records, size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	w.rate = append(w.rate, float64(records)/took.Seconds())
	w.cpu = append(w.cpu, float64(records)/busy.Seconds())
	w.allocs = append(w.allocs, float64(after.Mallocs-before.Mallocs)/float64(records))
	return nil
}
