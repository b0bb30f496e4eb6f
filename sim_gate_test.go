//go:build !race

package clusterkit

// How many histories the gate runs, and how many a mistake may survive.
const (
	simGateSeeds     = 2000
	simSabotageSeeds = 2000
)
