package timeline_test

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/replay/replaytest"
	"github.com/skshohagmiah/clusterkit/replay/timeline"
)

var (
	benchEvents = flag.Int("events", 1_000_000, "how many events the benchmark's log has")
	benchDir    = flag.String("benchdir", "", "where the benchmark's log is kept between runs; a temporary directory by default")
)

// BenchmarkMillion draws a million events, 4,096 partitions and seven nodes: in
// this process, and with the program itself, for the resident memory.
//
//	go test ./replay/timeline -run '^$' -bench Million -benchtime 3x
//
// The largest resident memory of a process is never less than that of the one
// that started it was, so it is true only of a log that an earlier run left in
// -benchdir.
func BenchmarkMillion(b *testing.B) {
	dir := *benchDir
	if dir == "" {
		dir = b.TempDir()
	}
	log := filepath.Join(dir, "n1")
	if _, err := os.Stat(log); err != nil {
		replaytest.Large(b, *benchEvents, 4096, time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC), log)
	}
	program := filepath.Join(dir, "clusterkit-replay")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/clusterkit-replay").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	b.Run("program", func(b *testing.B) { benchProgram(b, program, dir) })
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			build(b, timeline.Options{}, log)
		}
	})
	b.Run("html", func(b *testing.B) {
		tl := build(b, timeline.Options{}, log)
		b.ResetTimer()
		for b.Loop() {
			if err := tl.WriteHTML(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchProgram(b *testing.B, program, dir string) {
	var most, size int64
	var worked time.Duration
	for b.Loop() {
		cmd := exec.Command(program, "timeline", "-o", "report.html", "n1")
		cmd.Dir = dir
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Run(); err != nil {
			b.Fatalf("%v: %s", err, errs.String())
		}
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			most = max(most, usage.Maxrss)
		}
		worked += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if info, err := os.Stat(filepath.Join(dir, "report.html")); err == nil {
		size = info.Size()
	}
	b.ReportMetric(float64(most)/1024, "MiB-rss")
	b.ReportMetric(float64(size)/1e6, "MB")
	b.ReportMetric(float64(worked.Milliseconds())/float64(b.N), "cpu-ms")
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
}
