package swim_test

import (
	"fmt"
	"testing"

	"github.com/skshohagmiah/clusterkit/transport/swim"
)

func manyMembers(n int) []swim.Member {
	members := make([]swim.Member, n)
	for i := range members {
		members[i] = swim.Member{ID: fmt.Sprintf("n%05d", i), Addr: "host:1", Incarnation: 1, Status: swim.Alive}
	}
	return members
}

func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			members := manyMembers(n)
			d := swim.New(swim.Options{Self: "n00000"})
			b.ReportAllocs()
			for i := range b.N {
				members[n/2].Incarnation++
				d.Update(int64(i), members)
			}
		})
	}
}

// BenchmarkPeriod is everything a node computes in one idle probe period.
func BenchmarkPeriod(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := swim.New(swim.Options{Self: "n00000"})
			d.Update(0, manyMembers(n))
			b.ReportAllocs()
			for range b.N {
				now := d.Next()
				for _, a := range d.Tick(now) {
					d.Result(now+1, swim.Report{ID: a.(swim.Probe).ID, Outcome: swim.Acked, RTT: 1})
				}
			}
		})
	}
}
