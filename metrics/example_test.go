package metrics_test

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skshohagmiah/clusterkit/metrics"
)

// Two nodes of one process share the registry of the application. What happens
// is pushed, what is the case is read when the registry is scraped.
func Example() {
	registry := prometheus.NewRegistry()
	for i, node := range []string{"n1", "n2"} {
		m := metrics.New(metrics.Options{Cluster: "my-app", Node: node, State: func() metrics.State {
			return metrics.State{Members: metrics.Members{Alive: 2}, Owned: metrics.Owned{Primary: 8 * (i + 1)}}
		}})
		if err := m.Register(registry); err != nil {
			fmt.Println(err)
			return
		}
		m.SyncClient(metrics.ResultOK, 3*time.Millisecond)
	}

	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range family(families, "clusterkit_partitions_owned").GetMetric() {
		fmt.Println(label(s, "node"), label(s, "role"), s.GetGauge().GetValue())
	}
	// Output:
	// n1 primary 8
	// n1 replica 0
	// n2 primary 16
	// n2 replica 0
}
