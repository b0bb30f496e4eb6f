package timeline

import "container/heap"

// backlog counts for each of several logs how many events it had not received
// yet, over time: an event is missing from its own time until the log learnt
// of it.
type backlog []missing

// missing is the backlog of one log.
type missing struct {
	due   times         // when events that are missing will be learnt; each once
	at    map[int64]int // how many will be then: what was missed long comes all at once
	under int           // how many are under way
	never int           // events that are not learnt within the logs
	curve *Curve
}

func newBacklog(n int) backlog {
	b := make(backlog, n)
	for i := range b {
		b[i].at, b[i].curve = make(map[int64]int), new(Curve)
	}
	return b
}

// event takes up an event that was made now.
func (b backlog) event(t *Timeline, now int64, learnt []int64) {
	for i := range b {
		m := &b[i]
		m.until(now)
		switch at := learnt[i] - t.From; {
		case learnt[i] < 0:
			m.never++
		case learnt[i] > 0 && at > now:
			if m.under++; m.at[at] == 0 {
				heap.Push(&m.due, at)
			}
			m.at[at]++
		default:
			continue
		}
		m.curve.add(now, m.missing())
	}
}

// until lets time pass.
func (m *missing) until(now int64) {
	for len(m.due) > 0 && m.due[0] <= now {
		at := heap.Pop(&m.due).(int64)
		m.under -= m.at[at]
		delete(m.at, at)
		m.curve.add(at, m.missing())
	}
}

func (m *missing) missing() int32 { return int32(m.under + m.never) }

// finish lets everything arrive that is under way, later than the last event
// if need be.
func (b backlog) finish(t *Timeline) {
	for i := range b {
		b[i].until(1 << 62)
		t.Behind = append(t.Behind, b[i].curve)
	}
}

// times is a heap.
type times []int64

func (t times) Len() int           { return len(t) }
func (t times) Less(i, j int) bool { return t[i] < t[j] }
func (t times) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *times) Push(v any)        { *t = append(*t, v.(int64)) }
func (t *times) Pop() any {
	old := *t
	v := old[len(old)-1]
	*t = old[:len(old)-1]
	return v
}
