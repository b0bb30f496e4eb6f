package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	eventlog "github.com/skshohagmiah/clusterkit/log"
)

// opened is a store that is opened again and again.
type opened struct {
	maker
	dir string

	ms, cpu series
}

// measureOpen measures opening after a clean close, and the verification of
// everything.
func (b *bench) measureOpen() error {
	f, err := b.fill()
	if err != nil {
		return err
	}
	var all []*opened
	for _, s := range f[:len(f)-1] {
		all = append(all, &opened{maker: s.maker, dir: s.dir})
	}
	if b.longest > 0 {
		dir, err := b.fillLongest()
		if err != nil {
			return err
		}
		long := &opened{maker: f[0].maker, dir: dir}
		long.name = fmt.Sprintf("log, %s events", inMillions(b.longest))
		all = append([]*opened{all[0], long}, all[1:]...)
	}
	if err := rounds(b.rounds, len(all), func(who int) error { return all[who].turn(b) }); err != nil {
		return err
	}
	for _, o := range all {
		r := row{what: "open, " + inMillions(b.million) + " events", who: o.name, values: o.ms, write: milliseconds, base: all[0].ms, cpu: o.cpu}
		if o.dir == f[0].dir || o.dir == b.longestDir {
			r.goal = atMost(10, "<= 10 ms, tail verified")
		}
		b.table.add(r)
	}
	return b.measureVerify(f[0].dir)
}

func inMillions(n int) string { return fmt.Sprintf("%g M", float64(n)/1e6) }

// fillLongest makes the longest log, once.
func (b *bench) fillLongest() (string, error) {
	if b.longestDir != "" {
		return b.longestDir, nil
	}
	dir := filepath.Join(b.dir, "longest")
	if _, err := mkdir(dir); err != nil {
		return "", err
	}
	if err := fillStore(b, makers()[0], dir, b.longest); err != nil {
		return "", err
	}
	b.longestDir = dir
	return dir, verifyStore(b, makers()[0], dir, uint64(b.longest), newChecker(1).check)
}

func (o *opened) turn(b *bench) error {
	if o.name == "etcd wal" && len(o.ms) == fewTurns {
		return nil
	}
	runtime.GC()
	began, busy := time.Now(), cpuTime()
	s, err := o.open(b, o.dir)
	took := time.Since(began)
	busy = cpuTime() - busy
	if err != nil {
		return fmt.Errorf("%s: %w", o.name, err)
	}
	o.ms = append(o.ms, took.Seconds()*1e3)
	o.cpu = append(o.cpu, busy.Seconds()*1e3)
	return s.close()
}

func (b *bench) measureVerify(dir string) error {
	var ms, cpu series
	for range b.rounds {
		began, busy := time.Now(), cpuTime()
		v, err := eventlog.Verify(dir)
		if err != nil {
			return err
		}
		ms = append(ms, time.Since(began).Seconds()*1e3)
		cpu = append(cpu, (cpuTime()-busy).Seconds()*1e3/float64(runtime.GOMAXPROCS(0)))
		if v.Records < uint64(b.million) {
			return fmt.Errorf("verified %+v", v)
		}
	}
	b.table.add(row{what: "all verified, " + inMillions(b.million) + " events", who: "log", values: ms, write: milliseconds, cpu: cpu,
		goal: atMost(80, "<= 80 ms")})
	return nil
}
