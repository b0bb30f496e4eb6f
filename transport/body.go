package transport

import (
	"errors"
	"fmt"
	"io"
)

// Limits of what a client reads of an answer.
const (
	MaxAnswer   = 8 << 20  // bytes
	MaxSnapshot = 64 << 20 // bytes of an answer to a sync whose code is snapshot
	maxError    = 64 << 10 // bytes of an answer that is an error
)

var errTooLarge = errors.New("it is too large")

// readLimited reads r to its end, or fails with errTooLarge when it holds more
// than limit bytes. It takes memory as bytes arrive; declared is how many are
// announced, or negative.
func readLimited(r io.Reader, declared, limit int64) ([]byte, error) {
	return readGrowing(r, declared, func([]byte) int64 { return limit })
}

// readGrowing is readLimited with a limit that may depend on what the bytes
// read so far say; it is asked again whenever they reach it.
func readGrowing(r io.Reader, declared int64, limit func([]byte) int64) ([]byte, error) {
	const first = 64 << 10
	size := int64(512)
	if declared >= 0 {
		size = min(declared, first) + 1 // one more byte to see the end
	}
	b := make([]byte, 0, size)
	most := limit(nil)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > most {
			if most = limit(b); int64(len(b)) > most {
				return b, fmt.Errorf("%w: more than %d bytes", errTooLarge, most)
			}
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// maxAnswer is the most bytes that an encoded answer may have.
func maxAnswer(m Message) int {
	if sync, ok := m.(*SyncResponse); ok && sync.Code == CodeSnapshot {
		return MaxSnapshot
	}
	return MaxAnswer
}
