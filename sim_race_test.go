//go:build race

package clusterkit

// simGateSeeds is small under the race detector, which has nothing to find in
// one thread. The gate runs the rest, and the control, without it.
const simGateSeeds = 50
