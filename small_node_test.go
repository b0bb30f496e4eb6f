package clusterkit_test

import (
	"runtime"
	"testing"

	"github.com/skshohagmiah/clusterkit"
)

// TestNodeIsSmall: a node of ten takes no more goroutines and heap than one of a
// hundred may, which bench/cluster measures.
func TestNodeIsSmall(t *testing.T) {
	const nodes, goroutines, bytes = 10, 64, 3 << 19
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	threads, before := runtime.NumGoroutine(), heap()
	all := startAll(t, nodes, func(int, *clusterkit.Options) {})
	awaitAgreement(t, "ten nodes", all, full(nodes, 16, 3))
	most, each := (runtime.NumGoroutine()-threads)/nodes, (heap()-before)/nodes
	t.Logf("%d goroutines and %d bytes a node", most, each)
	if most > goroutines || each > bytes {
		t.Errorf("%d goroutines and %d bytes a node, want %d and %d", most, each, goroutines, bytes)
	}
	runtime.KeepAlive(all)
}
