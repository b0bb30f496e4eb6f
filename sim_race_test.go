//go:build race

package clusterkit

// Few under the race detector, which has nothing to find in one thread.
const (
	simGateSeeds     = 100
	simSabotageSeeds = 2000
)
