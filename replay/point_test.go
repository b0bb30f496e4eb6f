package replay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestPoint(t *testing.T) {
	berlin := time.FixedZone("somewhere", 3600)
	for _, c := range []struct {
		text string
		zone *time.Location
		want string // "" when it is no time; the instant otherwise
	}{
		{"first", nil, ""},
		{"head", nil, ""},
		{"head~20", nil, ""},
		{"@1234", nil, ""},
		{"n2:77", nil, ""},
		{"n2#1:77", nil, ""},
		{"01M3ZJ0000000000000000000A:77", nil, ""},
		{"n1:9,n2:4", nil, ""},
		{"n1:9,", nil, ""},
		{"2026-11-22T14:03:05Z", nil, "2026-11-22T14:03:05Z"},
		{"2026-11-22T14:03:05.120Z", nil, "2026-11-22T14:03:05.12Z"},
		{"2026-11-22T14:03:05.120Z+3", nil, "2026-11-22T14:03:05.12Z"},
		{"2026-11-22T14:03:05+01:00", nil, "2026-11-22T13:03:05Z"},
		{"2026-11-22 14:03:05.120", nil, "2026-11-22T14:03:05.12Z"},
		{"2026-11-22T14:03", nil, "2026-11-22T14:03:00Z"},
		{"2026-11-22 14:03", berlin, "2026-11-22T13:03:00Z"},
		{"2026-11-22", nil, "2026-11-22T00:00:00Z"},
		{"2026-11-22", berlin, "2026-11-21T23:00:00Z"},
		{"14:03", nil, "2026-11-22T14:03:00Z"},
		{"14:03:05", nil, "2026-11-22T14:03:05Z"},
		{"14:03", berlin, "2026-11-22T13:03:00Z"},
		{"-15m", nil, "2026-11-22T11:45:00Z"},
		{"now-15m", nil, "2026-11-22T11:45:00Z"},
		{"+15m", nil, "2026-11-22T12:15:00Z"},
		{"now+1d2h", nil, "2026-11-23T14:00:00Z"},
		{"-1d12h", nil, "2026-11-21T00:00:00Z"},
		{"-2d", nil, "2026-11-20T12:00:00Z"},
		{"now", nil, "2026-11-22T12:00:00Z"},
	} {
		p, err := replay.Grammar{Now: noon, Zone: c.zone}.Point(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if p.String() != c.text || p.IsZero() {
			t.Errorf("%q became %q", c.text, p)
		}
		at, ok := p.Time()
		if ok != (c.want != "") || ok && at.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%q is %v %v, want %q", c.text, at.Format(time.RFC3339Nano), ok, c.want)
		}
	}
}

func TestPointRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":                      "empty",
		"1234":                  "want @1234",
		"@":                     "not a number",
		"@-1":                   "not a number",
		"@+1":                   "not a number",
		"@x":                    "not a number",
		"@99999999999999999999": "not a number",
		"head~":                 "not a number",
		"head-3":                "want @1234",
		"n2:":                   "not a number",
		"n2:0":                  "begin at 1",
		"n 2:7":                 "node id",
		":7":                    "node id",
		"n1:9,n1:4":             "twice",
		"n1:9,,n2:4":            "<node>:<sequence>",
		"25:00":                 "nor is it a time of day",
		"-15x":                  "span of time",
		"--15m":                 "span of time",
		"++15m":                 "span of time",
		"-+15m":                 "span of time",
		"+1d-2h":                "span of time",
		"-d":                    "span of time",
		"1969-12-31T23:59:59Z":  "before 1970",
		"2026-13-01":            "want @1234",
		"yesterday":             "want @1234",
	} {
		_, err := replay.Grammar{Now: noon}.Point(text)
		var point *replay.PointError
		if !errors.As(err, &point) || point.Text != text || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want a PointError with %q", text, err, why)
		}
	}
	for _, text := range []string{"14:03", "-15m", "now"} {
		if _, err := (replay.Grammar{}).Point(text); err == nil {
			t.Errorf("%q was accepted without a now", text)
		}
	}
}

func TestRange(t *testing.T) {
	g := replay.Grammar{Now: noon}
	for text, want := range map[string][2]string{
		"first..head": {"first", "head"},
		"@3..":        {"@3", ""},
		"..n2:7":      {"", "n2:7"},
		"14:03..-5m":  {"14:03", "-5m"},
		"..":          {"", ""},
	} {
		r, err := g.Range(text)
		if err != nil || r.From.String() != want[0] || r.To.String() != want[1] {
			t.Errorf("%q is %q to %q, %v", text, r.From, r.To, err)
		}
	}
	for _, text := range []string{"head", "x..y", "@1..@y"} {
		if _, err := g.Range(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func FuzzPoint(f *testing.F) {
	for _, text := range []string{"head~20", "@1234", "n2:77", "n1:9,n2:4", "2026-11-22T14:03:05.120Z+3", "14:03", "-15m", "now-1d2h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g := replay.Grammar{Now: noon}
		p, err := g.Point(text)
		var point *replay.PointError
		if err != nil && !errors.As(err, &point) {
			t.Errorf("%q: %v is no PointError", text, err)
		}
		if err == nil && (p.IsZero() || p.String() != text) {
			t.Errorf("%q became %q", text, p)
		}
		g.Range(text)
	})
}
