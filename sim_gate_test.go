//go:build !race

package clusterkit

import (
	"fmt"
	"strings"
	"testing"
)

// simGateSeeds is how many histories the gate runs.
const simGateSeeds = simManySeeds

// TestSimulationFindsSabotage is the control: each of these mistakes must be
// found within as many histories as the gate runs.
func TestSimulationFindsSabotage(t *testing.T) {
	var table strings.Builder
	for _, s := range sabotages {
		found := uint64(0)
		var how *simViolation
		total := runSeeds(s.from, simGateSeeds, s.sabotage, func(r simResult) bool {
			found, how = r.seed, r.violation
			return r.violation == nil
		})
		if how == nil {
			t.Errorf("%s: not found in %d histories", s.name, total.histories)
			continue
		}
		fmt.Fprintf(&table, "\n%-51s found by history %6d: %s", s.name, found, how.invariant)
	}
	t.Log(table.String())
}
