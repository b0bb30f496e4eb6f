package replay

import (
	"cmp"
	"context"
	"runtime"
	"sync"

	"github.com/skshohagmiah/clusterkit/events"
)

// Result is how a check ended.
type Result string

// The results of checks.
const (
	Pass Result = "PASS"
	Fail Result = "FAIL"
	Skip Result = "SKIP" // it could not be made; Check.What says why
)

// Verification is what verify found out about a log.
type Verification struct {
	Log      string   `json:"log"`
	Result   Result   `json:"result"` // Fail when any check failed, Skip when nothing was checked
	Records  uint64   `json:"records"`
	Events   uint64   `json:"events"`
	Segments int      `json:"segments"`
	Bytes    int64    `json:"bytes"`
	Checks   []Check  `json:"checks"`
	Damage   []Damage `json:"damage,omitempty"`
}

// Check is one property of a log.
type Check struct {
	Name     string    `json:"name"`
	Result   Result    `json:"result"`
	What     string    `json:"what"` // what was looked at, or why it was not
	Findings []Finding `json:"findings,omitempty"`
	More     int       `json:"more,omitempty"` // further findings that are not listed
}

// Finding is one violation of a property.
type Finding struct {
	Index  uint64    `json:"index,omitempty"`
	File   string    `json:"file,omitempty"`
	Offset int64     `json:"offset,omitempty"`
	Event  events.ID `json:"event,omitzero"`
	Text   string    `json:"text"`
}

// maxFindings is how many findings of one check are listed.
const maxFindings = 8

// The names of the checks.
const (
	checkRecords   = "records"   // every record has its checksum, and none is missing
	checkEvents    = "events"    // every event decodes, with its body
	checkSequences = "sequences" // every origin's events come without gap and repetition
	checkChains    = "chains"    // every event links to the one before it in its log
	checkNames     = "names"     // no two events bear one name
	checkClocks    = "clocks"    // every origin's times go forward
	checkSnapshots = "snapshots" // every snapshot is the fold of what comes before it
	checkFile      = "checkpoint"
	checkView      = "view" // the view built step by step is the one built at once
)

// Verify checks a whole log. It reads everything once, several segments at a
// time, and holds the state of each of them.
func Verify(ctx context.Context, s *Source) (*Verification, error) {
	v := &verifier{source: s, segments: s.feed.segments()}
	v.parts = make([]verified, len(v.segments))
	workers := min(runtime.GOMAXPROCS(0), len(v.segments), 4)
	shares := share(len(v.segments), workers)
	var wg sync.WaitGroup // each goroutine ends when no segment is left or ctx ends
	for worker := range workers {
		wg.Go(func() {
			if worker == 0 { // while the others begin
				v.file = v.checkpoint(ctx)
				v.names, v.err = v.source.Names(ctx)
			}
			decoder := new(events.Decoder)
			for first, ok := shares.begin(worker); ok; first, ok = shares.begin(worker) {
				v.run(ctx, decoder, first, func() bool { return shares.goOn(worker) })
			}
		})
	}
	wg.Wait()
	if err := cmp.Or(ctx.Err(), v.err); err != nil {
		return nil, err
	}
	return v.report()
}

type verifier struct {
	source   *Source
	segments []segment
	parts    []verified

	file  Check // of the checkpoint
	names *Names
	err   error // why there are no names
}
