package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// seeker is a store of which single events are read.
type seeker struct {
	maker
	store store
	find  []func(n uint64) ([]byte, error)
	reads int // of one turn
	most  uint64

	rate, cpu, p99 series
	bytes          float64 // allocated per read
}

// measureRandom measures reading single events at random from all but the
// newest tenth of a long log, in one goroutine.
func (b *bench) measureRandom() error {
	f, err := b.fill()
	if err != nil {
		return err
	}
	want := newRecall(b.million)
	var all []*seeker
	for _, s := range f {
		if s.scan != nil && s.name != "log" {
			continue // etcd's cannot do it
		}
		k := &seeker{maker: s.maker, reads: 100_000, most: uint64(b.million) * 9 / 10}
		if s.name == "tidwall/wal" {
			k.reads = 20
		}
		if k.store, err = s.open(b, s.dir); err != nil {
			return err
		}
		defer k.store.close()
		find, err := k.store.(finder).finding()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		k.find = append(k.find, find)
		all = append(all, k)
	}
	for _, k := range all {
		if err := k.check(want); err != nil {
			return err
		}
	}
	if err := rounds(b.rounds, len(all), func(who int) error { return all[who].turn() }); err != nil {
		return err
	}
	for i, k := range all {
		r := row{what: "random read, old segments", who: k.name, values: k.rate, write: perSecond, base: all[0].rate, cpu: k.cpu}
		if i == 0 {
			r.goal = atLeast(800e3, ">= 800 k/s")
		}
		b.table.add(r)
	}
	b.table.add(row{what: "allocated bytes per such read", who: all[0].name, values: series{all[0].bytes}, write: count})
	return nil
}

// recall knows some of the events that a store must have.
type recall map[uint64]string

func newRecall(n int) recall {
	r := make(recall)
	from := newSource(1)
	for i := range uint64(n) {
		if e := from.next(); i%997 == 0 {
			r[i+1] = string(e.Raw())
		}
	}
	return r
}

// check compares some of what is read with what was written.
func (k *seeker) check(want recall) error {
	count := 0
	for n, b := range want {
		if n > k.most {
			continue
		}
		if count++; count > k.reads {
			break
		}
		got, err := k.find[0](n)
		if err != nil || string(got) != b {
			return fmt.Errorf("%s: event %d is %x, want %x (%v)", k.name, n, got, b, err)
		}
	}
	return nil
}

func (k *seeker) turn() error {
	var before, after runtime.MemStats
	rnd := rand.New(rand.NewPCG(1, uint64(len(k.rate))))
	runtime.ReadMemStats(&before)
	began, busy := time.Now(), cpuTime()
	for range k.reads {
		b, err := k.find[0](1 + rnd.Uint64N(k.most))
		if err != nil || len(b) != recordSize {
			return fmt.Errorf("%s: read: %d bytes, %w", k.name, len(b), err)
		}
	}
	took := time.Since(began)
	busy = cpuTime() - busy
	runtime.ReadMemStats(&after)
	k.cpu = append(k.cpu, float64(k.reads)/busy.Seconds())
	k.rate = append(k.rate, float64(k.reads)/took.Seconds())
	k.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(k.reads)
	return nil
}

// How reading beside an appender is measured.
const (
	besideReaders = 4
	besideEvents  = 10_000
	besideTime    = 300 * time.Millisecond
	besideSample  = 16 // the time of every so many reads is taken
)

// measureBeside measures reading the newest events by several goroutines while
// another one appends, durably, all the time.
func (b *bench) measureBeside() error {
	want := newRecall(besideEvents)
	var all []*seeker
	var from []*source
	for _, m := range makers() {
		if m.scan != nil && m.name != "log" {
			continue
		}
		dir, err := mkdir(b.dir, "beside", m.name)
		if err != nil {
			return err
		}
		k := &seeker{maker: m, reads: besideEvents, most: besideEvents}
		if k.store, err = m.open(b, dir); err != nil {
			return err
		}
		defer k.store.close()
		s := newSource(1)
		if err := k.store.append(s.batch(besideEvents)); err != nil {
			return err
		}
		for range besideReaders {
			find, err := k.store.(finder).finding()
			if err != nil {
				return err
			}
			k.find = append(k.find, find)
		}
		if err := k.check(want); err != nil {
			return err
		}
		all, from = append(all, k), append(from, s)
	}
	if err := rounds(b.rounds, len(all), func(who int) error { return all[who].beside(from[who]) }); err != nil {
		return err
	}
	for i, k := range all {
		r := row{what: "4 readers beside a durable appender", who: k.name, values: k.rate, write: perSecond, base: all[0].rate}
		if i == 0 {
			r.goal = atLeast(2e6, ">= 2 M/s")
		}
		b.table.add(r)
	}
	for i, k := range all {
		r := row{what: "p99 of such a read", who: k.name, values: k.p99, write: microseconds, base: all[0].p99}
		if i == 0 {
			r.goal = atMost(2, "< 2 us")
		}
		b.table.add(r)
	}
	return nil
}

// beside is one turn.
func (k *seeker) beside(from *source) error {
	batch := from.batch(4000)
	var stop atomic.Bool
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		for i := range batch {
			if stop.Load() {
				return
			}
			if failed = k.store.append(batch[i : i+1]); failed != nil {
				return
			}
		}
	})
	counts := make([]int, len(k.find))
	times := make([][]float64, len(k.find))
	errs := make([]error, len(k.find))
	began := time.Now()
	for i, find := range k.find {
		wg.Go(func() { counts[i], times[i], errs[i] = readFor(find, uint64(i), k.most, began) })
	}
	time.Sleep(besideTime)
	stop.Store(true)
	wg.Wait()
	took := time.Since(began)
	if failed != nil {
		return fmt.Errorf("%s: %w", k.name, failed)
	}
	total := 0
	var sample []float64
	for i := range counts {
		if errs[i] != nil {
			return fmt.Errorf("%s: %w", k.name, errs[i])
		}
		total += counts[i]
		sample = append(sample, times[i]...)
	}
	k.rate = append(k.rate, float64(total)/took.Seconds())
	k.p99 = append(k.p99, quantile(sample, 0.99))
	return nil
}

// readFor reads until the time is over. It returns how often, and how many
// microseconds some of the reads took.
func readFor(find func(uint64) ([]byte, error), seed, most uint64, began time.Time) (count int, times []float64, err error) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	times = make([]float64, 0, 1<<16)
	for {
		for range besideSample - 1 {
			if b, err := find(1 + rnd.Uint64N(most)); err != nil || len(b) != recordSize {
				return count, times, fmt.Errorf("read: %d bytes, %w", len(b), err)
			}
		}
		n := 1 + rnd.Uint64N(most)
		start := time.Now()
		_, err := find(n)
		end := time.Now()
		if err != nil {
			return count, times, err
		}
		times = append(times, float64(end.Sub(start).Nanoseconds())/1e3)
		if count += besideSample; end.Sub(began) > besideTime {
			return count, times, nil
		}
	}
}
