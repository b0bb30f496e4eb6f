package log

import (
	"bytes"
	"io"
	"math/bits"
	"testing"
)

// lastBatch is a segment in memory: two records, and behind them a batch that
// no later record proves, which begins at a byte of a sector.
type lastBatch struct {
	b    []byte
	at   int   // where the batch begins
	ends []int // of its records
}

func newLastBatch(t testing.TB, align int, sizes ...int) *lastBatch {
	t.Helper()
	l := new(lastBatch)
	var o *origin
	add := func(index, durable uint64, size int, flags uint8) {
		e := o.event(t, size)
		h := header{index: index, durable: durable, received: 1_700_000_000_000 + int64(index), flags: flags}
		l.b = appendFrame(l.b, h.appendPayload(nil, nil, e.Raw()))
	}
	for pad := 0; len(l.b) == 0 || len(l.b)%sectorSize != align; pad = (align - len(l.b) + 4*sectorSize) % sectorSize {
		l.b, o = l.b[:0], newOrigin(1)
		add(1, 0, 100, flagEnd)
		add(2, 1, 300+pad, flagEnd)
	}
	l.at = len(l.b)
	for i, size := range sizes {
		flags := uint8(0)
		if i == len(sizes)-1 {
			flags = flagEnd
		}
		add(uint64(3+i), 2, size, flags)
		l.ends = append(l.ends, len(l.b))
	}
	return l
}

// judged returns what the end of a segment is taken for, with room behind it.
func (l *lastBatch) judged(b []byte) *CorruptError {
	w := &walker{src: memorySource{bytes.NewReader(b)}, file: "segment", index: 1, limit: int64(len(b))}
	var r, before Record
	for {
		err := w.next(&r)
		if err == nil {
			before = r
			before.Bytes, before.heads = nil, nil
			continue
		}
		if err == io.EOF {
			return nil
		}
		corrupt, _ := judge(b[w.off:], w, &before, 0, err)
		return corrupt
	}
}

// TestEveryAlignment loses sectors of a batch, in every way, wherever it begins
// in a sector: that is how a power cut leaves a write, and never damage.
func TestEveryAlignment(t *testing.T) {
	for align := range sectorSize {
		for _, sizes := range [][]int{{10 + align%90}, {900}, {30, 60, 90}, {300, 300}} {
			l := newLastBatch(t, align, sizes...)
			room := append(bytes.Clone(l.b), make([]byte, 2000)...)
			first, last := l.at/sectorSize, (len(l.b)-1)/sectorSize
			for lost := 1; lost < 1<<(last-first+1); lost++ {
				b := bytes.Clone(room)
				for s := first; s <= last; s++ {
					if lost>>(s-first)&1 != 0 {
						clear(b[max(s*sectorSize, l.at):min((s+1)*sectorSize, len(l.b))])
					}
				}
				if bytes.Equal(b, room) {
					continue
				}
				if c := l.judged(b); c != nil {
					t.Errorf("a batch of %v at %d of a sector, sectors %b of %d lost: %v", sizes, align, lost, last-first+1, c)
				}
			}
		}
	}
}

// TestEveryCut stops the write of a batch at every byte, with zeros behind it or
// nothing.
func TestEveryCut(t *testing.T) {
	for _, align := range []int{0, 17, 250, 510} {
		for _, sizes := range [][]int{{10}, {400}, {30, 60, 90}} {
			l := newLastBatch(t, align, sizes...)
			for cut := l.at; cut < len(l.b); cut++ {
				b := append(bytes.Clone(l.b[:cut]), make([]byte, 2000)...)
				if c := l.judged(b); c != nil && !oneBit(l.b[cut:]) {
					t.Errorf("a batch of %v at %d of a sector, zeros from %d: %v", sizes, align, cut-l.at, c)
				}
				if c := l.judged(b[:cut]); c != nil {
					t.Errorf("a batch of %v at %d of a sector, the file ends at %d: %v", sizes, align, cut-l.at, c)
				}
			}
		}
	}
}

// oneBit reports whether exactly one bit is set.
func oneBit(b []byte) bool {
	n := 0
	for _, c := range b {
		n += bits.OnesCount8(c)
	}
	return n == 1
}

// TestLastByte is about the one picture that has two meanings: all of the last
// record is there but one bit of its last byte, which is zero. Where a sector
// begins with that byte the sector was lost, and the batch was never
// acknowledged. Elsewhere no disk loses it alone, and it was changed.
func TestLastByte(t *testing.T) {
	for _, sizes := range [][]int{{40}, {30, 60}} {
		for align := range sectorSize {
			if align%7 > 0 && len(sizes) > 1 {
				continue
			}
			l := newLastBatch(t, align, sizes...)
			for n := len(sizes) - 1; bits.OnesCount8(l.b[len(l.b)-1]) != 1; sizes[n]++ {
				l = newLastBatch(t, align, sizes...)
			}
			b := append(bytes.Clone(l.b), make([]byte, 100)...)
			b[len(l.b)-1] = 0
			lost := (len(l.b)-1)%sectorSize == 0
			if c := l.judged(b); (c == nil) != lost {
				t.Errorf("a batch of %v at %d of a sector, its last byte at %d: %v", sizes, align, (len(l.b)-1)%sectorSize, c)
			}
			// The same byte of a record in front of others says that they are
			// missing too.
			if len(sizes) == 1 {
				continue
			}
			b = append(bytes.Clone(l.b[:l.ends[0]-1]), make([]byte, 100)...)
			if c := l.judged(b); c != nil {
				t.Errorf("a batch of %v at %d of a sector, cut in its first record: %v", sizes, align, c)
			}
		}
	}
}
