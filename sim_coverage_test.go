package clusterkit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// simSight is something that happened in a history, beside the operations.
type simSight string

const (
	simLost             simSight = "lost"
	simDelayed          simSight = "delayed"
	simDuplicated       simSight = "duplicated"
	simResponseCut      simSight = "answer cut in the middle"
	simBusied           simSight = "refused as busy"
	simReplayed         simSight = "request replayed later"
	simWrongNodes       simSight = "delivered to another node"
	simWrongClusters    simSight = "delivered to another cluster"
	simTorn             simSight = "torn write"
	simDiskEIOs         simSight = "EIO"
	simDiskFulls        simSight = "ENOSPC"
	simDiskFsyncs       simSight = "failed fsync"
	simRetention        simSight = "segments deleted"
	simGap              simSight = "gap refused"
	simMerged           simSight = "state merged"
	simSnapshotSent     simSight = "state sent"
	simStatePushed      simSight = "state brought unasked"
	simForked           simSight = "fork recorded"
	simOwed             simSight = "state brought to who did not know of a fork" // too rare to ask for
	simSpokeUnlearned   simSight = "spoke without having learnt"
	simRemovedTold      simSight = "removed node told so"
	simDegraded         simSight = "node called itself degraded"
	simWell             simSight = "node called itself well again"
	simIllDrained       simSight = "degraded node drained"
	simHung             simSight = "probe answered that the disk hangs"
	simOlder            simSight = "message from or to an older program"
	simForeign          simSight = "refused for its protocol"
	simExpelled         simSight = "removed node stopped itself"
	simEmptied          simSight = "removed node returned with nothing"
	simRemovalHeld      simSight = "removal held back by the brake"
	simBrakeLifted      simSight = "brake lifted"
	simRemovedLate      simSight = "removed for being failed so long" // too rare to ask for
	simDuplicateRefused simSight = "second node of a name refused"
	simTwinStopped      simSight = "second process of a name stopped itself"
	simForgotten        simSight = "tombstones forgotten"
	simBuried           simSight = "removed nodes forgotten"
	simGoneTold         simSight = "node that is forgotten told so" // too rare to ask for
	simReturned         simSight = "node that is forgotten returned"
	simCheckpointed     simSight = "checkpoint written and read"
	simTinyPages        simSight = "pages of one event"
	simTinySegments     simSight = "segments of one record"
	simHerds            simSight = "all start at once"
	simBraked           simSight = "failure held back by the brake"
	simQuiet            simSight = "probing began when it was quiet"
	simKnocked          simSight = "joined through who waited for it" // too rare to ask for
	simIslands          simSight = "seed names resolved to others"    // too rare to ask for
)

// simCrashes names the points at which the power fails.
var simCrashes = [...]simSight{simCrashDecided: "power cut before the write", simCrashWritten: "power cut between write and sync",
	simCrashSynced: "power cut between sync and apply", simCrashApplied: "power cut between apply and publish",
	simCrashPublished: "power cut after publish"}

// simSights lists everything that must happen in the histories of the gate.
func simSights() []simSight {
	all := []simSight{simLost, simDelayed, simDuplicated, simResponseCut, simBusied, simReplayed, simWrongNodes, simWrongClusters,
		simTorn, simDiskEIOs, simDiskFulls, simDiskFsyncs, simRetention, simGap, simMerged, simSnapshotSent, simStatePushed, simForked,
		simSpokeUnlearned, simRemovedTold, simDuplicateRefused, simTwinStopped, simForgotten, simBuried, simReturned, simCheckpointed, simTinyPages, simTinySegments, simHerds,
		simBraked, simQuiet, simExpelled, simEmptied, simRemovalHeld, simBrakeLifted,
		simDegraded, simWell, simIllDrained, simHung, simOlder, simForeign}
	all = append(all, simCrashes[simCrashDecided:]...)
	for _, k := range simKinds {
		all = append(all, simSight(k.name))
	}
	return all
}

// simCoverage counts what happened.
type simCoverage struct{ seen map[simSight]int }

func (c *simCoverage) saw(s simSight) {
	if c.seen == nil {
		c.seen = make(map[simSight]int)
	}
	c.seen[s]++
}

func (c *simCoverage) add(o *simCoverage) {
	for s, n := range o.seen {
		if c.seen == nil {
			c.seen = make(map[simSight]int)
		}
		c.seen[s] += n
	}
}

func (c *simCoverage) String() string {
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(c.seen)) {
		parts = append(parts, fmt.Sprintf("%s %d", s, c.seen[s]))
	}
	return strings.Join(parts, ", ")
}

// sights notes what a world is like from its beginning.
func (p *simProfile) sights(c *simCoverage) {
	for _, s := range []struct {
		is    bool
		sight simSight
	}{
		{p.page.events == 1, simTinyPages}, {p.segment == 1, simTinySegments}, {p.herd && p.nodes > 1, simHerds},
	} {
		if s.is {
			c.saw(s.sight)
		}
	}
}
