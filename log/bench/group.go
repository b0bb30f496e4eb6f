package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// grouped gives a store a group commit: callers who come while a batch is being
// written share the next one. The first of them leads, and while the last batch
// had company it yields as long as the new one grows. This is the best that
// a user of a store without a group commit of its own can do, and the same that
// the log does.
type grouped struct {
	store store
	token chan struct{}

	mu      sync.Mutex // guards the fields below
	open    *batch
	company bool
}

type batch struct {
	events []events.Event
	done   chan struct{}
	err    error
}

func newGrouped(s store) *grouped {
	g := &grouped{store: s, token: make(chan struct{}, 1)}
	g.token <- struct{}{}
	return g
}

func (g *grouped) append(e []events.Event) error {
	g.mu.Lock()
	b, leads := g.open, false
	if b == nil {
		b, leads = &batch{done: make(chan struct{})}, true
		g.open = b
	}
	b.events = append(b.events, e...)
	g.mu.Unlock()
	if !leads {
		<-b.done
		return b.err
	}
	<-g.token
	g.mu.Lock()
	for n := 0; g.company && n < len(b.events); {
		n = len(b.events)
		g.mu.Unlock()
		runtime.Gosched()
		g.mu.Lock()
	}
	g.open, g.company = nil, len(b.events) > 1
	g.mu.Unlock()
	b.err = g.store.append(b.events)
	g.token <- struct{}{}
	close(b.done)
	return b.err
}

func (g *grouped) close() error { return g.store.close() }

// locked lets many use a store one after the other, as it is.
type locked struct {
	mu    sync.Mutex // guards store, and is held while the disk works: that is the point
	store store
}

func (l *locked) append(e []events.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.append(e)
}

func (l *locked) close() error { return l.store.close() }

// crowd is a store to which many append at the same time.
type crowd struct {
	maker
	dir   string
	store store
	each  int // appends of one committer in a turn
	from  []*source
	rate  series
}

// measureGroup measures many committers, each of whom waits until its event is
// durable.
func (b *bench) measureGroup() error {
	for _, committers := range []int{64, 16, 4} {
		if err := b.measureCrowd(committers); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measureCrowd(committers int) error {
	all, err := b.crowds(committers)
	if err != nil {
		return err
	}
	warm := true
	turn := func(who int) error {
		rate, err := all[who].turn()
		if err != nil {
			return fmt.Errorf("%s: %w", all[who].name, err)
		}
		if !warm {
			all[who].rate = append(all[who].rate, rate)
		}
		return nil
	}
	if err := rounds(1, len(all), turn); err != nil {
		return err
	}
	warm = false
	if err := rounds(b.rounds, len(all), turn); err != nil {
		return err
	}
	for _, c := range all {
		if err := c.store.close(); err != nil {
			return err
		}
		if err := c.verify(b); err != nil {
			return err
		}
	}
	b.groupRows(committers, all)
	return nil
}

// crowds makes the stores: raw with and without group commit first, then the
// log, then the others.
func (b *bench) crowds(committers int) ([]*crowd, error) {
	group := func(s store) store { return newGrouped(s) }
	asItIs := func(s store) store { return &locked{store: s} }
	peers := makers()
	last := len(peers) - 1
	raw := rawMaker("raw")
	todo := []struct {
		maker
		how   string
		share func(store) store
	}{{raw, ", group commit", group}, {raw, ", one by one", asItIs}, {peers[0], "", nil}}
	for _, m := range peers[1:] {
		todo = append(todo, todo[0])
		todo[len(todo)-1].maker = m
	}
	todo = append(todo, todo[1])
	todo[len(todo)-1].maker = peers[last]

	var all []*crowd
	for _, t := range todo {
		c := &crowd{maker: t.maker, each: max(20, 8000/committers)}
		c.name += t.how
		if t.how == todo[1].how {
			c.each = max(2, 100/committers) // it takes as long as all the others together
		}
		for i := range committers {
			c.from = append(c.from, newSource(byte(i+1)))
		}
		var err error
		if c.dir, err = mkdir(b.dir, "group", fmt.Sprint(committers, len(all))); err != nil {
			return nil, err
		}
		if c.store, err = t.open(b, c.dir); err != nil {
			return nil, err
		}
		if t.share != nil {
			c.store = t.share(c.store)
		}
		all = append(all, c)
	}
	return all, nil
}

// turn lets all committers append and returns their common rate.
func (c *crowd) turn() (float64, error) {
	var mine [][]events.Event
	for _, s := range c.from {
		mine = append(mine, s.batch(c.each))
	}
	var wg sync.WaitGroup
	errs := make([]error, len(mine))
	start := make(chan struct{})
	for i, events := range mine {
		wg.Go(func() {
			<-start
			for n := range events {
				if err := c.store.append(events[n : n+1]); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	began := time.Now()
	close(start)
	wg.Wait()
	took := time.Since(began)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(len(mine)*c.each) / took.Seconds(), nil
}

// verify opens the store again and compares what each committer wrote.
func (c *crowd) verify(b *bench) error {
	check := make(map[events.LogID]*checker)
	want := uint64(0)
	for i, s := range c.from {
		check[s.id] = newChecker(byte(i + 1))
		want += s.seq
	}
	return verifyStore(b, c.maker, c.dir, want, func(p []byte) error {
		e, err := events.Decode(p)
		if err != nil {
			return err
		}
		return check[e.Log].check(p)
	})
}

func (b *bench) groupRows(committers int, all []*crowd) {
	log, bound := all[2], map[int]float64{64: 0.85, 16: 1.0, 4: 1.2}[committers]
	for i, c := range all {
		r := row{what: fmt.Sprintf("%d durable committers", committers), who: c.name, values: c.rate, write: perSecond, base: all[0].rate}
		switch {
		case i == 2:
			r.got = c.rate.ratio(all[0].rate)
			r.goal = atLeast(bound, fmt.Sprintf(">= %.2f of raw", bound))
		case i == len(all)-1 && committers == 64:
			r.got = log.rate.ratio(c.rate)
			r.goal = atLeast(40, fmt.Sprintf("log >= 40 of it: %.0f", r.got))
		}
		b.table.add(r)
	}
}
