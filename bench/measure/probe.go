package measure

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// Result is what was measured in one process.
type Result struct {
	Prepare     time.Duration   `json:",omitempty"` // before the start
	Start       time.Duration   `json:",omitempty"`
	Propagation []time.Duration `json:",omitempty"`
	Leave       []time.Duration `json:",omitempty"`
	Kill        []time.Duration `json:",omitempty"`
	Silence     []time.Duration `json:",omitempty"`
	Idle        float64         `json:",omitempty"` // bytes/s and node
	Goroutines  float64         `json:",omitempty"`
	Memory      float64         `json:",omitempty"` // bytes
	Starved     bool            `json:",omitempty"` // there was a busy minute
	False       int             `json:",omitempty"` // and so many false verdicts in it
	Error       string          `json:",omitempty"`
}

// What can be measured in one process.
const (
	Calm    = "calm"    // start, propagation, idle, goroutines, memory, leave
	Kill    = "kill"    // detection of killed nodes
	Silence = "silence" // of silenced ones
	Busy    = "busy"    // false verdicts in a minute on one processor that something else keeps busy
)

const (
	patience = 60 * time.Second // for anything
	settling = 5 * time.Second  // after changes
	changes  = 15
	watched  = 15 * time.Second // for what passes when nothing happens
)

// Probe starts a cluster and measures it.
func Probe(s System, o Options, what string) (r Result) {
	goroutines, memory := runtime.NumGoroutine(), inUse()
	began := time.Now()
	o.Prepared = func() { r.Prepare, began = time.Since(began), time.Now() }
	c, err := s.Start(o)
	if err != nil {
		return Result{Error: fmt.Sprintf("start: %v", err)}
	}
	if r.Start, err = until(began, c.Agree); err != nil {
		return Result{Error: "start: " + err.Error()}
	}
	time.Sleep(settled(o.Nodes))
	p := &prober{c: c, nodes: o.Nodes, gone: make(map[int]bool)}
	switch what {
	case Kill:
		r.Kill, err = p.lose(c.Kill)
	case Silence:
		r.Silence, err = p.lose(c.Silence)
	case Busy:
		r.Starved, r.False = true, p.starve()
	default:
		if r.Propagation, err = p.propagate(); err != nil {
			break
		}
		time.Sleep(settling)
		before := c.Bytes()
		time.Sleep(watched)
		r.Idle = float64(c.Bytes()-before) / watched.Seconds() / float64(o.Nodes)
		r.Goroutines = float64(runtime.NumGoroutine()-goroutines) / float64(o.Nodes)
		r.Memory = float64(inUse()-memory) / float64(o.Nodes)
		r.Leave, err = p.leave()
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// settled is how long to wait after a start, before anything is measured:
// clusterkit balances its partitions after max(5, 10 log10 n) seconds of quiet.
func settled(nodes int) time.Duration {
	return 10*time.Second + time.Duration(10*math.Log10(float64(nodes))*float64(time.Second))
}

// inUse is what the program holds: live objects and stacks.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

var errPatience = errors.New("not within " + patience.String())

// until waits for a condition and returns how long after began it came true.
func until(began time.Time, ok func() bool) (time.Duration, error) {
	for !ok() {
		if time.Since(began) > patience {
			return 0, errPatience
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began), nil
}

type prober struct {
	c     Cluster
	nodes int
	gone  map[int]bool
}

// rest are the nodes that are there.
func (p *prober) rest() []int {
	var rest []int
	for i := range p.nodes {
		if !p.gone[i] {
			rest = append(rest, i)
		}
	}
	return rest
}

// seenByAll returns a condition that asks nobody again who has seen it.
func (p *prober) seenByAll(seen func(by int) bool) func() bool {
	waiting := p.rest()
	return func() bool {
		waiting = slices.DeleteFunc(waiting, seen)
		return len(waiting) == 0
	}
}

func (p *prober) propagate() ([]time.Duration, error) {
	var took []time.Duration
	for i := range changes {
		at := i * p.nodes / changes
		began := time.Now()
		seen, err := p.c.Change(at)
		if errors.Is(err, ErrNoChange) && len(took) > 0 {
			break
		}
		if err != nil {
			return took, fmt.Errorf("change: %w", err)
		}
		t, err := until(began, p.seenByAll(seen))
		if err != nil {
			return took, fmt.Errorf("propagation: %w", err)
		}
		took = append(took, t)
		time.Sleep(time.Second) // one change, not a stream of them
	}
	return took, nil
}

// victims are the nodes that go, never the first, through which all joined.
func (p *prober) victims() []int {
	all := []int{p.nodes - 1}
	if p.nodes >= 30 {
		all = append(all, p.nodes/2, p.nodes/4)
	}
	return all
}

func (p *prober) lose(end func(int)) ([]time.Duration, error) {
	var took []time.Duration
	for _, node := range p.victims() {
		began := time.Now()
		p.gone[node] = true
		end(node)
		t, err := until(began, p.seenByAll(func(by int) bool { return p.c.Gone(by, node) }))
		if err != nil {
			return took, fmt.Errorf("detection: %w", err)
		}
		took = append(took, t)
		time.Sleep(3 * time.Second)
	}
	return took, nil
}

// starve keeps the only processor busy for a minute and counts how often a
// node believed another one gone, all of which are there.
func (p *prober) starve() (verdicts int) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	stop := make(chan struct{})
	go func() { // ends with the minute
		for {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	defer close(stop)
	believed := make(map[[2]int]bool)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for by := range p.nodes {
			for node := range p.nodes {
				gone := p.c.Gone(by, node)
				if gone && !believed[[2]int{by, node}] {
					verdicts++
				}
				believed[[2]int{by, node}] = gone
			}
		}
	}
	return verdicts
}

func (p *prober) leave() ([]time.Duration, error) {
	var took []time.Duration
	for _, node := range p.victims() {
		began := time.Now()
		p.gone[node] = true
		left := make(chan error, 1)
		go func() { left <- p.c.Leave(node) }()
		t, err := until(began, p.seenByAll(func(by int) bool { return p.c.Gone(by, node) }))
		if err != nil {
			return took, fmt.Errorf("leave: %w", err)
		}
		if err := <-left; err != nil {
			return took, fmt.Errorf("leave: %w", err)
		}
		took = append(took, t)
		time.Sleep(time.Second)
	}
	return took, nil
}
