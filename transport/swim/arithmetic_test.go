package swim

import (
	"fmt"
	"math"
	"testing"
)

func TestLogarithms(t *testing.T) {
	last := int64(-1)
	for n := uint64(1); n <= 200_000; n++ {
		got := log10(n)
		if want := math.Log10(float64(n)) * log2One; math.Abs(float64(got)-want) > 1.5 {
			t.Fatalf("log10(%d) = %d, want %.1f", n, got, want)
		}
		if want := math.Log2(float64(n)) * log2One; math.Abs(float64(log2(n))-want) > 1.5 {
			t.Fatalf("log2(%d) = %d, want %.1f", n, log2(n), want)
		}
		if got < last {
			t.Fatalf("log10(%d) = %d < log10(%d) = %d", n, got, n-1, last)
		}
		last = got
	}
	for _, n := range []uint64{1 << 40, 1<<63 - 1, math.MaxUint64} {
		if want := math.Log2(float64(n)) * log2One; math.Abs(float64(log2(n))-want) > 1.5 {
			t.Errorf("log2(%d) = %d, want %.1f", n, log2(n), want)
		}
	}
}

// TestSuspicionTimer holds the timer against the formula of Lifeguard in
// floating point.
func TestSuspicionTimer(t *testing.T) {
	for _, interval := range []int64{50, 1000, 5000} {
		for _, n := range []int{1, 2, 3, 4, 5, 9, 10, 11, 30, 100, 271, 1000} {
			d := New(Options{Self: "me", Interval: interval})
			d.live = n
			s := d.newSuspicion(1, 0)
			low := float64(4*interval) * max(1, math.Log10(float64(n)))
			high := 6 * low
			for c := range 6 {
				s.accuse(fmt.Sprint("n", c))
				s.accuse("n0") // the same again
				want := max(low, high-(high-low)*math.Log(float64(c+1))/math.Log(3))
				if n < 4 {
					want = low
				}
				if got := float64(s.timer()); math.Abs(got-want) > 7+want/2000 {
					t.Errorf("interval %d, N=%d, %d confirmations: %.0f, want %.0f", interval, n, c, got, want)
				}
			}
		}
	}
	// The numbers of the protocol document.
	for n, want := range map[int]int64{3: 4000, 10: 4000, 100: 8000, 1000: 12_000} {
		d := New(Options{Self: "me"})
		d.live = n
		if s := d.newSuspicion(1, 0); s.low != want || s.high != 6*want {
			t.Errorf("N=%d: %d to %d, want %d", n, s.low, s.high, want)
		}
	}
}

func TestUnknownAccuserGetsAName(t *testing.T) {
	s := new(suspicion)
	s.accuse("")
	if !s.accuse("a") || s.accuse("a") || len(s.accusers) != 1 {
		t.Errorf("%q", s.accusers)
	}
}

func TestRandomIsFixed(t *testing.T) {
	r := newRandom(0, "")
	r = random(1234567)
	// The reference sequence of splitmix64.
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431} {
		if got := r.next(); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
	}
	var count [7]int
	for range 70_000 {
		count[r.below(7)]++
	}
	for i, n := range count {
		if n < 9500 || n > 10_500 {
			t.Errorf("%d came %d times of 70000", i, n)
		}
	}
	if r.below(0) != 0 || r.below(-3) != 0 {
		t.Error("below nothing")
	}
}

func TestP99(t *testing.T) {
	var r rtts
	if r.p99() != 0 {
		t.Error("of nothing")
	}
	r.add(9)
	r.add(4)
	if r.p99() != 9 {
		t.Errorf("of 9 and 4: %d", r.p99())
	}
	for range 98 {
		r.add(5)
	}
	if r.p99() != 5 {
		t.Errorf("one in a hundred is no rule: %d", r.p99())
	}
	r.add(8)
	if r.p99() != 8 {
		t.Errorf("two are: %d", r.p99())
	}
}

func TestRing(t *testing.T) {
	var r ring
	rnd := newRandom(1, "ring")
	all := func(*member) bool { return true }
	if r.take(&rnd, all) != nil {
		t.Error("an empty ring has a member")
	}
	members := make([]*member, 8)
	for i := range members {
		members[i] = &member{Member: Member{ID: fmt.Sprint(i)}}
		r.add(members[i], &rnd)
	}
	for range 20 {
		seen := map[*member]int{}
		late := members[rnd.below(8)]
		for i := 0; i == 0 || r.turn < len(r.order); i++ {
			if i == 3 { // who comes in the middle has a turn in this round or the next
				r.remove(late)
				r.add(late, &rnd)
			}
			seen[r.take(&rnd, all)]++
		}
		for _, m := range members {
			if m != late && seen[m] != 1 {
				t.Errorf("%s had %d turns in a round", m.ID, seen[m])
			}
		}
	}
	last := members[5]
	for range 5 {
		if got := r.take(&rnd, func(m *member) bool { return m == last }); got != last {
			t.Errorf("the only one that is wanted is not found")
		}
	}
	r.remove(&member{})
	if len(r.order) != 8 {
		t.Error("a stranger was removed")
	}
}
