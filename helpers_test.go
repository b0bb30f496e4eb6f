package clusterkit_test

import (
	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
)

func parseCursor(text string) (clusterkit.Cursor, error) { return events.ParseVector(text) }
