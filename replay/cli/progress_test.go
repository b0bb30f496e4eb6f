package cli

import (
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
)

func TestProgressLine(t *testing.T) {
	p := &progress{name: "verify", count: new(replay.Counter)}
	p.count.Records.Store(610_000)
	if got, want := p.line(2*time.Second), "verify    305k records/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.count.Of.Store(1_000_000)
	if got, want := p.line(time.Second/2), "verify    61%  1.2M records/s  319ms left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
