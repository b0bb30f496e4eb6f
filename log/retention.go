package log

import "time"

// Retention bounds the history that is kept. Whole segments are removed, oldest
// first; the newest and the one before always stay. The zero value keeps all.
type Retention struct {
	Age     time.Duration // a segment goes when its newest record is older; 0 means never
	Bytes   int64         // the oldest go until the rest is at most as large; 0 means no bound
	Archive string        // a directory for this log alone, to which segments are moved, compressed; empty deletes them
}
