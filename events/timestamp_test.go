package events_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// slowTimestamp is the text form by means of the time package.
func slowTimestamp(ts events.Timestamp) string {
	text := ts.Time().Format("2006-01-02T15:04:05.000Z")
	if c := ts.Counter(); c != 0 {
		text += fmt.Sprintf("+%d", c)
	}
	return text
}

func TestTimestampText(t *testing.T) {
	for _, test := range []struct {
		time events.Timestamp
		text string
	}{
		{0, "1970-01-01T00:00:00.000Z"},
		{1, "1970-01-01T00:00:00.000Z+1"},
		{0xffff, "1970-01-01T00:00:00.000Z+65535"},
		{0x10000, "1970-01-01T00:00:00.001Z"},
		{events.NewTimestamp(951_825_599_999, 0), "2000-02-29T11:59:59.999Z"},
		{events.NewTimestamp(1_795_356_185_120, 3), "2026-11-22T14:03:05.120Z+3"},
		{events.MaxTimestamp, "6429-10-17T02:45:55.327Z+65535"},
	} {
		if got := test.time.String(); got != test.text {
			t.Errorf("%x: %s, want %s", uint64(test.time), got, test.text)
		}
		if back, err := events.ParseTimestamp(test.text); err != nil || back != test.time {
			t.Errorf("%s: %x, %v", test.text, uint64(back), err)
		}
	}
	// Every day until 2500 and random times after that, against the time package.
	const day = 24 * 60 * 60 * 1000
	for n := range int64(530 * 366) {
		if ts := events.NewTimestamp(n*day+n, 0); ts.String() != slowTimestamp(ts) {
			t.Fatalf("%s, want %s", ts, slowTimestamp(ts))
		}
	}
	r := chance(t)
	for range 20000 {
		ts := events.Timestamp(r.Uint64()) // beyond MaxTimestamp, too
		if ts.String() != slowTimestamp(ts) {
			t.Fatalf("%x: %s, want %s", uint64(ts), ts, slowTimestamp(ts))
		}
		back, err := events.ParseTimestamp(ts.String())
		if ts > events.MaxTimestamp {
			if err == nil {
				t.Fatalf("%s is read although no event may carry it", ts)
			}
		} else if err != nil || back != ts {
			t.Fatalf("%s comes back as %s, %v", ts, back, err)
		}
	}
}

func TestTimestampRefuses(t *testing.T) {
	for _, text := range []string{
		"", "Z", "2026", "2026-11-22", "2026-11-22T14:03:05Z", "2026-11-22T14:03:05.12Z", "2026-11-22T14:03:05.1200Z",
		"2026-11-22T14:03:05,120Z", "2026-11-22T4:03:05.120Z", "2026-11-22 14:03:05.120Z", "2026-11-22T14:03:05.120z",
		"2026-11-22T14:03:05.120+01:00", "2026-11-22T14:03:05.120", "2026-02-29T14:03:05.120Z", "2026-13-22T14:03:05.120Z",
		"2026-11-22T24:00:00.000Z", "2026-11-22T14:03:60.000Z", "1969-12-31T23:59:59.999Z", "6429-10-17T02:45:55.328Z",
		"9999-12-31T23:59:59.999Z", "2026-11-22T14:03:05.120Z+", "2026-11-22T14:03:05.120Z+0", "2026-11-22T14:03:05.120Z+03",
		"2026-11-22T14:03:05.120Z+65536", "2026-11-22T14:03:05.120Z+-3", "2026-11-22T14:03:05.120Z+3Z+3",
		" 2026-11-22T14:03:05.120Z", "2026-11-22T14:03:05.120Z ", "0000-01-01T00:00:00.000Z",
	} {
		if ts, err := events.ParseTimestamp(text); err == nil {
			t.Errorf("%q is read as %s", text, ts)
		}
	}
	ts := events.Timestamp(7)
	if ts.UnmarshalText([]byte("bad")) == nil || ts != 7 {
		t.Error("bad text must leave the time as it was")
	}
}

func TestTimestampParts(t *testing.T) {
	ts := events.NewTimestamp(1_795_356_185_120, 513)
	if ts.Millis() != 1_795_356_185_120 || ts.Counter() != 513 || !ts.Time().Equal(time.UnixMilli(1_795_356_185_120)) {
		t.Error(ts.Millis(), ts.Counter(), ts.Time())
	}
	for wall, want := range map[int64]events.Timestamp{-1: 0, -1 << 63: 0, 0: 0,
		1 << 47: events.MaxTimestamp &^ 0xffff, 1<<63 - 1: events.MaxTimestamp &^ 0xffff} {
		if got := events.NewTimestamp(wall, 0); got != want {
			t.Errorf("NewTimestamp(%d) = %x, want %x", wall, uint64(got), uint64(want))
		}
	}
}
