package replay

import (
	"errors"
	"fmt"
)

// ErrNotKept is wrapped when a question reaches back before what a log keeps,
// or into events of which only the resulting state was received. There is not
// enough evidence for an answer.
var ErrNotKept = errors.New("history was not kept that far")

// ErrNotFound is wrapped when what was asked for is not in the log.
var ErrNotFound = errors.New("not found")

// ErrEmpty is wrapped when a log holds nothing that could be looked at.
var ErrEmpty = errors.New("nothing to look at")

// Damage is a stretch of a log that cannot be read. Reading goes on behind it,
// so an answer is complete but for what lay there. A half-written tail of a
// log that is being written is no damage.
type Damage struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`           // in bytes
	Bytes  int64  `json:"bytes,omitempty"`  // that were skipped; 0 when not known
	From   uint64 `json:"from,omitempty"`   // first local index that is missing
	Until  uint64 `json:"until,omitempty"`  // first local index behind it; 0 when nothing intact follows
	Reason string `json:"reason,omitempty"` // what is wrong there
}

// isDamage returns the damage that an error is, nil when it is none. It takes no
// memory where there is no error: loops ask it of each event.
func isDamage(err error) *Damage {
	if err == nil {
		return nil
	}
	var damage *Damage
	errors.As(err, &damage)
	return damage
}

// Error describes the damage in one line.
func (d *Damage) Error() string {
	return fmt.Sprintf("%s: byte %d: damaged (%s); %s", d.File, d.Offset, d.Reason, d.missing())
}

// missing says what lay there.
func (d *Damage) missing() string {
	what := "how much is missing is not known"
	switch {
	case d.From > 0 && d.Until == d.From:
		what = "no record is missing"
	case d.From > 0 && d.Until == d.From+1:
		what = fmt.Sprintf("record @%d is missing", d.From)
	case d.From > 0 && d.Until > d.From:
		what = fmt.Sprintf("records @%d to @%d are missing", d.From, d.Until-1)
	case d.From > 0:
		what = fmt.Sprintf("everything from @%d on is missing", d.From)
	}
	return what
}
