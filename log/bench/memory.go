package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	eventlog "github.com/skshohagmiah/clusterkit/log"
)

// measureMemory measures how much of the heap a store holds when it has been
// opened, and when every event has been read one by one as well.
func (b *bench) measureMemory() error {
	f, err := b.fill()
	if err != nil {
		return err
	}
	long := *f[0]
	if b.longest > 0 {
		if long.dir, err = b.fillLongest(); err != nil {
			return err
		}
		long.name = fmt.Sprintf("log, %s events", inMillions(b.longest))
		f = append([]*filledStore{f[0], &long}, f[1:]...)
	}
	first := len(b.table.rows)
	for _, s := range f[:len(f)-1] {
		before := heap()
		o, err := s.open(b, s.dir)
		if err != nil {
			return err
		}
		after := heap()
		runtime.KeepAlive(o)
		r := row{what: "heap after open", who: s.name, values: series{after - before}, write: mebibytes}
		if l, ok := o.(ours); ok {
			r.goal = atMost(6, "<= 6 MiB")
			held, err := afterReads(l, before)
			if err != nil {
				return err
			}
			b.table.add(row{what: "heap after reading by index", who: s.name, values: series{held}, write: mebibytes})
		}
		b.table.add(r)
		if err := o.close(); err != nil {
			return err
		}
	}
	slices.SortStableFunc(b.table.rows[first:], func(x, y row) int { return strings.Compare(x.what, y.what) })
	return nil
}

func afterReads(l ours, before float64) (float64, error) {
	var rec eventlog.Record
	for i := uint64(1); i <= l.Last(); i += 3 {
		if err := l.ReadInto(i, &rec); err != nil {
			return 0, err
		}
	}
	return heap() - before, nil
}

// heap returns how many MiB of the heap are alive.
func heap() float64 {
	var m runtime.MemStats
	for range 3 { // what pools hold goes with the second collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
