package log

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// sized returns an event whose bytes are as many, as near as can be.
func sized(b testing.TB, o *origin, size int) events.Event {
	b.Helper()
	const header = 18 + 3 + 9 + 10 + 5 + 2 + 18 // log, seq, time, type, actor, body, chain
	return o.event(b, size-header)
}

func benchOptions() Options { return Options{NodeID: "n1", Cluster: "bench", Logger: quiet()} }

func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l, err := Open(b.TempDir(), benchOptions())
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			each := b.N/callers + 1
			var batches [][]events.Event
			for c := range callers {
				o := newOrigin(byte(c + 1))
				var mine []events.Event
				for range each {
					mine = append(mine, sized(b, o, 128))
				}
				batches = append(batches, mine)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for i := range each {
						if _, err := l.Append(batches[c][i : i+1]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// filled returns a directory with n events of 128 bytes from 4 origins.
func filled(b testing.TB, n int) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "log-bench-")
	if err != nil {
		b.Fatal(err)
	}
	o := benchOptions()
	o.disk = calmDisk{}
	l, err := Open(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	var origins []*origin
	for i := range 4 {
		origins = append(origins, newOrigin(byte(i+1)))
	}
	for done := 0; done < n; {
		batch := make([]events.Event, min(1000, n-done))
		for i := range batch {
			batch[i] = sized(b, origins[i%4], 128)
		}
		done += len(batch)
		if _, err := l.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// million returns a directory with so many events, made once.
func million(b *testing.B) string {
	b.Helper()
	if millionDir == "" {
		millionDir = filled(b, 1_000_000)
	}
	return millionDir
}

var millionDir string // removed by TestMain

func BenchmarkScan(b *testing.B) {
	dir := million(b)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		r, err := OpenReader(dir)
		if err != nil {
			b.Fatal(err)
		}
		err = r.Scan(func(*Record) error { n++; return nil })
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkNextAndDecode(b *testing.B) {
	dir := million(b)
	b.ReportAllocs()
	b.ResetTimer()
	var d events.Decoder
	for n := 0; n < b.N; {
		r, err := OpenReader(dir)
		if err != nil {
			b.Fatal(err)
		}
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			if rec.Kind == KindEvent {
				if _, err := d.Decode(rec.Bytes); err != nil {
					b.Fatal(err)
				}
			}
			n++
		}
		r.Close()
	}
}

func BenchmarkReadSealed(b *testing.B) {
	dir := million(b)
	l, err := Open(dir, benchOptions())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	rnd := rand.New(rand.NewPCG(1, 1))
	var r Record
	read := func() {
		if err := l.ReadInto(1+rnd.Uint64N(l.Last()*9/10), &r); err != nil {
			b.Fatal(err)
		}
	}
	for range 100_000 {
		read()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		read()
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := million(b)
	for range b.N {
		l, err := Open(dir, benchOptions())
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		l.Close()
		b.StartTimer()
	}
}
