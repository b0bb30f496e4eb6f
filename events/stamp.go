package events

import "cmp"

// Stamp decides which of two events owns a register: the larger one. The
// version comes first, so that what was written by somebody who had seen the
// other write always wins, whatever the clocks say; the time breaks ties
// between concurrent writes only.
type Stamp struct {
	Version uint64
	Rank    uint8
	Time    Timestamp
	Log     LogID
	Seq     uint64
}

// Compare orders stamps. It is a total order: two events have equal stamps
// only when they have the same ID.
func (s Stamp) Compare(o Stamp) int {
	switch {
	case s.Version != o.Version:
		return cmp.Compare(s.Version, o.Version)
	case s.Rank != o.Rank:
		return cmp.Compare(s.Rank, o.Rank)
	case s.Time != o.Time:
		return cmp.Compare(s.Time, o.Time)
	case s.Log != o.Log:
		return s.Log.Compare(o.Log)
	}
	return cmp.Compare(s.Seq, o.Seq)
}
