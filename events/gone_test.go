package events_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// TestGoneNode: what remains of a node has one text, and a text that is not that
// of a node is refused.
func TestGoneNode(t *testing.T) {
	a, b := events.NewLogID(5, [10]byte{0xff, 0xff}), events.NewLogID(6, [10]byte{2})
	for _, g := range []events.GoneNode{
		{ID: "n1"},
		{ID: "n1", Incarnation: 1<<64 - 1, Revision: 7},
		{ID: strings.Repeat("n", 64), Incarnation: 9, Logs: []events.GoneLog{{ID: a, Closed: true}, {ID: b}}},
	} {
		back, err := events.ParseGoneNode(g.String())
		if err != nil || !reflect.DeepEqual(back, g) {
			t.Errorf("%q is read as %+v, %v; want %+v", g, back, err, g)
		}
	}
	for _, text := range []string{
		"", "n1", "n1 1", "n1  1", " 1 1", "n1 1 1 ", "n1 01 1", "n1 1 +1", "n1 1 18446744073709551616", "n1 1 -1", "n/1 1 1",
		"n1 1 1 " + b.String() + " " + a.String(), "n1 1 1 " + a.String() + " " + a.String(), "n1 1 1 x",
		"n1 1 1 " + a.String() + "!!", "n1 1 1 !" + a.String(), "n1 1 1 " + strings.ToLower(a.String()),
	} {
		if g, err := events.ParseGoneNode(text); err == nil {
			t.Errorf("%q is read as %+v", text, g)
		}
	}
}
