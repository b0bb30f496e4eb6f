package measure

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Main is the program of a module that measures some systems.
func Main(systems ...System) {
	if err := run(os.Stdout, systems); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

type flags struct {
	only, nodes, what string
	runs              int
	probe, profile    string
}

func run(w io.Writer, systems []System) error {
	var f flags
	flag.StringVar(&f.only, "only", "", "systems to measure, separated by commas; default all")
	flag.StringVar(&f.nodes, "nodes", "3,10,30,100", "sizes of the clusters")
	flag.StringVar(&f.what, "what", strings.Join([]string{Calm, Kill, Silence, Busy}, ","), "what to measure")
	flag.IntVar(&f.runs, "runs", 3, "clusters to start for each figure")
	flag.StringVar(&f.probe, "probe", "", "system:nodes:what, measured in this process; used by the program itself")
	flag.StringVar(&f.profile, "profile", "", "file for a CPU profile of -probe")
	flag.Parse()
	if f.probe != "" {
		return probeHere(w, systems, f)
	}
	fmt.Fprintf(w, "%s, %d cores\n\n", runtime.Version(), runtime.NumCPU())
	fmt.Fprintln(w, "| nodes | system | start | propagation | leave | killed | silent | idle B/s | goroutines | memory MiB | false verdicts |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, size := range strings.Split(f.nodes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 2 {
			return fmt.Errorf("%q is not a size of a cluster", size)
		}
		for _, s := range systems {
			if f.only != "" && !slices.Contains(strings.Split(f.only, ","), s.Name) {
				continue
			}
			if err := row(w, s, n, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// row measures one system at one size and prints its line.
func row(w io.Writer, s System, n int, f flags) error {
	var all []Result
	var problems []string
	for _, what := range strings.Split(f.what, ",") {
		for range f.runs {
			r, err := probeElsewhere(s, n, what)
			if err != nil {
				return err
			}
			if r.Error != "" && !slices.Contains(problems, r.Error) {
				problems = append(problems, r.Error)
			}
			all = append(all, r)
		}
	}
	calm := slices.DeleteFunc(slices.Clone(all), func(r Result) bool { return r.Goroutines == 0 })
	number := func(of func(Result) float64, format string) string {
		var list []float64
		for _, r := range calm {
			list = append(list, of(r))
		}
		if len(list) == 0 {
			return "-"
		}
		slices.Sort(list)
		return fmt.Sprintf(format, list[len(list)/2])
	}
	var start, propagation, leave, kill, silence []time.Duration
	for _, r := range all {
		if r.Start > 0 {
			start = append(start, r.Start)
		}
		propagation, leave = append(propagation, r.Propagation...), append(leave, r.Leave...)
		kill, silence = append(kill, r.Kill...), append(silence, r.Silence...)
	}
	fmt.Fprintf(w, "| %d | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", n, s.Name,
		durations(start), durations(propagation), durations(leave), durations(kill), durations(silence),
		number(func(r Result) float64 { return r.Idle }, "%.0f"), number(func(r Result) float64 { return r.Goroutines }, "%.0f"),
		number(func(r Result) float64 { return r.Memory / (1 << 20) }, "%.2f"), falseVerdicts(all))
	for _, p := range problems {
		fmt.Fprintf(os.Stderr, "%s, %d nodes: %s\n", s.Name, n, p)
	}
	return nil
}

// falseVerdicts prints the worst of some.
func falseVerdicts(all []Result) string {
	worst := -1
	for _, r := range all {
		if r.Starved && r.Error == "" {
			worst = max(worst, r.False)
		}
	}
	if worst < 0 {
		return "-"
	}
	return strconv.Itoa(worst)
}

// durations prints the median and the largest of some.
func durations(all []time.Duration) string {
	if len(all) == 0 {
		return "-"
	}
	slices.Sort(all)
	show := func(d time.Duration) string {
		if d < time.Second {
			return fmt.Sprintf("%d ms", d.Milliseconds())
		}
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return show(all[len(all)/2]) + " (" + show(all[len(all)-1]) + ")"
}

func probeElsewhere(s System, n int, what string) (Result, error) {
	self, err := os.Executable()
	if err != nil {
		return Result{}, err
	}
	cmd := exec.Command(self, "-probe", fmt.Sprintf("%s:%d:%s", s.Name, n, what))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return Result{}, fmt.Errorf("%s with %d nodes, %s: %w", s.Name, n, what, err)
	}
	var r Result
	if err := json.Unmarshal(out, &r); err != nil {
		return Result{}, fmt.Errorf("%s with %d nodes, %s: %w", s.Name, n, what, err)
	}
	return r, nil
}

func probeHere(w io.Writer, systems []System, f flags) error {
	parts := strings.Split(f.probe, ":")
	if len(parts) != 3 {
		return fmt.Errorf("-probe %q is not system:nodes:what", f.probe)
	}
	i := slices.IndexFunc(systems, func(s System) bool { return s.Name == parts[0] })
	n, err := strconv.Atoi(parts[1])
	if i < 0 || err != nil || n < 2 {
		return fmt.Errorf("-probe %q names no system or no size", f.probe)
	}
	dir, err := os.MkdirTemp("", "bench-cluster-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if f.profile != "" {
		out, err := os.Create(f.profile)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return json.NewEncoder(w).Encode(Probe(systems[i], Options{Nodes: n, Dir: dir, Silencing: parts[2] == Silence}, parts[2]))
}
