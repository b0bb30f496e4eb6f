package clusterkit_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

// busyEnv tells the test below that it is the process with one processor.
const busyEnv = "CLUSTERKIT_TEST_BUSY"

// TestNoFalseVerdictOnOneBusyProcessor: ten nodes share one processor with a
// loop that never yields, in a process of its own. However long their answers
// then take, nobody gives up anybody. bench/cluster does the same for a minute.
func TestNoFalseVerdictOnOneBusyProcessor(t *testing.T) {
	if os.Getenv(busyEnv) == "" {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), busyEnv+"=yes", "GOMAXPROCS=1")
		out, err := child.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	const nodes, probes = 10, 5
	if n := runtime.GOMAXPROCS(0); n != 1 {
		t.Fatalf("%d processors", n)
	}
	const interval = 500 * time.Millisecond // half of the default: times are twice as tight
	all := startAll(t, nodes, func(_ int, o *clusterkit.Options) { o.ProbeInterval = interval })
	awaitAgreement(t, "ten nodes", all, full(nodes, 16, 3))
	var stop atomic.Bool
	go func() { // ends with the test
		for spins := 0; !stop.Load(); spins++ {
		}
	}()
	defer stop.Store(true)
	began := time.Now()
	answered := func(ck *clusterkit.ClusterKit) int {
		return summed(t, ck, "clusterkit_probe_duration_seconds_count", "")
	}
	for _, ck := range all { // nodes begin to probe some intervals after they joined
		for answered(ck) < probes {
			<-time.After(interval)
			if time.Since(began) > time.Minute {
				t.Fatalf("%s had %d probes answered in a minute", ck.NodeID(), answered(ck))
			}
		}
	}
	took := time.Since(began)
	stop.Store(true)
	verdicts, suspicions := 0, 0
	for _, ck := range all {
		verdicts += summed(t, ck, "clusterkit_member_transitions_total", `to="failed"`)
		suspicions += summed(t, ck, "clusterkit_member_transitions_total", `to="suspected"`)
	}
	t.Logf("%d probes of each node in %v; the ten know of %d suspicions, %d verdicts", probes, took, suspicions, verdicts)
	if verdicts > 0 {
		t.Errorf("%d false verdicts", verdicts)
	}
}
