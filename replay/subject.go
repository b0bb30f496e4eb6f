package replay

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// ParseSubject reads what a question is about and returns the register that
// holds it: "partition/17" or "17", "node/n3", "value/k", "config/cluster",
// "coordinator", "log/<LogID>". A register of an application is taken as it is.
func ParseSubject(text string) (string, error) {
	kind, key := events.SplitRegister(text)
	switch kind {
	case events.KindPartition:
		if n, err := strconv.ParseUint(key, 10, 31); err != nil || strconv.FormatUint(n, 10) != key {
			return "", fmt.Errorf("%q: want a partition's number, such as partition/17", text)
		}
		return text, nil
	case events.KindNode, events.KindAccusation, events.KindAdmin:
		if err := events.CheckNodeID(key); err != nil {
			return "", err
		}
		return events.NodeRegister(key), nil
	case events.KindConfig:
		return events.ConfigRegister, nil
	case events.KindCoordinator:
		return events.CoordinatorRegister, nil
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return events.PartitionRegister(int(n)), nil
	}
	if !strings.Contains(text, "/") || key == "" {
		return "", fmt.Errorf("%q: want partition/17, node/n3, value/k, config/cluster or coordinator", text)
	}
	return text, nil
}

// registersOf returns the registers in which something is said about a
// subject.
func registersOf(subject string) []string {
	if kind, key := events.SplitRegister(subject); kind == events.KindNode {
		return []string{subject, events.AccusationRegister(key), events.AdminRegister(key)}
	}
	return []string{subject}
}
