package cli_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

var (
	benchEvents = flag.Int("events", 1_000_000, "how many events the benchmark's logs have")
	benchDir    = flag.String("benchdir", "", "where the benchmark's logs are kept between runs; a temporary directory by default")
)

// BenchmarkMillion runs the program itself on logs of a million events, 4,096
// partitions and seven origins, and reports what it took: wall time, the time
// of the processors, which says more on a machine that has other things to do,
// the largest resident memory of the process, of which 48 MiB are asked, and
// beside it the wall time that was asked on two cores, where one was. What the
// programs print goes nowhere, for this is not about disks. The first
// row is what no verification can do without: reading the segments and hashing
// them with SHA-256, on all processors. Of what reads everything the last column
// says how often that would go into it, which depends less on the machine.
//
//	go test ./replay/cli -run '^$' -bench Million -benchtime 3x
func BenchmarkMillion(b *testing.B) {
	dir := *benchDir
	if dir == "" {
		dir = b.TempDir()
	}
	program := filepath.Join(dir, "clusterkit-replay")
	build := exec.Command("go", "build", "-o", program, "../cmd/clusterkit-replay")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the README says; it also starts in a millisecond less
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	n1 := filepath.Join(dir, "n1")
	if _, err := os.Stat(n1); err != nil {
		// In a process of its own: what a child may use counts from what its
		// parent had.
		make := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkMakeMillion$", "-test.benchtime", "1x",
			"-events", strconv.Itoa(*benchEvents), "-benchdir", dir)
		if out, err := make.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	limit := 0.0
	b.Run("read-and-sha256", func(b *testing.B) {
		limit = median(b, func() { hashSegments(b, filepath.Join(n1, "wal")) })
		b.ReportMetric(limit, "ms")
	})
	for _, c := range []struct {
		name, command string
		asked         float64 // ms; 0 when nothing is
	}{
		{"verify", "verify n1", 450},
		{"log-jsonl", "log n1 -o jsonl", 800},
		{"log-jsonl-known", "log n1 -o jsonl --axis known", 800},
		{"log-table", "log n1", 0},
		{"log-reverse", "log n1 -o jsonl --reverse", 0},
		{"log-graph", "log n1 --graph", 0},
		{"log-both", "log n1 n2 -o jsonl", 0},
		{"log-newest-10", "log n1 -n 10", 0},
		{"log-10s", "log n1 2026-11-22T13:52:00Z..2026-11-22T13:52:10Z", 0},
		{"state-head", "state n1 --partition 17", 60},
		{"state-true", "state n1 --at 2026-11-22T13:52:00Z --partition 17", 60},
		{"state-known", "state n1 --at @500000 --partition 17", 60},
		{"partition-history", "log n1 --partition 17", 0},
		{"blame", "blame partition/17 n1 --why", 80},
		{"timeline", "timeline n1 -o report.html", 1500},
		{"timeline-both", "timeline n1 n2 -o both.html", 0},
		{"check", "check n1", 0},
		{"stats", "stats n1", 0},
		{"bisect", "bisect n1 --where owner(17)==\"node-3\"", 0},
		{"diff", "diff n1 2026-11-22T13:52:00Z..2026-11-22T13:55:00Z --stat", 0},
		{"converge", "converge n1 n2", 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			ms := benchCommand(b, program, dir, strings.Fields(c.command))
			if limit > 0 && (strings.HasPrefix(c.command, "verify") || strings.Contains(c.command, "jsonl")) {
				b.ReportMetric(ms/limit, "x-sha256")
			}
			if c.asked > 0 {
				b.ReportMetric(c.asked, "ms-asked")
			}
			if info, err := os.Stat(filepath.Join(dir, "report.html")); err == nil && c.name == "timeline" {
				b.ReportMetric(float64(info.Size())/1e6, "MB-page")
			}
		})
	}
}

// BenchmarkMakeMillion writes the logs that BenchmarkMillion reads into
// -benchdir.
func BenchmarkMakeMillion(b *testing.B) {
	if *benchDir == "" {
		return
	}
	dir := *benchDir
	if _, err := os.Stat(filepath.Join(dir, "n1")); err == nil {
		return
	}
	end := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	replaytest.Large(b, *benchEvents, 4096, end, filepath.Join(dir, "n1"), filepath.Join(dir, "n2"))
}

// hashSegments reads and hashes the segments in a directory, several at a time.
func hashSegments(b *testing.B, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "0*"))
	if err != nil || len(files) == 0 {
		b.Fatal(files, err)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			h, buf := sha256.New(), make([]byte, 256<<10)
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				f, err := os.Open(files[i])
				if err == nil {
					_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, buf)
				}
				if err = errors.Join(err, f.Close()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// median returns the median time of do in ms.
func median(b *testing.B, do func()) float64 {
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		do()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took) // a machine that does other things, too, is slow now and then
	return float64(took[len(took)/2].Microseconds()) / 1000
}

// benchCommand returns the median time of a command in ms.
func benchCommand(b *testing.B, program, dir string, args []string) float64 {
	var most int64
	var worked time.Duration
	ms := median(b, func() {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Run(); cmd.ProcessState.ExitCode() > 1 {
			b.Fatalf("%v: %v: %s", args, err, errs.String())
		}
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			most = max(most, usage.Maxrss)
		}
		worked += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	})
	b.ReportMetric(float64(most)/1024, "MiB-rss")
	b.ReportMetric(float64(worked.Milliseconds())/float64(b.N), "cpu-ms")
	b.ReportMetric(ms, "ms")
	return ms
}
