package events_test

import (
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

func TestRegisters(t *testing.T) {
	log := events.LogID{15: 1}
	for register, want := range map[string][2]string{
		events.NodeRegister("n1"):       {events.KindNode, "n1"},
		events.AccusationRegister("n1"): {events.KindAccusation, "n1"},
		events.AdminRegister("n1"):      {events.KindAdmin, "n1"},
		events.PartitionRegister(17):    {events.KindPartition, "17"},
		events.ValueRegister("a/b"):     {events.KindValue, "a/b"},
		events.LogRegister(log):         {events.KindLog, log.String()},
		events.ConfigRegister:           {events.KindConfig, "cluster"},
		events.CoordinatorRegister:      {events.KindCoordinator, ""},
		events.FloorRegister("value"):   {events.KindFloor, "value"},
		"":                              {"", ""},

		events.CollectedRegister(events.ID{Log: log, Seq: 7}): {events.KindCollected, log.String() + ":7"},
	} {
		if kind, key := events.SplitRegister(register); kind != want[0] || key != want[1] {
			t.Errorf("%q splits into %q and %q", register, kind, key)
		}
	}
	// The longest names make registers that fit.
	for _, register := range []string{events.AccusationRegister(strings.Repeat("n", events.MaxNodeIDLength)),
		events.ValueRegister(strings.Repeat("k", events.MaxKeyLength)), events.PartitionRegister(1<<31 - 1)} {
		if len(register) > events.MaxRegister {
			t.Errorf("%s is longer than a register may be", register)
		}
	}
}
