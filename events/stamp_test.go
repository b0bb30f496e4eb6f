package events_test

import (
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// TestStampFieldOrder: an earlier field decides whatever the later ones say.
func TestStampFieldOrder(t *testing.T) {
	high, low := events.LogID{0: 2}, events.LogID{0: 1, 15: 0xff}
	ascending := []events.Stamp{
		{},
		{Version: 0, Rank: 0, Time: 0, Log: low, Seq: 9},
		{Version: 0, Rank: 0, Time: 0, Log: high, Seq: 1},
		{Version: 0, Rank: 0, Time: 0, Log: high, Seq: 2},
		{Version: 0, Rank: 0, Time: 1, Log: low, Seq: 1},
		{Version: 0, Rank: 1, Time: 0, Log: low, Seq: 1},
		{Version: 0, Rank: 255, Time: events.MaxTimestamp, Log: high, Seq: 1<<64 - 1},
		{Version: 1, Rank: 0, Time: 0, Log: low, Seq: 1},
		{Version: events.MaxVersion},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%+v against %+v: %d, want %d", a, b, got, want)
			}
		}
	}
}

// TestStampIsTotal: antisymmetric, transitive, and equal only for equal IDs.
func TestStampIsTotal(t *testing.T) {
	r := chance(t)
	logs := []events.LogID{r.logID(), r.logID(), r.logID()}
	stamps := make([]events.Stamp, 120)
	for i := range stamps { // few values, so that prefixes are often equal
		stamps[i] = events.Stamp{Version: r.Uint64N(2), Rank: uint8(r.IntN(2)), Time: events.Timestamp(r.IntN(2)),
			Log: pick(r, logs...), Seq: r.Uint64N(3)}
	}
	for _, a := range stamps {
		for _, b := range stamps {
			if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
				t.Fatalf("%+v and %+v", a, b)
			}
			if a.Compare(b) == 0 && (a.Log != b.Log || a.Seq != b.Seq) {
				t.Fatalf("two events share the stamp %+v", a)
			}
			for _, c := range stamps[:30] {
				if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
					t.Fatalf("%+v, %+v, %+v are not transitive", a, b, c)
				}
			}
		}
	}
	sorted := slices.SortedFunc(slices.Values(stamps), events.Stamp.Compare)
	r.Shuffle(len(stamps), func(i, j int) { stamps[i], stamps[j] = stamps[j], stamps[i] })
	if again := slices.SortedFunc(slices.Values(stamps), events.Stamp.Compare); !slices.Equal(sorted, again) {
		t.Fatal("the order depends on where one begins")
	}
}

func TestStampOfEvent(t *testing.T) {
	e, _ := chance(t).sealed(t)
	if want := (events.Stamp{Version: e.Version, Rank: e.Rank, Time: e.Time, Log: e.Log, Seq: e.Seq}); e.Stamp() != want {
		t.Errorf("%+v, want %+v", e.Stamp(), want)
	}
	if e.ID() != (events.ID{Log: e.Log, Seq: e.Seq}) || e.Head() != (events.Head{Log: e.Log, Seq: e.Seq, Chain: e.Chain}) {
		t.Error(e.ID(), e.Head())
	}
}
