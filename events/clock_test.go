package events_test

import (
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

func TestClockRules(t *testing.T) {
	at := events.NewTimestamp
	const wall, skew = 1_790_000_000_000, events.MaxSkew
	type step struct {
		do   string // tick, observe, restore
		wall int64
		time events.Timestamp
		want events.Timestamp // of Last afterwards
	}
	for name, steps := range map[string][]step{
		"zero value": {{"tick", 0, 0, 1}, {"tick", 0, 0, 2}},
		"wall leads": {{"tick", wall, 0, at(wall, 0)}, {"tick", wall + 5, 0, at(wall+5, 0)}},
		"same millisecond counts": {{"tick", wall, 0, at(wall, 0)}, {"tick", wall, 0, at(wall, 1)},
			{"tick", wall, 0, at(wall, 2)}, {"tick", wall + 1, 0, at(wall+1, 0)}},
		"backward wall": {{"tick", wall, 0, at(wall, 0)}, {"tick", wall - 3_600_000, 0, at(wall, 1)},
			{"tick", -5, 0, at(wall, 2)}, {"tick", wall + 1, 0, at(wall+1, 0)}},
		"before 1970": {{"tick", -1, 0, 1}, {"observe", -1, at(wall, 0), at(skew, 0)}, {"tick", wall, 0, at(wall, 0)}},
		"overflow carries": {{"restore", 0, at(wall, 65535), at(wall, 65535)}, {"tick", wall, 0, at(wall+1, 0)},
			{"tick", wall, 0, at(wall+1, 1)}},
		"observe takes the later": {{"tick", wall, 0, at(wall, 0)}, {"observe", wall, at(wall-1, 9), at(wall, 0)},
			{"observe", wall, at(wall+3, 9), at(wall+3, 9)}, {"tick", wall, 0, at(wall+3, 10)}},
		"skew is capped": {{"observe", wall, at(wall+skew, 0), at(wall+skew, 0)}, {"observe", wall, at(wall+skew, 1), at(wall+skew, 0)},
			{"observe", wall, events.MaxTimestamp, at(wall+skew, 0)}, {"observe", wall, 1<<64 - 1, at(wall+skew, 0)},
			{"tick", wall, 0, at(wall+skew, 1)}, {"observe", wall + 7, events.MaxTimestamp, at(wall+skew+7, 0)}},
		"the cap takes nothing back": {{"restore", 0, at(wall+60_000, 0), at(wall+60_000, 0)},
			{"observe", wall, events.MaxTimestamp, at(wall+60_000, 0)}, {"tick", wall, 0, at(wall+60_000, 1)}},
		"restart": {{"restore", 0, at(wall, 7), at(wall, 7)}, {"tick", wall - 1000, 0, at(wall, 8)},
			{"restore", 0, at(wall-5, 0), at(wall, 8)}},
		"the end of time": {{"restore", 0, 1<<64 - 1, events.MaxTimestamp}, {"tick", wall, 0, events.MaxTimestamp},
			{"tick", 1<<63 - 1, 0, events.MaxTimestamp}, {"observe", 1<<63 - 1, 1<<64 - 1, events.MaxTimestamp}},
	} {
		t.Run(name, func(t *testing.T) {
			var c events.Clock
			for i, s := range steps {
				switch s.do {
				case "tick":
					if got := c.Tick(s.wall); got != c.Last() {
						t.Errorf("step %d: Tick gives %s, Last %s", i, got, c.Last())
					}
				case "observe":
					c.Observe(s.time, s.wall)
				case "restore":
					c.Restore(s.time)
				}
				if c.Last() != s.want {
					t.Fatalf("step %d, %s: %s, want %s", i, s.do, c.Last(), s.want)
				}
			}
		})
	}
}

// TestClockLaws runs a clock through random walls, events and restarts.
func TestClockLaws(t *testing.T) {
	r := chance(t)
	for range 200 {
		wall := int64(1_790_000_000_000)
		var c events.Clock
		var own events.Timestamp // newest of this node's own events
		furthest := wall
		for range 200 {
			wall += int64(r.IntN(7)) - 2 // mostly forward
			if r.IntN(50) == 0 {
				wall += int64(r.IntN(100_000)) - 50_000
			}
			furthest = max(furthest, wall)
			switch r.IntN(5) {
			case 0: // from a node whose clock may be anything
				before, seen := c.Last(), events.NewTimestamp(wall+int64(r.IntN(60_000))-30_000, uint16(r.Uint32()))
				c.Observe(seen, wall)
				if c.Last() < before {
					t.Fatal("Observe goes back")
				}
				if seen <= events.NewTimestamp(wall+events.MaxSkew, 0) && c.Last() < seen {
					t.Fatal("an event within the skew is not noted")
				}
			case 1:
				if r.IntN(10) == 0 { // restart: all but the own events is forgotten
					c = events.Clock{}
					c.Restore(own)
				}
			default:
				got := c.Tick(wall)
				if got <= own {
					t.Fatalf("%s after %s: own times must rise, across restarts too", got, own)
				}
				if got < events.NewTimestamp(wall, 0) {
					t.Fatalf("%s is before the wall", got)
				}
				own = got
			}
			if limit := events.NewTimestamp(furthest+events.MaxSkew+1, 0); c.Last() > limit {
				t.Fatalf("%s: dragged beyond %s", c.Last(), limit)
			}
		}
	}
}
